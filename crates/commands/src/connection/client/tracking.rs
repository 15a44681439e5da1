//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO: clients that keep what they read, and are told when it changes.

use larder_engine::{CachingOptions, CachingState, Remembered};
use larder_resp::Reply;

use super::FLAGS;
use crate::prelude::*;

pub(super) const TRACKING: Command = Command {
    name: "tracking",
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    summary: "Begins or ends telling the client, or another, when keys change that it has read or that begin with a prefix.",
    group: Group::Connection,
    since: "6.0.0",
    complexity: "O(1). Some options may introduce additional complexity.",
    arity: Arity::AtLeast(3),
    flags: FLAGS,
    run: tracking,
    ..Command::PLAIN
};

pub(super) const CACHING: Command = Command {
    name: "caching",
    syntax: "<YES | NO>",
    summary: "Says whether the keys of the next request are tracked.",
    complexity: "O(1)",
    arity: Arity::Exactly(3),
    run: caching,
    ..TRACKING
};

pub(super) const GETREDIR: Command = Command {
    name: "getredir",
    syntax: "",
    summary: "Returns the number of the client that is told of changes: 0 for the client itself, -1 while nothing is tracked.",
    arity: Arity::Exactly(2),
    flags: FLAGS.and(Flags::ALLOW_BUSY),
    run: getredir,
    ..CACHING
};

pub(super) const TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    syntax: "",
    summary: "Tells what is tracked for the client, and how.",
    since: "6.2.0",
    arity: Arity::Exactly(2),
    run: trackinginfo,
    ..CACHING
};

fn tracking(cx: &mut Context<'_>) -> CommandResult {
    let options = parse(cx)?;
    match cx.args.at(2) {
        word if is_word(word, "on") => {
            check(cx, &options)?;
            cx.cache(options);
        }
        word if is_word(word, "off") => cx.client.set_caching(None),
        _ => return Err(CommandError::Syntax),
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn parse(cx: &Context<'_>) -> Result<CachingOptions, CommandError> {
    let (mut options, mut prefixes, mut by_prefix) = (CachingOptions::default(), Vec::new(), false);
    let (mut opt_in, mut opt_out) = (false, false);
    let mut words = cx.args.from(3);
    while let Some(word) = words.next() {
        match () {
            () if is_word(word, "redirect") && !words.is_empty() => {
                if options.redirect.is_some() {
                    return Err(CommandError::line(
                        "ERR A client can only redirect to a single other client",
                    ));
                }
                let id = u64::try_from(words.integer()?).ok();
                let id = id.filter(|id| cx.node.clients.contains_key(id));
                let missing = CommandError::line("ERR The client ID you want redirect to does not exist");
                options.redirect = Some(id.ok_or(missing)?);
            }
            () if is_word(word, "prefix") && !words.is_empty() => prefixes.push(words.value()?.into()),
            () if is_word(word, "bcast") => by_prefix = true,
            () if is_word(word, "optin") => opt_in = true,
            () if is_word(word, "optout") => opt_out = true,
            () if is_word(word, "noloop") => options.no_loop = true,
            () => return Err(CommandError::Syntax),
        }
    }
    if !is_word(cx.args.at(2), "on") {
        return Ok(options);
    }
    if !by_prefix && !prefixes.is_empty() {
        return Err(CommandError::line("ERR PREFIX option requires BCAST mode to be enabled"));
    }
    let was_by_prefix = cx.client.caching().map(|caching| caching.options.prefixes.is_some());
    if was_by_prefix.is_some_and(|was| was != by_prefix) {
        return Err(CommandError::line(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
             a different mode.",
        ));
    }
    if by_prefix && (opt_in || opt_out) {
        return Err(CommandError::line("ERR OPTIN and OPTOUT are not compatible with BCAST"));
    }
    options.remembered = match (opt_in, opt_out) {
        (false, false) => Remembered::All,
        (true, false) => Remembered::OptedIn,
        (false, true) => Remembered::NotOptedOut,
        (true, true) => {
            return Err(CommandError::line("ERR You can't specify both OPTIN mode and OPTOUT mode"));
        }
    };
    if by_prefix {
        if prefixes.is_empty() {
            prefixes.push(Box::default());
        }
        options.prefixes = Some(prefixes);
    }
    Ok(options)
}

/// Whether what is asked for goes together with what the client has asked for before.
fn check(cx: &Context<'_>, new: &CachingOptions) -> Result<(), CommandError> {
    let Some(before) = cx.client.caching().map(|caching| &caching.options) else {
        return check_prefixes(new, &[]);
    };
    let switches = matches!(
        (before.remembered, new.remembered),
        (Remembered::OptedIn, Remembered::NotOptedOut) | (Remembered::NotOptedOut, Remembered::OptedIn)
    );
    if switches {
        return Err(CommandError::line(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with \
             a different mode.",
        ));
    }
    check_prefixes(new, before.prefixes.as_deref().unwrap_or_default())
}

/// Of two prefixes of a client, none may begin with the other: it would be told twice.
fn check_prefixes(new: &CachingOptions, before: &[Box<[u8]>]) -> Result<(), CommandError> {
    let prefixes = new.prefixes.as_deref().unwrap_or_default();
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let refuse = |prefix: &[u8], text: &str, other: &[u8]| {
        let (prefix, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
        let line = format!(
            "ERR Prefix '{prefix}' overlaps with {text} prefix '{other}'. Prefixes for a single client must not overlap."
        );
        Err(CommandError::Line(line.into()))
    };
    for (index, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = before.iter().find(|other| overlap(prefix, other)) {
            return refuse(prefix, "an existing", other);
        }
        if let Some(other) = prefixes[index + 1..].iter().find(|other| overlap(prefix, other)) {
            return refuse(prefix, "another provided", other);
        }
    }
    Ok(())
}

fn caching(cx: &mut Context<'_>) -> CommandResult {
    let Some(remembered) = cx.client.caching().map(|caching| caching.options.remembered) else {
        return Err(CommandError::line(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let (mode, refusal) = match cx.args.at(2) {
        word if is_word(word, "yes") => (
            Remembered::OptedIn,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ),
        word if is_word(word, "no") => (
            Remembered::NotOptedOut,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ),
        _ => return Err(CommandError::Syntax),
    };
    if remembered != mode {
        return Err(CommandError::line(refusal));
    }
    cx.client.give_caching();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn getredir(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.integer(cx.client.shared.caching.redirect_id());
    Ok(Outcome::Reply)
}

fn trackinginfo(cx: &mut Context<'_>) -> CommandResult {
    let shared = &cx.client.shared.caching;
    let mut flags = Vec::new();
    if let Some(caching) = cx.client.caching() {
        let options = &caching.options;
        let words = [
            (true, "on"),
            (options.prefixes.is_some(), "bcast"),
            (options.remembered == Remembered::OptedIn, "optin"),
            (options.remembered == Remembered::OptedIn && caching.given, "caching-yes"),
            (options.remembered == Remembered::NotOptedOut, "optout"),
            (options.remembered == Remembered::NotOptedOut && caching.given, "caching-no"),
            (options.no_loop, "noloop"),
            (shared.has(CachingState::BROKEN), "broken_redirect"),
        ];
        flags.extend(words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word));
    } else {
        flags.push("off");
    }
    let redirect = shared.redirect_id();
    let prefixes = cx.client.caching().and_then(|caching| caching.options.prefixes.as_deref());
    write_info(&mut cx.reply, &flags, redirect, prefixes.unwrap_or_default());
    Ok(Outcome::Reply)
}

fn write_info(reply: &mut Reply<'_>, flags: &[&str], redirect: i64, prefixes: &[Box<[u8]>]) {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirect);
    reply.bulk(b"prefixes");
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
}
