//! The files of the log, and the manifest that says which they are.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use larder_config::Settings;
use larder_persist::log::{BaseFormat, LogFile, Manifest, Written};
use tempfile::NamedTempFile;

use crate::replacement::{TEMPORARY, replace, temporary};

/// See the module's documentation.
pub(crate) struct Files {
    directory: PathBuf,
    /// What names of the log's files begin with.
    name: String,
    manifest: Manifest,
    /// The increment that is being written, which is the last.
    current: Option<File>,
    /// Whether the manifest on disk has what this one has. So it is not while a log that begins has no base.
    is_listed: bool,
    keeps_history: bool,
}

/// The directory of the log.
pub(crate) fn directory(settings: &Settings) -> PathBuf {
    Path::new(&settings.dir).join(&settings.appenddirname)
}

impl Files {
    /// Those that were opened before, or are now.
    pub(crate) fn opened<'a>(files: &'a mut Option<Files>, settings: &Settings) -> io::Result<&'a mut Files> {
        if files.is_none() {
            *files = Some(Files::open(settings)?);
        }
        Ok(files.as_mut().expect("they were just opened"))
    }

    /// Reads the manifest, if there is one; and takes over a log of an old version, which is a single file.
    pub(crate) fn open(settings: &Settings) -> io::Result<Files> {
        let directory = directory(settings);
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(told(&directory, &error)),
            _ => {}
        }
        let mut files = Files {
            name: settings.appendfilename.clone(),
            directory,
            manifest: Manifest::default(),
            current: None,
            is_listed: true,
            keeps_history: settings.aof_disable_auto_gc,
        };
        match fs::read(files.manifest_path()) {
            Ok(bytes) => {
                files.manifest =
                    Manifest::parse(&bytes).map_err(|error| io::Error::other(error.to_string()))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(told(&files.manifest_path(), &error)),
        }
        files.take_over(settings)?;
        Ok(files)
    }

    /// Takes over a log that is a single file: it becomes the base. Its name in the manifest comes first, and then its place, so that
    /// whoever comes after an end in between goes on here, and never begins with nothing.
    fn take_over(&mut self, settings: &Settings) -> io::Result<()> {
        let (old, new) = (Path::new(&settings.dir).join(&self.name), self.directory.join(&self.name));
        if !old.is_file() || new.exists() {
            return Ok(());
        }
        if self.manifest.is_empty() {
            self.manifest = Manifest::of_single_file(self.name.as_bytes());
            self.list()?;
        }
        if self.manifest.base.as_ref().is_none_or(|base| base.name != self.name.as_bytes()) {
            return Ok(());
        }
        fs::rename(&old, &new)?;
        File::open(&self.directory)?.sync_all()?;
        File::open(&settings.dir)?.sync_all()?;
        tracing::info!(
            "Successfully migrated an old-style AOF configuration ({}) into {}.",
            self.name,
            settings.appenddirname
        );
        Ok(())
    }

    /// Whether there is nothing to load.
    pub(crate) fn is_empty(&self) -> bool {
        self.manifest.is_empty()
    }

    /// The files to load, in order, with their names.
    pub(crate) fn to_load(&self) -> Vec<PathBuf> {
        self.manifest.files().map(|file| self.path(file)).collect()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.to_load().iter().filter_map(|path| fs::metadata(path).ok()).map(|found| found.len()).sum()
    }

    /// The increment that is being written.
    pub(crate) fn current(&mut self) -> Option<&mut File> {
        self.current.as_mut()
    }

    /// Goes on writing where the log ends that was read.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        let Some(last) = self.manifest.increments.last().cloned() else { return self.begin_increment(false) };
        let path = self.path(&last);
        self.current =
            Some(File::options().append(true).create(true).open(&path).map_err(|error| told(&path, &error))?);
        Ok(())
    }

    /// Begins a new increment. The manifest names it before anything is written to it, unless it belongs to a log that begins.
    pub(crate) fn begin_increment(&mut self, begins: bool) -> io::Result<()> {
        self.attempt(|files| {
            let last = files.manifest.begin_increment(&files.name).clone();
            let path = files.path(&last);
            // What may be left of an attempt that nobody remembers.
            let opened = File::options().write(true).create(true).truncate(true).open(&path);
            let file = opened.map_err(|error| told(&path, &error))?;
            File::open(&files.directory)?.sync_all()?;
            if begins {
                files.is_listed = false;
            } else if files.is_listed {
                files.list()?;
            }
            files.current = Some(file);
            Ok(())
        })
    }

    /// Puts a base in the place of all before the present increment.
    pub(crate) fn install_base(&mut self, file: NamedTempFile, format: BaseFormat) -> io::Result<()> {
        self.attempt(|files| {
            let base = files.manifest.replace_base(&files.name, format).clone();
            let written = if files.current.is_some() { Written::Last } else { Written::None };
            files.manifest.retire_increments(written);
            replace(&files.path(&base), file)?;
            files.list()
        })?;
        self.is_listed = true;
        self.remove_history();
        Ok(())
    }

    /// Changes what the log is made of. If that fails, the manifest is as it was.
    fn attempt(&mut self, change: impl FnOnce(&mut Files) -> io::Result<()>) -> io::Result<()> {
        let before = self.manifest.clone();
        let done = change(self);
        if done.is_err() {
            self.manifest = before;
        }
        done
    }

    /// Removes what a newer base has made useless. What cannot be removed now is when the log is opened next.
    fn remove_history(&mut self) {
        if self.keeps_history || self.manifest.history.is_empty() {
            return;
        }
        for file in std::mem::take(&mut self.manifest.history) {
            let path = self.path(&file);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!("Removing the history file {}: {error}", path.display());
                self.manifest.history.push(file);
            }
        }
        if let Err(error) = self.list() {
            tracing::warn!("Writing the manifest of the append log: {error}");
        }
    }

    /// Removes files that were being made when a process ended, and history. To be called while none is being made.
    pub(crate) fn remove_rests(&mut self) {
        let Ok(found) = fs::read_dir(&self.directory) else { return };
        for entry in found.flatten() {
            if entry.file_name().as_bytes().starts_with(TEMPORARY.as_bytes()) {
                let _ = fs::remove_file(entry.path());
            }
        }
        self.remove_history();
    }

    /// Puts the manifest in the place of the old one.
    fn list(&self) -> io::Result<()> {
        let mut file = temporary(&self.directory, ".manifest")?;
        file.write_all(&self.manifest.to_bytes())?;
        replace(&self.manifest_path(), file)
    }

    fn manifest_path(&self) -> PathBuf {
        self.directory.join(format!("{}.manifest", self.name))
    }

    fn path(&self, file: &LogFile) -> PathBuf {
        self.directory.join(OsStr::from_bytes(&file.name))
    }
}

/// The system's word with the path that it is about.
pub(crate) fn told(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
