//! LLEN, LINDEX and LPOS: looking at elements.

use larder_store::list::{End, ListRef, Wanted};

use super::{rank_of, read};
use crate::element::reply_found;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LINDEX, LLEN, LPOS];

const LLEN: Command = Command {
    name: "llen",
    syntax: "key",
    summary: "Returns the number of elements of a list.",
    group: Group::List,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    keys: &[KeySpec::one(Access::INSPECT)],
    flags: Flags::READONLY.and(Flags::FAST),
    run: llen,
    ..Command::PLAIN
};

const LINDEX: Command = Command {
    name: "lindex",
    syntax: "key index",
    summary: "Returns an element of a list by its index.",
    complexity: "O(log N) where N is the number of elements",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    run: lindex,
    ..LLEN
};

const LPOS: Command = Command {
    name: "lpos",
    syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    summary: "Returns the indices of elements of a list that equal one.",
    since: "6.0.6",
    complexity: "O(N) where N is the number of elements compared",
    arity: Arity::AtLeast(3),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    run: lpos,
    ..LLEN
};

fn llen(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let len = read(&mut db, cx.key(0), |list| list.map_or(0, ListRef::len))?;
    cx.reply.integer(len as i64);
    Ok(Outcome::Reply)
}

fn lindex(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let index = cx.args.integer(2);
    read(&mut db, cx.key(0), |list| {
        // As in Redis, a missing key answers before an index that is no number.
        let Some(list) = list else {
            cx.reply.null();
            return Ok(());
        };
        reply_found(&mut cx.reply, rank_of(index?, list.len()).and_then(|rank| list.at(rank)));
        Ok::<(), CommandError>(())
    })??;
    Ok(Outcome::Reply)
}

fn lpos(cx: &mut Context<'_>) -> CommandResult {
    let search = Search::parse(cx.args)?;
    let mut db = cx.lock()?;
    let ranks = read(&mut db, cx.key(0), |list| list.map_or(Vec::new(), |list| search.run(list)))?;
    match (search.count, ranks.first()) {
        (Some(_), _) => {
            cx.reply.array(ranks.len());
            ranks.iter().for_each(|rank| cx.reply.integer(*rank as i64));
        }
        (None, Some(rank)) => cx.reply.integer(*rank as i64),
        (None, None) => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}

/// What LPOS looks for.
struct Search<'a> {
    wanted: Wanted<'a>,
    from: End,
    /// Matches passed over.
    skipped: u64,
    /// Matches returned; one if it is not said.
    count: Option<usize>,
    /// Elements compared.
    compared: usize,
}

impl<'a> Search<'a> {
    fn parse(args: Args<'a>) -> Result<Search<'a>, CommandError> {
        let wanted = Wanted::of(args.at(2));
        let mut search = Search { wanted, from: End::Head, skipped: 0, count: None, compared: usize::MAX };
        let mut words = args.from(3);
        while let Some(word) = words.next() {
            if words.is_empty() {
                return Err(CommandError::Syntax);
            }
            if is_word(word, "rank") {
                search.set_rank(words.integer()?)?;
            } else if is_word(word, "count") {
                search.count = Some(not_negative(&mut words, "ERR COUNT can't be negative")?);
            } else if is_word(word, "maxlen") {
                search.compared = not_negative(&mut words, "ERR MAXLEN can't be negative")?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if search.compared == 0 {
            search.compared = usize::MAX;
        }
        if search.count == Some(0) {
            search.count = Some(usize::MAX);
        }
        Ok(search)
    }

    fn set_rank(&mut self, rank: i64) -> Result<(), CommandError> {
        const ZERO: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                            negative to start from the end of the list";
        match rank {
            0 => return Err(CommandError::line(ZERO)),
            i64::MIN => return Err(CommandError::line("ERR value is out of range")),
            _ => {}
        }
        self.from = if rank < 0 { End::Tail } else { End::Head };
        self.skipped = rank.unsigned_abs() - 1;
        Ok(())
    }

    fn run(&self, list: ListRef<'_>) -> Vec<usize> {
        let (len, mut skipped, mut found) = (list.len(), self.skipped, Vec::new());
        let compared = self.compared.min(len);
        let ranks = match self.from {
            End::Head => 0..compared,
            End::Tail => len - compared..len,
        };
        list.each_while(ranks, self.from, |rank, element| {
            if self.wanted.is(element) {
                match skipped.checked_sub(1) {
                    Some(less) => skipped = less,
                    None => found.push(rank),
                }
            }
            found.len() < self.count.unwrap_or(1)
        });
        found
    }
}

fn not_negative(words: &mut ArgsFrom<'_>, error: &'static str) -> Result<usize, CommandError> {
    let number = words.integer().ok().and_then(|number| usize::try_from(number).ok());
    number.ok_or(CommandError::line(error))
}
