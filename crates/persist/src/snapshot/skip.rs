//! Going over values without making anything of them.

use std::io::Read;

use super::source::Source;
use super::{Error, Fault};
use crate::reader::{Length, length, special};
use crate::value::{VERSION_OF_VALKEY, number};

/// What the bytes of a type look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    String,
    Strings,
    Pairs,
    /// Strings with scores in digits.
    OldScores,
    /// Strings with 8 bytes each.
    Scores,
    /// Strings after a number each.
    Nodes,
    Stream {
        counts: bool,
        activity: bool,
    },
    /// Pairs with 8 bytes each.
    PairsWithTimes,
    /// Pairs after a number each, after 8 bytes.
    PairsWithTtls,
    /// A string after 8 bytes.
    PackedWithTime,
    Module,
    ModuleOfPreviews,
}

impl Shape {
    /// That of the type with this number.
    pub(super) fn of(number: u8, version: u16) -> Option<Shape> {
        Some(match (number, version) {
            (number::STRING | number::HASH_ZIPMAP..=number::HASH_ZIPLIST, _)
            | (number::HASH_LISTPACK | number::SORTED_SET_LISTPACK | number::SET_LISTPACK, _) => {
                Shape::String
            }
            (number::LIST | number::SET | number::LIST_OF_ZIPLISTS, _) => Shape::Strings,
            (number::HASH, _) => Shape::Pairs,
            (number::SORTED_SET_IN_DIGITS, _) => Shape::OldScores,
            (number::SORTED_SET, _) => Shape::Scores,
            (number::LIST_OF_LISTPACKS, _) => Shape::Nodes,
            (number::STREAM, _) => Shape::Stream { counts: false, activity: false },
            (number::STREAM_WITH_COUNTS, _) => Shape::Stream { counts: true, activity: false },
            (number::STREAM_WITH_ACTIVITY, _) => Shape::Stream { counts: true, activity: true },
            (number::HASH_WITH_EXPIRIES, VERSION_OF_VALKEY..) => Shape::PairsWithTimes,
            (number::HASH_WITH_TTLS, ..VERSION_OF_VALKEY) => Shape::PairsWithTtls,
            (number::HASH_LISTPACK_WITH_EXPIRIES, ..VERSION_OF_VALKEY) => Shape::PackedWithTime,
            (number::MODULE, _) => Shape::Module,
            (number::MODULE_OF_PREVIEWS, _) => Shape::ModuleOfPreviews,
            _ => return None,
        })
    }

    /// Goes over a value.
    pub(super) fn skip<R: Read>(self, source: &mut Source<R>) -> Result<(), Error> {
        match self {
            Shape::String => skip_string(source),
            Shape::Strings => each(source, skip_string),
            Shape::Pairs => each(source, skip_pair),
            Shape::OldScores => each(source, |source| {
                skip_string(source)?;
                skip_old_score(source)
            }),
            Shape::Scores => each(source, |source| {
                skip_string(source)?;
                source.skip(8)
            }),
            Shape::Nodes => each(source, |source| {
                source.len()?;
                skip_string(source)
            }),
            Shape::Stream { counts, activity } => skip_stream(source, counts, activity),
            Shape::PairsWithTimes => each(source, |source| {
                skip_pair(source)?;
                source.skip(8)
            }),
            Shape::PairsWithTtls => {
                source.skip(8)?;
                each(source, |source| {
                    source.len()?;
                    skip_pair(source)
                })
            }
            Shape::PackedWithTime => {
                source.skip(8)?;
                skip_string(source)
            }
            Shape::Module => {
                let module = module_name(source.len()?);
                skip_module(source, &module)
            }
            Shape::ModuleOfPreviews => Err(source.fault(Fault::PreviewModule)),
        }
    }
}

/// As many things as are declared.
fn each<R: Read>(
    source: &mut Source<R>,
    one: impl Fn(&mut Source<R>) -> Result<(), Error>,
) -> Result<(), Error> {
    (0..source.len()?).try_for_each(|_| one(source))
}

pub(super) fn skip_string<R: Read>(source: &mut Source<R>) -> Result<(), Error> {
    let len = match length(source)? {
        Length::Of(len) => len,
        Length::Special(special::INT8) => 1,
        Length::Special(special::INT16) => 2,
        Length::Special(special::INT32) => 4,
        Length::Special(special::PACKED) => {
            let packed = source.len()?;
            source.len()?;
            packed
        }
        Length::Special(kind) => return Err(source.fault(Fault::UnknownString(kind))),
    };
    source.skip(len)
}

fn skip_pair<R: Read>(source: &mut Source<R>) -> Result<(), Error> {
    skip_string(source)?;
    skip_string(source)
}

fn skip_old_score<R: Read>(source: &mut Source<R>) -> Result<(), Error> {
    match source.byte()? {
        253..=255 => Ok(()),
        len => source.skip(u64::from(len)),
    }
}

/// An id, or other two numbers.
fn skip_two<R: Read>(source: &mut Source<R>) -> Result<(), Error> {
    source.len()?;
    source.len()?;
    Ok(())
}

fn skip_stream<R: Read>(source: &mut Source<R>, counts: bool, activity: bool) -> Result<(), Error> {
    each(source, skip_pair)?;
    source.len()?;
    skip_two(source)?;
    if counts {
        // The first id and the largest deleted one, and how many were added.
        skip_two(source)?;
        skip_two(source)?;
        source.len()?;
    }
    each(source, |source| {
        skip_string(source)?;
        skip_two(source)?;
        if counts {
            source.len()?;
        }
        // Pending entries, and consumers with theirs.
        each(source, |source| {
            source.skip(16 + 8)?;
            source.len().map(drop)
        })?;
        each(source, |source| {
            skip_string(source)?;
            source.skip(if activity { 16 } else { 8 })?;
            each(source, |source| source.skip(16))
        })
    })
}

/// Goes over the data of a module, each of which says what it is, up to their end.
pub(super) fn skip_module<R: Read>(source: &mut Source<R>, module: &str) -> Result<(), Error> {
    loop {
        match source.len()? {
            0 => return Ok(()),
            1 | 2 => source.len().map(drop)?,
            3 => source.skip(4)?,
            4 => source.skip(8)?,
            5 => skip_string(source)?,
            _ => return Err(source.fault(Fault::Module(module.to_owned()))),
        }
    }
}

/// The name that is in the number of a module: nine characters of 6 bits above a version of 10.
pub(super) fn module_name(id: u64) -> String {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9).map(|at| char::from(CHARACTERS[(id >> (58 - 6 * at) & 63) as usize])).collect()
}
