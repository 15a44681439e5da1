//! Writing a file.

use std::io;

use larder_store::{Attributes, Entry, UnixMillis};

use super::{ITEM, Usage, opcode};
use crate::checksum::{self, Running};
use crate::lzf::Packer;
use crate::value::{VERSION, VERSION_OF_VALKEY, View, encode, number_of, version_of};
use crate::writer::{Compression, Sink, write_len, write_number, write_raw, write_string, write_text};

/// Bytes that are collected for one write.
const BUFFER_BYTES: usize = 64 * 1024;

/// Which format a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Redis's of version 10: Redis from 7.0 on and Valkey read it. It cannot have hashes with fields that expire.
    Redis10,
    /// Valkey's of version 80.
    Valkey80,
}

impl Format {
    /// The number of the version.
    #[must_use]
    pub fn version(self) -> u16 {
        match self {
            Format::Redis10 => VERSION,
            Format::Valkey80 => VERSION_OF_VALKEY,
        }
    }
}

/// Whether a file ends with its checksum (directive `rdbchecksum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It does.
    Written,
    /// It ends with zeros, by which it is not checked.
    Zero,
}

/// A key to be written.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: View<'a>,
    /// What it has beside. A CAS unique is not written: it means nothing to another process.
    pub attributes: Attributes,
    /// How it was used.
    pub usage: Usage,
}

impl<'a> Key<'a> {
    /// Key and value of an entry.
    #[must_use]
    pub fn of(entry: &'a Entry, usage: Usage) -> Key<'a> {
        Key { name: entry.key(), value: entry.into(), attributes: entry.attributes(), usage }
    }
}

/// Writes a file from its beginning to its end. A write that fails is told by the call that comes upon it, and by all later ones.
pub struct Writer<W: io::Write> {
    out: Output<W>,
    format: Format,
}

impl<W: io::Write> Writer<W> {
    /// Begins a file.
    pub fn new(out: W, format: Format, checksum: Checksum, compression: Compression) -> Writer<W> {
        let mut out = Output {
            out,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            packer: compression.packer(),
            running: (checksum == Checksum::Written).then(checksum::running),
            written: 0,
            failed: None,
        };
        out.put(match format {
            Format::Redis10 => b"REDIS0010",
            Format::Valkey80 => b"VALKEY080",
        });
        Writer { out, format }
    }

    /// How many bytes the file has so far.
    pub fn written(&self) -> u64 {
        self.out.written + self.out.buffer.len() as u64
    }

    /// Writes a fact about the file.
    ///
    /// # Errors
    /// A write failed.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.out.put(&[opcode::AUX]);
        write_string(&mut self.out, name);
        write_string(&mut self.out, value);
        self.out.told()
    }

    /// Writes a library of functions.
    ///
    /// # Errors
    /// A write failed.
    pub fn function(&mut self, source: &[u8]) -> io::Result<()> {
        self.out.put(&[opcode::LIBRARY]);
        write_text(&mut self.out, source);
        self.out.told()
    }

    /// Begins a database: how many keys it has and how many of them expire are hints.
    ///
    /// # Errors
    /// A write failed.
    pub fn database(&mut self, db: u32, keys: u64, expiring: u64) -> io::Result<()> {
        self.out.put(&[opcode::DATABASE]);
        write_number(&mut self.out, u64::from(db));
        self.out.put(&[opcode::SIZES]);
        write_number(&mut self.out, keys);
        write_number(&mut self.out, expiring);
        self.out.told()
    }

    /// Writes a key of the database that was begun last. Memory for a part of it is taken, however large it is.
    ///
    /// # Errors
    /// A write failed; or the format does not have such a value, of which nothing has been written then.
    pub fn key(&mut self, key: &Key<'_>) -> io::Result<()> {
        let number = number_of(key.value);
        if version_of(number) > self.format.version() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a hash with fields that expire cannot be written in version 10 of RDB",
            ));
        }
        let attributes = &key.attributes;
        if attributes.client_flags != 0 || attributes.item_state != 0 {
            self.item(attributes.client_flags, attributes.item_state);
        }
        let out = &mut self.out;
        if let Some(UnixMillis(at)) = attributes.expires_at {
            out.put(&[opcode::EXPIRES_AT_MILLIS]);
            out.put(&at.to_le_bytes());
        }
        match key.usage {
            Usage::Unknown => {}
            Usage::IdleSeconds(seconds) => {
                out.put(&[opcode::IDLE]);
                write_number(out, seconds);
            }
            Usage::Frequency(frequency) => out.put(&[opcode::FREQUENCY, frequency]),
        }
        out.put(&[number]);
        write_string(out, key.name);
        encode(out, key.value);
        out.told()
    }

    /// What only memcached's clients see: a fact that goes before the key.
    fn item(&mut self, client_flags: u32, state: u8) {
        let out = &mut self.out;
        out.put(&[opcode::AUX]);
        write_raw(out, ITEM);
        let text = format!("{client_flags} {state}");
        write_len(out, text.len());
        out.put(text.as_bytes());
    }

    /// Ends the file. What it was written to is not flushed.
    ///
    /// # Errors
    /// A write failed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.put(&[opcode::END]);
        self.out.pass_on();
        let checksum = self.out.running.take().map_or(0, Running::finalize);
        self.out.put(&checksum.to_le_bytes());
        self.out.pass_on();
        self.out.told()?;
        Ok(self.out.out)
    }
}

/// Collects what is written, passes it on and remembers whether that failed.
struct Output<W> {
    out: W,
    buffer: Vec<u8>,
    packer: Option<Packer>,
    running: Option<Running>,
    /// Bytes that were passed on.
    written: u64,
    failed: Option<io::Error>,
}

impl<W: io::Write> Output<W> {
    fn pass_on(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(running) = &mut self.running {
            running.update(bytes);
        }
        self.written += bytes.len() as u64;
        if self.failed.is_none()
            && let Err(error) = self.out.write_all(bytes)
        {
            self.failed = Some(error);
        }
    }

    fn told(&mut self) -> io::Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(error) => Err(error.raw_os_error().map_or_else(
                || io::Error::new(error.kind(), error.to_string()),
                io::Error::from_raw_os_error,
            )),
        }
    }
}

impl<W: io::Write> Sink for Output<W> {
    fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.pass_on();
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.write(bytes);
        }
    }

    fn packer(&mut self) -> &mut Option<Packer> {
        &mut self.packer
    }
}
