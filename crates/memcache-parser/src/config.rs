//! `config`: ElastiCache's way to tell clients which nodes there are. memcached has no such command.

use crate::command::{Command, Config, ReplyMode};
use crate::error::ErrorReply;
use crate::limits::Limits;
use crate::line::Line;
use crate::number;
use crate::parse::Outcome;
use crate::store::DataBlock;
use crate::tokens::Tokens;

/// `get <name>`, `delete <name>`, or `set <name> <flags> <length>` with a value behind the line.
pub(crate) fn config<'a>(line: &Line<'a>, mut tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let (Some(what), Some(name)) = (tokens.next(), tokens.next()) else {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    };
    if name.len() > limits.key_bytes {
        return Err(line.refuse(ErrorReply::BadCommandLine));
    }
    let config = match what {
        b"get" if tokens.is_empty() => Config::Get { name },
        b"delete" if tokens.is_empty() => Config::Delete { name },
        b"set" => return set(line, name, tokens, limits),
        _ => return Err(line.refuse(ErrorReply::UnknownCommand)),
    };
    Ok((Command::Config(config), line.end))
}

fn set<'a>(line: &Line<'a>, name: &'a [u8], mut tokens: Tokens<'a>, limits: &Limits) -> Outcome<'a> {
    let (Some(flags), Some(length), None) = (tokens.next(), tokens.next(), tokens.next()) else {
        return Err(line.refuse(ErrorReply::UnknownCommand));
    };
    let Some(block) = DataBlock::new(line, number::signed(length), ReplyMode::Send) else {
        return Err(line.refuse(ErrorReply::BadCommandLine));
    };
    let Some(client_flags) = number::unsigned(flags) else {
        return Err(block.refuse(ErrorReply::BadCommandLine));
    };
    if !limits.admit(name.len(), 0, block.length) {
        return Err(block.refuse_too_large(None));
    }
    let (value, end) = block.read()?;
    Ok((Command::Config(Config::Set { name, client_flags: client_flags as u32, value }), end))
}
