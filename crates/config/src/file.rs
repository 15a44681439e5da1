//! Reading configuration files and the command line.

use crate::directive::{Directive, directive};
use crate::error::{ConfigError, Place, SettingError};
use crate::table::Settings;
use crate::value::{self, Source};
use crate::words;

/// How deep includes may nest: a file that includes itself ends here.
const INCLUDE_DEPTH: usize = 16;

/// How many files may be included in all: files that include each other many times over end here.
const INCLUDED_FILES: usize = 1024;

/// Finds the files that an include names: each one's name and text, in the order to read them, or why not.
type Include<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<(String, String)>, String>;

impl Settings {
    /// The defaults, changed by the lines of a configuration file, of which a later one overrides an earlier.
    ///
    /// `file` is what errors call the text. `include` is asked for the files an `include` line names; it may
    /// take the name for a pattern.
    pub fn load(text: &str, file: &str, include: Include<'_>) -> Result<Self, ConfigError> {
        let mut reader = Reader { settings: Self::default(), include, files: 0 };
        reader.read(text, file, 0)?;
        Ok(reader.settings)
    }

    /// Changes the settings by the options of the command line, which read as lines that follow the file:
    /// `--name value ...`, where values follow up to the next option. All or none of them are obeyed.
    ///
    /// The word after `--name` is a value even if it begins with `--`; only `--save` may have none. An option
    /// and its values may also be one argument, as `"--port 7000"`. There is no `--name=value`.
    pub fn load_arguments(&mut self, arguments: &[String]) -> Result<(), ConfigError> {
        let mut next = self.clone();
        for (index, line) in option_lines(arguments).iter().enumerate() {
            let text = line.trim_matches(is_margin);
            let obeyed = parse(text).and_then(|line| match line {
                Line::Empty => Ok(()),
                Line::Include(_) => Err("include is for configuration files".to_owned()),
                Line::Directive(directive, words) => next.obey(directive, &words),
            });
            obeyed.map_err(|reason| ConfigError {
                place: Place::CommandLine { option: index + 1 },
                text: text.to_owned(),
                reason,
            })?;
        }
        *self = next;
        Ok(())
    }

    /// Changes one setting as a line of a configuration file does, `arguments` being the words after its
    /// name. A directive that takes several words may be given them as one, parted by spaces.
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
            [] => return Err(SettingError::WrongNumberOfArguments),
            [one] if directive.kind.takes_words() => {
                parts = value::words(one);
                &parts
            }
            several => several,
        };
        (directive.change)(self, &directive.kind, words, source)
    }

    fn obey(&mut self, directive: &Directive, words: &[String]) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.apply(directive, &words).map_err(|error| error.to_string())
    }
}

/// The state of reading a file and those that it includes.
struct Reader<'a> {
    settings: Settings,
    include: Include<'a>,
    files: usize,
}

impl Reader<'_> {
    fn read(&mut self, text: &str, file: &str, depth: usize) -> Result<(), ConfigError> {
        for (index, line) in text.split('\n').enumerate() {
            let text = line.trim_matches(is_margin);
            let fault = |reason| ConfigError {
                place: Place::File { file: file.to_owned(), line: index + 1 },
                text: text.to_owned(),
                reason,
            };
            match parse(text).map_err(fault)? {
                Line::Empty => {}
                Line::Directive(directive, words) => self.settings.obey(directive, &words).map_err(fault)?,
                Line::Include(pattern) => {
                    for (file, text) in self.included(&pattern, depth).map_err(fault)? {
                        self.read(&text, &file, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn included(&mut self, pattern: &str, depth: usize) -> Result<Vec<(String, String)>, String> {
        if depth == INCLUDE_DEPTH {
            return Err(format!("includes may not be nested more than {INCLUDE_DEPTH} deep"));
        }
        let files = (self.include)(pattern)?;
        self.files += files.len();
        if self.files > INCLUDED_FILES {
            return Err(format!("no more than {INCLUDED_FILES} files may be included"));
        }
        Ok(files)
    }
}

/// What a line says.
enum Line {
    Empty,
    Include(String),
    Directive(&'static Directive, Vec<String>),
}

fn parse(line: &str) -> Result<Line, String> {
    if line.starts_with('#') {
        return Ok(Line::Empty);
    }
    let mut words = words::split(line)?;
    if words.is_empty() {
        return Ok(Line::Empty);
    }
    let name = words.remove(0);
    if let [pattern] = words.as_mut_slice()
        && name.eq_ignore_ascii_case("include")
    {
        return Ok(Line::Include(std::mem::take(pattern)));
    }
    let directive = directive(&name).ok_or("Bad directive or wrong number of arguments")?;
    Ok(Line::Directive(directive, words))
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
fn is_margin(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}
