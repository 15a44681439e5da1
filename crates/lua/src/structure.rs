//! `struct`: records of C in strings.

use crate::native::{Kind, Stack};
use crate::raise::Raise;
use crate::sandbox::Functions;

/// Under their names.
pub(crate) const FUNCTIONS: Functions = &[(c"pack", pack), (c"size", size), (c"unpack", unpack)];

/// No integer is longer.
const INTEGER_BYTES_MAX: usize = 32;
const ALIGNMENT_DEFAULT: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endian {
    Little,
    Big,
}

/// Reads a format option by option. It owns nothing, so that reading may be left at any time.
#[derive(Clone, Copy, Debug)]
struct Format {
    at: usize,
    endian: Endian,
    alignment: usize,
}

/// An option of a format with the size that it gives, and the padding before it.
#[derive(Clone, Copy, Debug)]
struct Field {
    option: u8,
    size: usize,
}

impl Format {
    const NEW: Self = Self { at: 0, endian: Endian::Little, alignment: 1 };

    /// The next option that is a field; options that control are applied on the way. A format ends at its first zero.
    fn next(&mut self, stack: &Stack<'_>) -> Result<Option<Field>, Raise> {
        let format = stack.bytes(1).unwrap_or_default();
        loop {
            let Some(&option) = format.get(self.at).filter(|&&option| option != 0) else { return Ok(None) };
            self.at += 1;
            let size = match option {
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'f' => 4,
                b's' => 0,
                b'c' => self.number(format, 1)?,
                b'i' | b'I' => {
                    let size = self.number(format, 4)?;
                    if size > INTEGER_BYTES_MAX {
                        return Err(stack.port().error(format_args!(
                            "integral size {size} is larger than limit of {INTEGER_BYTES_MAX}"
                        )));
                    }
                    size
                }
                _ => {
                    self.control(stack, format, option)?;
                    continue;
                }
            };
            return Ok(Some(Field { option, size }));
        }
    }

    fn control(&mut self, stack: &Stack<'_>, format: &[u8], option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.endian = Endian::Big,
            b'<' => self.endian = Endian::Little,
            b'!' => {
                let alignment = self.number(format, ALIGNMENT_DEFAULT)?;
                if !alignment.is_power_of_two() {
                    return Err(stack
                        .port()
                        .error(format_args!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment;
            }
            _ => return Err(Raise::Argument(1, c"invalid format option")),
        }
        Ok(())
    }

    /// The number that follows, which may be no larger than an int (CVE-2018-11219).
    fn number(&mut self, format: &[u8], absent: usize) -> Result<usize, Raise> {
        let mut number = None;
        while let Some(digit) = format.get(self.at).filter(|digit| digit.is_ascii_digit()) {
            let value = number.unwrap_or(0) * 10 + usize::from(digit - b'0');
            if value > i32::MAX as usize {
                return Err(Raise::Message("integral size overflow"));
            }
            number = Some(value);
            self.at += 1;
        }
        Ok(number.unwrap_or(absent))
    }

    /// How many bytes are skipped before the field, `len` bytes on.
    fn padding(&self, field: Field, len: usize) -> usize {
        if field.size == 0 || field.option == b'c' {
            return 0;
        }
        let size = field.size.min(self.alignment);
        size.wrapping_sub(len & (size - 1)) & (size - 1)
    }
}

fn pack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    let port = stack.port();
    port.scratch.borrow_mut().clear();
    let mut format = Format::NEW;
    let mut argument = 2;
    let mut total = 0;
    while let Some(field) = format.next(stack)? {
        port.work(8)?;
        let padding = format.padding(field, total);
        append_zeros(stack, padding)?;
        total += padding + field.size;
        match field.option {
            b'x' => append_zeros(stack, 1)?,
            b'f' => {
                let value = (stack.check_number(argument)? as f32).to_le_bytes();
                append_ordered(stack, &value, format.endian)?;
                argument += 1;
            }
            b'd' => {
                let value = stack.check_number(argument)?.to_le_bytes();
                append_ordered(stack, &value, format.endian)?;
                argument += 1;
            }
            b'c' | b's' => {
                stack.check_text(argument)?;
                let text = stack.bytes(argument).unwrap_or_default();
                argument += 1;
                let size = if field.size == 0 { text.len() } else { field.size };
                // It is the next argument that is blamed, as by the original.
                let part = text.get(..size).ok_or(Raise::Argument(argument, c"string too short"))?;
                port.append(part)?;
                if field.option == b's' {
                    append_zeros(stack, 1)?;
                    total += 1;
                }
                if field.size == 0 {
                    total += size;
                }
            }
            _ => {
                append_integer(stack, argument, field.size, format.endian)?;
                argument += 1;
            }
        }
    }
    stack.push_scratch();
    Ok(1)
}

fn append_zeros(stack: &Stack<'_>, count: usize) -> Result<(), Raise> {
    const ZEROS: [u8; INTEGER_BYTES_MAX] = [0; INTEGER_BYTES_MAX];
    let mut left = count;
    while left > 0 {
        let part = left.min(ZEROS.len());
        stack.port().append(&ZEROS[..part])?;
        left -= part;
    }
    Ok(())
}

fn append_ordered(stack: &Stack<'_>, little: &[u8], endian: Endian) -> Result<(), Raise> {
    let mut bytes = [0; INTEGER_BYTES_MAX];
    let bytes = &mut bytes[..little.len()];
    bytes.copy_from_slice(little);
    if endian == Endian::Big {
        bytes.reverse();
    }
    stack.port().append(bytes)
}

fn append_integer(stack: &Stack<'_>, argument: i32, size: usize, endian: Endian) -> Result<(), Raise> {
    let number = stack.check_number(argument)?;
    let value = if number < 0.0 { number as i64 as u64 } else { number as u64 };
    let mut bytes = [0; INTEGER_BYTES_MAX];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    append_ordered(stack, &bytes[..size], endian)
}

fn size(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    let mut format = Format::NEW;
    let mut total = 0;
    while let Some(field) = format.next(stack)? {
        match field {
            Field { option: b's', .. } => return Err(Raise::Argument(1, c"option 's' has no fixed size")),
            Field { option: b'c', size: 0 } => {
                return Err(Raise::Argument(1, c"option 'c0' has no fixed size"));
            }
            _ => total += format.padding(field, total) + field.size,
        }
    }
    stack.push_number(total as f64);
    Ok(1)
}

fn unpack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    stack.check_text(2)?;
    let position = stack.optional_integer(3, 1)?;
    if position <= 0 {
        return Err(Raise::Argument(3, c"offset must be 1 or greater"));
    }
    stack.set_top(3);
    let mut format = Format::NEW;
    let mut at = position as usize - 1;
    let mut results = 0;
    while let Some(field) = format.next(stack)? {
        stack.port().work(8)?;
        at = at.saturating_add(format.padding(field, at));
        check_room(stack, at, field.size)?;
        if !stack.reserve(2) {
            return Err(Raise::Message("stack overflow (too many results)"));
        }
        at += push_field(stack, format, field, at, &mut results)?;
    }
    stack.push_number(at as f64 + 1.0);
    Ok(results + 1)
}

fn check_room(stack: &Stack<'_>, at: usize, size: usize) -> Result<(), Raise> {
    match stack.length(2).checked_sub(size) {
        Some(last) if at <= last => Ok(()),
        _ => Err(Raise::Argument(2, c"data string too short")),
    }
}

/// Pushes what the field at `at` holds; how long it is.
fn push_field(
    stack: &mut Stack<'_>,
    format: Format,
    field: Field,
    at: usize,
    results: &mut usize,
) -> Result<usize, Raise> {
    let data = stack.bytes(2).unwrap_or_default();
    match field.option {
        b'x' => return Ok(1),
        b'f' => {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&data[at..at + 4]);
            let value = if format.endian == Endian::Big {
                f32::from_be_bytes(bytes)
            } else {
                f32::from_le_bytes(bytes)
            };
            stack.push_number(f64::from(value));
        }
        b'd' => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&data[at..at + 8]);
            let value = if format.endian == Endian::Big {
                f64::from_be_bytes(bytes)
            } else {
                f64::from_le_bytes(bytes)
            };
            stack.push_number(value);
        }
        b'c' => {
            let mut size = field.size;
            if size == 0 {
                if *results == 0 || stack.kind(-1) != Kind::Number {
                    return Err(Raise::Message("format 'c0' needs a previous size"));
                }
                let previous = stack.number(-1).unwrap_or(0.0);
                stack.pop(1);
                *results -= 1;
                size = if previous < 0.0 { usize::MAX } else { previous as usize };
                check_room(stack, at, size)?;
            }
            stack.push_part(2, at..at + size);
            *results += 1;
            return Ok(size);
        }
        b's' => {
            let Some(len) = memchr::memchr(0, &data[at..]) else {
                return Err(Raise::Message("unfinished string in data"));
            };
            stack.push_part(2, at..at + len);
            *results += 1;
            return Ok(len + 1);
        }
        _ => {
            let value = integer(&data[at..at + field.size], format.endian, field.option.is_ascii_lowercase());
            stack.push_number(value);
        }
    }
    *results += 1;
    Ok(field.size)
}

/// Of an integer longer than 8 bytes, the lowest count.
fn integer(bytes: &[u8], endian: Endian, signed: bool) -> f64 {
    let join = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    let value = match endian {
        Endian::Big => bytes.iter().fold(0, join),
        Endian::Little => bytes.iter().rev().fold(0, join),
    };
    if !signed {
        return value as f64;
    }
    let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    ((value << unused) as i64 >> unused) as f64
}
