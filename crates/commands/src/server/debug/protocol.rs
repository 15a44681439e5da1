//! DEBUG PROTOCOL: a value of each type of the protocol, by which client libraries test themselves.

use larder_resp::Protocol;

use crate::prelude::*;

pub(super) fn protocol(cx: &mut Context<'_>) -> CommandResult {
    let types: [(&str, Write); 13] = [
        ("string", |cx| cx.reply.bulk(b"Hello World")),
        ("integer", |cx| cx.reply.integer(12_345)),
        // Clients look for exactly this number, which is not meant to be pi.
        ("double", |cx| cx.reply.double(3141.0 / 1000.0)),
        ("null", |cx| cx.reply.null()),
        ("array", |cx| {
            cx.reply.array(3);
            (0..3).for_each(|number| cx.reply.integer(number));
        }),
        ("set", |cx| {
            cx.reply.set(3);
            (0..3).for_each(|number| cx.reply.integer(number));
        }),
        ("map", |cx| {
            cx.reply.map(3);
            for number in 0..3 {
                cx.reply.integer(number);
                cx.reply.boolean(number == 1);
            }
        }),
        ("attrib", |cx| {
            if cx.reply.attribute(1) {
                cx.reply.bulk(b"key-popularity");
                cx.reply.array(2);
                cx.reply.bulk(b"key:123");
                cx.reply.integer(90);
            }
            cx.reply.bulk(b"Some real reply following the attribute");
        }),
        ("push", |cx| {
            cx.reply.push(2);
            cx.reply.bulk(b"server-cpu-usage");
            cx.reply.integer(42);
            cx.reply.bulk(b"Some real reply following the push reply");
        }),
        ("verbatim", |cx| cx.reply.verbatim(*b"txt", b"This is a verbatim\nstring")),
        ("true", |cx| cx.reply.boolean(true)),
        ("false", |cx| cx.reply.boolean(false)),
        ("bignum", |cx| cx.reply.big_number("1234567999999999999999999999999999999")),
    ];
    let wanted = cx.args.at(2);
    let (name, write) = types.into_iter().find(|(name, _)| is_word(wanted, name)).ok_or(UNKNOWN_TYPE)?;
    if name == "push" && cx.reply.protocol == Protocol::Resp2 {
        return Err(CommandError::line("ERR RESP2 is not supported by this command"));
    }
    write(cx);
    Ok(Outcome::Reply)
}

/// Writes a value.
type Write = fn(&mut Context<'_>);

const UNKNOWN_TYPE: CommandError = CommandError::line(
    "ERR Wrong protocol type name. Please use one of the following: \
     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
