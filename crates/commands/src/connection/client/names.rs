//! CLIENT ID, GETNAME, SETNAME and SETINFO: what a client is called.

use super::FLAGS;
use crate::prelude::*;

pub(super) const ID: Command = Command {
    name: "id",
    summary: "Returns the client's own number, which no other client ever has.",
    group: Group::Connection,
    since: "5.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    run: id,
    ..Command::PLAIN
};

pub(super) const GETNAME: Command = Command {
    name: "getname",
    summary: "Returns the name that the client has given itself.",
    group: Group::Connection,
    since: "2.6.9",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    run: getname,
    ..Command::PLAIN
};

pub(super) const SETNAME: Command = Command {
    name: "setname",
    syntax: "connection-name",
    summary: "Gives the client a name, which CLIENT LIST shows.",
    group: Group::Connection,
    since: "2.6.9",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: setname,
    ..Command::PLAIN
};

pub(super) const SETINFO: Command = Command {
    name: "setinfo",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    summary: "Says which library the client uses.",
    group: Group::Connection,
    since: "7.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(4),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: setinfo,
    ..Command::PLAIN
};

/// What is said of a name that is not proper.
pub(in crate::connection) const NAME_REFUSED: CommandError =
    CommandError::line("ERR Client names cannot contain spaces, newlines or special characters.");

/// The name as a text, if it keeps to what is visible in ASCII: CLIENT LIST must stay readable.
pub(in crate::connection) fn is_proper_name(name: &[u8]) -> Option<&str> {
    let proper = name.iter().all(|byte| matches!(byte, b'!'..=b'~'));
    std::str::from_utf8(name).ok().filter(|_| proper)
}

fn id(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.unsigned(cx.client.id());
    Ok(Outcome::Reply)
}

fn getname(cx: &mut Context<'_>) -> CommandResult {
    let names = cx.client.shared.names.lock();
    if names.name.is_empty() {
        cx.reply.null();
    } else {
        cx.reply.bulk(names.name.as_bytes());
    }
    Ok(Outcome::Reply)
}

fn setname(cx: &mut Context<'_>) -> CommandResult {
    let name = is_proper_name(cx.args.at(2)).ok_or(NAME_REFUSED)?;
    cx.client.shared.rename(|names| names.name = name.into());
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn setinfo(cx: &mut Context<'_>) -> CommandResult {
    let (attribute, value) = (cx.args.at(2), cx.args.at(3));
    let attribute =
        ["lib-name", "lib-ver"].into_iter().find(|name| is_word(attribute, name)).ok_or_else(|| {
            let attribute = String::from_utf8_lossy(attribute);
            CommandError::Line(format!("ERR Unrecognized option '{attribute}'").into())
        })?;
    let value = is_proper_name(value).ok_or_else(|| {
        let text = format!("ERR {attribute} cannot contain spaces, newlines or special characters.");
        CommandError::Line(text.into())
    })?;

    cx.client.shared.rename(|names| {
        let field = if attribute == "lib-name" { &mut names.library } else { &mut names.library_version };
        *field = value.into();
    });
    cx.reply.ok();
    Ok(Outcome::Reply)
}
