//! `cjson`: JSON in the dialect of lua-cjson, which Redis brings along.

use std::cell::Cell;
use std::ffi::CStr;

use crate::decimal::append_general;
use crate::native::{DEPTH_MAX, Kind, Stack};
use crate::raise::Raise;
use crate::sandbox::Functions;

mod decode;
mod settings;

pub use decode::{JsonScanner, JsonToken, JsonTokenKind};
pub(crate) use settings::{InvalidNumbers, JsonSettings};

/// Under their names.
pub(crate) const FUNCTIONS: Functions = &[
    (c"decode", decode::decode),
    (c"decode_array_with_array_mt", settings::decode_array_with_array_mt),
    (c"decode_invalid_numbers", settings::decode_invalid_numbers),
    (c"decode_max_depth", settings::decode_max_depth),
    (c"encode", encode),
    (c"encode_invalid_numbers", settings::encode_invalid_numbers),
    (c"encode_keep_buffer", settings::encode_keep_buffer),
    (c"encode_max_depth", settings::encode_max_depth),
    (c"encode_number_precision", settings::encode_number_precision),
    (c"encode_sparse_array", settings::encode_sparse_array),
];

/// Decoded arrays have a metatable with this field if it is asked for; what has it is encoded as an array.
const ARRAY_FIELD: &CStr = c"__is_cjson_array";

/// Adds what is not a function to the table `cjson` on the top's table.
pub(crate) fn constants(stack: &mut Stack<'_>) {
    stack.raw_field(-1, c"cjson");
    stack.push_null();
    stack.set_field(-2, c"null");
    stack.push_bytes(b"cjson");
    stack.set_field(-2, c"_NAME");
    stack.push_bytes(b"2.1.0");
    stack.set_field(-2, c"_VERSION");
    stack.pop(1);
    stack.new_table(0, 2);
    stack.push_boolean(true);
    stack.set_field(-2, ARRAY_FIELD);
    stack.push_boolean(false);
    stack.set_field(-2, c"__metatable");
    let reference = stack.keep();
    stack.port().json.array_metatable.set(reference);
}

fn encode(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.top() != 1 {
        return Err(Raise::Argument(1, c"expected 1 argument"));
    }
    stack.port().scratch.borrow_mut().clear();
    append_value(stack, 0)?;
    stack.push_scratch();
    Ok(1)
}

fn refuse(stack: &mut Stack<'_>, index: i32, reason: &str) -> Raise {
    let kind = stack.kind(index).name();
    stack.port().error(format_args!("Cannot serialise {kind}: {reason}"))
}

/// Appends the value on the top, `depth` tables deep.
fn append_value(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    let port = stack.port();
    port.work(8)?;
    match stack.kind(-1) {
        Kind::String => append_string(stack, -1),
        Kind::Number => append_number(stack, -1),
        Kind::Boolean => port.append(if stack.truth(-1) { b"true" } else { b"false" }),
        Kind::Table => append_table(stack, depth + 1),
        Kind::Nil | Kind::Null => port.append(b"null"),
        _ => Err(refuse(stack, -1, "type not supported")),
    }
}

fn append_table(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    if depth > stack.port().json.encode_max_depth.get().min(DEPTH_MAX) || !stack.reserve(4) {
        return Err(stack.port().error(format_args!("Cannot serialise, excessive nesting ({depth})")));
    }
    match array_length(stack)? {
        Some(len) => append_array(stack, depth, len),
        None => append_object(stack, depth),
    }
}

/// How many elements the table on the top has if it is to be an array.
fn array_length(stack: &mut Stack<'_>) -> Result<Option<usize>, Raise> {
    if stack.metatable(-1) {
        stack.raw_field(-1, ARRAY_FIELD);
        let marked = stack.truth(-1);
        stack.pop(2);
        if marked {
            return Ok(Some(stack.length(-1)));
        }
    }
    let mut max = 0.0_f64;
    let mut count = 0.0;
    stack.push_nil();
    while stack.next(-2) {
        let key = if stack.kind(-2) == Kind::Number { stack.number(-2) } else { None };
        match key {
            Some(key) if key.floor() == key && key >= 1.0 => {
                max = max.max(key);
                count += 1.0;
                stack.pop(1);
            }
            _ => {
                stack.pop(2);
                return Ok(None);
            }
        }
    }
    let settings = &stack.port().json;
    let ratio = settings.encode_sparse_ratio.get() as f64;
    if ratio > 0.0 && max > count * ratio && max > settings.encode_sparse_safe.get() as f64 {
        if !settings.encode_sparse_convert.get() {
            return Err(refuse(stack, -1, "excessively sparse array"));
        }
        return Ok(None);
    }
    // A sparse array that is not refused is written with all its gaps, and an empty table is an object.
    Ok((max >= 1.0).then_some(max.min(f64::from(i32::MAX)) as usize))
}

fn append_array(stack: &mut Stack<'_>, depth: usize, len: usize) -> Result<(), Raise> {
    let port = stack.port();
    port.append(b"[")?;
    for at in 1..=len {
        if at > 1 {
            port.append(b",")?;
        }
        stack.raw_get_at(-1, at as i32);
        append_value(stack, depth)?;
        stack.pop(1);
    }
    port.append(b"]")
}

fn append_object(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    let port = stack.port();
    port.append(b"{")?;
    let mut first = true;
    stack.push_nil();
    while stack.next(-2) {
        if !std::mem::take(&mut first) {
            port.append(b",")?;
        }
        match stack.kind(-2) {
            Kind::Number => {
                port.append(b"\"")?;
                append_number(stack, -2)?;
                port.append(b"\":")?;
            }
            Kind::String => {
                append_string(stack, -2)?;
                port.append(b":")?;
            }
            _ => return Err(refuse(stack, -2, "table key must be a number or string")),
        }
        append_value(stack, depth)?;
        stack.pop(1);
    }
    port.append(b"}")
}

fn append_number(stack: &mut Stack<'_>, index: i32) -> Result<(), Raise> {
    let port = stack.port();
    let value = stack.number(index).unwrap_or(0.0);
    if !value.is_finite() {
        match port.json.encode_invalid_numbers.get() {
            InvalidNumbers::Refused => return Err(refuse(stack, index, "must not be NaN or Inf")),
            InvalidNumbers::Written if value.is_nan() => return port.append(b"nan"),
            InvalidNumbers::Written => {}
            InvalidNumbers::Null => return port.append(b"null"),
        }
    }
    append_general(&mut port.scratch.borrow_mut(), value, port.json.encode_number_precision.get());
    Ok(())
}

fn append_string(stack: &Stack<'_>, index: i32) -> Result<(), Raise> {
    let port = stack.port();
    let text = stack.bytes(index).unwrap_or_default();
    port.append(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| needs_escape(byte)) {
        port.append(&rest[..at])?;
        let mut unicode = *b"\\u0000";
        let escape: &[u8] = match rest[at] {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'/' => b"\\/",
            0x08 => b"\\b",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            0x0c => b"\\f",
            b'\r' => b"\\r",
            other => {
                unicode[4] = b"0123456789abcdef"[usize::from(other >> 4)];
                unicode[5] = b"0123456789abcdef"[usize::from(other & 15)];
                &unicode
            }
        };
        port.append(escape)?;
        rest = &rest[at + 1..];
    }
    port.append(rest)?;
    port.work(text.len())?;
    port.append(b"\"")
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'/' | 0x7f)
}

/// A cell that is changed by a setting.
type Setting<T> = Cell<T>;
