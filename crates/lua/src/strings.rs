//! Lua's string functions, as far as they are not its own: those that search, and those that make long strings of short ones.

use memchr::memmem;

use crate::native::{Kind, Stack, upvalue};
use crate::pattern::{Capture, Captures, Match, is_special, match_at, search, split_anchor};
use crate::raise::Raise;
use crate::sandbox::Functions;

/// Under their names.
pub(crate) const FUNCTIONS: Functions = &[
    (c"find", find),
    (c"gfind", global_match),
    (c"gmatch", global_match),
    (c"gsub", substitute),
    (c"match", matching),
    (c"rep", repeat),
];

/// Where in a string of `len` bytes a search begins that is to begin at `start`, counted from 1, or from the end.
fn beginning(start: i64, len: usize) -> usize {
    let from_end = || i64::try_from(len).unwrap_or(i64::MAX).saturating_add(start).saturating_add(1);
    let start = if start < 0 { from_end() } else { start };
    usize::try_from(start.saturating_sub(1)).unwrap_or(0).min(len)
}

fn find(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    stack.check_text(2)?;
    let start = stack.optional_integer(3, 1)?;
    let plain = stack.truth(4);
    let port = stack.port();
    let subject = stack.bytes(1).unwrap_or_default();
    let pattern = stack.bytes(2).unwrap_or_default();
    let start = beginning(start, subject.len());
    if plain || !is_special(pattern) {
        port.work((subject.len() - start) / 16)?;
        let found =
            memmem::find(&subject[start..], pattern).map(|at| (start + at, start + at + pattern.len()));
        match found {
            Some((first, behind)) => {
                stack.push_number(first as f64 + 1.0);
                stack.push_number(behind as f64);
                return Ok(2);
            }
            None => stack.push_nil(),
        }
        return Ok(1);
    }
    match search(port, subject, pattern, start)? {
        None => {
            stack.push_nil();
            Ok(1)
        }
        Some(found) => {
            stack.push_number(found.start as f64 + 1.0);
            stack.push_number(found.end as f64);
            Ok(2 + push_captures(stack, 1, &found.captures)?)
        }
    }
}

fn matching(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    stack.check_text(2)?;
    let start = stack.optional_integer(3, 1)?;
    let port = stack.port();
    let subject = stack.bytes(1).unwrap_or_default();
    let pattern = stack.bytes(2).unwrap_or_default();
    match search(port, subject, pattern, beginning(start, subject.len()))? {
        None => {
            stack.push_nil();
            Ok(1)
        }
        Some(found) => push_whole_or_captures(stack, 1, &found),
    }
}

/// Pushes what was captured; how much that was.
fn push_captures(stack: &mut Stack<'_>, subject: i32, captures: &Captures) -> Result<usize, Raise> {
    if !stack.reserve(captures.len) {
        return Err(Raise::Message("stack overflow (too many captures)"));
    }
    for capture in &captures.items[..captures.len] {
        push_capture(stack, subject, *capture)?;
    }
    Ok(captures.len)
}

fn push_capture(stack: &mut Stack<'_>, subject: i32, capture: Capture) -> Result<(), Raise> {
    match capture {
        Capture::Part { start, end } => stack.push_part(subject, start..end),
        Capture::Place { at } => stack.push_number(at as f64 + 1.0),
        Capture::Open { .. } => return Err(Raise::Message("unfinished capture")),
    }
    Ok(())
}

/// Pushes what was captured, or, where nothing is to be captured, the whole match.
fn push_whole_or_captures(stack: &mut Stack<'_>, subject: i32, found: &Match) -> Result<usize, Raise> {
    if found.captures.len > 0 {
        return push_captures(stack, subject, &found.captures);
    }
    stack.push_part(subject, found.start..found.end);
    Ok(1)
}

/// Returns the function that goes from match to match: its values are the string, the pattern and the place.
fn global_match(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    stack.check_text(2)?;
    stack.set_top(2);
    stack.push_number(0.0);
    stack.push_native(next_match, 3);
    Ok(1)
}

fn next_match(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let port = stack.port();
    let from = stack.number(upvalue(2)).unwrap_or(0.0) as usize;
    let subject = stack.bytes(upvalue(0)).unwrap_or_default();
    // Here an anchor is a character like any other.
    let pattern = stack.bytes(upvalue(1)).unwrap_or_default();
    let pattern = pattern.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut found = None;
    for start in from..=subject.len() {
        found = match_at(port, subject, pattern, start)?;
        if found.is_some() {
            break;
        }
    }
    let Some(found) = found else { return Ok(0) };
    let next = if found.end == found.start { found.end + 1 } else { found.end };
    stack.push_number(next as f64);
    stack.replace(upvalue(2));
    push_whole_or_captures(stack, upvalue(0), &found)
}

/// `gsub`. The result is put together in the scratch buffer where nothing of the script's runs meanwhile; where it does, each
/// piece goes into a table first, as the scratch buffer may then be used by others.
fn substitute(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    stack.check_text(2)?;
    let kind = stack.kind(3);
    match kind {
        Kind::Number => {
            stack.coerce(3);
        }
        Kind::String | Kind::Table | Kind::Function => {}
        _ => return Err(Raise::Type(3, c"string/function/table")),
    }
    let limit = stack.optional_integer(4, i64::MAX)?;
    stack.set_top(3);
    let (count, pieces) = match kind {
        Kind::Table | Kind::Function => {
            stack.new_table(0, 0);
            let (count, pieces) = substitute_by_pieces(stack, limit)?;
            (count, Some(pieces))
        }
        _ => (substitute_by_text(stack, limit)?, None),
    };
    if let Some(pieces) = pieces {
        let port = stack.port();
        port.scratch.borrow_mut().clear();
        for at in 1..=pieces {
            stack.raw_get_at(4, at);
            port.append(stack.bytes(-1).unwrap_or_default())?;
            stack.pop(1);
        }
    }
    stack.push_scratch();
    stack.push_number(count as f64);
    Ok(2)
}

/// Where the next match may begin, given one that was found or not; and the subject's byte that is passed over, if one is.
fn substitute_by_text(stack: &mut Stack<'_>, limit: i64) -> Result<i64, Raise> {
    let port = stack.port();
    port.scratch.borrow_mut().clear();
    let subject = stack.bytes(1).unwrap_or_default();
    let (pattern, anchored) = split_anchor(stack.bytes(2).unwrap_or_default());
    let replacement = stack.bytes(3).unwrap_or_default();
    let mut count = 0;
    let mut at = 0;
    while count < limit {
        let found = match_at(port, subject, pattern, at)?;
        if let Some(found) = &found {
            count += 1;
            append_replacement(stack, replacement, subject, found)?;
        }
        match found {
            Some(found) if found.end > at => at = found.end,
            _ if at < subject.len() => {
                port.append(&subject[at..=at])?;
                at += 1;
            }
            _ => break,
        }
        if anchored {
            break;
        }
    }
    port.append(&subject[at.min(subject.len())..])?;
    Ok(count)
}

/// Appends the replacement, with what `%0` to `%9` stand for.
fn append_replacement(
    stack: &Stack<'_>,
    replacement: &[u8],
    subject: &[u8],
    found: &Match,
) -> Result<(), Raise> {
    let port = stack.port();
    port.work(replacement.len())?;
    let mut rest = replacement;
    while let Some(escape) = memchr::memchr(b'%', rest) {
        port.append(&rest[..escape])?;
        match rest.get(escape + 1) {
            Some(b'0') => port.append(&subject[found.start..found.end])?,
            Some(digit @ b'1'..=b'9') => {
                let index = usize::from(digit - b'1');
                let capture = found.captures.items[..found.captures.len].get(index);
                match capture {
                    Some(&Capture::Part { start, end }) => port.append(&subject[start..end])?,
                    Some(Capture::Place { at }) => {
                        let mut place = [0; 20];
                        port.append(decimal(at + 1, &mut place))?;
                    }
                    Some(Capture::Open { .. }) => return Err(Raise::Message("unfinished capture")),
                    None if index == 0 && found.captures.len == 0 => {
                        port.append(&subject[found.start..found.end])?;
                    }
                    None => return Err(Raise::Message("invalid capture index")),
                }
            }
            Some(other) => port.append(&[*other])?,
            // As Lua, which copies the zero behind its strings.
            None => port.append(&[0])?,
        }
        rest = rest.get(escape + 2..).unwrap_or_default();
    }
    port.append(rest)
}

fn decimal(mut number: usize, buffer: &mut [u8; 20]) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

/// The table for the pieces is at 4. Returns how many matches there were, and how many pieces.
fn substitute_by_pieces(stack: &mut Stack<'_>, limit: i64) -> Result<(i64, i32), Raise> {
    let port = stack.port();
    let mut count = 0;
    let mut pieces = 0;
    let mut at = 0;
    // From here to `at`, nothing was replaced.
    let mut kept = 0;
    while count < limit {
        let subject = stack.bytes(1).unwrap_or_default();
        let len = subject.len();
        let (pattern, anchored) = split_anchor(stack.bytes(2).unwrap_or_default());
        let found = match_at(port, subject, pattern, at)?;
        if let Some(found) = &found {
            count += 1;
            if found.start > kept {
                stack.push_part(1, kept..found.start);
                pieces += 1;
                stack.raw_set_at(4, pieces);
            }
            push_replacement(stack, found)?;
            pieces += 1;
            stack.raw_set_at(4, pieces);
            kept = found.end;
        }
        match found {
            Some(found) if found.end > at => at = found.end,
            _ if at < len => at += 1,
            _ => break,
        }
        if anchored {
            break;
        }
    }
    stack.push_part(1, kept..usize::MAX);
    pieces += 1;
    stack.raw_set_at(4, pieces);
    Ok((count, pieces))
}

/// Pushes what the table or function at 3 has for the match; the match itself if that is nothing.
fn push_replacement(stack: &mut Stack<'_>, found: &Match) -> Result<(), Raise> {
    if stack.kind(3) == Kind::Table {
        match found.captures.items[..found.captures.len].first() {
            Some(&first) => push_capture(stack, 1, first)?,
            None => stack.push_part(1, found.start..found.end),
        }
        stack.get(3);
    } else {
        stack.push_value(3);
        let arguments = push_whole_or_captures(stack, 1, found)?;
        stack.call(arguments as i32, Some(1));
    }
    if !stack.truth(-1) {
        stack.pop(1);
        stack.push_part(1, found.start..found.end);
    } else if !stack.coerce(-1) {
        let kind = stack.kind(-1).name();
        return Err(stack.port().error(format_args!("invalid replacement value (a {kind})")));
    }
    Ok(())
}

/// `rep`. Lua's own copies piece by piece even where there is nothing to copy.
fn repeat(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.check_text(1)?;
    let count = usize::try_from(stack.check_integer(2)?).unwrap_or(0);
    let port = stack.port();
    let piece = stack.bytes(1).unwrap_or_default();
    let total = piece.len().checked_mul(count).filter(|&total| total <= port.memory_limit);
    let Some(total) = total else { return Err(Raise::Message("resulting string too large")) };
    {
        let mut scratch = port.scratch.borrow_mut();
        scratch.clear();
        if total > 0 {
            scratch.reserve(total);
            for _ in 0..count {
                scratch.extend_from_slice(piece);
            }
        }
    }
    port.work(total / 16)?;
    stack.push_scratch();
    Ok(1)
}
