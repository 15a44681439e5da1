//! memcached's command line, as settings.
//!
//! Each option is declared once, in [`OPTIONS`]: what it is called, whether a value follows, and what it does. Words
//! are read as getopt reads them: letters may stand together (`-vv`, `-dm64`), long names may be cut short, and words
//! that are no options are passed over.

use crate::choice::{LogLevel, MaxmemoryPolicy};
use crate::directive::{Effect, directive};
use crate::memcached::Takes::{Nothing, Value};
use crate::table::Settings;

/// What memcached's command line asks for.
#[derive(Debug)]
pub enum Memcached {
    /// To serve with these settings.
    Serve {
        /// What the options say, and memcached's defaults where those are others than Redis's.
        settings: Box<Settings>,
        /// Whom to become when started by root.
        user: Option<String>,
        /// Lines about options that change nothing.
        notes: Vec<String>,
    },
    /// To print the version.
    Version,
    /// To print this.
    Help(String),
}

/// Reads the words after the program's name; or says why it cannot.
///
/// Only memcached's port is opened. There is no protected mode, because memcached has none.
pub fn memcached_arguments(words: &[String]) -> Result<Memcached, String> {
    let mut start = Start::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let options = match word.strip_prefix("--") {
            Some("") => break,
            Some(long) => vec![long_option(long, &mut words)?],
            None => match word.strip_prefix('-') {
                Some(letters) => short_options(letters, &mut words)?,
                None => Vec::new(),
            },
        };
        for (option, value) in options {
            match option.letter {
                'h' => return Ok(Memcached::Help(help())),
                'i' => return Ok(Memcached::Help(LICENCE.to_owned())),
                'V' => return Ok(Memcached::Version),
                _ => start.obey(option, value.trim_ascii_start())?,
            }
        }
    }
    Ok(start.finish())
}

/// One option.
struct Opt {
    letter: char,
    /// Its long name; empty where there is none.
    long: &'static str,
    takes: Takes,
    does: Does,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// What an option does.
enum Does {
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

use Does::{Act, Ignored, Refused, Set, SetTo};

const OPTIONS: &[Opt] = &[
    Opt { letter: 'p', long: "port", takes: Value, does: Act(Start::port) },
    Opt { letter: 'U', long: "udp-port", takes: Value, does: Act(Start::udp_port) },
    Opt { letter: 's', long: "unix-socket", takes: Value, does: Set("memcached-unixsocket") },
    Opt { letter: 'a', long: "unix-mask", takes: Value, does: Set("memcached-unixsocketperm") },
    Opt {
        letter: 'A',
        long: "enable-shutdown",
        takes: Nothing,
        does: Ignored("the command shutdown stays off"),
    },
    Opt { letter: 'l', long: "listen", takes: Value, does: Act(Start::listen) },
    Opt { letter: 'd', long: "daemon", takes: Nothing, does: SetTo("daemonize", "yes") },
    Opt { letter: 'r', long: "enable-coredumps", takes: Nothing, does: Ignored("the system's limit stays") },
    Opt { letter: 'u', long: "user", takes: Value, does: Act(Start::user) },
    Opt { letter: 'm', long: "memory-limit", takes: Value, does: Act(Start::memory_limit) },
    Opt {
        letter: 'M',
        long: "disable-evictions",
        takes: Nothing,
        does: SetTo("maxmemory-policy", "noeviction"),
    },
    Opt { letter: 'c', long: "conn-limit", takes: Value, does: Act(Start::connection_limit) },
    Opt { letter: 'k', long: "lock-memory", takes: Nothing, does: Ignored("memory may be swapped out") },
    Opt { letter: 'v', long: "verbose", takes: Nothing, does: Act(Start::verbose) },
    Opt { letter: 'h', long: "help", takes: Nothing, does: Ignored("prints this") },
    Opt { letter: 'i', long: "license", takes: Nothing, does: Ignored("prints the licence") },
    Opt { letter: 'V', long: "version", takes: Nothing, does: Ignored("prints the version") },
    Opt { letter: 'P', long: "pidfile", takes: Value, does: Set("pidfile") },
    Opt { letter: 'f', long: "slab-growth-factor", takes: Value, does: Ignored("size classes are fixed") },
    Opt { letter: 'n', long: "slab-min-size", takes: Value, does: Ignored("size classes are fixed") },
    Opt { letter: 'L', long: "enable-largepages", takes: Nothing, does: SetTo("disable-thp", "no") },
    Opt { letter: 'D', long: "", takes: Value, does: Ignored("keys are not counted by prefix") },
    Opt { letter: 't', long: "threads", takes: Value, does: Act(Start::threads) },
    Opt {
        letter: 'R',
        long: "max-reqs-per-event",
        takes: Value,
        does: Ignored("turns have their own bound"),
    },
    Opt {
        letter: 'C',
        long: "disable-cas",
        takes: Nothing,
        does: Ignored("only items that are asked for it have a CAS value"),
    },
    Opt { letter: 'b', long: "listen-backlog", takes: Value, does: Set("tcp-backlog") },
    Opt { letter: 'B', long: "protocol", takes: Value, does: Act(Start::protocol) },
    Opt { letter: 'I', long: "max-item-size", takes: Value, does: Act(Start::item_size) },
    Opt { letter: 'S', long: "enable-sasl", takes: Nothing, does: Act(Start::sasl) },
    Opt { letter: 'F', long: "disable-flush-all", takes: Nothing, does: SetTo("memcached-flush-all", "no") },
    Opt {
        letter: 'X',
        long: "disable-dumping",
        takes: Nothing,
        does: Ignored("there are no commands that dump"),
    },
    Opt {
        letter: 'W',
        long: "disable-watch",
        takes: Nothing,
        does: Ignored("the command watch is always off"),
    },
    Opt { letter: 'Y', long: "auth-file", takes: Value, does: Set("memcached-auth-file") },
    Opt { letter: 'e', long: "memory-file", takes: Value, does: Refused("items are not kept in a file") },
    Opt { letter: 'o', long: "extended", takes: Value, does: Act(Start::extended) },
    Opt { letter: 'N', long: "napi-ids", takes: Value, does: Ignored("connections are dealt in turn") },
    Opt { letter: 'Z', long: "enable-ssl", takes: Nothing, does: Refused("there is no TLS yet") },
];

const LICENCE: &str = "Larder is free software under the Apache License 2.0.\n";

/// What was read so far.
struct Start {
    settings: Settings,
    user: Option<String>,
    notes: Vec<String>,
    verbosity: u32,
    /// Whether `-p` was given: beside a Unix socket no port is opened on its own.
    port_given: bool,
    addresses: Vec<String>,
}

impl Default for Start {
    /// memcached's defaults. It has four threads whatever the machine; here it is one for each core.
    fn default() -> Self {
        Self {
            settings: Settings {
                port: 0,
                protected_mode: false,
                maxmemory: 64 << 20,
                maxmemory_policy: MaxmemoryPolicy::AllkeysLru,
                maxclients: 1024,
                tcp_backlog: 1024,
                memcached_unixsocketperm: 0o700,
                ..Settings::default()
            },
            user: None,
            notes: Vec::new(),
            verbosity: 0,
            port_given: false,
            addresses: Vec::new(),
        }
    }
}

impl Start {
    fn obey(&mut self, option: &Opt, value: &str) -> Result<(), String> {
        match option.does {
            Set(name) => self.set(option, name, value),
            SetTo(name, value) => self.set(option, name, value),
            Act(act) => act(self, value),
            Ignored(reason) => {
                self.notes.push(format!("{} changes nothing: {reason}", spelling(option)));
                Ok(())
            }
            Refused(reason) => Err(format!("{}: {reason}", spelling(option))),
        }
    }

    fn set(&mut self, option: &Opt, name: &str, value: &str) -> Result<(), String> {
        let row = directive(name).expect("a test looks up every name");
        self.settings
            .apply(row, &[value])
            .map_err(|error| format!("{} {value}: {error}", spelling(option)))?;
        if row.effect != Effect::Works {
            self.notes.push(format!("{}: {name} changes nothing yet", spelling(option)));
        }
        Ok(())
    }

    fn port(&mut self, value: &str) -> Result<(), String> {
        self.settings.memcached_port = number(value, 0, 65_535, "Invalid port number")? as u16;
        self.port_given = true;
        Ok(())
    }

    fn udp_port(&mut self, value: &str) -> Result<(), String> {
        if number(value, 0, 65_535, "Invalid port number")? != 0 {
            self.notes.push("-U changes nothing: UDP is not spoken".to_owned());
        }
        Ok(())
    }

    /// Addresses parted by commas, each with a port or without.
    fn listen(&mut self, value: &str) -> Result<(), String> {
        for address in value.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            let (host, port) = host_and_port(address);
            if let Some(port) = port {
                self.port(port)?;
            }
            let host = if host == "0.0.0.0" { "*" } else { host };
            self.addresses.push(host.to_owned());
        }
        Ok(())
    }

    fn user(&mut self, value: &str) -> Result<(), String> {
        self.user = Some(value.to_owned());
        Ok(())
    }

    fn memory_limit(&mut self, value: &str) -> Result<(), String> {
        let mib = number(value, 0, i64::from(u32::MAX), "Invalid memory limit")?;
        self.settings.maxmemory = (mib as u64) << 20;
        let row = directive("maxmemory").expect("there is such a directive");
        if row.effect != Effect::Works {
            self.notes.push("-m: maxmemory changes nothing yet".to_owned());
        }
        Ok(())
    }

    fn connection_limit(&mut self, value: &str) -> Result<(), String> {
        let least = "Maximum connections must be greater than 0";
        self.settings.maxclients = number(value, 1, i64::from(u32::MAX), least)? as u32;
        Ok(())
    }

    fn verbose(&mut self, _: &str) -> Result<(), String> {
        self.verbosity += 1;
        self.settings.loglevel = if self.verbosity == 1 { LogLevel::Verbose } else { LogLevel::Debug };
        Ok(())
    }

    fn threads(&mut self, value: &str) -> Result<(), String> {
        self.settings.worker_threads =
            number(value, 1, 1_024, "Number of threads must be greater than 0")? as u16;
        Ok(())
    }

    fn protocol(&mut self, value: &str) -> Result<(), String> {
        match value {
            "auto" | "ascii" => Ok(()),
            "binary" => Err("-B binary: only the text protocol can be chosen".to_owned()),
            _ => Err(format!(
                "Invalid value for binding protocol: {value}\n -- should be one of auto, binary, or ascii"
            )),
        }
    }

    fn item_size(&mut self, value: &str) -> Result<(), String> {
        let (digits, factor) = match value.as_bytes().last() {
            Some(b'k' | b'K') => (&value[..value.len() - 1], 1 << 10),
            Some(b'm' | b'M') => (&value[..value.len() - 1], 1 << 20),
            _ => (value, 1),
        };
        let bytes = number(digits, 0, i64::from(u32::MAX), "Invalid item size")? * factor;
        if bytes < 1 << 10 {
            return Err("Item max size cannot be less than 1024 bytes.".to_owned());
        }
        if bytes > 1 << 30 {
            return Err("Cannot set item size limit higher than a gigabyte.".to_owned());
        }
        self.settings.memcached_item_size_max = bytes as u64;
        Ok(())
    }

    fn sasl(&mut self, _: &str) -> Result<(), String> {
        self.set(option('S').expect("it is this option"), "memcached-sasl", "yes")
    }

    /// Options parted by commas, of which only one has a counterpart.
    fn extended(&mut self, value: &str) -> Result<(), String> {
        for part in value.split(',').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "idle_timeout" => {
                    self.settings.timeout =
                        number(value, 0, i64::from(i32::MAX), "Invalid idle timeout")? as u32;
                }
                // As it always is here.
                "maxconns_fast" | "modern" => {}
                _ if name.starts_with("ssl_") => return Err(format!("-o {name}: there is no TLS yet")),
                _ => self.notes.push(format!("-o {name} changes nothing: there is no such part here")),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Memcached {
        if !self.addresses.is_empty() {
            self.settings.bind = self.addresses;
        }
        if !self.settings.memcached_unixsocket.is_empty() && !self.port_given {
            self.settings.memcached_port = 0;
        }
        Memcached::Serve { settings: Box::new(self.settings), user: self.user, notes: self.notes }
    }
}

/// The options of a word of letters; the last may take the rest of the word, or the next word, as its value.
fn short_options<'a>(
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
fn long_option<'a>(
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

fn option(letter: char) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.letter == letter)
}

fn spelling(option: &Opt) -> String {
    format!("-{}", option.letter)
}

/// `host`, `host:port`, `[host]:port`; more than one colon without brackets is an IPv6 address.
fn host_and_port(address: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = address.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match address.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (address, None),
    }
}

fn number(text: &str, min: i64, max: i64, complaint: &str) -> Result<i64, String> {
    let number = text.parse::<i64>().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| complaint.to_owned())
}

/// Every option with what it is for.
fn help() -> String {
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
fn meaning(letter: char) -> &'static str {
    match letter {
        'p' => "memcached-port",
        'U' => "changes nothing: UDP is not spoken",
        'l' => "bind; an address may have a port, which is then that of all",
        'u' => "becomes this user when started by root",
        'm' => "maxmemory, in MiB",
        'c' => "maxclients",
        'v' => "loglevel verbose; twice, debug",
        't' => "worker-threads",
        'B' => "ascii or auto",
        'I' => "memcached-item-size-max; k and m count in 1,024s",
        'S' => "memcached-sasl yes",
        'o' => "idle_timeout=SECONDS is timeout; others change nothing",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
