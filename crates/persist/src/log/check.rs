//! Checking a log, and mending it: what redis-check-aof prints and does.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use larder_store::UnixMillis;

use super::{Error, Fault, Item, Manifest, Reader};
use crate::snapshot;
use crate::snapshot::check::check as check_snapshot;

/// Bytes of a manifest that are read: more lines than there are files in any log.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A file that is shorter has no room for what a snapshot begins with.
const SNAPSHOT_BYTES_MIN: u64 = 8;

/// What is to be done with a log that is not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is told.
    Check,
    /// It is cut where it is intact, if the person agrees.
    Fix,
    /// It is cut where the first annotation has a later time, in seconds.
    TruncateToTimestamp(i64),
}

/// The files that a check reads, and cuts.
pub trait Files {
    /// A file that is read.
    type File: Read;

    /// Opens a file from an offset on; with how long it is.
    ///
    /// # Errors
    /// It cannot be opened.
    fn open(&mut self, path: &Path, from: u64) -> io::Result<(Self::File, u64)>;

    /// Makes a file as long as told.
    ///
    /// # Errors
    /// It cannot be written.
    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()>;

    /// Whether the person says yes to what was just asked.
    fn agrees(&mut self) -> bool;
}

/// Whether a log may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanity {
    /// It is valid, or became so: redis-check-aof exits with 0.
    Sane,
    /// It is not: with 1.
    Damaged,
}

/// Why a check goes no further: what was wrong has been printed, or printing failed.
enum Stop {
    Damaged,
    Print(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Print(error)
    }
}

/// Checks a log: a manifest with the files that it names, or a single file of an old version. Writes what redis-check-aof prints.
///
/// # Errors
/// What is printed cannot be written.
pub fn check<F: Files>(
    files: &mut F,
    path: &Path,
    mode: Mode,
    now: UnixMillis,
    out: &mut impl Write,
) -> io::Result<Sanity> {
    let mut check = Check { files, mode, now, out, lines: 1 };
    match check.log(path) {
        Ok(()) => Ok(Sanity::Sane),
        Err(Stop::Damaged) => Ok(Sanity::Damaged),
        Err(Stop::Print(error)) => Err(error),
    }
}

struct Check<'a, F, W> {
    files: &'a mut F,
    mode: Mode,
    now: UnixMillis,
    out: &'a mut W,
    /// Lines of commands in all files, and one.
    lines: u64,
}

/// A file of the log that is being checked.
struct Part<'a> {
    /// As it is called where it is spoken of.
    name: &'a str,
    path: &'a Path,
    /// Only the last file may be cut: those behind it have what came later.
    is_last: bool,
}

/// How a file was found.
enum Found {
    Valid,
    Empty,
    Cut,
    CutToTimestamp(i64),
}

impl<F: Files, W: Write> Check<'_, F, W> {
    fn log(&mut self, path: &Path) -> Result<(), Stop> {
        let begin = self.begin_of(path)?;
        if let Some(manifest) = begin.manifest {
            return self.manifest(path, &manifest);
        }
        writeln!(self.out, "Start checking Old-Style AOF")?;
        let name = path.display().to_string();
        let found = self.part(&Part { name: &name, path, is_last: true }, begin.is_snapshot)?;
        self.told(&found, "AOF", &name)
    }

    fn manifest(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Stop> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        let manifest = match Manifest::parse(bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                writeln!(self.out, "{error}")?;
                return Err(Stop::Damaged);
            }
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let last = manifest.files().last();
        for (kind, file) in kinds(&manifest) {
            let name = String::from_utf8_lossy(&file.name).into_owned();
            let path = folder.join(file_name(&file.name));
            let mut is_snapshot = false;
            if kind == "BASE AOF" {
                is_snapshot = self.begin_of(&path)?.is_snapshot;
                let format = if is_snapshot { "RDB" } else { "RESP" };
                writeln!(self.out, "Start to check BASE AOF ({format} format).")?;
            } else if manifest.increments.first() == Some(file) {
                writeln!(self.out, "Start to check INCR files.")?;
            }
            let part = Part { name: &name, path: &path, is_last: last == Some(file) };
            let found = self.part(&part, is_snapshot)?;
            self.told(&found, kind, &name)?;
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(())
    }

    /// What a file begins with.
    fn begin_of(&mut self, path: &Path) -> Result<Begin, Stop> {
        let (file, len) = match self.files.open(path, 0) {
            Ok(opened) => opened,
            Err(error) => {
                writeln!(self.out, "Cannot open file {}: {}", path.display(), reason(&error))?;
                return Err(Stop::Damaged);
            }
        };
        let mut bytes = Vec::new();
        let mut file = file.take(MANIFEST_BYTES_MAX);
        let first = file.by_ref().take(snapshot::SIGNATURE_BYTES as u64).read_to_end(&mut bytes);
        let is_snapshot = len >= SNAPSHOT_BYTES_MIN && snapshot::is_signature(&bytes);
        // What is no manifest is not read to its end: it may be long.
        let may_be_manifest =
            bytes.starts_with(b"file") || bytes.starts_with(b"#") && !bytes.starts_with(b"#TS:");
        let rest = if may_be_manifest { file.read_to_end(&mut bytes) } else { Ok(0) };
        if first.and(rest).is_err() {
            writeln!(self.out, "Cannot read file: {}", path.display())?;
            return Err(Stop::Damaged);
        }
        let manifest = (may_be_manifest && is_manifest(&bytes)).then_some(bytes);
        Ok(Begin { is_snapshot, manifest })
    }

    /// Checks a file, of which a snapshot may be the beginning.
    fn part(&mut self, part: &Part<'_>, is_snapshot: bool) -> Result<Found, Stop> {
        let len = match self.files.open(part.path, 0) {
            Ok((_, 0)) => return Ok(Found::Empty),
            Ok((file, len)) => {
                if is_snapshot {
                    let path = part.path.as_os_str().as_encoded_bytes();
                    let checked = check_snapshot(file, path, self.now, self.out)?;
                    if !checked.is_sane {
                        writeln!(self.out, "RDB preamble of AOF file is not sane, aborting.")?;
                        return Err(Stop::Damaged);
                    }
                    writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
                    return self.commands(part, checked.bytes, len);
                }
                len
            }
            Err(error) => return self.cannot_open(part, &error),
        };
        self.commands(part, 0, len)
    }

    fn cannot_open<T>(&mut self, part: &Part<'_>, error: &io::Error) -> Result<T, Stop> {
        writeln!(self.out, "Cannot open file {}: {}, aborting...", part.path.display(), reason(error))?;
        Err(Stop::Damaged)
    }

    /// Checks the commands of a file from an offset on.
    fn commands(&mut self, part: &Part<'_>, from: u64, len: u64) -> Result<Found, Stop> {
        let mut reader = match self.files.open(part.path, from) {
            Ok((file, _)) => Reader::after(from, file),
            Err(error) => return self.cannot_open(part, &error),
        };
        loop {
            let begin = reader.offset();
            match reader.next_item() {
                Ok(Some(Item::Timestamp(seconds))) => {
                    if let Mode::TruncateToTimestamp(until) = self.mode
                        && seconds > until
                    {
                        return self.cut_to_timestamp(part, begin, until);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    self.told_of_damage(part, &error, &reader)?;
                    break;
                }
            }
        }
        self.lines += reader.lines();
        self.analyzed(part, reader.intact_up_to(), len)
    }

    fn told_of_damage(
        &mut self,
        part: &Part<'_>,
        error: &Error,
        reader: &Reader<F::File>,
    ) -> Result<(), Stop> {
        let path = part.path.display();
        let text = match &error.fault {
            Fault::Io(_) => {
                writeln!(self.out, "Failed to read from AOF {}, aborting...", part.name)?;
                return Err(Stop::Damaged);
            }
            Fault::Annotation if matches!(self.mode, Mode::TruncateToTimestamp(_)) => {
                writeln!(self.out, "{}", error.fault)?;
                return Err(Stop::Damaged);
            }
            Fault::NoCommand => {
                writeln!(self.out, "AOF {} format error", part.name)?;
                return Ok(());
            }
            // Between lines it is not seen that anything is missing, unless a transaction is open.
            Fault::End if !reader.is_in_transaction() => return Ok(()),
            Fault::End => Fault::OpenTransaction.to_string(),
            fault @ (Fault::NestedMulti | Fault::ExecWithoutMulti) => format!("{fault} {path}"),
            fault => fault.to_string(),
        };
        writeln!(self.out, "0x{:>16x}: {text}", error.offset)?;
        Ok(())
    }

    fn cut_to_timestamp(&mut self, part: &Part<'_>, at: u64, until: i64) -> Result<Found, Stop> {
        let path = part.path.display();
        if at == 0 {
            writeln!(self.out, "AOF {path} has nothing before timestamp {until}, aborting...")?;
            return Err(Stop::Damaged);
        }
        if !part.is_last {
            writeln!(
                self.out,
                "Failed to truncate AOF {path} to timestamp {until} to offset {at} because it is not the last file.\n\
                 If you insist, please delete all files after this file according to the manifest file and delete the \
                 corresponding records in manifest file manually. Then re-run redis-check-aof."
            )?;
            return Err(Stop::Damaged);
        }
        if self.files.truncate(part.path, at).is_err() {
            writeln!(self.out, "Failed to truncate AOF {path} to timestamp {until}")?;
            return Err(Stop::Damaged);
        }
        Ok(Found::CutToTimestamp(until))
    }

    /// What becomes of a file of which so much is intact.
    fn analyzed(&mut self, part: &Part<'_>, intact: u64, len: u64) -> Result<Found, Stop> {
        let (name, excess) = (part.name, len.saturating_sub(intact));
        if let (Mode::TruncateToTimestamp(until), 0) = (self.mode, excess) {
            writeln!(self.out, "Truncate nothing in AOF {name} to timestamp {until}")?;
            return Ok(Found::Valid);
        }
        let lines = self.lines;
        writeln!(
            self.out,
            "AOF analyzed: filename={name}, size={len}, ok_up_to={intact}, ok_up_to_line={lines}, diff={excess}"
        )?;
        if excess == 0 {
            return Ok(Found::Valid);
        }
        if self.mode != Mode::Fix {
            writeln!(self.out, "AOF {name} is not valid. Use the --fix option to try fixing it.")?;
            return Err(Stop::Damaged);
        }
        if !part.is_last {
            writeln!(self.out, "Failed to truncate AOF {name} because it is not the last file")?;
            return Err(Stop::Damaged);
        }
        write!(
            self.out,
            "This will shrink the AOF {name} from {len} bytes, with {excess} bytes, to {intact} bytes\nContinue? [y/N]: "
        )?;
        self.out.flush()?;
        if !self.files.agrees() {
            writeln!(self.out, "Aborting...")?;
            return Err(Stop::Damaged);
        }
        if self.files.truncate(part.path, intact).is_err() {
            writeln!(self.out, "Failed to truncate AOF {name}")?;
            return Err(Stop::Damaged);
        }
        Ok(Found::Cut)
    }

    fn told(&mut self, found: &Found, kind: &str, name: &str) -> Result<(), Stop> {
        match found {
            Found::Valid => writeln!(self.out, "{kind} {name} is valid")?,
            Found::Empty => writeln!(self.out, "{kind} {name} is empty")?,
            Found::Cut => writeln!(self.out, "Successfully truncated AOF {name}")?,
            Found::CutToTimestamp(until) => {
                writeln!(self.out, "Successfully truncated AOF {name} to timestamp {until}")?;
            }
        }
        Ok(())
    }
}

/// What a file begins with.
struct Begin {
    is_snapshot: bool,
    /// All of it, if it is a manifest.
    manifest: Option<Vec<u8>>,
}

/// Whether the first line that is no comment is that of a file.
fn is_manifest(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
    lines.next().is_some_and(|line| line.starts_with(b"file"))
}

/// The files of a log, with what each is called.
fn kinds(manifest: &Manifest) -> impl Iterator<Item = (&'static str, &super::LogFile)> {
    let base = manifest.base.iter().map(|file| ("BASE AOF", file));
    base.chain(manifest.increments.iter().map(|file| ("INCR AOF", file)))
}

/// A name of a manifest as one of a file.
fn file_name(name: &[u8]) -> PathBuf {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(name))
}

/// An error as the C library says it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}
