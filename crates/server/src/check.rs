//! `check-rdb` and `check-aof`: what redis-check-rdb and redis-check-aof do, under those names and Valkey's too. No server is started.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::ExitCode;

use larder_persist::{log, snapshot};
use larder_store::UnixMillis;

use crate::host::since_epoch;
use crate::options::{self, reason};
use crate::replacement;

/// A tool that is called.
pub(crate) struct Call {
    tool: Tool,
    /// By what it was called, for its usage.
    name: String,
    words: Vec<OsString>,
}

#[derive(Clone, Copy, Debug)]
enum Tool {
    Snapshot,
    Log,
}

impl Call {
    /// What is called by the name of the program, or by its first argument.
    pub(crate) fn find(program: &str, words: &[OsString]) -> Option<Call> {
        let call = |tool, name, words: &[OsString]| Some(Call { tool, name, words: words.to_vec() });
        match program {
            "redis-check-rdb" | "valkey-check-rdb" => call(Tool::Snapshot, program.to_owned(), words),
            "redis-check-aof" | "valkey-check-aof" => call(Tool::Log, program.to_owned(), words),
            _ => {
                let (first, rest) = words.split_first()?;
                let tool = match first.as_bytes() {
                    b"check-rdb" => Tool::Snapshot,
                    b"check-aof" => Tool::Log,
                    _ => return None,
                };
                call(tool, format!("{program} {}", first.display()), rest)
            }
        }
    }

    /// Does it; prints to standard output.
    pub(crate) fn run(&self) -> ExitCode {
        let mut out = io::stdout().lock();
        let done = match self.tool {
            Tool::Snapshot => self.check_snapshot(&mut out),
            Tool::Log => self.check_log(&mut out),
        };
        // Whoever does not read what is printed is not told more.
        match done.and_then(|is_sane| out.flush().map(|()| is_sane)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) | Err(_) => ExitCode::FAILURE,
        }
    }

    fn check_snapshot(&self, out: &mut impl Write) -> io::Result<bool> {
        let [path] = &self.words[..] else {
            options::complain(&format!("Usage: {} <rdb-file-name>", self.name));
            return Ok(false);
        };
        if is_version(path) {
            return self.version(out);
        }
        match File::open(path) {
            Ok(file) => {
                let checked = snapshot::check::check(file, path.as_bytes(), now(), out)?;
                Ok(checked.is_sane)
            }
            Err(error) => {
                // redis-check-rdb leaves it at this line.
                writeln!(out, "[offset 0] Checking RDB file {}", path.display())?;
                options::complain(&format!("Cannot open file {}: {}", path.display(), reason(&error)));
                Ok(false)
            }
        }
    }

    fn check_log(&self, out: &mut impl Write) -> io::Result<bool> {
        let (mode, path) = match &self.words[..] {
            [word] if is_version(word) => return self.version(out),
            [path] => (log::check::Mode::Check, path),
            [option, path] if option == "--fix" => (log::check::Mode::Fix, path),
            [option, until, path] if option == "--truncate-to-timestamp" => match timestamp(until) {
                // As in redis-check-aof.
                Some(0) => (log::check::Mode::Check, path),
                Some(until) => (log::check::Mode::TruncateToTimestamp(until), path),
                None => {
                    writeln!(out, "Invalid timestamp, aborting...")?;
                    return Ok(false);
                }
            },
            _ => {
                let name = &self.name;
                writeln!(
                    out,
                    "Usage: {name} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
                )?;
                return Ok(false);
            }
        };
        let sanity = log::check::check(&mut Disk, Path::new(path), mode, now(), out)?;
        Ok(sanity == log::check::Sanity::Sane)
    }

    fn version(&self, out: &mut impl Write) -> io::Result<bool> {
        writeln!(out, "{} {}", self.name, options::version())?;
        Ok(true)
    }
}

fn is_version(word: &OsString) -> bool {
    word == "-v" || word == "--version"
}

/// Seconds since 1970, as the C library reads a number: of an empty word it reads 0.
fn timestamp(word: &OsString) -> Option<i64> {
    let text = word.to_str()?;
    if text.is_empty() { Some(0) } else { text.trim_ascii_start().parse().ok() }
}

fn now() -> UnixMillis {
    UnixMillis(i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX))
}

/// The files of this machine, and the person at the terminal.
struct Disk;

impl log::check::Files for Disk {
    type File = File;

    fn open(&mut self, path: &Path, from: u64) -> io::Result<(File, u64)> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(from))?;
        Ok((file, len))
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        replacement::truncate(path, len)
    }

    /// The first letter decides, as in redis-check-aof.
    fn agrees(&mut self) -> bool {
        let mut first = [0];
        io::stdin().read_exact(&mut first).is_ok() && first[0].eq_ignore_ascii_case(&b'y')
    }
}
