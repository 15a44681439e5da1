//! GEOADD: places come, and move.

use larder_store::Missing;

use super::place::Place;
use crate::prelude::*;
use crate::sorted_set::{self, add};

pub(super) const COMMANDS: &[Command] = &[GEOADD];

const GEOADD: Command = Command {
    name: "geoadd",
    syntax: "key [NX | XX] [CH] longitude:double latitude:double member [longitude:double latitude:double member ...]",
    summary: "Adds places to a sorted set, or moves them; a missing one is created.",
    group: Group::Geo,
    since: "3.2.0",
    complexity: "O(log N) for each place given, where N is the number of members",
    arity: Arity::AtLeast(5),
    keys: &[KeySpec::one(Access::UPDATE_ONLY)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    history: &[("6.2.0", "Added the options CH, NX and XX.")],
    run: geoadd,
    ..Command::PLAIN
};

fn geoadd(cx: &mut Context<'_>) -> CommandResult {
    let mut words = cx.args.from(2);
    let mut options = add::Options::default();
    while let Some(word) = words.peek() {
        let option = match word {
            _ if is_word(word, "nx") => &mut options.only_new,
            _ if is_word(word, "xx") => &mut options.only_old,
            _ if is_word(word, "ch") => &mut options.count_changed,
            _ => break,
        };
        *option = true;
        words.next();
    }
    if !words.len().is_multiple_of(3) || options.only_new && options.only_old {
        return Err(CommandError::Syntax);
    }
    let mut places = Vec::with_capacity(words.len() / 3);
    while let (Some(longitude), Some(latitude), Some(member)) = (words.next(), words.next(), words.next()) {
        places.push((Place::parse(longitude, latitude)?.score(), member));
    }
    let mut db = cx.lock()?;
    let missing = if options.only_old { Missing::Leave } else { sorted_set::new() };
    add::put_all(cx, &mut db, options, missing, places.into_iter())
}
