//! memcached's command line, as settings.
//!
//! Each option is declared once, in [`options`]: what it is called, whether a value follows, and what it does. Words
//! are read as getopt reads them: letters may stand together (`-vv`, `-dm64`), long names may be cut short, and words
//! that are no options are passed over.

use crate::choice::{LogLevel, MaxmemoryPolicy};
use crate::directive::{Directive, Effect, directive};
use crate::save::SavePoints;
use crate::table::Settings;

mod options;

use options::Does::{Act, Ignored, Refused, Set, SetTo};
use options::{Opt, help, long_option, short_options, spelling};

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
    start.finish()
}

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
                // It keeps nothing on disk, and finds nothing there.
                save: SavePoints::none(),
                dbfilename: String::new(),
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
        self.note_effect(&spelling(option), row);
        Ok(())
    }

    /// Says so if a directive changes nothing yet.
    fn note_effect(&mut self, option: &str, row: &Directive) {
        if row.effect != Effect::Works {
            self.notes.push(format!("{option}: {} changes nothing yet", row.name));
        }
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

    /// Addresses parted by commas, semicolons or blanks, each with a port or without.
    fn listen(&mut self, value: &str) -> Result<(), String> {
        let parts = value.split(|c: char| c == ',' || c == ';' || c.is_ascii_whitespace());
        for address in parts.filter(|address| !address.is_empty()) {
            let (host, port) = host_and_port(address.strip_prefix("notls:").unwrap_or(address));
            if let Some(port) = port {
                let before = self.port_given.then_some(self.settings.memcached_port);
                self.port(port)?;
                if before.is_some_and(|before| before != self.settings.memcached_port) {
                    self.notes.push(format!("-l {address}: there is one port for all addresses, now {port}"));
                }
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
        self.note_effect("-m", directive("maxmemory").expect("there is such a directive"));
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

    /// Any other character than the colon would be counted by, and is not.
    fn delimiter(&mut self, value: &str) -> Result<(), String> {
        match value.chars().next() {
            Some(':') => {
                self.settings.memcached_detail = true;
                Ok(())
            }
            Some(_) => Err(format!("-D {value}: keys are counted by what is before a colon only")),
            None => Err("No delimiter specified".to_owned()),
        }
    }

    fn protocol(&mut self, value: &str) -> Result<(), String> {
        match value {
            "auto" | "ascii" => Ok(()),
            "binary" => {
                self.notes.push("-B binary changes nothing: a port is bound to no protocol".to_owned());
                Ok(())
            }
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

    fn finish(mut self) -> Result<Memcached, String> {
        if self.settings.memcached_item_size_max > self.settings.maxmemory / 2 {
            return Err("Cannot set item size limit higher than 1/2 of memory max.".to_owned());
        }
        if !self.addresses.is_empty() {
            self.settings.bind = self.addresses;
        }
        if !self.settings.memcached_unixsocket.is_empty() && !self.port_given {
            self.settings.memcached_port = 0;
        }
        Ok(Memcached::Serve { settings: Box::new(self.settings), user: self.user, notes: self.notes })
    }
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

#[cfg(test)]
mod tests;
