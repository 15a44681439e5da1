//! Bytes and replies as text in a script.

use crate::value::Value;

/// Escapes what is not printable ASCII, and the backslash.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// A string in quotes. One that would be read as a regex has its first byte escaped.
pub(super) fn quote(bytes: &[u8]) -> String {
    let text = escape(bytes).replace('"', "\\\"");
    match text.strip_prefix('/').filter(|rest| rest.ends_with('/')) {
        Some(rest) => format!("\"\\x2f{rest}\""),
        None => format!("\"{text}\""),
    }
}

/// The bytes that an escaped text means, up to the end or to an unescaped quote, and what follows that quote.
pub(super) fn unescape(text: &str) -> Result<(Vec<u8>, Option<&str>), String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '"' => return Ok((bytes, Some(after))),
            '\\' => {
                let (byte, len) = escaped(after).ok_or_else(|| format!("unknown escape at \\{after}"))?;
                bytes.push(byte);
                &after[len..]
            }
            _ => {
                bytes.extend_from_slice(&rest.as_bytes()[..first.len_utf8()]);
                after
            }
        };
    }
    Ok((bytes, None))
}

/// The byte that follows a backslash, and the length of its notation.
fn escaped(text: &str) -> Option<(u8, usize)> {
    let byte = match text.as_bytes().first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'"' => b'"',
        b'\\' => b'\\',
        b'x' => return Some((u8::from_str_radix(text.get(1..3)?, 16).ok()?, 3)),
        _ => return None,
    };
    Some((byte, 1))
}

/// The words of a request.
pub(super) fn words(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = unescape(quoted)?;
            let after = after.ok_or("a quote is not closed")?;
            if !after.is_empty() && !after.starts_with(' ') {
                return Err("a space must follow a closing quote".to_owned());
            }
            words.push(word);
            rest = after.trim_start();
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.as_bytes().to_vec());
            rest = after.trim_start();
        }
    }
    if words.is_empty() { Err("a request without words".to_owned()) } else { Ok(words) }
}

/// A request as a script has it.
#[must_use]
pub(crate) fn request_line(words: &[Vec<u8>]) -> String {
    let plain = |byte: &u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    let word = |word: &Vec<u8>| {
        if !word.is_empty() && word.iter().all(plain) {
            escape(word)
        } else {
            let text = escape(word).replace('"', "\\\"");
            format!("\"{text}\"")
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A reply as the lines that a script has after `< `.
#[must_use]
pub(crate) fn reply_lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    push_lines(value, 0, &mut lines);
    lines
}

fn push_lines(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let line = match value {
        Value::Simple(text) => format!("+{}", escape(text)),
        Value::Error(text) => format!("-{}", escape(text)),
        Value::Integer(number) => format!(":{number}"),
        Value::Bulk(bytes) => quote(bytes),
        Value::Null => "nil".to_owned(),
        Value::NullArray => "nilarray".to_owned(),
        Value::Array(values) => format!("*{}", values.len()),
        Value::Map(pairs) => format!("%{}", pairs.len()),
        Value::Set(values) => format!("~{}", values.len()),
        Value::Push(values) => format!(">{}", values.len()),
        Value::Double(text) => format!(",{}", escape(text)),
        Value::Boolean(truth) => if *truth { "#t" } else { "#f" }.to_owned(),
        Value::BigNumber(text) => format!("({}", escape(text)),
        Value::Verbatim(format, text) => format!("={}:{}", escape(format), quote(text)),
    };
    lines.push(format!("{:indent$}{line}", "", indent = 2 * depth));
    match value {
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            values.iter().for_each(|value| push_lines(value, depth + 1, lines));
        }
        Value::Map(pairs) => pairs.iter().for_each(|(key, value)| {
            push_lines(key, depth + 1, lines);
            push_lines(value, depth + 1, lines);
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_back() {
        let line = r#"SET key "a \"b\" \x00\xff\\ \r\n" """#;
        let read = words(line).unwrap();
        assert_eq!(read, [&b"SET"[..], b"key", b"a \"b\" \x00\xff\\ \r\n", b""]);
        assert_eq!(request_line(&read), line);
        assert_eq!(words("  GET   k ").unwrap(), [b"GET".to_vec(), b"k".to_vec()]);
    }

    #[test]
    fn bad_requests_are_refused() {
        for line in ["", r#"GET "a"#, r#"GET "a"b"#, r#"GET "\q""#, r#"GET "\x0""#] {
            assert!(words(line).is_err(), "{line}");
        }
    }

    #[test]
    fn replies_are_nested_by_indentation() {
        let value = Value::Map(vec![(
            Value::Bulk(b"a".into()),
            Value::Array(vec![Value::Null, Value::Verbatim(*b"txt", b"/x/".into())]),
        )]);
        assert_eq!(reply_lines(&value), ["%1", "  \"a\"", "  *2", "    nil", "    =txt:\"\\x2fx/\""]);
    }
}
