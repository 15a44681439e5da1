//! The command line: `larder [file.conf] [--directive value ...]`.

use clap::Parser;
use larder_config::Settings;

/// A cache server for the Redis and memcached protocols.
///
/// Any directive of the configuration file may be given as an option, as in `larder larder.conf --port 7000 --maxmemory 1gb`;
/// options win over the file. See docs/config.md for all of them.
#[derive(Debug, Parser)]
#[command(name = "larder", version, disable_help_subcommand = true)]
struct Arguments {
    /// Configuration file in the syntax of redis.conf, then directives as `--name value`.
    #[arg(value_name = "FILE] [--DIRECTIVE VALUE", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// To serve, with these settings and this configuration file (empty without one).
    Serve(Box<Settings>, String),
    /// To print this.
    Text(String),
}

/// Reads command line and configuration file.
pub(crate) fn settings(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let words: Vec<String> = arguments.collect();
    if let Some("--help" | "-h" | "--version" | "-V" | "-v") = words.first().map(String::as_str) {
        let first = words[0].replace("-v", "-V").replace("--Version", "--version");
        return match Arguments::try_parse_from(["larder".to_owned(), first]) {
            Ok(_) => Ok(Wanted::Text(String::new())),
            Err(shown) => Ok(Wanted::Text(shown.to_string())),
        };
    }
    let (file, options) = match words.split_first() {
        Some((file, rest)) if !file.starts_with("--") => (file.as_str(), rest),
        _ => ("", &words[..]),
    };
    let mut settings = if file.is_empty() { Settings::default() } else { load(file)? };
    settings.load_arguments(options).map_err(|error| error.to_string())?;
    Ok(Wanted::Serve(Box::new(settings), file.to_owned()))
}

fn load(file: &str) -> Result<Settings, String> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let text = read(file).map_err(|error| format!("Fatal error, can't open config file {error}"))?;
    let mut include = |path: &str| Ok(vec![(path.to_owned(), read(path)?)]);
    Settings::load(&text, file, &mut include).map_err(|error| error.to_string())
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
