//! The options, and how words become them.

use Does::{Act, Ignored, Refused, Set, SetTo};
use Takes::{Nothing, Value};

use super::Start;

/// One option.
pub(super) struct Opt {
    pub(super) letter: char,
    /// Its long name; empty where there is none.
    pub(super) long: &'static str,
    takes: Takes,
    pub(super) does: Does,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
}

/// What an option does.
pub(super) enum Does {
    /// Sets a directive to its value.
    Set(&'static str),
    /// Sets a directive to this value.
    SetTo(&'static str, &'static str),
    /// Something of its own.
    Act(fn(&mut Start, &str) -> Result<(), String>),
    /// Nothing, for this reason.
    Ignored(&'static str),
    /// Cannot be had, for this reason; starting without it would not be what was asked for.
    Refused(&'static str),
}

pub(super) const OPTIONS: &[Opt] = &[
    opt('p', "port", Value, Act(Start::port)),
    opt('U', "udp-port", Value, Act(Start::udp_port)),
    opt('s', "unix-socket", Value, Set("memcached-unixsocket")),
    opt('a', "unix-mask", Value, Set("memcached-unixsocketperm")),
    opt('A', "enable-shutdown", Nothing, SetTo("memcached-shutdown", "yes")),
    opt('l', "listen", Value, Act(Start::listen)),
    opt('d', "daemon", Nothing, SetTo("daemonize", "yes")),
    opt('r', "enable-coredumps", Nothing, Ignored("the system's limit stays")),
    opt('u', "user", Value, Act(Start::user)),
    opt('m', "memory-limit", Value, Act(Start::memory_limit)),
    opt('M', "disable-evictions", Nothing, SetTo("maxmemory-policy", "noeviction")),
    opt('c', "conn-limit", Value, Act(Start::connection_limit)),
    opt('k', "lock-memory", Nothing, Ignored("memory may be swapped out")),
    opt('v', "verbose", Nothing, Act(Start::verbose)),
    opt('h', "help", Nothing, Ignored("prints this")),
    opt('i', "license", Nothing, Ignored("prints the licence")),
    opt('V', "version", Nothing, Ignored("prints the version")),
    opt('P', "pidfile", Value, Set("pidfile")),
    opt('f', "slab-growth-factor", Value, Ignored("size classes are fixed")),
    opt('n', "slab-min-size", Value, Ignored("size classes are fixed")),
    opt('L', "enable-largepages", Nothing, SetTo("disable-thp", "no")),
    opt('D', "", Value, Act(Start::delimiter)),
    opt('t', "threads", Value, Act(Start::threads)),
    opt('R', "max-reqs-per-event", Value, Ignored("turns have their own bound")),
    opt('C', "disable-cas", Nothing, Ignored("only items that are asked for it have a CAS value")),
    opt('b', "listen-backlog", Value, Set("tcp-backlog")),
    opt('B', "protocol", Value, Act(Start::protocol)),
    opt('I', "max-item-size", Value, Act(Start::item_size)),
    opt('S', "enable-sasl", Nothing, SetTo("memcached-sasl", "yes")),
    opt('F', "disable-flush-all", Nothing, SetTo("memcached-flush-all", "no")),
    opt('X', "disable-dumping", Nothing, SetTo("memcached-dump", "no")),
    opt('W', "disable-watch", Nothing, SetTo("memcached-watch", "no")),
    opt('Y', "auth-file", Value, Set("memcached-auth-file")),
    opt('e', "memory-file", Value, Refused("items are not kept in a file")),
    opt('o', "extended", Value, Act(Start::extended)),
    opt('N', "napi-ids", Value, Ignored("connections are dealt in turn")),
    opt('Z', "enable-ssl", Nothing, Refused("there is no TLS yet")),
];

const fn opt(letter: char, long: &'static str, takes: Takes, does: Does) -> Opt {
    Opt { letter, long, takes, does }
}

/// The options of a word of letters; the last may take the rest of the word, or the next word, as its value.
pub(super) fn short_options<'a>(
    letters: &'a str,
    words: &mut impl Iterator<Item = &'a str>,
) -> Result<Vec<(&'static Opt, &'a str)>, String> {
    let mut options = Vec::new();
    for (at, letter) in letters.char_indices() {
        let found = option(letter).ok_or_else(|| format!("memcached: invalid option -- '{letter}'"))?;
        if found.takes == Nothing {
            options.push((found, ""));
            continue;
        }
        let value = match &letters[at + letter.len_utf8()..] {
            "" => {
                words.next().ok_or_else(|| format!("memcached: option requires an argument -- '{letter}'"))?
            }
            rest => rest,
        };
        options.push((found, value));
        break;
    }
    Ok(options)
}

/// The option of a long name, or of the beginning of just one.
pub(super) fn long_option<'a>(
    word: &'a str,
    words: &mut impl Iterator<Item = &'a str>,
) -> Result<(&'static Opt, &'a str), String> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let named = || OPTIONS.iter().filter(|option| !option.long.is_empty());
    let mut begun = named().filter(|option| option.long.starts_with(name));
    let found = match (named().find(|option| option.long == name), begun.next(), begun.next()) {
        (Some(exact), ..) => exact,
        (None, Some(only), None) => only,
        (None, Some(_), Some(_)) => return Err(format!("memcached: option '--{word}' is ambiguous")),
        (None, None, _) => return Err(format!("memcached: unrecognized option '--{word}'")),
    };
    let long = found.long;
    match (found.takes, value) {
        (Value, Some(value)) => Ok((found, value)),
        (Value, None) => {
            let value =
                words.next().ok_or_else(|| format!("memcached: option '--{long}' requires an argument"))?;
            Ok((found, value))
        }
        // One may say how much.
        (Nothing, Some(_)) if found.letter != 'v' => {
            Err(format!("memcached: option '--{long}' doesn't allow an argument"))
        }
        (Nothing, _) => Ok((found, "")),
    }
}

pub(super) fn option(letter: char) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.letter == letter)
}

pub(super) fn spelling(option: &Opt) -> String {
    format!("-{}", option.letter)
}

/// Every option with what it is for.
pub(super) fn help() -> String {
    let mut text = String::from("Options, and the directives of docs/config.md that they set:\n");
    for option in OPTIONS {
        let long = if option.long.is_empty() { String::new() } else { format!(", --{}", option.long) };
        let value = if option.takes == Value { " <value>" } else { "" };
        let does = match option.does {
            Set(name) => name.to_owned(),
            SetTo(name, value) => format!("{name} {value}"),
            Act(_) => meaning(option.letter).to_owned(),
            Ignored(reason) if "hiV".contains(option.letter) => reason.to_owned(),
            Ignored(reason) => format!("changes nothing: {reason}"),
            Refused(reason) => format!("refused: {reason}"),
        };
        text += &format!("{:<34} {does}\n", format!("-{}{long}{value}", option.letter));
    }
    text
}

/// What an option of its own does.
pub(super) fn meaning(letter: char) -> &'static str {
    match letter {
        'p' => "memcached-port",
        'U' => "changes nothing: UDP is not spoken",
        'l' => "bind; an address may have a port, which is then that of all",
        'u' => "becomes this user when started by root",
        'm' => "maxmemory, in MiB",
        'c' => "maxclients",
        'v' => "loglevel verbose; twice, debug",
        'D' => "memcached-detail yes, if the value is a colon; no other parts the keys",
        't' => "worker-threads",
        'B' => "changes nothing: a port is bound to no protocol",
        'I' => "memcached-item-size-max; k and m count in 1,024s",
        'o' => "idle_timeout=SECONDS is timeout; others change nothing",
        _ => "",
    }
}
