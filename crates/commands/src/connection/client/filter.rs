//! Which clients CLIENT LIST and CLIENT KILL are about.

use larder_engine::SharedClient;

use super::line;
use crate::prelude::*;

/// The clients that are meant: those for which all conditions hold.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    conditions: Vec<Condition<'a>>,
    /// Whether the client that asks is left out.
    pub(super) skips_own: bool,
}

/// One condition, as it is written or turned round by `NOT-`.
#[derive(Debug)]
struct Condition<'a> {
    negated: bool,
    test: Test<'a>,
}

#[derive(Debug)]
enum Test<'a> {
    Ids(Vec<i64>),
    /// Of the type named; none is a replica.
    Type(Type),
    /// Of the user named; there is but one.
    DefaultUser,
    Address(&'a [u8]),
    LocalAddress(&'a [u8]),
    Ip(&'a [u8]),
    Name(&'a [u8]),
    Library(&'a [u8]),
    LibraryVersion(&'a [u8]),
    /// Has all these letters among its flags.
    Flags(&'a [u8]),
    Capabilities(&'a [u8]),
    Database(u32),
    MaxAge(i64),
    Idle(i64),
}

type FromBytes<'a> = fn(&'a [u8]) -> Test<'a>;

/// Letters that the field `flags` may show in Valkey.
const FLAG_LETTERS: &[u8] = b"ABINMOPRSTUbcdeirtux";

impl<'a> Filter<'a> {
    /// Reads conditions. `invalid_id` is what the command says of an id that is no number.
    pub(super) fn parse(
        mut words: ArgsFrom<'a>,
        databases: usize,
        invalid_id: &'static str,
        mut skips_own: bool,
    ) -> Result<Filter<'a>, CommandError> {
        let mut conditions = Vec::new();
        while let Some(word) = words.next() {
            if words.is_empty() {
                return Err(CommandError::Syntax);
            }
            if is_word(word, "skipme") {
                skips_own = match words.value()? {
                    yes if is_word(yes, "yes") => true,
                    no if is_word(no, "no") => false,
                    _ => return Err(CommandError::Syntax),
                };
                continue;
            }
            let (prefix, rest) = word.split_at(word.len().min(4));
            let negated = is_word(prefix, "not-");
            let name = if negated { rest } else { word };
            let test = Test::parse(name, &mut words, databases, invalid_id)?;
            if negated && matches!(test, Test::MaxAge(_) | Test::Idle(_)) {
                return Err(CommandError::Syntax);
            }
            conditions.push(Condition { negated, test });
        }
        Ok(Filter { conditions, skips_own })
    }

    /// Whether a client is meant.
    pub(super) fn admits(&self, cx: &Context<'_>, client: &SharedClient) -> bool {
        !(self.skips_own && client.id == cx.client.id())
            && self.conditions.iter().all(|condition| condition.test.holds(cx, client) != condition.negated)
    }
}

impl<'a> Test<'a> {
    fn parse(
        name: &[u8],
        words: &mut ArgsFrom<'a>,
        databases: usize,
        invalid_id: &'static str,
    ) -> Result<Test<'a>, CommandError> {
        if is_word(name, "id") {
            return ids(words, invalid_id).map(Test::Ids);
        }
        let value = words.value()?;
        let with_bytes: [(&str, FromBytes<'a>); 6] = [
            ("addr", Test::Address),
            ("laddr", Test::LocalAddress),
            ("ip", Test::Ip),
            ("name", Test::Name),
            ("lib-name", Test::Library),
            ("lib-ver", Test::LibraryVersion),
        ];
        if let Some((_, test)) = with_bytes.into_iter().find(|(option, _)| is_word(name, option)) {
            return Ok(test(value));
        }
        if is_word(name, "type") {
            client_type(value).map(Test::Type)
        } else if is_word(name, "user") {
            if value == b"default" { Ok(Test::DefaultUser) } else { Err(unknown("No such user", value)) }
        } else if is_word(name, "flags") {
            let known = value.iter().all(|letter| FLAG_LETTERS.contains(letter));
            if known { Ok(Test::Flags(value)) } else { Err(unknown_letters("flags", value)) }
        } else if is_word(name, "capa") {
            if value == b"r" { Ok(Test::Capabilities(value)) } else { Err(unknown_letters("capa", value)) }
        } else if is_word(name, "db") {
            let db = number("DB", value)?;
            let valid = u32::try_from(db).ok().filter(|db| (*db as usize) < databases);
            let error = || format!("ERR DB number should be between 0 and {}", databases - 1);
            valid.map(Test::Database).ok_or_else(|| CommandError::Line(error().into()))
        } else if is_word(name, "maxage") {
            match number("maxage", value)? {
                seconds @ 1.. => Ok(Test::MaxAge(seconds)),
                _ => Err(CommandError::line("ERR maxage should be greater than 0")),
            }
        } else if is_word(name, "idle") {
            number("idle", value).map(Test::Idle)
        } else {
            Err(CommandError::Syntax)
        }
    }

    fn holds(&self, cx: &Context<'_>, client: &SharedClient) -> bool {
        let has = |all: &str, letters: &[u8]| letters.iter().all(|letter| all.as_bytes().contains(letter));
        match self {
            Test::Ids(ids) => ids.iter().any(|id| u64::try_from(*id) == Ok(client.id)),
            Test::Type(Type::Normal) => !client.is_subscriber(),
            Test::Type(Type::PubSub) => client.is_subscriber(),
            Test::Type(Type::Replica) => false,
            Test::DefaultUser => true,
            Test::Address(address) => client.address.as_bytes() == *address,
            Test::LocalAddress(address) => client.local_address.as_bytes() == *address,
            Test::Ip(ip) => {
                let host = client.address.rsplit_once(':').map_or("", |(host, _)| host);
                host.trim_matches(['[', ']']).as_bytes() == *ip
            }
            Test::Name(name) => client.names.lock().name.as_bytes() == *name,
            Test::Library(name) => client.names.lock().library.as_bytes() == *name,
            Test::LibraryVersion(version) => client.names.lock().library_version.as_bytes() == *version,
            Test::Flags(letters) => has(&client.flags(), letters),
            Test::Capabilities(letters) => has(client.capabilities(), letters),
            Test::Database(db) => line::database(cx, client) == *db,
            Test::MaxAge(seconds) => client.age_seconds(cx.now()) >= *seconds,
            Test::Idle(seconds) => client.idle_seconds(cx.now()) >= *seconds,
        }
    }
}

/// One or more ids: as many of the next words as are integers.
fn ids(words: &mut ArgsFrom<'_>, invalid: &'static str) -> Result<Vec<i64>, CommandError> {
    let mut ids = Vec::new();
    while let Some(id) = words.peek().and_then(larder_store::parse_integer) {
        words.next();
        if id < 1 {
            return Err(CommandError::line("ERR client-id should be greater than 0"));
        }
        ids.push(id);
    }
    if ids.is_empty() { Err(CommandError::line(invalid)) } else { Ok(ids) }
}

/// Kinds of clients, by which their output is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Normal,
    /// It subscribes to something.
    PubSub,
    /// It is another node.
    Replica,
}

fn client_type(name: &[u8]) -> Result<Type, CommandError> {
    const NODES: [&str; 4] = ["master", "primary", "replica", "slave"];
    if is_word(name, "normal") {
        Ok(Type::Normal)
    } else if is_word(name, "pubsub") {
        Ok(Type::PubSub)
    } else if NODES.iter().any(|node| is_word(name, node)) {
        Ok(Type::Replica)
    } else {
        Err(unknown("Unknown client type", name))
    }
}

fn number(what: &str, value: &[u8]) -> Result<i64, CommandError> {
    larder_store::parse_integer(value)
        .ok_or_else(|| CommandError::Line(format!("ERR {what} is not an integer or out of range").into()))
}

fn unknown(what: &str, value: &[u8]) -> CommandError {
    CommandError::Line(format!("ERR {what} '{}'", String::from_utf8_lossy(value)).into())
}

fn unknown_letters(what: &str, value: &[u8]) -> CommandError {
    let value = String::from_utf8_lossy(value);
    CommandError::Line(format!("ERR Unknown {what} found in the provided filter: {value}").into())
}
