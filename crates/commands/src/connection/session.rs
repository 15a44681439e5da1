//! HELLO, AUTH, SELECT, RESET and QUIT: who the client is, what it speaks, where it works, and when it goes.

use larder_resp::Protocol;
use larder_store::DbIndex;

use super::client::{NAME_REFUSED, is_proper_name};
use crate::prelude::*;
use crate::server::COMPATIBLE_VERSION;

pub(super) const COMMANDS: &[Command] = &[AUTH, HELLO, QUIT, RESET, SELECT];

/// What a client that is still a stranger may send, at any time.
const FOR_STRANGERS: Flags = Flags::NO_SCRIPT
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::FAST)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY)
    .and(Flags::CHANGES_CLIENT);

/// What ends the connection, or what it has been, at once.
const ENDS: Flags = FOR_STRANGERS.and(Flags::UNQUEUED).and(Flags::FOR_LISTENERS);

const AUTH: Command = Command {
    name: "auth",
    syntax: "[username] password",
    summary: "Proves who the client is.",
    group: Group::Connection,
    since: "1.0.0",
    complexity: "O(N) where N is the number of passwords of the user",
    arity: Arity::AtLeast(2),
    flags: FOR_STRANGERS,
    history: &[("6.0.0", "May be given a user's name as well.")],
    is_secret: |_, index| index > 0,
    run: auth,
    ..Command::PLAIN
};

const HELLO: Command = Command {
    name: "hello",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    summary: "Chooses the version of the protocol, and may authenticate and name the client; describes the server.",
    group: Group::Connection,
    since: "6.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    flags: FOR_STRANGERS,
    history: &[("6.2.0", "May be called without a version, to ask only.")],
    is_secret: |args, index| {
        let is_auth = |index: Option<usize>| index.is_some_and(|index| is_word(args.at(index), "auth"));
        index > 2 && (is_auth(index.checked_sub(1)) || is_auth(index.checked_sub(2)))
    },
    run: hello,
    ..Command::PLAIN
};

const QUIT: Command = Command {
    name: "quit",
    syntax: "",
    summary: "Ends the connection.",
    group: Group::Connection,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    flags: ENDS,
    run: quit,
    ..Command::PLAIN
};

const RESET: Command = Command {
    name: "reset",
    syntax: "",
    summary: "Makes the connection as if it were new.",
    group: Group::Connection,
    since: "6.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: ENDS,
    run: reset,
    ..Command::PLAIN
};

const SELECT: Command = Command {
    name: "select",
    syntax: "index",
    summary: "Chooses the database that the client's next commands work in.",
    group: Group::Connection,
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    run: select,
    ..Command::PLAIN
};

/// The only user there is.
const DEFAULT_USER: &str = "default";

const OUT_OF_RANGE: CommandError =
    CommandError::line("ERR value is out of range, value must between -2147483648 and 2147483647");

const WRONG_PASSWORD: CommandError =
    CommandError::line("WRONGPASS invalid username-password pair or user is disabled.");

fn auth(cx: &mut Context<'_>) -> CommandResult {
    let (user, password) = match cx.args.len() {
        2 if cx.settings.requirepass.is_empty() => {
            return Err(CommandError::line(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        2 => (DEFAULT_USER.as_bytes(), cx.args.at(1)),
        3 => (cx.args.at(1), cx.args.at(2)),
        _ => return Err(CommandError::Syntax),
    };
    authenticate(cx, user, password)?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn authenticate(cx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    let wanted = cx.settings.requirepass.as_bytes();
    if user != DEFAULT_USER.as_bytes() || !(wanted.is_empty() || equal_in_constant_time(wanted, password)) {
        return Err(WRONG_PASSWORD);
    }
    cx.client.authenticated = true;
    Ok(())
}

/// Compares without telling by the time taken how much of a guess was right.
fn equal_in_constant_time(secret: &[u8], guess: &[u8]) -> bool {
    let mut different = u8::from(secret.len() != guess.len());
    for (index, byte) in guess.iter().enumerate() {
        different |= byte ^ secret[index % secret.len().max(1)];
    }
    std::hint::black_box(different) == 0
}

fn hello(cx: &mut Context<'_>) -> CommandResult {
    let options = HelloOptions::parse(cx.args)?;

    if let Some((user, password)) = options.credentials {
        authenticate(cx, user, password)?;
    }
    if !cx.client.authenticated {
        return Err(CommandError::line(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = options.name {
        cx.client.shared.rename(|names| names.name = name.into());
    }
    if let Some(protocol) = options.protocol {
        cx.speak(protocol);
    }

    let (id, version) = (cx.client.id(), if cx.client.protocol == Protocol::Resp3 { 3 } else { 2 });
    let reply = &mut cx.reply;
    reply.map(7);
    for (field, text) in [("server", "redis"), ("version", COMPATIBLE_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(text.as_bytes());
    }
    for (field, number) in [("proto", version), ("id", id)] {
        reply.bulk(field.as_bytes());
        reply.unsigned(number);
    }
    for (field, text) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(text.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    Ok(Outcome::Reply)
}

#[derive(Debug, Default)]
struct HelloOptions<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a str>,
}

impl<'a> HelloOptions<'a> {
    fn parse(args: Args<'a>) -> Result<HelloOptions<'a>, CommandError> {
        let mut options = HelloOptions::default();
        let mut words = args.from(1);
        let Some(version) = words.next() else { return Ok(options) };
        options.protocol = Some(match larder_store::parse_integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::line("NOPROTO unsupported protocol version")),
            None => {
                return Err(CommandError::line("ERR Protocol version is not an integer or out of range"));
            }
        });
        while let Some(word) = words.next() {
            if is_word(word, "auth") && words.len() >= 2 {
                options.credentials = Some((words.value()?, words.value()?));
            } else if is_word(word, "setname") && !words.is_empty() {
                let name = words.value()?;
                options.name = Some(is_proper_name(name).ok_or(NAME_REFUSED)?);
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(CommandError::Line(format!("ERR Syntax error in HELLO option '{word}'").into()));
            }
        }
        Ok(options)
    }
}

fn select(cx: &mut Context<'_>) -> CommandResult {
    let index = i32::try_from(cx.args.integer(1)?).map_err(|_| OUT_OF_RANGE)?;
    let db = u32::try_from(index).ok().filter(|db| (*db as usize) < cx.node.keyspace.databases());
    cx.client.db = DbIndex(db.ok_or(CommandError::DbOutOfRange)?);
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn reset(cx: &mut Context<'_>) -> CommandResult {
    cx.reset_client();
    cx.reply.simple("RESET");
    Ok(Outcome::Reply)
}

fn quit(cx: &mut Context<'_>) -> CommandResult {
    cx.client.closing = true;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

#[cfg(test)]
mod tests {
    use super::equal_in_constant_time;

    #[test]
    fn only_the_password_equals_the_password() {
        assert!(equal_in_constant_time(b"secret", b"secret"));
        for guess in [&b"secre"[..], b"secrets", b"secretsecret", b"Secret", b""] {
            assert!(!equal_in_constant_time(b"secret", guess));
        }
    }
}
