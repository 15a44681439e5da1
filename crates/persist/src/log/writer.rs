//! Writing a log: bytes are appended to a buffer, which takes no allocation while it has room.

use larder_store::{Digits, Element};

/// Appends a command.
pub fn write_command<'a>(out: &mut Vec<u8>, arguments: impl ExactSizeIterator<Item = &'a [u8]>) {
    write_header(out, b'*', arguments.len());
    for argument in arguments {
        write_header(out, b'$', argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends an annotation: what follows was done at this time, in seconds.
pub fn write_timestamp(out: &mut Vec<u8>, seconds: i64) {
    out.extend_from_slice(b"#TS:");
    write_number(out, seconds);
}

fn write_header(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    write_number(out, number as i64);
}

fn write_number(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(Element::Int(number).text(&mut Digits::default()));
    out.extend_from_slice(b"\r\n");
}
