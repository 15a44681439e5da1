//! A base that is made of commands (`aof-use-rdb-preamble no`).

use std::io::{self, BufWriter, Write as _};

use larder_persist::log::write_command;
use larder_persist::{Compression, dump};
use larder_store::{DbIndex, Entry, Type};
use tempfile::NamedTempFile;

/// Writes keys as the commands that make them: strings as SET, all others by their payloads, which are whole.
pub(crate) struct Commands {
    out: BufWriter<NamedTempFile>,
    command: Vec<u8>,
}

impl Commands {
    pub(crate) fn new(file: NamedTempFile) -> Commands {
        Commands { out: BufWriter::new(file), command: Vec::new() }
    }

    pub(crate) fn function(&mut self, source: &[u8]) -> io::Result<()> {
        self.write(&[b"FUNCTION", b"LOAD", source])
    }

    pub(crate) fn database(&mut self, db: DbIndex) -> io::Result<()> {
        self.write(&[b"SELECT", db.0.to_string().as_bytes()])
    }

    pub(crate) fn key(&mut self, entry: &Entry) -> io::Result<()> {
        if entry.value_type() == Type::String {
            self.command.clear();
            larder_engine::write_string(&mut self.command, entry);
            return self.out.write_all(&self.command);
        }
        let expires_at = entry.expires_at().map_or(0, |at| at.0).to_string();
        let payload = dump(entry, Compression::Off);
        self.write(&[b"RESTORE", entry.key(), expires_at.as_bytes(), &payload, b"ABSTTL"])
    }

    pub(crate) fn finish(self) -> io::Result<NamedTempFile> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn write(&mut self, words: &[&[u8]]) -> io::Result<()> {
        self.command.clear();
        write_command(&mut self.command, words.iter().copied());
        self.out.write_all(&self.command)
    }
}
