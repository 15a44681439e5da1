//! The first line of a script or library, if it says something about it: `#!lua flags=no-writes`, `#!lua name=mylib`.

use crate::ScriptFlags;

/// What a script's first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptHeader<'a> {
    /// What it declares; nothing if it has no such line, and is to be treated as scripts were before there was one.
    pub flags: Option<ScriptFlags>,
    /// The script without that line, but with its line end, so that lines keep their numbers.
    pub body: &'a [u8],
}

/// What a library's first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryHeader<'a> {
    /// The engine, in its words.
    pub engine: Vec<u8>,
    /// The library's name.
    pub name: Vec<u8>,
    /// The library without that line.
    pub body: &'a [u8],
}

/// Reads a script's first line. An error is the text for the client, without its code.
///
/// # Errors
///
/// The line begins as it should, but does not go on so.
pub fn script_header(source: &[u8]) -> Result<ScriptHeader<'_>, String> {
    if !source.starts_with(b"#!") {
        return Ok(ScriptHeader { flags: None, body: source });
    }
    let end = memchr::memchr(b'\n', source).ok_or("Invalid script shebang")?;
    let words = words(&source[..end]).ok_or("Invalid engine in script shebang")?;
    let (engine, options) = words.split_first().ok_or("Invalid engine in script shebang")?;
    if engine != b"#!lua" {
        return Err(format!("Unexpected engine in script shebang: {}", String::from_utf8_lossy(engine)));
    }
    let mut flags = ScriptFlags::NONE;
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(format!("Unknown lua shebang option: {}", String::from_utf8_lossy(option)));
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|&byte| byte == b',') {
            flags |= ScriptFlags::by_name(name).ok_or_else(|| {
                format!("Unexpected flag in script shebang: {}", String::from_utf8_lossy(name))
            })?;
        }
    }
    Ok(ScriptHeader { flags: Some(flags), body: &source[end..] })
}

/// Reads a library's first line. An error is the text for the client, without its code.
///
/// # Errors
///
/// The line is missing, or does not give the library a name.
pub fn library_header(source: &[u8]) -> Result<LibraryHeader<'_>, String> {
    if !source.starts_with(b"#!") {
        return Err("Missing library metadata".into());
    }
    let end = memchr::memchr(b'\n', source).ok_or("Invalid library metadata")?;
    let words = words(&source[..end]).ok_or("Invalid library metadata")?;
    let (engine, options) = words.split_first().ok_or("Invalid library metadata")?;
    let engine = engine.get(2..).unwrap_or_default().to_vec();
    let mut name = None;
    for option in options {
        let prefixed = option.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"name="));
        if !prefixed {
            return Err(format!("Invalid metadata value given: {}", String::from_utf8_lossy(option)));
        }
        if name.is_some() {
            return Err("Invalid metadata value, name argument was given multiple times".into());
        }
        name = Some(option[5..].to_vec());
    }
    let name = name.ok_or("Library name was not given")?;
    if !is_name(&name) {
        return Err(BAD_NAME.into());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("Engine '{}' not found", String::from_utf8_lossy(&engine)));
    }
    Ok(LibraryHeader { engine, name, body: &source[end..] })
}

/// What is said of a library or function that is badly named.
pub(crate) const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or function may be so called.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The words of a line, some of which may be quoted as in redis-cli. None if a quote is not closed.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        at += line[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if at == line.len() {
            return Some(words);
        }
        let mut word = Vec::new();
        while let Some(&byte) = line.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
            at += 1;
            match byte {
                b'"' => at = double_quoted(line, at, &mut word)?,
                b'\'' => at = single_quoted(line, at, &mut word)?,
                _ => word.push(byte),
            }
        }
        words.push(word);
    }
}

/// Reads to the closing quote, behind which a word ends.
fn double_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'\\', Some(b'x'))
                if line
                    .get(at + 2..at + 4)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) =>
            {
                let digit = |at: usize| char::from(line[at]).to_digit(16).unwrap_or(0) as u8;
                word.push(digit(at + 2) << 4 | digit(at + 3));
                at += 4;
            }
            (b'\\', Some(&escaped)) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                at += 2;
            }
            (b'"', next) => return next.is_none_or(u8::is_ascii_whitespace).then_some(at + 1),
            (&other, _) => {
                word.push(other);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'\\', Some(b'\'')) => {
                word.push(b'\'');
                at += 2;
            }
            (b'\'', next) => return next.is_none_or(u8::is_ascii_whitespace).then_some(at + 1),
            (&other, _) => {
                word.push(other);
                at += 1;
            }
        }
    }
}
