//! DEBUG: the part of it that tests and client libraries use. `enable-debug-command` says who may.
//!
//! What has no counterpart here (reloads, formats that do not exist yet) is refused; what only tunes a mechanism of
//! Redis that is not needed here is accepted, for then nothing is left undone.

use std::sync::atomic::Ordering;

use crate::help;
use crate::prelude::*;

mod digest;
mod object;
mod populate;
mod protocol;

pub(super) const COMMANDS: &[Command] = &[DEBUG];

const DEBUG: Command = Command {
    name: "debug",
    syntax: "subcommand [arg [arg ...]]",
    summary: "Looks at inner workings and changes them, for tests.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    scope: Scope::EachStripe,
    flags: Flags::ADMIN
        .and(Flags::NO_SCRIPT)
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::PROTECTED)
        .and(Flags::SYSTEM),
    run: debug,
    ..Command::PLAIN
};

/// One way to call DEBUG.
struct Subcommand {
    name: &'static str,
    /// What follows the name, for HELP.
    syntax: &'static str,
    summary: &'static str,
    /// How many arguments follow the name: the fewest and the most.
    arguments: (usize, usize),
    run: Handler,
}

type Handler = fn(&mut Context<'_>) -> CommandResult;

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "change-repl-id",
        syntax: "",
        summary: "Begins another history of the data, as if this were another node.",
        arguments: (0, 0),
        run: change_replication_id,
    },
    Subcommand {
        name: "client-enforce-reply-list",
        syntax: "<0|1>",
        summary: "Does nothing: replies are always kept in one way.",
        arguments: (1, 1),
        run: accept,
    },
    Subcommand {
        name: "client-eviction",
        syntax: "",
        summary: "Tells how many clients are in each size class, and what they take together.",
        arguments: (0, 0),
        run: client_eviction,
    },
    Subcommand {
        name: "config-rewrite-force-all",
        syntax: "",
        summary: "Writes every setting into the configuration file, as CONFIG REWRITE does with those that need it.",
        arguments: (0, 0),
        run: rewrite_all,
    },
    Subcommand {
        name: "dict-resizing",
        syntax: "<0|1>",
        summary: "Does nothing: tables are never resized as a whole.",
        arguments: (1, 1),
        run: accept,
    },
    Subcommand {
        name: "digest",
        syntax: "",
        summary: "Answers a signature of all data, the one that Redis makes of the same.",
        arguments: (0, 0),
        run: digest::digest,
    },
    Subcommand {
        name: "digest-value",
        syntax: "<key> [<key> ...]",
        summary: "Answers signatures of values.",
        arguments: (0, usize::MAX),
        run: digest::digest_value,
    },
    Subcommand {
        name: "error",
        syntax: "<string>",
        summary: "Answers an error with this line.",
        arguments: (1, 1),
        run: error,
    },
    Subcommand {
        name: "hashtable-can-abort-shrink",
        syntax: "<0|1>",
        summary: "Does nothing: tables are never resized as a whole.",
        arguments: (1, 1),
        run: accept,
    },
    Subcommand {
        name: "log",
        syntax: "<message>",
        summary: "Writes a message to the log.",
        arguments: (1, 1),
        run: log,
    },
    Subcommand {
        name: "object",
        syntax: "<key> [fast]",
        summary: "Tells how the value of a key is held; with fast, without the length that it would have in a file.",
        arguments: (1, 2),
        run: object::object,
    },
    Subcommand {
        name: "panic",
        syntax: "",
        summary: "Ends the process as a fault of its own would, with a report in the log.",
        arguments: (0, 0),
        run: panic,
    },
    Subcommand {
        name: "pause-cron",
        syntax: "<0|1>",
        summary: "Stops what is done regularly beside the requests: idle clients stay, and rates are not measured.",
        arguments: (1, 1),
        run: pause_cron,
    },
    Subcommand {
        name: "populate",
        syntax: "<count> [<prefix>] [<size>]",
        summary: "Creates so many strings named key:<number>, or otherwise, of so many bytes; keys that exist are left alone.",
        arguments: (1, 3),
        run: populate::populate,
    },
    Subcommand {
        name: "protocol",
        syntax: "<type>",
        summary: "Answers a value of a type of the protocol: string, integer, double, bignum, null, array,\nset, map, attrib, push, verbatim, true or false.",
        arguments: (1, 1),
        run: protocol::protocol,
    },
    Subcommand {
        name: "quicklist-packed-threshold",
        syntax: "<size>",
        summary: "Does nothing but look at the size: no element is kept outside the nodes of a list.",
        arguments: (1, 1),
        run: packed_threshold,
    },
    Subcommand {
        name: "reload",
        syntax: "[option ...]",
        summary: "Is refused: there are no snapshots yet.",
        arguments: (0, usize::MAX),
        run: reload,
    },
    Subcommand {
        name: "replybuffer",
        syntax: "<PEAK-RESET-TIME <NEVER|RESET|time>|RESIZING <0|1>>",
        summary: "Does nothing: a client has no reply buffer of its own to be resized.",
        arguments: (2, 2),
        run: reply_buffer,
    },
    Subcommand {
        name: "set-active-expire",
        syntax: "<0|1>",
        summary: "Says whether keys are removed when their time comes, or only when they are next asked for.",
        arguments: (1, 1),
        run: set_active_expire,
    },
    Subcommand {
        name: "sleep",
        syntax: "<seconds>",
        summary: "Answers after so many seconds, which may have decimals. Other clients are served meanwhile.",
        arguments: (1, 1),
        run: sleep,
    },
];

fn debug(cx: &mut Context<'_>) -> CommandResult {
    let (name, given) = (cx.args.at(1), cx.args.len() - 2);
    if is_word(name, "help") && given == 0 {
        return help(cx);
    }
    let found = SUBCOMMANDS.iter().find(|subcommand| is_word(name, subcommand.name));
    match found {
        Some(Subcommand { arguments: (fewest, most), run, .. }) if (*fewest..=*most).contains(&given) => {
            run(cx)
        }
        _ => Err(CommandError::subcommand_syntax(cx.args)),
    }
}

fn help(cx: &mut Context<'_>) -> CommandResult {
    let calls: Vec<(String, &str)> = SUBCOMMANDS
        .iter()
        .map(|subcommand| (format!("{} {}", subcommand.name, subcommand.syntax), subcommand.summary))
        .collect();
    let entries: Vec<(&str, &str)> = calls.iter().map(|(call, does)| (call.as_str(), *does)).collect();
    help::reply(cx, "debug", &entries);
    Ok(Outcome::Reply)
}

fn accept(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn rewrite_all(cx: &mut Context<'_>) -> CommandResult {
    super::config::write_file(cx, larder_config::Rewrite::All)
}

fn change_replication_id(cx: &mut Context<'_>) -> CommandResult {
    cx.node.set_replication_id(cx.random.hexadecimal_id());
    accept(cx)
}

fn client_eviction(cx: &mut Context<'_>) -> CommandResult {
    let bytes_of = |id: u64| cx.node.clients.get(&id).map_or(0, |client| client.memory_bytes());
    let classes = cx.node.pool.classes(bytes_of);
    let classes = classes.ok_or(CommandError::line("ERR maxmemory-clients is disabled."))?;
    let ends = classes.iter().skip(1).map(|class| format!(" - {:>10}: ", class.from - 1));
    let ends = ends.chain([format!("{:<14}: ", "+")]);
    let mut text = String::new();
    for (class, end) in classes.iter().zip(ends) {
        let (from, bytes, clients) = (class.from, class.bytes, class.clients);
        text += &format!("bucket {from:>10}{end}tot-mem: {bytes:>10}, clients: {clients}\n");
    }
    cx.reply.verbatim(*b"txt", text.as_bytes());
    Ok(Outcome::Reply)
}

fn pause_cron(cx: &mut Context<'_>) -> CommandResult {
    cx.node.upkeep_paused.store(is_number_set(cx.args.at(2)), Ordering::Relaxed);
    accept(cx)
}

/// As in Redis: what is no number is zero.
fn is_number_set(word: &[u8]) -> bool {
    larder_store::parse_integer(word).is_some_and(|number| number != 0)
}

fn error(cx: &mut Context<'_>) -> CommandResult {
    Err(CommandError::Line(String::from_utf8_lossy(cx.args.at(2)).into_owned().into()))
}

fn log(cx: &mut Context<'_>) -> CommandResult {
    cx.node.host.log(&format!("DEBUG LOG: {}", String::from_utf8_lossy(cx.args.at(2))));
    accept(cx)
}

fn panic(_: &mut Context<'_>) -> CommandResult {
    panic!("DEBUG PANIC was called");
}

fn packed_threshold(cx: &mut Context<'_>) -> CommandResult {
    const LARGEST: u64 = 4 << 30;
    let size = std::str::from_utf8(cx.args.at(2)).ok().and_then(larder_config::parse_memory);
    if size.is_none_or(|size| size > LARGEST) {
        return Err(CommandError::line(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        ));
    }
    accept(cx)
}

fn reload(_: &mut Context<'_>) -> CommandResult {
    Err(CommandError::line("ERR Error trying to load the RDB dump: this version of Larder has no snapshots"))
}

fn reply_buffer(cx: &mut Context<'_>) -> CommandResult {
    let (what, value) = (cx.args.at(2), cx.args.at(3));
    if is_word(what, "resizing") {
        return accept(cx);
    }
    if !is_word(what, "peak-reset-time") {
        return Err(CommandError::subcommand_syntax(cx.args));
    }
    if !is_word(value, "never") && !is_word(value, "reset") {
        larder_store::parse_integer(value).ok_or(CommandError::NotAnInteger)?;
    }
    accept(cx)
}

fn set_active_expire(cx: &mut Context<'_>) -> CommandResult {
    cx.node.active_expire.store(is_number_set(cx.args.at(2)), Ordering::Relaxed);
    accept(cx)
}

/// In Redis the whole server sleeps; here this client does.
fn sleep(cx: &mut Context<'_>) -> CommandResult {
    // As in Redis: what is no number is zero.
    let seconds =
        std::str::from_utf8(cx.args.at(2)).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0_f64);
    let until = cx.now().saturating_add((seconds.max(0.0) * 1000.0).ceil() as i64);
    Ok(Outcome::at(until, accept))
}
