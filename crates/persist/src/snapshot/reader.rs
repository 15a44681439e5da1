//! Reading a file.

use std::io::{self, Read};

use larder_store::{Attributes, UnixMillis};

use super::record::RecordKey;
use super::skip::{Shape, module_name, skip_module, skip_string};
use super::source::Source;
use super::{CHECKED_FROM, Error, Fault, ITEM, Record, Usage, VERSIONS_OF_REDIS, opcode};
use crate::reader::{self, Input};
use crate::value::VERSION_OF_VALKEY;

/// Most ranges of slots that can be moved in at once.
const SLOTS: u64 = 16_384;
/// The kind of number that says when data of a module were written.
const UNSIGNED: u64 = 2;

/// What a file has, one after the other.
#[derive(Clone, Debug)]
pub enum Item {
    /// A fact about the file.
    Aux {
        /// Its name. The peers log those that begin with `%`.
        name: Vec<u8>,
        /// What it says.
        value: Vec<u8>,
    },
    /// The source of a library of functions.
    Function(Vec<u8>),
    /// Data of a module that belong to no key; they are passed over.
    ModuleAux {
        /// Its name.
        module: String,
    },
    /// The keys that follow are of this database.
    Database(u64),
    /// How many keys the database has.
    Sizes {
        /// In all.
        keys: u64,
        /// Those that expire.
        expiring: u64,
    },
    /// How many keys a slot of a cluster has.
    SlotSizes {
        /// The slot.
        slot: u64,
        /// In all.
        keys: u64,
        /// Those that expire.
        expiring: u64,
    },
    /// Slots that were being moved to the node that wrote the file: it has keys of them that are not all there.
    SlotImport(SlotImport),
    /// A key.
    Key(Record),
}

/// A move of slots that was going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotImport {
    /// Its name.
    pub name: Vec<u8>,
    /// First and last slots.
    pub ranges: Vec<(u16, u16)>,
}

/// Whether what a file has was checked against its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The checksum is right.
    Checked,
    /// It is zero, by which whoever wrote the file said that there is none.
    Zero,
    /// The version has none.
    Unchecked,
}

/// What was being read, in the words of redis-check-rdb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Doing {
    #[default]
    Start,
    ReadType,
    ReadExpire,
    ReadKey,
    ReadObjectValue,
    CheckSum,
    ReadLen,
    ReadAux,
    ReadModuleAux,
    ReadFunctions,
}

/// Where a file was being read: what is told when it is damaged there.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) doing: Doing,
    /// Number of the type of the key that is being read.
    pub(super) number: Option<u8>,
    /// The key whose value is being read.
    pub(super) key: Option<Vec<u8>>,
}

/// Reads a file from its beginning to its end.
pub struct Reader<R> {
    source: Source<R>,
    version: u16,
    state: State,
    place: Place,
    /// What belongs to the next key.
    attributes: Attributes,
    usage: Usage,
}

enum State {
    Going,
    Ended(Verdict),
}

impl<R: Read> Reader<R> {
    /// Begins with the version of the file.
    ///
    /// # Errors
    /// It is no snapshot, or one that cannot be read.
    pub fn new(input: R) -> Result<Reader<R>, Error> {
        let mut source = Source::new(input);
        let magic: [u8; 9] = source.array()?;
        let (digits, of_valkey) = match &magic {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (&digits[..], false),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (&digits[..], true),
            _ => return Err(source.fault(Fault::Signature)),
        };
        let known = |version: u32| {
            let version = u16::try_from(version).ok()?;
            (if of_valkey { version == VERSION_OF_VALKEY } else { VERSIONS_OF_REDIS.contains(&version) })
                .then_some(version)
        };
        let told = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let version = known(told).ok_or_else(|| source.fault(Fault::Version(told)))?;
        let (attributes, usage) = Default::default();
        Ok(Reader { source, version, state: State::Going, place: Place::default(), attributes, usage })
    }

    /// The version of the format.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Whether the checksum was right, once the end was read.
    pub fn verdict(&self) -> Option<Verdict> {
        match self.state {
            State::Going => None,
            State::Ended(verdict) => Some(verdict),
        }
    }

    /// What follows the end of the snapshot, or wherever it was read up to.
    pub fn into_rest(self) -> io::Chain<io::Cursor<Vec<u8>>, R> {
        let (buffered, input) = self.source.into_rest();
        io::Cursor::new(buffered).chain(input)
    }

    /// What comes next; `None` at the end, behind a checksum that is right.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn next_item(&mut self) -> Result<Option<Item>, Error> {
        if self.verdict().is_some() {
            return Ok(None);
        }
        loop {
            self.place.doing = Doing::ReadType;
            let source = &mut self.source;
            source.keep();
            let number = source.byte()?;
            self.place.doing = doing(number);
            return Ok(Some(match number {
                opcode::EXPIRES_AT_SECONDS => {
                    let at = i64::from(i32::from_le_bytes(source.array()?));
                    self.attributes.expires_at = Some(UnixMillis(at * 1000));
                    continue;
                }
                opcode::EXPIRES_AT_MILLIS => {
                    self.attributes.expires_at = Some(UnixMillis(i64::from_le_bytes(source.array()?)));
                    continue;
                }
                opcode::IDLE => {
                    self.usage = Usage::IdleSeconds(source.len()?);
                    continue;
                }
                opcode::FREQUENCY => {
                    self.usage = Usage::Frequency(source.byte()?);
                    continue;
                }
                opcode::AUX => match (string(source)?, string(source)?) {
                    (name, value) if name == ITEM => {
                        self.item(&value)?;
                        continue;
                    }
                    (name, value) => Item::Aux { name, value },
                },
                opcode::LIBRARY => Item::Function(string(source)?),
                opcode::LIBRARY_OF_PREVIEWS => return Err(source.fault(Fault::PreviewFunction)),
                opcode::MODULE_AUX => self.module_aux()?,
                opcode::DATABASE => Item::Database(source.len()?),
                opcode::SIZES => Item::Sizes { keys: source.len()?, expiring: source.len()? },
                opcode::SLOT_INFO => {
                    Item::SlotSizes { slot: source.len()?, keys: source.len()?, expiring: source.len()? }
                }
                opcode::SLOT_IMPORT if self.version >= VERSION_OF_VALKEY => {
                    Item::SlotImport(slot_import(source)?)
                }
                opcode::END => {
                    self.state = State::Ended(self.end()?);
                    return Ok(None);
                }
                number => Item::Key(self.record(number)?),
            }));
        }
    }

    /// Where it stopped.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Client flags and item state of the next key.
    fn item(&mut self, text: &[u8]) -> Result<(), Error> {
        let numbers = str::from_utf8(text).ok().and_then(|text| text.split_once(' '));
        let numbers = numbers.and_then(|(flags, state)| Some((flags.parse().ok()?, state.parse().ok()?)));
        let (client_flags, item_state) =
            numbers.ok_or_else(|| self.source.fault(Fault::Damaged("Bad flags of a memcached item")))?;
        (self.attributes.client_flags, self.attributes.item_state) = (client_flags, item_state);
        Ok(())
    }

    fn module_aux(&mut self) -> Result<Item, Error> {
        let source = &mut self.source;
        let module = module_name(source.len()?);
        let kind = source.len()?;
        let _when = source.len()?;
        if kind != UNSIGNED {
            return Err(source.fault(Fault::Damaged("bad when_opcode")));
        }
        skip_module(source, &module)?;
        Ok(Item::ModuleAux { module })
    }

    /// The key that follows the number of its value's type, which is kept already.
    fn record(&mut self, number: u8) -> Result<Record, Error> {
        let (source, place) = (&mut self.source, &mut self.place);
        let shape = Shape::of(number, self.version);
        let shape = shape.ok_or_else(|| source.fault(Fault::UnknownType(number)))?;
        (place.doing, place.number) = (Doing::ReadKey, Some(number));
        let key_at = source.offset();
        skip_string(source)?;
        let value_at = (source.offset() - key_at) as usize + 1;
        place.doing = Doing::ReadObjectValue;
        let skipped = shape.skip(source);
        let bytes = source.kept();
        let key = key_of(&bytes[..value_at]);
        if let Err(error) = skipped {
            place.key = key.map(|key| key.in_bytes(&bytes).to_vec());
            return Err(error);
        }
        let key = key.ok_or_else(|| source.fault(Fault::Damaged("Invalid LZF compressed string")))?;
        place.number = None;
        let (attributes, usage) = (std::mem::take(&mut self.attributes), std::mem::take(&mut self.usage));
        Ok(Record { bytes, key, value_at, version: self.version, attributes, usage })
    }

    fn end(&mut self) -> Result<Verdict, Error> {
        if self.version < CHECKED_FROM {
            return Ok(Verdict::Unchecked);
        }
        let expected = self.source.checksum();
        match u64::from_le_bytes(self.source.array()?) {
            0 => Ok(Verdict::Zero),
            found if found == expected => Ok(Verdict::Checked),
            found => Err(self.source.fault(Fault::Checksum { expected, found })),
        }
    }
}

/// What is read behind such a byte.
fn doing(number: u8) -> Doing {
    match number {
        opcode::EXPIRES_AT_SECONDS | opcode::EXPIRES_AT_MILLIS => Doing::ReadExpire,
        opcode::DATABASE | opcode::SIZES | opcode::SLOT_INFO => Doing::ReadLen,
        opcode::AUX => Doing::ReadAux,
        opcode::MODULE_AUX => Doing::ReadModuleAux,
        opcode::LIBRARY => Doing::ReadFunctions,
        opcode::END => Doing::CheckSum,
        _ => Doing::ReadType,
    }
}

/// Where the key is in what begins with the number of a type and ends with the key.
fn key_of(bytes: &[u8]) -> Option<RecordKey> {
    let mut reader = reader::Reader::new(&bytes[1..]);
    Some(match reader.string()? {
        std::borrow::Cow::Borrowed(key) => RecordKey::At(bytes.len() - key.len()..bytes.len()),
        std::borrow::Cow::Owned(key) => RecordKey::Unpacked(key),
    })
}

/// A string that is read whole.
fn string<R: Read>(source: &mut Source<R>) -> Result<Vec<u8>, Error> {
    source.keep();
    skip_string(source)?;
    let bytes = source.kept();
    let string = reader::Reader::new(&bytes).string().map(std::borrow::Cow::into_owned);
    string.ok_or_else(|| source.fault(Fault::Damaged("Invalid LZF compressed string")))
}

fn slot_import<R: Read>(source: &mut Source<R>) -> Result<SlotImport, Error> {
    let name = string(source)?;
    let count = source.len()?;
    let mut ranges = Vec::new();
    for _ in 0..count.min(SLOTS + 1) {
        let (first, last) = (source.len()?, source.len()?);
        if first > last || last >= SLOTS {
            return Err(source.fault(Fault::Damaged("Bad range of slots")));
        }
        ranges.push((first as u16, last as u16));
    }
    if count > SLOTS {
        return Err(source.fault(Fault::Damaged("Too many ranges of slots")));
    }
    Ok(SlotImport { name, ranges })
}
