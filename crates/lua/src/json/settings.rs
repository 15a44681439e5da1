//! What `cjson` can be told. The settings hold until the script ends.

use super::Setting;
use crate::native::{Kind, Stack};
use crate::port::Reference;
use crate::raise::Raise;

/// What becomes of infinities and of what is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidNumbers {
    Refused,
    Written,
    Null,
}

/// The settings.
#[derive(Debug)]
pub(crate) struct JsonSettings {
    pub(crate) encode_sparse_convert: Setting<bool>,
    pub(crate) encode_sparse_ratio: Setting<usize>,
    pub(crate) encode_sparse_safe: Setting<usize>,
    pub(crate) encode_max_depth: Setting<usize>,
    pub(crate) encode_number_precision: Setting<usize>,
    pub(crate) encode_keep_buffer: Setting<bool>,
    pub(crate) encode_invalid_numbers: Setting<InvalidNumbers>,
    pub(crate) decode_max_depth: Setting<usize>,
    pub(crate) decode_invalid_numbers: Setting<bool>,
    pub(crate) decode_array_metatable: Setting<bool>,
    /// The metatable of decoded arrays, if they get one.
    pub(crate) array_metatable: Setting<Reference>,
    /// Whether any has been changed.
    changed: Setting<bool>,
}

const DEPTH: usize = 1000;
const PRECISION: usize = 14;
const SPARSE_RATIO: usize = 2;
const SPARSE_SAFE: usize = 10;

impl JsonSettings {
    pub(crate) fn new() -> Self {
        Self {
            encode_sparse_convert: Setting::new(false),
            encode_sparse_ratio: Setting::new(SPARSE_RATIO),
            encode_sparse_safe: Setting::new(SPARSE_SAFE),
            encode_max_depth: Setting::new(DEPTH),
            encode_number_precision: Setting::new(PRECISION),
            encode_keep_buffer: Setting::new(true),
            encode_invalid_numbers: Setting::new(InvalidNumbers::Refused),
            decode_max_depth: Setting::new(DEPTH),
            decode_invalid_numbers: Setting::new(true),
            decode_array_metatable: Setting::new(false),
            array_metatable: Setting::new(Reference(0)),
            changed: Setting::new(false),
        }
    }

    /// Sets everything back.
    pub(crate) fn reset(&self) {
        if !self.changed.replace(false) {
            return;
        }
        self.encode_sparse_convert.set(false);
        self.encode_sparse_ratio.set(SPARSE_RATIO);
        self.encode_sparse_safe.set(SPARSE_SAFE);
        self.encode_max_depth.set(DEPTH);
        self.encode_number_precision.set(PRECISION);
        self.encode_keep_buffer.set(true);
        self.encode_invalid_numbers.set(InvalidNumbers::Refused);
        self.decode_max_depth.set(DEPTH);
        self.decode_invalid_numbers.set(true);
        self.decode_array_metatable.set(false);
    }
}

/// Sees to it that there are no more than `count` arguments.
fn arguments(stack: &mut Stack<'_>, count: i32) -> Result<(), Raise> {
    if stack.top() > count {
        return Err(Raise::Argument(count + 1, c"found too many arguments"));
    }
    stack.set_top(count);
    stack.port().json.changed.set(true);
    Ok(())
}

/// Changes a number, if there is one to change it to, and pushes it.
fn number(
    stack: &mut Stack<'_>,
    index: i32,
    setting: &Setting<usize>,
    min: i64,
    max: i64,
) -> Result<(), Raise> {
    if !stack.is_absent(index) {
        let value = stack.check_integer(index)?;
        if !(min..=max).contains(&value) {
            let wrong = match (min, max) {
                (1, 14) => c"expected integer between 1 and 14",
                (0, _) => c"expected integer between 0 and 2147483647",
                _ => c"expected integer between 1 and 2147483647",
            };
            return Err(Raise::Argument(1, wrong));
        }
        setting.set(value as usize);
    }
    stack.push_number(setting.get() as f64);
    Ok(())
}

const INT_MAX: i64 = i32::MAX as i64;

/// Reads a boolean, or the word for one.
fn switch(stack: &mut Stack<'_>, index: i32, setting: &Setting<bool>) -> Result<(), Raise> {
    match stack.kind(index) {
        Kind::None | Kind::Nil => {}
        Kind::Boolean => setting.set(stack.truth(index)),
        _ => {
            stack.check_text(index)?;
            match stack.bytes(index) {
                Some(b"on") => setting.set(true),
                Some(b"off") => setting.set(false),
                _ => return Err(Raise::Argument(index, c"invalid option")),
            }
        }
    }
    stack.push_boolean(setting.get());
    Ok(())
}

pub(super) fn encode_sparse_array(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 3)?;
    let settings = &stack.port().json;
    switch(stack, 1, &settings.encode_sparse_convert)?;
    number(stack, 2, &settings.encode_sparse_ratio, 0, INT_MAX)?;
    number(stack, 3, &settings.encode_sparse_safe, 0, INT_MAX)?;
    Ok(3)
}

pub(super) fn encode_max_depth(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    number(stack, 1, &stack.port().json.encode_max_depth, 1, INT_MAX)?;
    Ok(1)
}

pub(super) fn decode_max_depth(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    number(stack, 1, &stack.port().json.decode_max_depth, 1, INT_MAX)?;
    Ok(1)
}

pub(super) fn encode_number_precision(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    number(stack, 1, &stack.port().json.encode_number_precision, 1, 14)?;
    Ok(1)
}

/// Ours is always kept; the setting is remembered.
pub(super) fn encode_keep_buffer(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    switch(stack, 1, &stack.port().json.encode_keep_buffer)?;
    Ok(1)
}

pub(super) fn encode_invalid_numbers(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    let setting = &stack.port().json.encode_invalid_numbers;
    match stack.kind(1) {
        Kind::Nil => {}
        Kind::Boolean => {
            setting.set(if stack.truth(1) { InvalidNumbers::Written } else { InvalidNumbers::Refused });
        }
        _ => {
            stack.check_text(1)?;
            setting.set(match stack.bytes(1) {
                Some(b"off") => InvalidNumbers::Refused,
                Some(b"on") => InvalidNumbers::Written,
                Some(b"null") => InvalidNumbers::Null,
                _ => return Err(Raise::Argument(1, c"invalid option")),
            });
        }
    }
    match setting.get() {
        InvalidNumbers::Refused => stack.push_boolean(false),
        InvalidNumbers::Written => stack.push_boolean(true),
        InvalidNumbers::Null => stack.push_bytes(b"null"),
    }
    Ok(1)
}

pub(super) fn decode_invalid_numbers(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    switch(stack, 1, &stack.port().json.decode_invalid_numbers)?;
    Ok(1)
}

pub(super) fn decode_array_with_array_mt(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    arguments(stack, 1)?;
    switch(stack, 1, &stack.port().json.decode_array_metatable)?;
    Ok(1)
}
