//! Checking a file: what redis-check-rdb prints.

use std::io::{self, Read, Write};

use larder_store::list::ListLimit;
use larder_store::set::SetLimits;
use larder_store::stream::ChunkLimits;
use larder_store::{PackedLimits, UnixMillis};

use super::reader::{Doing, Place};
use super::{Error, Fault, Item, Reader, Unusable, Verdict};
use crate::value::Limits;

/// Longest text of a line, as in redis-check-rdb.
const TEXT_BYTES_MAX: usize = 1023;
const PACKED: PackedLimits = PackedLimits { entries: 128, value_bytes: 64 };
/// Values are made to see whether they can be; how they would be packed does not matter.
const LIMITS: Limits = Limits {
    hash: PACKED,
    list: ListLimit::Elements(128),
    set: SetLimits { intset_entries: 512, packed: PACKED },
    sorted_set: PACKED,
    stream: ChunkLimits { bytes: 4096, entries: 100 },
};
/// Names of the types of values, by their numbers.
const TYPES: [&str; 26] = [
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-pre-release",
    "module-value",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-hashtable-with-expirations",
    "",
    "hash-hashtable-md",
    "hash-listpack-md",
];

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether the file is sane: redis-check-rdb exits with 0 if it is, with 1 otherwise.
    pub is_sane: bool,
    /// How long the snapshot is, or up to where it could be read.
    pub bytes: u64,
}

/// Checks a file and writes what redis-check-rdb prints, whatever is found. Costs what loading the file does, with memory for one
/// value at a time.
///
/// # Errors
/// What is printed cannot be written.
pub fn check(input: impl Read, name: &[u8], now: UnixMillis, out: &mut impl Write) -> io::Result<Checked> {
    let mut check = Check { out, keys: 0, expires: 0, already_expired: 0 };
    check.line(0, &[b"Checking RDB file ", name].concat())?;
    let mut reader = match Reader::new(input) {
        Ok(reader) => reader,
        Err(error) => {
            check.damage(&error.fault.to_string(), error.offset, &Place::default())?;
            return Ok(Checked { is_sane: false, bytes: error.offset });
        }
    };
    let is_sane = check.items(&mut reader, now)?;
    let bytes = reader.offset();
    if is_sane {
        check.line(bytes, br"\o/ RDB looks OK! \o/")?;
        check.counts()?;
    }
    Ok(Checked { is_sane, bytes })
}

struct Check<'a, W> {
    out: &'a mut W,
    keys: u64,
    expires: u64,
    already_expired: u64,
}

impl<W: Write> Check<'_, W> {
    /// Reads to the end; says whether all was right.
    fn items(&mut self, reader: &mut Reader<impl Read>, now: UnixMillis) -> io::Result<bool> {
        loop {
            match reader.next_item() {
                Ok(Some(Item::Key(record))) => {
                    self.keys += 1;
                    match record.decode(&LIMITS) {
                        // What a module makes of its data is not known here.
                        Ok(_) | Err(Unusable::Module(_)) => {}
                        Err(why) => {
                            let number = record.type_number();
                            let text = match why {
                                Unusable::Empty => "Collection without elements".to_owned(),
                                _ => format!("Integrity check of a {} failed.", type_name(number)),
                            };
                            let key = Some(record.key().to_vec());
                            let place = Place { doing: Doing::ReadObjectValue, number: Some(number), key };
                            self.damage(&text, reader.offset(), &place)?;
                            return Ok(false);
                        }
                    }
                    if let Some(at) = record.expires_at() {
                        self.expires += 1;
                        self.already_expired += u64::from(at < now);
                    }
                }
                Ok(Some(item)) => self.item(&item, reader.offset())?,
                Ok(None) => {
                    match reader.verdict() {
                        Some(Verdict::Checked) => self.line(reader.offset(), b"Checksum OK")?,
                        Some(Verdict::Zero) => self.line(
                            reader.offset(),
                            b"RDB file was saved with checksum disabled: no check performed.",
                        )?,
                        Some(Verdict::Unchecked) | None => {}
                    }
                    return Ok(true);
                }
                Err(error) => {
                    // A key counts from when it was read.
                    self.keys += u64::from(reader.place().key.is_some());
                    self.damage(&text(&error, reader), error.offset, reader.place())?;
                    return Ok(false);
                }
            }
        }
    }

    fn item(&mut self, item: &Item, offset: u64) -> io::Result<()> {
        match item {
            Item::Aux { name, value } => {
                let text = [b"AUX FIELD ", &name[..], b" = '", value, b"'"].concat();
                self.line(offset, &text)
            }
            Item::Database(db) => self.line(offset, format!("Selecting DB ID {db}").as_bytes()),
            Item::ModuleAux { module } => self.line(offset, format!("MODULE AUX for: {module}").as_bytes()),
            _ => Ok(()),
        }
    }

    fn line(&mut self, offset: u64, text: &[u8]) -> io::Result<()> {
        write!(self.out, "[offset {offset}] ")?;
        self.out.write_all(&text[..text.len().min(TEXT_BYTES_MAX)])?;
        self.out.write_all(b"\n")
    }

    fn damage(&mut self, text: &str, offset: u64, place: &Place) -> io::Result<()> {
        writeln!(self.out, "--- RDB ERROR DETECTED ---")?;
        self.line(offset, text.as_bytes())?;
        writeln!(self.out, "[additional info] While doing: {}", place.doing.name())?;
        if let Some(key) = &place.key {
            self.out.write_all(b"[additional info] Reading key '")?;
            self.out.write_all(key)?;
            self.out.write_all(b"'\n")?;
        }
        if let Some(number) = place.number {
            let name = type_name(number);
            writeln!(self.out, "[additional info] Reading type {number} ({name})")?;
        }
        self.counts()
    }

    fn counts(&mut self) -> io::Result<()> {
        writeln!(self.out, "[info] {} keys read", self.keys)?;
        writeln!(self.out, "[info] {} expires", self.expires)?;
        writeln!(self.out, "[info] {} already expired", self.already_expired)
    }
}

impl Doing {
    fn name(self) -> &'static str {
        match self {
            Doing::Start => "start",
            Doing::ReadType => "read-type",
            Doing::ReadExpire => "read-expire",
            Doing::ReadKey => "read-key",
            Doing::ReadObjectValue => "read-object-value",
            Doing::CheckSum => "check-sum",
            Doing::ReadLen => "read-len",
            Doing::ReadAux => "read-aux",
            Doing::ReadModuleAux => "read-module-aux",
            Doing::ReadFunctions => "read-functions",
        }
    }
}

fn type_name(number: u8) -> &'static str {
    TYPES.get(usize::from(number)).unwrap_or(&"unknown")
}

/// What redis-check-rdb says where loading says something else.
fn text<R: Read>(error: &Error, reader: &Reader<R>) -> String {
    let version = reader.version();
    match &error.fault {
        Fault::UnexpectedEnd if reader.place().doing == Doing::ReadFunctions => {
            "Failed loading library, Failed loading library payload".to_owned()
        }
        Fault::UnknownType(number) => format!("Invalid object type: {number}"),
        Fault::PreviewFunction => format!("Pre-release function format not supported {version}"),
        Fault::Checksum { .. } => "RDB CRC error".to_owned(),
        other => other.to_string(),
    }
}
