//! `cmsgpack`: MessagePack in the dialect of lua-cmsgpack, which Redis brings along.

use crate::native::{Kind, Stack};
use crate::raise::Raise;
use crate::sandbox::Functions;

/// Under their names.
pub(crate) const FUNCTIONS: Functions =
    &[(c"pack", pack), (c"unpack", unpack), (c"unpack_limit", unpack_limit), (c"unpack_one", unpack_one)];

/// Tables nested deeper than this are packed as nil, as in lua-cmsgpack; so tables that contain themselves end somewhere.
const PACK_DEPTH_MAX: usize = 16;

/// How deep what is unpacked may be nested.
const UNPACK_DEPTH_MAX: usize = 1000;

/// Adds what is not a function to the table `cmsgpack` of the top's table.
pub(crate) fn constants(stack: &mut Stack<'_>) {
    stack.raw_field(-1, c"cmsgpack");
    for (name, value) in [
        (c"_NAME", &b"cmsgpack"[..]),
        (c"_VERSION", b"lua-cmsgpack 0.4.0"),
        (c"_COPYRIGHT", b"Copyright (C) 2012, Redis Ltd."),
        (c"_DESCRIPTION", b"MessagePack C implementation for Lua"),
    ] {
        stack.push_bytes(value);
        stack.set_field(-2, name);
    }
    stack.pop(1);
}

fn pack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let arguments = stack.top();
    if arguments == 0 {
        return Err(Raise::Argument(0, c"MessagePack pack needs input."));
    }
    stack.port().scratch.borrow_mut().clear();
    if !stack.reserve(8) {
        return Err(Raise::Argument(0, c"Too many arguments for MessagePack pack."));
    }
    for index in 1..=arguments {
        stack.push_value(index);
        append(stack, 0)?;
        stack.pop(1);
    }
    stack.push_scratch();
    Ok(1)
}

/// Appends the value on the top.
fn append(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    let port = stack.port();
    port.work(8)?;
    match stack.kind(-1) {
        Kind::String => {
            let bytes = stack.bytes(-1).unwrap_or_default();
            port.work(bytes.len() / 16)?;
            append_header(stack, bytes.len(), STRING)?;
            port.append(bytes)
        }
        Kind::Boolean => port.append(if stack.truth(-1) { &[0xc3] } else { &[0xc2] }),
        Kind::Number => append_number(stack),
        Kind::Table if depth < PACK_DEPTH_MAX => append_table(stack, depth),
        _ => port.append(&[0xc0]),
    }
}

/// The first bytes of what has a length: up to `fixed` it is in the first byte itself.
struct Header {
    fixed: (usize, u8),
    short: Option<u8>,
    medium: u8,
    long: u8,
}

const STRING: Header = Header { fixed: (31, 0xa0), short: Some(0xd9), medium: 0xda, long: 0xdb };
const ARRAY: Header = Header { fixed: (15, 0x90), short: None, medium: 0xdc, long: 0xdd };
const MAP: Header = Header { fixed: (15, 0x80), short: None, medium: 0xde, long: 0xdf };

fn append_header(stack: &Stack<'_>, len: usize, header: Header) -> Result<(), Raise> {
    let port = stack.port();
    let (fixed_max, fixed) = header.fixed;
    match header.short {
        _ if len <= fixed_max => port.append(&[fixed | len as u8]),
        Some(short) if len <= 0xff => port.append(&[short, len as u8]),
        _ if len <= 0xffff => {
            port.append(&[header.medium])?;
            port.append(&(len as u16).to_be_bytes())
        }
        _ => {
            port.append(&[header.long])?;
            port.append(&(len as u32).to_be_bytes())
        }
    }
}

fn append_number(stack: &Stack<'_>) -> Result<(), Raise> {
    let port = stack.port();
    let value = stack.number(-1).unwrap_or(0.0);
    // 2^63 itself is no i64.
    if value == value.trunc() && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
    {
        return append_integer(stack, value as i64);
    }
    if f64::from(value as f32) == value {
        port.append(&[0xca])?;
        port.append(&(value as f32).to_be_bytes())
    } else {
        port.append(&[0xcb])?;
        port.append(&value.to_be_bytes())
    }
}

fn append_integer(stack: &Stack<'_>, value: i64) -> Result<(), Raise> {
    let port = stack.port();
    let bytes = value.to_be_bytes();
    let (first, len) = match value {
        -32..=127 => return port.append(&bytes[7..]),
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        _ => (0xd3, 8),
    };
    port.append(&[first])?;
    port.append(&bytes[8 - len..])
}

fn append_table(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    if !stack.reserve(4) {
        return Err(Raise::Message("stack overflow (in function mp_encode_lua_table)"));
    }
    let mut count = 0_usize;
    let mut max = 0.0_f64;
    let mut array = true;
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        count += 1;
        let key = if stack.kind(-1) == Kind::Number { stack.number(-1) } else { None };
        match key.filter(|key| key.trunc() == *key && *key > 0.0 && *key <= f64::from(i32::MAX)) {
            Some(key) => max = max.max(key),
            None => array = false,
        }
    }
    if array && max == count as f64 {
        append_header(stack, count, ARRAY)?;
        for at in 1..=count {
            stack.raw_get_at(-1, at as i32);
            append(stack, depth + 1)?;
            stack.pop(1);
        }
        return Ok(());
    }
    append_header(stack, count, MAP)?;
    stack.push_nil();
    while stack.next(-2) {
        stack.push_value(-2);
        append(stack, depth + 1)?;
        stack.pop(1);
        append(stack, depth + 1)?;
        stack.pop(1);
    }
    Ok(())
}

fn unpack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    unpack_some(stack, 0, 0)
}

fn unpack_one(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let offset = stack.optional_integer(2, 0)?;
    unpack_some(stack, 1, offset)
}

fn unpack_limit(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let limit = stack.check_integer(2)?;
    let offset = stack.optional_integer(3, 0)?;
    unpack_some(stack, limit, offset)
}

fn unpack_some(stack: &mut Stack<'_>, limit: i64, offset: i64) -> Result<usize, Raise> {
    stack.check_text(1)?;
    stack.set_top(1);
    let len = stack.length(1);
    if offset < 0 || limit < 0 {
        return Err(stack.port().error(format_args!(
            "Invalid request to unpack with offset of {} and limit of {}.",
            offset as i32, len as i32
        )));
    }
    let Some(mut at) = usize::try_from(offset).ok().filter(|&at| at <= len) else {
        return Err(stack.port().error(format_args!(
            "Start offset {} greater than input length {}.",
            offset as i32, len as i32
        )));
    };
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let mut count = 0;
    while at < len && (count as i64) < limit {
        at = push(stack, at, 0)?;
        count += 1;
    }
    if all {
        return Ok(count);
    }
    if !stack.reserve(1) {
        return Err(Raise::Message(TOO_MANY));
    }
    stack.push_number(if at == len { -1.0 } else { at as f64 });
    stack.insert(2);
    Ok(count + 1)
}

const TOO_MANY: &str =
    "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";

/// What a MessagePack item is, as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MessagePackItem {
    /// Nil.
    Nil,
    /// A boolean.
    Boolean(bool),
    /// A number of any kind.
    Number(f64),
    /// A string: where it begins and ends.
    String {
        /// Where it begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// That many items follow.
    Array(usize),
    /// That many pairs of items follow.
    Map(usize),
}

/// Why bytes are no MessagePack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagePackFault {
    /// They end too early.
    Missing,
    /// They begin with what means nothing here.
    Format,
}

/// Reads the item at `at`; where the next begins.
pub fn message_pack_item(bytes: &[u8], at: usize) -> Result<(MessagePackItem, usize), MessagePackFault> {
    let first = *bytes.get(at).ok_or(MessagePackFault::Missing)?;
    let unsigned = |len: usize| -> Result<u64, MessagePackFault> {
        let digits = bytes.get(at + 1..at + 1 + len).ok_or(MessagePackFault::Missing)?;
        Ok(digits.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    let number = |value: f64, len: usize| Ok((MessagePackItem::Number(value), at + 1 + len));
    let string = |header: usize, len: u64| {
        let start = at + header;
        let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
        match end.filter(|&end| end <= bytes.len()) {
            Some(end) => Ok((MessagePackItem::String { start, end }, end)),
            None => Err(MessagePackFault::Missing),
        }
    };
    match first {
        0x00..=0x7f => number(f64::from(first), 0),
        0xe0..=0xff => number(f64::from(first as i8), 0),
        0x80..=0x8f => Ok((MessagePackItem::Map(usize::from(first & 0xf)), at + 1)),
        0x90..=0x9f => Ok((MessagePackItem::Array(usize::from(first & 0xf)), at + 1)),
        0xa0..=0xbf => string(1, u64::from(first & 0x1f)),
        0xc0 => Ok((MessagePackItem::Nil, at + 1)),
        0xc2 | 0xc3 => Ok((MessagePackItem::Boolean(first == 0xc3), at + 1)),
        0xca => number(f64::from(f32::from_bits(unsigned(4)? as u32)), 4),
        0xcb => number(f64::from_bits(unsigned(8)?), 8),
        0xcc => number(unsigned(1)? as f64, 1),
        0xcd => number(unsigned(2)? as f64, 2),
        0xce => number(unsigned(4)? as f64, 4),
        0xcf => number(unsigned(8)? as f64, 8),
        0xd0 => number(f64::from(unsigned(1)? as i8), 1),
        0xd1 => number(f64::from(unsigned(2)? as i16), 2),
        0xd2 => number(f64::from(unsigned(4)? as i32), 4),
        0xd3 => number(unsigned(8)? as i64 as f64, 8),
        0xd9 => string(2, unsigned(1)?),
        0xda => string(3, unsigned(2)?),
        0xdb => string(5, unsigned(4)?),
        0xdc => Ok((MessagePackItem::Array(unsigned(2)? as usize), at + 3)),
        0xdd => Ok((MessagePackItem::Array(unsigned(4)? as usize), at + 5)),
        0xde => Ok((MessagePackItem::Map(unsigned(2)? as usize), at + 3)),
        0xdf => Ok((MessagePackItem::Map(unsigned(4)? as usize), at + 5)),
        _ => Err(MessagePackFault::Format),
    }
}

/// Pushes the item at `at`; where the next begins.
fn push(stack: &mut Stack<'_>, at: usize, depth: usize) -> Result<usize, Raise> {
    if !stack.reserve(4) || depth > UNPACK_DEPTH_MAX {
        return Err(Raise::Message(TOO_MANY));
    }
    stack.port().work(8)?;
    let (item, mut next) = message_pack_item(stack.bytes(1).unwrap_or_default(), at).map_err(|fault| {
        Raise::Message(match fault {
            MessagePackFault::Missing => "Missing bytes in input.",
            MessagePackFault::Format => "Bad data format in input.",
        })
    })?;
    match item {
        MessagePackItem::Nil => stack.push_nil(),
        MessagePackItem::Boolean(value) => stack.push_boolean(value),
        MessagePackItem::Number(value) => stack.push_number(value),
        MessagePackItem::String { start, end } => stack.push_part(1, start..end),
        MessagePackItem::Array(len) => {
            stack.new_table(0, 0);
            for index in 1..=len {
                next = push(stack, next, depth + 1)?;
                stack.raw_set_at(-2, index as i32);
            }
        }
        MessagePackItem::Map(len) => {
            stack.new_table(0, 0);
            for _ in 0..len {
                next = push(stack, next, depth + 1)?;
                next = push(stack, next, depth + 1)?;
                stack.raw_set(-3);
            }
        }
    }
    Ok(next)
}
