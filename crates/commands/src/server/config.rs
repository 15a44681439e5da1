//! CONFIG: asking for settings and changing them.

use larder_config::{Directive, Effect, Rewrite, SetError, Settings, directive};
use larder_engine::glob::{self, Case};

use crate::help;
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[CONFIG];

const CONFIG: Command = Command {
    name: "config",
    summary: "Asks for settings and changes them.",
    group: Group::Server,
    since: "2.0.0",
    complexity: "Depends on the subcommand.",
    arity: Arity::AtLeast(2),
    subcommands: &[GET, Command { group: Group::Server, ..help::HELP }, RESETSTAT, REWRITE, SET],
    ..Command::PLAIN
};

const GET: Command = Command {
    name: "get",
    syntax: "parameter [parameter ...]",
    summary: "Returns the settings whose names match patterns, with their values.",
    group: Group::Server,
    since: "2.0.0",
    complexity: "O(N) where N is the number of settings",
    arity: Arity::AtLeast(3),
    flags: FLAGS,
    history: &[("7.0.0", "Takes several patterns.")],
    run: get,
    ..Command::PLAIN
};

const SET: Command = Command {
    name: "set",
    syntax: "parameter value [parameter value ...]",
    summary: "Changes settings, all of them or none.",
    group: Group::Server,
    since: "2.0.0",
    complexity: "O(N) where N is the number of settings given",
    arity: Arity::AtLeast(4),
    flags: FLAGS,
    tips: ALL_NODES,
    history: &[("7.0.0", "Takes several settings.")],
    is_secret: |args, index| index > 2 && index % 2 == 1 && has_secret_value(args.at(index - 1)),
    run: set,
    ..Command::PLAIN
};

const RESETSTAT: Command = Command {
    name: "resetstat",
    summary: "Sets the statistics that INFO shows back to zero.",
    group: Group::Server,
    since: "2.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: ALL_NODES,
    run: resetstat,
    ..Command::PLAIN
};

const REWRITE: Command = Command {
    name: "rewrite",
    summary: "Writes the settings in force into the configuration file.",
    group: Group::Server,
    since: "2.8.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: ALL_NODES,
    run: rewrite,
    ..Command::PLAIN
};

/// Settings whose values no log may show, under any of their names.
const SECRETS: [&str; 5] =
    ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"];

const FLAGS: Flags = Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE);
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

fn has_secret_value(name: &[u8]) -> bool {
    let row = std::str::from_utf8(name).ok().and_then(directive);
    row.is_some_and(|row| SECRETS.contains(&row.name))
}

fn get(cx: &mut Context<'_>) -> CommandResult {
    let mut found: Vec<(&[u8], &Directive)> = Vec::new();
    for pattern in cx.args.from(2) {
        let is_pattern = pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        for (name, directive) in larder_config::names() {
            let matches = if is_pattern {
                directive.effect != Effect::Hidden
                    && glob::matches(pattern, name.as_bytes(), Case::Insensitive)
            } else {
                is_word(pattern, name)
            };
            if matches && !found.iter().any(|(earlier, _)| is_word(earlier, name)) {
                // As in Redis, a name without wildcards is answered as it was asked.
                found.push((if is_pattern { name.as_bytes() } else { pattern }, directive));
            }
        }
    }
    cx.reply.map(found.len());
    for (name, directive) in found {
        cx.reply.bulk(name);
        cx.reply.bulk(cx.settings.value(directive).as_bytes());
    }
    Ok(Outcome::Reply)
}

fn set(cx: &mut Context<'_>) -> CommandResult {
    if !cx.args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let words: Vec<&str> = cx.args.from(2).map(text).collect::<Result<_, _>>()?;
    let pairs: Vec<(&str, &str)> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let place = if cx.client.shared.is_local() {
        larder_config::Client::Local
    } else {
        larder_config::Client::Remote
    };

    let change = |settings: &Settings| settings.set_many_for(place, &pairs).map_err(Refusal::from);
    cx.node
        .change_settings(change)
        .map_err(|Refusal(text)| CommandError::Line(format!("ERR {text}").into()))?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

/// Settings are texts, unlike Redis's, which may be any bytes.
fn text(bytes: &[u8]) -> Result<&str, CommandError> {
    std::str::from_utf8(bytes)
        .map_err(|_| CommandError::line("ERR CONFIG SET failed - settings must be valid UTF-8"))
}

/// Why settings were not changed.
struct Refusal(String);

impl From<SetError> for Refusal {
    fn from(error: SetError) -> Refusal {
        Refusal(error.to_string())
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Refusal {
        Refusal(text)
    }
}

fn resetstat(cx: &mut Context<'_>) -> CommandResult {
    cx.node.reset_stats();
    cx.reply.ok();
    Ok(Outcome::Reply)
}

fn rewrite(cx: &mut Context<'_>) -> CommandResult {
    write_file(cx, Rewrite::Needed)
}

/// Puts settings into the configuration file and answers.
pub(super) fn write_file(cx: &mut Context<'_>, which: Rewrite) -> CommandResult {
    if cx.node.identity.config_file.is_empty() {
        return Err(CommandError::line("ERR The server is running without a config file"));
    }
    cx.node
        .rewrite_settings(which)
        .map_err(|reason| CommandError::Line(format!("ERR Rewriting config file: {reason}").into()))?;
    cx.reply.ok();
    Ok(Outcome::Reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_secret_under_each_of_their_names() {
        for secret in SECRETS {
            assert_eq!(directive(secret).map(|row| row.name), Some(secret), "an alias would never be found");
        }
        for name in ["requirepass", "RequirePass", "masterauth", "primaryauth", "PrimaryUser"] {
            assert!(has_secret_value(name.as_bytes()), "{name}");
        }
        assert!(!has_secret_value(b"port") && !has_secret_value(b"\xff") && !has_secret_value(b"nosuch"));
    }
}
