//! JSON in.

use crate::decimal::number_prefix;
use crate::native::{DEPTH_MAX, Stack};
use crate::raise::Raise;

/// What comes next in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum JsonTokenKind {
    /// `{`
    ObjectBegin,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayBegin,
    /// `]`
    ArrayEnd,
    /// `:`
    Colon,
    /// `,`
    Comma,
    /// `true` or `false`
    Boolean(bool),
    /// `null`
    Null,
    /// A number.
    Number(f64),
    /// A string without escapes: the part of the text between the quotes.
    Plain {
        /// Where it begins.
        start: usize,
        /// Where its closing quote is.
        end: usize,
    },
    /// A string with escapes, which the scanner has replaced.
    Escaped,
    /// There is no more.
    End,
    /// What is there is none of these.
    Error(&'static str),
}

/// What comes next, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JsonToken {
    /// What it is.
    pub kind: JsonTokenKind,
    /// Where it begins, or where it is wrong.
    pub at: usize,
}

/// Reads a JSON text token by token. It owns nothing, so that reading may be left at any time.
#[derive(Clone, Copy, Debug)]
pub struct JsonScanner {
    /// How much has been read.
    pub at: usize,
    /// Whether numbers may be hexadecimal, infinite or none.
    pub invalid_numbers: bool,
}

impl JsonScanner {
    /// The next token. The text of a string with escapes is left in `unescaped`.
    pub fn next(&mut self, text: &[u8], unescaped: &mut Vec<u8>) -> JsonToken {
        while matches!(text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let at = self.at;
        let rest = &text[at.min(text.len())..];
        let single = match rest.first() {
            // A zero byte ends the text, as it did in C.
            None | Some(0) => return JsonToken { kind: JsonTokenKind::End, at },
            Some(b'{') => JsonTokenKind::ObjectBegin,
            Some(b'}') => JsonTokenKind::ObjectEnd,
            Some(b'[') => JsonTokenKind::ArrayBegin,
            Some(b']') => JsonTokenKind::ArrayEnd,
            Some(b':') => JsonTokenKind::Colon,
            Some(b',') => JsonTokenKind::Comma,
            Some(b'"') => return self.string(text, unescaped),
            Some(b'-' | b'0'..=b'9') => {
                let kind = if !self.invalid_numbers && is_invalid_number(rest) {
                    JsonTokenKind::Error("invalid number")
                } else {
                    self.number(rest)
                };
                return JsonToken { kind, at };
            }
            Some(_) => {
                return JsonToken { kind: self.word(rest), at };
            }
        };
        self.at += 1;
        JsonToken { kind: single, at }
    }

    fn word(&mut self, rest: &[u8]) -> JsonTokenKind {
        for (word, kind) in [
            (&b"true"[..], JsonTokenKind::Boolean(true)),
            (b"false", JsonTokenKind::Boolean(false)),
            (b"null", JsonTokenKind::Null),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return kind;
            }
        }
        if matches!(rest[0], b'i' | b'I' | b'n' | b'N' | b'+')
            && self.invalid_numbers
            && is_invalid_number(rest)
        {
            return self.number(rest);
        }
        JsonTokenKind::Error("invalid token")
    }

    fn number(&mut self, rest: &[u8]) -> JsonTokenKind {
        match number_prefix(rest) {
            Some((value, len)) => {
                self.at += len;
                JsonTokenKind::Number(value)
            }
            None => JsonTokenKind::Error("invalid number"),
        }
    }

    fn string(&mut self, text: &[u8], unescaped: &mut Vec<u8>) -> JsonToken {
        let begin = self.at;
        let start = begin + 1;
        let ends = |from: usize| {
            text[from..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0)).map(|at| from + at)
        };
        let error = |at, text| JsonToken { kind: JsonTokenKind::Error(text), at };
        let mut from = start;
        let mut escaped = false;
        loop {
            let Some(at) = ends(from).filter(|&at| text[at] != 0) else {
                let end = from + text[from..].iter().take_while(|&&byte| byte != 0).count();
                self.at = end;
                return error(end, "unexpected end of string");
            };
            if text[at] == b'"' {
                self.at = at + 1;
                if !escaped {
                    return JsonToken { kind: JsonTokenKind::Plain { start, end: at }, at: begin };
                }
                unescaped.extend_from_slice(&text[from..at]);
                return JsonToken { kind: JsonTokenKind::Escaped, at: begin };
            }
            if !escaped {
                unescaped.clear();
                escaped = true;
            }
            unescaped.extend_from_slice(&text[from..at]);
            match unescape(&text[at..], unescaped) {
                Ok(len) => from = at + len,
                Err(wrong) => {
                    self.at = at;
                    return error(at, wrong);
                }
            }
        }
    }
}

/// Appends what the escape at the beginning of `text` stands for; how long it is.
fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<usize, &'static str> {
    out.push(match text.get(1) {
        Some(quoted @ (b'"' | b'\\' | b'/')) => *quoted,
        Some(b'b') => 0x08,
        Some(b't') => b'\t',
        Some(b'n') => b'\n',
        Some(b'f') => 0x0c,
        Some(b'r') => b'\r',
        Some(b'u') => return unicode(text, out).ok_or("invalid unicode escape code"),
        _ => return Err("invalid escape code"),
    });
    Ok(2)
}

fn unicode(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let first = code_unit(text.get(2..6)?)?;
    let (code, len) = if first & 0xF800 == 0xD800 {
        // The first of two, which together stand for one character.
        if first & 0x400 != 0 || text.get(6..8)? != b"\\u" {
            return None;
        }
        let second = code_unit(text.get(8..12)?)?;
        if second & 0xFC00 != 0xDC00 {
            return None;
        }
        (0x10000 + ((first & 0x3FF) << 10 | second & 0x3FF), 12)
    } else {
        (first, 6)
    };
    let mut buffer = [0; 4];
    out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
    Some(len)
}

fn code_unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// What strtod takes for a number, but JSON does not.
fn is_invalid_number(text: &[u8]) -> bool {
    let text = match text.first() {
        Some(b'+') => return true,
        Some(b'-') => &text[1..],
        _ => text,
    };
    match text.first() {
        Some(b'0') => matches!(text.get(1), Some(b'x' | b'X' | b'0'..=b'9')),
        Some(first) if *first <= b'9' => false,
        None => false,
        Some(_) => text
            .get(..3)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")),
    }
}

pub(super) fn decode(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.top() != 1 {
        return Err(Raise::Argument(1, c"expected 1 argument"));
    }
    stack.check_text(1)?;
    let text = stack.bytes(1).unwrap_or_default();
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(Raise::Message("JSON parser does not support UTF-16 or UTF-32"));
    }
    let invalid_numbers = stack.port().json.decode_invalid_numbers.get();
    let mut scanner = JsonScanner { at: 0, invalid_numbers };
    let token = next(stack, &mut scanner)?;
    push(stack, &mut scanner, token, 0)?;
    let token = next(stack, &mut scanner)?;
    if token.kind != JsonTokenKind::End {
        return Err(expected(stack, "the end", token));
    }
    Ok(1)
}

fn next(stack: &Stack<'_>, scanner: &mut JsonScanner) -> Result<JsonToken, Raise> {
    let port = stack.port();
    let before = scanner.at;
    let token = scanner.next(stack.bytes(1).unwrap_or_default(), &mut port.scratch.borrow_mut());
    port.work(8 + scanner.at - before)?;
    Ok(token)
}

fn expected(stack: &Stack<'_>, what: &str, found: JsonToken) -> Raise {
    let name = match found.kind {
        JsonTokenKind::ObjectBegin => "T_OBJ_BEGIN",
        JsonTokenKind::ObjectEnd => "T_OBJ_END",
        JsonTokenKind::ArrayBegin => "T_ARR_BEGIN",
        JsonTokenKind::ArrayEnd => "T_ARR_END",
        JsonTokenKind::Colon => "T_COLON",
        JsonTokenKind::Comma => "T_COMMA",
        JsonTokenKind::Boolean(_) => "T_BOOLEAN",
        JsonTokenKind::Null => "T_NULL",
        JsonTokenKind::Number(_) => "T_NUMBER",
        JsonTokenKind::Plain { .. } | JsonTokenKind::Escaped => "T_STRING",
        JsonTokenKind::End => "T_END",
        JsonTokenKind::Error(text) => text,
    };
    stack.port().error(format_args!("Expected {what} but found {name} at character {}", found.at + 1))
}

/// Pushes the value that begins with `token`.
fn push(
    stack: &mut Stack<'_>,
    scanner: &mut JsonScanner,
    token: JsonToken,
    depth: usize,
) -> Result<(), Raise> {
    match token.kind {
        JsonTokenKind::Plain { start, end } => stack.push_part(1, start..end),
        JsonTokenKind::Escaped => stack.push_scratch(),
        JsonTokenKind::Number(value) => stack.push_number(value),
        JsonTokenKind::Boolean(value) => stack.push_boolean(value),
        JsonTokenKind::Null => stack.push_null(),
        JsonTokenKind::ObjectBegin => push_object(stack, scanner, depth + 1)?,
        JsonTokenKind::ArrayBegin => push_array(stack, scanner, depth + 1)?,
        _ => return Err(expected(stack, "value", token)),
    }
    Ok(())
}

fn descend(stack: &mut Stack<'_>, scanner: &JsonScanner, depth: usize) -> Result<(), Raise> {
    if depth > stack.port().json.decode_max_depth.get().min(DEPTH_MAX) || !stack.reserve(4) {
        return Err(stack.port().error(format_args!(
            "Found too many nested data structures ({depth}) at character {}",
            scanner.at
        )));
    }
    Ok(())
}

fn push_object(stack: &mut Stack<'_>, scanner: &mut JsonScanner, depth: usize) -> Result<(), Raise> {
    descend(stack, scanner, depth)?;
    stack.new_table(0, 0);
    let mut token = next(stack, scanner)?;
    if token.kind == JsonTokenKind::ObjectEnd {
        return Ok(());
    }
    loop {
        match token.kind {
            JsonTokenKind::Plain { start, end } => stack.push_part(1, start..end),
            JsonTokenKind::Escaped => stack.push_scratch(),
            _ => return Err(expected(stack, "object key string", token)),
        }
        token = next(stack, scanner)?;
        if token.kind != JsonTokenKind::Colon {
            return Err(expected(stack, "colon", token));
        }
        token = next(stack, scanner)?;
        push(stack, scanner, token, depth)?;
        stack.raw_set(-3);
        token = next(stack, scanner)?;
        match token.kind {
            JsonTokenKind::ObjectEnd => return Ok(()),
            JsonTokenKind::Comma => token = next(stack, scanner)?,
            _ => return Err(expected(stack, "comma or object end", token)),
        }
    }
}

fn push_array(stack: &mut Stack<'_>, scanner: &mut JsonScanner, depth: usize) -> Result<(), Raise> {
    descend(stack, scanner, depth)?;
    stack.new_table(0, 0);
    if stack.port().json.decode_array_metatable.get() {
        let metatable = stack.port().json.array_metatable.get();
        stack.push_kept(metatable);
        stack.set_metatable(-2);
    }
    let mut token = next(stack, scanner)?;
    if token.kind == JsonTokenKind::ArrayEnd {
        return Ok(());
    }
    let mut at = 1;
    loop {
        push(stack, scanner, token, depth)?;
        stack.raw_set_at(-2, at);
        at += 1;
        token = next(stack, scanner)?;
        match token.kind {
            JsonTokenKind::ArrayEnd => return Ok(()),
            JsonTokenKind::Comma => token = next(stack, scanner)?,
            _ => return Err(expected(stack, "comma or array end", token)),
        }
    }
}
