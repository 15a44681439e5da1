//! The commands of the meta protocol.

use crate::command::{Command, Direction, ReplyMode, StoreMode};
use crate::error::ErrorReply;
use crate::key::Key;
use crate::limits::Limits;
use crate::line::Line;
use crate::meta::MetaFlags;
use crate::number;
use crate::parse::Outcome;
use crate::store::DataBlock;
use crate::tokens::Tokens;

/// A request about one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaRequest<'a> {
    /// Which item.
    pub key: Key<'a>,
    /// What to do with it, and what to say about it.
    pub flags: MetaFlags<'a>,
}

/// A value to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaSet<'a> {
    /// The key.
    pub key: Key<'a>,
    /// What to do if there is such an item, or none. [`MetaFlags::compare_cas`] makes [`StoreMode::Set`] and
    /// [`StoreMode::Replace`] a `cas`.
    pub mode: StoreMode,
    /// The rest.
    pub flags: MetaFlags<'a>,
    /// The value.
    pub value: &'a [u8],
}

/// A counter to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaArithmetic<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Up or down.
    pub direction: Direction,
    /// The rest.
    pub flags: MetaFlags<'a>,
}

/// An opaque token may have this many bytes, its letter not counted.
const OPAQUE_BYTES_MAX: usize = 31;

/// `mg <key> <flag>*`
#[inline]
pub(crate) fn get<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let request = request(tokens, limits).map_err(|error| line.refuse(error))?;
    Ok((Command::MetaGet(request), line.end))
}

/// `md <key> <flag>*`
pub(crate) fn delete<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let request = request(tokens, limits).map_err(|error| line.refuse(error))?;
    Ok((Command::MetaDelete(request), line.end))
}

/// `ms <key> <length> <flag>*`, the line end, the value, and a line end again.
#[inline]
pub(crate) fn set<'a>(line: &Line<'a>, mut tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let (Some(key), Some(length)) = (tokens.next(), tokens.next()) else {
        return Err(line.refuse(ErrorReply::BadCommandLine));
    };
    // Errors are sent whatever the flags say.
    let Some(block) = DataBlock::new(line, number::strict_signed(length), ReplyMode::Send) else {
        return Err(line.refuse(ErrorReply::BadCommandLine));
    };
    if key.len() > limits.key_bytes {
        return Err(block.refuse(ErrorReply::BadCommandLine));
    }
    let (key, flags) = MetaFlags::parse(key, tokens, 3).map_err(|error| block.refuse(error))?;
    let mode = store_mode(&flags).map_err(|error| block.refuse(error))?;
    if !limits.admit(key.decoded_bytes(), flags.client_flags(), block.length) {
        return Err(block.refuse_too_large(Some(key)));
    }
    check_opaque(&flags).map_err(|error| block.refuse(error))?;
    let (value, end) = block.read()?;
    Ok((Command::MetaSet(MetaSet { key, mode, flags, value }), end))
}

/// `ma <key> <flag>*`
pub(crate) fn arithmetic<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let (key, tokens) = key(tokens, limits).map_err(|error| line.refuse(error))?;
    let (key, flags) =
        MetaFlags::parse(key, tokens, 2).map_err(|_| line.refuse(ErrorReply::InvalidOrDuplicateFlag))?;
    let direction = match flags.mode() {
        None | Some(b'I' | b'+') => Direction::Increment,
        Some(b'D' | b'-') => Direction::Decrement,
        Some(_) => return Err(line.refuse(ErrorReply::InvalidArithmeticMode)),
    };
    check_opaque(&flags).map_err(|error| line.refuse(error))?;
    Ok((Command::MetaArithmetic(MetaArithmetic { key, direction, flags }), line.end))
}

/// `me <key> [b]`
pub(crate) fn debug<'a>(line: &Line<'a>, tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let (key, mut tokens) = key(tokens, limits).map_err(|error| line.refuse(error))?;
    let key = match tokens.next() {
        Some(b"b") => Key::base64(key).ok_or_else(|| line.refuse(ErrorReply::BadCommandLine))?,
        _ => Key::plain(key),
    };
    Ok((Command::MetaDebug { key }, line.end))
}

#[inline]
fn request<'a>(tokens: Tokens<'a>, limits: &Limits) -> Result<MetaRequest<'a>, ErrorReply> {
    let (key, tokens) = key(tokens, limits)?;
    let (key, flags) = MetaFlags::parse(key, tokens, 2)?;
    check_opaque(&flags)?;
    Ok(MetaRequest { key, flags })
}

/// The key, and the words after it.
#[inline]
fn key<'a>(mut tokens: Tokens<'a>, limits: &Limits) -> Result<(&'a [u8], Tokens<'a>), ErrorReply> {
    match tokens.next() {
        Some(key) if key.len() <= limits.key_bytes => Ok((key, tokens)),
        _ => Err(ErrorReply::BadCommandLine),
    }
}

fn store_mode(flags: &MetaFlags<'_>) -> Result<StoreMode, ErrorReply> {
    Ok(match flags.mode() {
        None | Some(b'S') => StoreMode::Set,
        Some(b'E') => StoreMode::Add,
        Some(b'A') => StoreMode::Append,
        Some(b'P') => StoreMode::Prepend,
        Some(b'R') => StoreMode::Replace,
        Some(_) => return Err(ErrorReply::InvalidSetMode),
    })
}

#[inline]
fn check_opaque(flags: &MetaFlags<'_>) -> Result<(), ErrorReply> {
    match flags.opaque() {
        Some(opaque) if opaque.len() > OPAQUE_BYTES_MAX => Err(ErrorReply::OpaqueTooLong),
        _ => Ok(()),
    }
}
