//! Replies of commands into values of Lua, and values of Lua into the reply to the client.

use larder_resp::{Protocol, Reply};

use crate::api::{is_counted, mark_counted};
use crate::native::{DEPTH_MAX, Kind, Stack};
use crate::port::Event;
use crate::raise::Raise;

/// No reply of a command is nested deeper.
const ANSWER_DEPTH_MAX: usize = 128;

/// Pushes the reply that lies in the exchange; whether it is an error.
pub(crate) fn push_answer(stack: &mut Stack<'_>) -> Result<bool, Raise> {
    let is_error = stack.answer().first() == Some(&b'-');
    push(stack, 0, 0)?;
    Ok(is_error)
}

/// A reply that breaks off: no command sends one.
const MALFORMED: Raise = Raise::Table("malformed reply");

/// A line behind its first byte, as a part of the answer, and where the next begins.
fn line(stack: &Stack<'_>, at: usize) -> Result<(usize, usize), Raise> {
    let rest = stack.answer().get(at..).ok_or(MALFORMED)?;
    let len = memchr::memchr(b'\r', rest).ok_or(MALFORMED)?;
    Ok((at + len, at + len + 2))
}

fn integer(stack: &Stack<'_>, at: usize) -> Result<(i64, usize), Raise> {
    let (end, next) = line(stack, at)?;
    let digits = std::str::from_utf8(&stack.answer()[at..end]).map_err(|_| MALFORMED)?;
    Ok((digits.parse().map_err(|_| MALFORMED)?, next))
}

/// A length of what follows, unless it is that of a null.
fn length(stack: &Stack<'_>, at: usize) -> Result<(Option<usize>, usize), Raise> {
    let (len, next) = integer(stack, at)?;
    Ok((usize::try_from(len).ok(), next))
}

/// Pushes the value at `at` of the answer; where the next begins.
fn push(stack: &mut Stack<'_>, at: usize, depth: usize) -> Result<usize, Raise> {
    if depth > ANSWER_DEPTH_MAX || !stack.reserve(6) {
        return Err(Raise::Table("reached lua stack limit"));
    }
    let first = *stack.answer().get(at).ok_or(MALFORMED)?;
    let at = at + 1;
    match first {
        b'$' => {
            let (len, next) = length(stack, at)?;
            let Some(len) = len else {
                stack.push_boolean(false);
                return Ok(next);
            };
            stack.push_answer(next..next + len);
            Ok(next + len + 2)
        }
        b':' => {
            let (value, next) = integer(stack, at)?;
            stack.push_number(value as f64);
            Ok(next)
        }
        b'+' => push_line(stack, at, c"ok"),
        b'-' => {
            let next = push_error_line(stack, at)?;
            mark_counted(stack);
            Ok(next)
        }
        b'(' => push_line(stack, at, c"big_number"),
        b'_' => {
            stack.push_nil();
            Ok(line(stack, at)?.1)
        }
        b'#' => {
            let truth = stack.answer().get(at) == Some(&b't');
            stack.push_boolean(truth);
            Ok(line(stack, at)?.1)
        }
        b',' => push_double(stack, at),
        b'=' => push_verbatim(stack, at),
        _ => push_aggregate(stack, first, at, depth),
    }
}

/// Pushes a table with the line as its one field.
fn push_line(stack: &mut Stack<'_>, at: usize, name: &std::ffi::CStr) -> Result<usize, Raise> {
    let (end, next) = line(stack, at)?;
    stack.new_table(0, 1);
    stack.push_answer(at..end);
    stack.set_field(-2, name);
    Ok(next)
}

/// As a line, but an error without a code gets one.
fn push_error_line(stack: &mut Stack<'_>, at: usize) -> Result<usize, Raise> {
    let (end, next) = line(stack, at)?;
    stack.new_table(0, 2);
    if memchr::memchr(b' ', &stack.answer()[at..end]).is_some() {
        stack.push_answer(at..end);
    } else {
        stack.push_bytes(b"ERR ");
        stack.push_answer(at..end);
        stack.concat(2);
    }
    stack.set_field(-2, c"err");
    Ok(next)
}

fn push_double(stack: &mut Stack<'_>, at: usize) -> Result<usize, Raise> {
    let (end, next) = line(stack, at)?;
    let digits = std::str::from_utf8(&stack.answer()[at..end]).map_err(|_| MALFORMED)?;
    let value: f64 = digits.parse().map_err(|_| MALFORMED)?;
    stack.new_table(0, 1);
    stack.push_number(value);
    stack.set_field(-2, c"double");
    Ok(next)
}

fn push_verbatim(stack: &mut Stack<'_>, at: usize) -> Result<usize, Raise> {
    let (len, start) = length(stack, at)?;
    let end = start + len.filter(|&len| len >= 4).ok_or(MALFORMED)?;
    stack.new_table(0, 1);
    stack.new_table(0, 2);
    stack.push_answer(start..start + 3);
    stack.set_field(-2, c"format");
    stack.push_answer(start + 4..end);
    stack.set_field(-2, c"string");
    stack.set_field(-2, c"verbatim_string");
    Ok(end + 2)
}

fn push_aggregate(stack: &mut Stack<'_>, first: u8, at: usize, depth: usize) -> Result<usize, Raise> {
    let (len, mut next) = length(stack, at)?;
    let Some(len) = len else {
        stack.push_boolean(false);
        return Ok(next);
    };
    match first {
        b'*' | b'>' => {
            stack.new_table(len, 0);
            for index in 1..=len {
                next = push(stack, next, depth + 1)?;
                stack.raw_set_at(-2, index as i32);
            }
        }
        b'%' => {
            stack.new_table(0, 1);
            stack.new_table(0, len);
            for _ in 0..len {
                next = push(stack, next, depth + 1)?;
                next = push(stack, next, depth + 1)?;
                stack.raw_set(-3);
            }
            stack.set_field(-2, c"map");
        }
        b'~' => {
            stack.new_table(0, 1);
            stack.new_table(0, len);
            for _ in 0..len {
                next = push(stack, next, depth + 1)?;
                stack.push_boolean(true);
                stack.raw_set(-3);
            }
            stack.set_field(-2, c"set");
        }
        // Attributes are not shown to scripts; the value that they belong to follows.
        b'|' => {
            for _ in 0..len * 2 {
                next = push(stack, next, depth + 1)?;
                stack.pop(1);
            }
            next = push(stack, next, depth + 1)?;
        }
        _ => return Err(MALFORMED),
    }
    Ok(next)
}

/// Writes the value on the top as the reply to the client.
pub(crate) fn write_reply(stack: &mut Stack<'_>) -> Result<Event, Raise> {
    if let Some(failed) = returned_error(stack) {
        return Ok(failed);
    }
    write(stack, 0)?;
    Ok(Event::Replied)
}

/// A script that returns an error table fails as if it had raised it, but that nobody is told where.
fn returned_error(stack: &mut Stack<'_>) -> Option<Event> {
    if stack.kind(-1) != Kind::Table {
        return None;
    }
    stack.raw_field(-1, c"err");
    let failed = stack.kind(-1) == Kind::String;
    if failed {
        let mut text = stack.port().exchange.text.borrow_mut();
        text.clear();
        text.extend_from_slice(trim_line_ends(stack.bytes(-1).unwrap_or_default()));
    }
    stack.pop(1);
    failed.then(|| Event::Failed { counted: is_counted(stack, -1) })
}

/// Writes with the reply's writer, which is borrowed only meanwhile.
fn with_reply<T>(stack: &Stack<'_>, write: impl FnOnce(&mut Reply<'_>) -> T) -> T {
    let exchange = &stack.port().exchange;
    let protocol = exchange.client_protocol.get();
    write(&mut Reply { out: &mut exchange.reply.borrow_mut(), protocol })
}

/// Writes the value on the top.
fn write(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    let port = stack.port();
    port.work(8)?;
    if port.exchange.reply.borrow().len() > port.memory_limit {
        return Err(Raise::Message("the reply is too large"));
    }
    if depth > DEPTH_MAX || !stack.reserve(6) {
        with_reply(stack, |reply| reply.error("ERR reached lua stack limit"));
        return Ok(());
    }
    match stack.kind(-1) {
        Kind::String => {
            let text = stack.bytes(-1).unwrap_or_default();
            with_reply(stack, |reply| reply.bulk(text));
        }
        Kind::Number => {
            let number = whole(stack.number(-1).unwrap_or(0.0));
            with_reply(stack, |reply| reply.integer(number));
        }
        Kind::Boolean => {
            let truth = stack.truth(-1);
            let script = port.exchange.script_protocol.get();
            with_reply(stack, |reply| match (script, truth) {
                (Protocol::Resp3, _) => reply.boolean(truth),
                (Protocol::Resp2, true) => reply.integer(1),
                (Protocol::Resp2, false) => reply.null(),
            });
        }
        Kind::Table => return write_table(stack, depth + 1),
        _ => with_reply(stack, |reply| reply.null()),
    }
    Ok(())
}

/// A number without its fraction. What is too large for an integer, or no number, becomes what C makes of it.
fn whole(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// A table is what its first field of a certain name says, in this order; else an array.
fn write_table(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    if write_line(stack, c"err", b'-') || write_line(stack, c"ok", b'+') {
        return Ok(());
    }
    stack.raw_field(-1, c"double");
    if stack.kind(-1) == Kind::Number {
        let number = stack.number(-1).unwrap_or(0.0);
        with_reply(stack, |reply| reply.double(number));
        stack.pop(1);
        return Ok(());
    }
    stack.pop(1);
    if write_big_number(stack) || write_verbatim(stack) {
        return Ok(());
    }
    stack.raw_field(-1, c"map");
    if stack.kind(-1) == Kind::Table {
        return write_pairs(stack, Pairs::Map, depth);
    }
    stack.pop(1);
    stack.raw_field(-1, c"set");
    if stack.kind(-1) == Kind::Table {
        return write_pairs(stack, Pairs::Set, depth);
    }
    stack.pop(1);
    write_array(stack, depth)
}

/// Writes a line of the field of that name if that is a string. Line ends become spaces.
fn write_line(stack: &mut Stack<'_>, name: &std::ffi::CStr, first: u8) -> bool {
    stack.raw_field(-1, name);
    let found = matches!(stack.kind(-1), Kind::String);
    if found {
        let exchange = &stack.port().exchange;
        let text = stack.bytes(-1).unwrap_or_default();
        let mut out = exchange.reply.borrow_mut();
        out.raw(&[first]);
        let mut rest = if first == b'-' { trim_line_ends(text) } else { text };
        while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
            out.raw(&rest[..at]);
            out.raw(b" ");
            rest = &rest[at + 1..];
        }
        out.raw(rest);
        out.raw(b"\r\n");
    }
    stack.pop(1);
    found
}

fn trim_line_ends(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &text[..end]
}

fn write_big_number(stack: &mut Stack<'_>) -> bool {
    stack.raw_field(-1, c"big_number");
    let found = stack.kind(-1) == Kind::String;
    if found {
        let digits = String::from_utf8_lossy(stack.bytes(-1).unwrap_or_default());
        let digits = digits.replace(['\r', '\n'], " ");
        with_reply(stack, |reply| reply.big_number(&digits));
    }
    stack.pop(1);
    found
}

fn write_verbatim(stack: &mut Stack<'_>) -> bool {
    stack.raw_field(-1, c"verbatim_string");
    let mut found = false;
    if stack.kind(-1) == Kind::Table {
        stack.raw_field(-1, c"format");
        stack.raw_field(-2, c"string");
        if let (Some(given), Some(text)) = (stack.bytes(-2), stack.bytes(-1)) {
            // A format has three bytes.
            let mut format = *b"   ";
            format.iter_mut().zip(given).for_each(|(byte, given)| *byte = *given);
            with_reply(stack, |reply| reply.verbatim(format, text));
            found = true;
        }
        stack.pop(2);
    }
    stack.pop(1);
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pairs {
    Map,
    Set,
}

/// Writes the table on the top, and pops it.
fn write_pairs(stack: &mut Stack<'_>, pairs: Pairs, depth: usize) -> Result<(), Raise> {
    let mut count = 0;
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        count += 1;
    }
    with_reply(stack, |reply| match pairs {
        Pairs::Map => reply.map(count),
        Pairs::Set => reply.set(count),
    });
    stack.push_nil();
    while stack.next(-2) {
        stack.push_value(-2);
        write(stack, depth)?;
        stack.pop(1);
        if pairs == Pairs::Map {
            write(stack, depth)?;
        }
        stack.pop(1);
    }
    stack.pop(1);
    Ok(())
}

/// An array ends before its first nil.
fn write_array(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    let mut len = 0;
    loop {
        stack.raw_get_at(-1, len + 1);
        let end = stack.kind(-1) == Kind::Nil;
        stack.pop(1);
        if end {
            break;
        }
        len += 1;
    }
    with_reply(stack, |reply| reply.array(len as usize));
    for index in 1..=len {
        stack.raw_get_at(-1, index);
        write(stack, depth)?;
        stack.pop(1);
    }
    Ok(())
}

/// Writes the text of the error on the top, as a client is told of it.
pub(crate) fn write_error(stack: &mut Stack<'_>) -> Event {
    let port = stack.port();
    let mut text = port.exchange.text.borrow_mut();
    text.clear();
    if stack.kind(-1) != Kind::Table {
        let message = stack.bytes(-1).unwrap_or(b"execution failure");
        text.extend_from_slice(b"ERR Error running script ");
        text.extend_from_slice(&port.exchange.name.borrow());
        text.extend_from_slice(b", ");
        text.extend_from_slice(&message[..message.len().min(100)]);
        return Event::Failed { counted: false };
    }
    drop(text);
    append_field(stack, c"err", |stack, found| {
        let mut text = port.exchange.text.borrow_mut();
        text.extend_from_slice(if found {
            stack.bytes(-1).unwrap_or_default()
        } else {
            b"ERR unknown error"
        });
    });
    let mut place = true;
    for name in [c"source", c"line"] {
        append_field(stack, name, |_, found| place &= found);
    }
    if place {
        {
            let mut text = port.exchange.text.borrow_mut();
            text.extend_from_slice(b" script: ");
            text.extend_from_slice(&port.exchange.name.borrow());
            text.extend_from_slice(b", on ");
        }
        for (name, behind) in [(c"source", b":"), (c"line", b".")] {
            append_field(stack, name, |stack, _| {
                let mut text = port.exchange.text.borrow_mut();
                text.extend_from_slice(stack.bytes(-1).unwrap_or_default());
                text.extend_from_slice(behind);
            });
        }
    }
    Event::Failed { counted: is_counted(stack, -1) }
}

/// Shows the field of that name of the table on the top, as a string on the top, and whether there is one.
fn append_field(stack: &mut Stack<'_>, name: &std::ffi::CStr, show: impl FnOnce(&Stack<'_>, bool)) {
    stack.raw_field(-1, name);
    let found = matches!(stack.kind(-1), Kind::String | Kind::Number) && stack.coerce(-1);
    show(stack, found);
    stack.pop(1);
}
