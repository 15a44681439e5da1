//! The command line: `larder [file.conf] [--directive value ...]`, which is redis-server's; memcached's under that name.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;

use clap::Parser;
use larder_commands::{COMPATIBLE_VERSION, command_table, is_absent, memcache};
use larder_config::{ConfigError, Directive, Memcached, Settings, Surroundings, memcached_arguments};
use larder_engine::{CommandTable, RenameError};

use crate::check::Call;

/// A cache server for the Redis and memcached protocols.
///
/// Any directive of the configuration file may be given as an option, as in `larder larder.conf --port 7000 --maxmemory 1gb`;
/// options win over the file, which `-` reads from the standard input. Started as memcached, it takes memcached's options.
/// See docs/config.md for all of them.
///
/// `larder check-rdb FILE` and `larder check-aof [--fix|--truncate-to-timestamp SECONDS] FILE` check files of snapshots and append
/// logs, as redis-check-rdb and redis-check-aof do; so does the binary when it is started under those names.
#[derive(Debug, Parser)]
#[command(name = "larder", version, disable_help_subcommand = true)]
struct Arguments {
    /// Configuration file in the syntax of redis.conf, then directives as `--name value`.
    #[arg(value_name = "FILE] [--DIRECTIVE VALUE", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    /// Reads and checks everything, says what it found, and ends; nothing is opened.
    #[arg(long)]
    check_config: bool,
}

/// What the command line asks for.
pub(crate) enum Wanted {
    /// To serve.
    Serve(Box<Start>),
    /// To print this.
    Text(String),
    /// To check a file.
    Check(Call),
}

/// Everything that a server starts from.
pub(crate) struct Start {
    pub(crate) settings: Settings,
    /// The settings where nothing is said.
    pub(crate) unsaid: Settings,
    /// Absolute path of the configuration file, empty without one.
    pub(crate) config_file: String,
    /// The commands under the names that clients are to call them by.
    pub(crate) commands: CommandTable,
    /// Whom to become when started by root.
    pub(crate) user: Option<String>,
}

impl Start {
    /// From these settings, unless something else is said.
    fn new(settings: Settings) -> Start {
        let unsaid = settings.clone();
        Start { settings, unsaid, config_file: String::new(), commands: command_table(), user: None }
    }
}

/// Reads command line and configuration file.
pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Result<Wanted, String> {
    let program = arguments.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<OsString> = arguments.collect();
    // Paths that are no text can be checked.
    if let Some(call) = Call::find(&program, &words) {
        return Ok(Wanted::Check(call));
    }
    let words: Vec<String> = words
        .into_iter()
        .map(|word| {
            word.into_string().map_err(|word| format!("The argument {} is not UTF-8 text", word.display()))
        })
        .collect::<Result<_, _>>()?;
    match program.as_str() {
        "memcached" => as_memcached(&words),
        "redis-server" | "valkey-server" => as_redis(&program, &words),
        "redis-sentinel" | "valkey-sentinel" => Err(NO_SENTINEL.to_owned()),
        _ => as_larder(&words),
    }
}

const NO_SENTINEL: &str =
    "There is no sentinel in Larder; use redis-sentinel or valkey-sentinel, which watch it like any server.";

fn as_memcached(words: &[String]) -> Result<Wanted, String> {
    match memcached_arguments(words)? {
        Memcached::Version => Ok(Wanted::Text(format!("memcached {}\n", memcache::VERSION))),
        Memcached::Help(options) => Ok(Wanted::Text(format!("memcached {}\n{options}", memcache::VERSION))),
        Memcached::Serve { settings, user, notes } => {
            notes.iter().for_each(|note| complain(note));
            let mut start = Start::new(*settings);
            start.user = user;
            Ok(Wanted::Serve(Box::new(start)))
        }
    }
}

/// Under this name there is one port, as its users expect.
fn as_redis(program: &str, words: &[String]) -> Result<Wanted, String> {
    match words.first().map(String::as_str) {
        Some("--version" | "-v") => Ok(Wanted::Text(format!("Redis server {}\n", version()))),
        Some("--help" | "-h") => Ok(Wanted::Text(explanation(program, "--help"))),
        _ => server(words, Settings { memcached_port: 0, ..Settings::default() }),
    }
}

/// The version, as Redis and its tools tell it.
pub(crate) fn version() -> String {
    let ours = env!("CARGO_PKG_VERSION");
    format!("v={COMPATIBLE_VERSION} sha=00000000:0 malloc=mimalloc bits=64 build=larder-{ours}")
}

fn as_larder(words: &[String]) -> Result<Wanted, String> {
    match words.first().map(String::as_str) {
        Some("--version" | "-v" | "-V") => Ok(Wanted::Text(explanation("larder", "--version"))),
        Some("--help" | "-h") => Ok(Wanted::Text(explanation("larder", "--help"))),
        _ => server(words, Settings::default()),
    }
}

/// What is printed of an option that asks for a text.
fn explanation(program: &str, option: &str) -> String {
    match Arguments::try_parse_from([program, option]) {
        Ok(_) => String::new(),
        Err(shown) => shown.to_string(),
    }
}

/// redis-server's command line: a file or `-` first, options after it, `-` last.
fn server(words: &[String], defaults: Settings) -> Result<Wanted, String> {
    let (checks_only, words) = match words {
        [first, rest @ ..] if first == "--check-config" => (true, rest),
        [rest @ .., last] if last == "--check-config" => (true, rest),
        words => (false, words),
    };
    match words.first().map(String::as_str) {
        Some("--test-memory") => {
            return Err("Larder does not test memory; memtest86 or memtester do it well.".to_owned());
        }
        Some("--check-system") => return Err("Larder has no check of the system to make.".to_owned()),
        _ if words.iter().any(|word| word == "--sentinel") => return Err(NO_SENTINEL.to_owned()),
        _ => {}
    }
    let (file, mut options) = match words {
        [file, rest @ ..] if !file.starts_with('-') => (file.as_str(), rest),
        words => ("", words),
    };
    let mut from_stdin = false;
    if let [first, rest @ ..] = options
        && first == "-"
    {
        (from_stdin, options) = (true, rest);
    } else if let [rest @ .., last] = options
        && last == "-"
    {
        (from_stdin, options) = (true, rest);
    }
    let start = load(defaults, file, from_stdin, options)?;
    if checks_only { Ok(Wanted::Text(report(&start))) } else { Ok(Wanted::Serve(Box::new(start))) }
}

fn load(defaults: Settings, file: &str, from_stdin: bool, options: &[String]) -> Result<Start, String> {
    let path = |error| format!("Fatal error, can't open config file '{file}': {error}");
    let mut start = Start::new(defaults);
    if !file.is_empty() {
        // Before `dir` changes what a relative path means.
        let found = std::fs::canonicalize(file).map_err(|error| path(reason(&error)))?;
        start.config_file = found.display().to_string();
    }
    let mut machine = Machine { commands: &mut start.commands };
    let shown = |error: ConfigError| error.to_string();
    if !file.is_empty() {
        let text = read_text(&start.config_file).map_err(path)?;
        start.settings.load_more(&text, file, &mut machine).map_err(shown)?;
    }
    if from_stdin {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("Fatal error, can't read the standard input: {error}"))?;
        start.settings.load_more(&text, "the standard input", &mut machine).map_err(shown)?;
    }
    start.settings.load_arguments(options, &mut machine).map_err(shown)?;
    Ok(start)
}

/// What a check found: nothing wrong, or it would not have come here.
fn report(start: &Start) -> String {
    let mut text = match start.config_file.as_str() {
        "" => "The configuration is good.\n".to_owned(),
        file => format!("The configuration of {file} is good.\n"),
    };
    if let Some(names) = without_effect(&start.settings) {
        text += &format!("Without effect: {names} (docs/config.md says why).\n");
    }
    text
}

/// Names in the log what is set and changes nothing, and what that may cost.
pub(crate) fn warn_of_no_effect(settings: &Settings) {
    if let Some(names) = without_effect(settings) {
        tracing::warn!("Directives that are set and have no effect: {names} (docs/config.md says why)");
    }
}

/// The names of directives that are set and change nothing.
pub(crate) fn without_effect(settings: &Settings) -> Option<String> {
    let names: Vec<&str> = settings.without_effect().map(|directive| directive.name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The machine, as the lines of a configuration see it.
struct Machine<'a> {
    commands: &'a mut CommandTable,
}

impl Surroundings for Machine<'_> {
    /// A pattern may match nothing; a plain name must be there.
    fn include(&mut self, pattern: &str) -> Result<Vec<(String, String)>, String> {
        let cannot = |error: &dyn std::fmt::Display| format!("can't open config file '{pattern}': {error}");
        if !pattern.contains(['*', '?', '[']) {
            return Ok(vec![(pattern.to_owned(), read_text(pattern).map_err(|error| cannot(&error))?)]);
        }
        let paths = glob::glob(pattern).map_err(|error| cannot(&error))?;
        paths
            .map(|path| {
                let path = path.map_err(|error| cannot(&error))?.display().to_string();
                let text =
                    read_text(&path).map_err(|error| format!("can't open config file '{path}': {error}"))?;
                Ok((path, text))
            })
            .collect()
    }

    fn rename_command(&mut self, from: &str, to: &str) -> Result<(), String> {
        match self.commands.rename(from.as_bytes(), to.as_bytes()) {
            // Nobody can call it either way.
            Err(RenameError::NoSuchCommand) if is_absent(from) => Ok(()),
            renamed => renamed.map_err(|error| error.to_string()),
        }
    }

    /// From its line on, `dir` is where relative paths begin, as in Redis.
    fn follow(&mut self, directive: &Directive, settings: &mut Settings) -> Result<(), String> {
        if directive.name == "dir" {
            settings.dir = crate::host::enter(&settings.dir)?;
        }
        Ok(())
    }
}

fn read_text(path: &str) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| reason(&error))?;
    larder_config::decode(bytes)
}

/// The system's own words, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Prints to standard output.
#[expect(clippy::print_stdout, reason = "this is what the person asked to see")]
pub(crate) fn print(text: &str) {
    print!("{text}");
}

/// Prints to standard error.
#[expect(clippy::print_stderr, reason = "there is no log yet to write this to")]
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}
