//! Reading configuration files and the command line.

use std::borrow::Cow;

use crate::directive::{Directive, Kind, directive};
use crate::error::{ConfigError, Place, SettingError};
use crate::table::Settings;
use crate::value::{self, Source};
use crate::words;

/// How deep includes may nest: a file that includes itself ends here.
const INCLUDE_DEPTH: usize = 16;

/// How many files may be included in all: files that include each other many times over end here.
const INCLUDED_FILES: usize = 1024;

/// Directives that Redis gave up and still passes over.
const GIVEN_UP: &[&str] = &["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// What the lines of a configuration ask of whoever has them read. A closure that finds included files is enough
/// where nothing else matters.
pub trait Surroundings {
    /// The files that an `include` line names: each one's name and text, in the order to read them, or why not.
    fn include(&mut self, pattern: &str) -> Result<Vec<(String, String)>, String>;

    /// Gives a command another name, or takes it away when the name is empty.
    fn rename_command(&mut self, from: &str, to: &str) -> Result<(), String> {
        let _ = (from, to);
        Ok(())
    }

    /// Follows a directive that was just obeyed, and may put right what the settings say; or why it cannot.
    fn follow(&mut self, directive: &Directive, settings: &mut Settings) -> Result<(), String> {
        let _ = (directive, settings);
        Ok(())
    }
}

impl<F: FnMut(&str) -> Result<Vec<(String, String)>, String>> Surroundings for F {
    fn include(&mut self, pattern: &str) -> Result<Vec<(String, String)>, String> {
        self(pattern)
    }
}

impl Settings {
    /// The defaults, changed by the lines of a configuration file, of which a later one overrides an earlier.
    ///
    /// `file` is what errors call the text.
    pub fn load(text: &str, file: &str, surroundings: &mut dyn Surroundings) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        settings.load_more(text, file, surroundings)?;
        Ok(settings)
    }

    /// Changes the settings by the lines of one more configuration file. After an error they are good for nothing.
    pub fn load_more(
        &mut self,
        text: &str,
        file: &str,
        surroundings: &mut dyn Surroundings,
    ) -> Result<(), ConfigError> {
        Reader { settings: self, surroundings, files: 0 }.read(text, file, 0)
    }

    /// Changes the settings by the options of the command line, which read as lines that follow the file:
    /// `--name value ...`, where values follow up to the next option. All or none of them are obeyed.
    ///
    /// The word after `--name` is a value even if it begins with `--`; only `--save` may have none. An option
    /// and its values may also be one argument, as `"--port 7000"`. There is no `--name=value`.
    pub fn load_arguments(
        &mut self,
        arguments: &[String],
        surroundings: &mut dyn Surroundings,
    ) -> Result<(), ConfigError> {
        let mut next = self.clone();
        let mut reader = Reader { settings: &mut next, surroundings, files: 0 };
        for (index, line) in option_lines(arguments).iter().enumerate() {
            reader.obey(line, &|| Place::CommandLine { option: index + 1 }, 0)?;
        }
        *self = next;
        Ok(())
    }

    /// Changes one setting as a line of a configuration file does, `arguments` being the words after its
    /// name. A directive that takes several words may be given them as one, parted by blanks.
    pub fn apply(&mut self, directive: &Directive, arguments: &[&str]) -> Result<(), SettingError> {
        self.change(directive, arguments, Source::Line)
    }

    /// The value of a setting, as CONFIG GET prints it.
    pub fn value(&self, directive: &Directive) -> String {
        (directive.print)(self, &directive.kind)
    }

    pub(crate) fn change(
        &mut self,
        directive: &Directive,
        arguments: &[&str],
        source: Source,
    ) -> Result<(), SettingError> {
        let parts;
        let words = match arguments {
            // These say themselves what they take.
            [] if matches!(directive.kind, Kind::Flags(_)) => arguments,
            [] => return Err(SettingError::WrongNumberOfArguments),
            [one] if directive.kind.takes_words() => {
                parts = value::words(one);
                &parts
            }
            several => several,
        };
        (directive.change)(self, &directive.kind, words, source)
    }
}

/// A configuration file's bytes as text: UTF-8, but for comments, which may be in any encoding; or the line that is not.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).or_else(|error| {
        let lines = error.as_bytes().split(|byte| *byte == b'\n').enumerate();
        let decoded = lines.map(|(index, line)| match String::from_utf8_lossy(line) {
            Cow::Owned(_) if !line.trim_ascii_start().starts_with(b"#") => {
                Err(format!("line {} is not UTF-8 text", index + 1))
            }
            line => Ok(line),
        });
        decoded.collect::<Result<Vec<_>, _>>().map(|lines| lines.join("\n"))
    })
}

/// The state of reading lines and the files that they include.
struct Reader<'a> {
    settings: &'a mut Settings,
    surroundings: &'a mut dyn Surroundings,
    files: usize,
}

impl Reader<'_> {
    fn read(&mut self, text: &str, file: &str, depth: usize) -> Result<(), ConfigError> {
        for (index, line) in text.split('\n').enumerate() {
            self.obey(line, &|| Place::File { file: file.to_owned(), line: index + 1 }, depth)?;
        }
        Ok(())
    }

    fn obey(&mut self, line: &str, place: &dyn Fn() -> Place, depth: usize) -> Result<(), ConfigError> {
        let text = line.trim_matches(is_margin);
        let fault = |reason| ConfigError { place: place(), text: text.to_owned(), reason };
        match parse(text).map_err(fault)? {
            Line::Nothing => Ok(()),
            Line::Directive(directive, words) => self.set(directive, &words).map_err(fault),
            Line::Rename(from, to) => self.surroundings.rename_command(&from, &to).map_err(fault),
            Line::User(words) => self.settings.declare_user(&words[0], &words[1..]).map_err(fault),
            Line::Include(pattern) => {
                let files = self.included(&pattern, depth).map_err(fault)?;
                files.iter().try_for_each(|(file, text)| self.read(text, file, depth + 1))
            }
        }
    }

    fn set(&mut self, directive: &Directive, words: &[String]) -> Result<(), String> {
        // A single word may be several, with quotes of their own: `save "900 1"`.
        let parts;
        let words = match words {
            [one] if directive.kind.takes_words() && !one.is_empty() => {
                parts = words::split(one)?;
                &parts
            }
            words => words,
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.settings.apply(directive, &words).map_err(|error| error.to_string())?;
        self.surroundings.follow(directive, self.settings)
    }

    fn included(&mut self, pattern: &str, depth: usize) -> Result<Vec<(String, String)>, String> {
        if depth == INCLUDE_DEPTH {
            return Err(format!("includes may not be nested more than {INCLUDE_DEPTH} deep"));
        }
        let files = self.surroundings.include(pattern)?;
        self.files += files.len();
        if self.files > INCLUDED_FILES {
            return Err(format!("no more than {INCLUDED_FILES} files may be included"));
        }
        Ok(files)
    }
}

/// What a line says.
enum Line {
    Nothing,
    Include(String),
    Rename(String, String),
    /// A name and rules.
    User(Vec<String>),
    Directive(&'static Directive, Vec<String>),
}

fn parse(line: &str) -> Result<Line, String> {
    if line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    let mut words = words::split(line)?;
    if words.is_empty() {
        return Ok(Line::Nothing);
    }
    let name = words.remove(0).to_ascii_lowercase();
    if let Some(directive) = directive(&name) {
        return Ok(Line::Directive(directive, words));
    }
    match (name.as_str(), words.as_mut_slice()) {
        ("include", [pattern]) => Ok(Line::Include(std::mem::take(pattern))),
        ("rename-command", [from, to]) => Ok(Line::Rename(std::mem::take(from), std::mem::take(to))),
        ("user", [_, ..]) => Ok(Line::User(words)),
        ("loadmodule", [_, ..]) => Err("modules cannot be loaded".to_owned()),
        ("sentinel", [_, ..]) => Err("sentinel directive while not in sentinel mode".to_owned()),
        (given_up, [_]) if GIVEN_UP.contains(&given_up) => Ok(Line::Nothing),
        _ => Err("Bad directive or wrong number of arguments".to_owned()),
    }
}

/// The line of a file that each option of the command line stands for.
fn option_lines(arguments: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut value_must_follow = false;
    for (index, argument) in arguments.iter().enumerate() {
        let option = argument.strip_prefix("--").filter(|_| !value_must_follow);
        let Some(name) = option else {
            value_must_follow = false;
            if lines.is_empty() {
                lines.push(String::new());
            }
            let line = lines.last_mut().expect("a line was pushed if there was none");
            line.push(' ');
            line.push_str(&words::quote(argument));
            continue;
        };
        let next_is_option = arguments.get(index + 1).is_none_or(|next| next.starts_with("--"));
        if name.eq_ignore_ascii_case("save") && next_is_option {
            lines.push(format!("{name} \"\""));
        } else {
            value_must_follow = !name.trim_ascii().contains(|c: char| c.is_ascii_whitespace());
            lines.push(name.to_owned());
        }
    }
    lines
}

/// Whether a character at either end of a line is no part of it.
pub(crate) fn is_margin(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}
