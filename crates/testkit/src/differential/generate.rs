//! Requests made from the rows of the commands.

use std::cell::Cell;

use larder_engine::syntax::{self, Argument, Kind, Multiple};
use larder_engine::{CommandTable, Flags, Group};

use super::compare::{Treatment, is_unsent, treatment};
use super::values::{argument, stream_argument, value};
use crate::chance::Chance;
use crate::peer::Version;

/// Commands that take most of the keyspace with them: sent so seldom that keys gather.
const RARE: &[&str] = &["flushall", "flushdb", "swapdb"];
/// Of a hundred requests of a rare command so many are sent.
const RARE_PERCENT: usize = 10;
/// Of a hundred requests so many are made of commands that may create keys.
const CREATING_PERCENT: usize = 30;

/// Commands whose reply is as long as a negative number says.
const ENDLESS: &[&str] = &["hrandfield", "srandmember", "zrandmember"];

/// Makes requests of the commands that both sides know.
pub(super) struct Generator {
    commands: Vec<Form>,
    /// The places of those that may create keys.
    creating: Vec<usize>,
    /// How many requests were made: the ids of streams grow with them.
    requests: Cell<u64>,
}

/// A command as requests are made of it.
struct Form {
    /// Its name; for a subcommand, the container's and its own.
    name: Vec<String>,
    group: Group,
    arguments: Vec<Argument>,
    /// Options that the oracle knows, and those that it does not.
    options: Vec<String>,
    newer: Vec<String>,
}

impl Generator {
    /// For an oracle of this version. What is newer is left out: rows by their `since`, options by the `history` that names them.
    ///
    /// # Panics
    /// The syntax of a row cannot be read, which the tests of the rows exclude.
    pub(super) fn new(table: &CommandTable, oracle: Version) -> Generator {
        let knows = |since: &str| Version::parse(since).is_some_and(|since| since <= oracle);
        let (mut commands, mut creating) = (Vec::new(), Vec::new());
        for row in table.rows().iter().filter(|row| row.command.subcommands.is_empty()) {
            let full_name = row.full_name();
            let since = [row.container.map_or("1.0.0", |container| container.since), row.command.since];
            if !since.iter().all(|since| knows(since))
                || treatment(&full_name, row.command.group) == Treatment::Unsent
            {
                continue;
            }
            let arguments = syntax::parse(row.command.syntax).expect("the syntax of a row is in order");
            let later = row.command.history.iter().filter(|(version, _)| !knows(version));
            let later: Vec<&str> =
                later.flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric())).collect();
            let is_newer =
                |word: &String| later.contains(&word.as_str()) || is_unsent(&full_name, word, oracle);
            let (newer, options) = tokens(&arguments).into_iter().partition(is_newer);
            if row.command.flags.has(Flags::DENY_OOM) {
                creating.push(commands.len());
            }
            let name = full_name.split('|').map(str::to_owned).collect();
            commands.push(Form { name, group: row.command.group, arguments, options, newer });
        }
        Generator { commands, creating, requests: Cell::new(0) }
    }

    /// The names of the commands that requests are made of.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.commands.iter().map(|form| form.name.join(" "))
    }

    fn form(&self, chance: &mut Chance) -> &Form {
        loop {
            let form = match chance.percent(CREATING_PERCENT) && !self.creating.is_empty() {
                true => &self.commands[*chance.pick(&self.creating)],
                false => chance.pick(&self.commands),
            };
            if !RARE.contains(&form.name[0].as_str()) || chance.percent(RARE_PERCENT) {
                return form;
            }
        }
    }

    /// A request.
    pub(super) fn request(&self, chance: &mut Chance) -> Vec<Vec<u8>> {
        let form = self.form(chance);
        self.requests.set(self.requests.get() + 1);
        let mut words: Vec<Vec<u8>> = form.name.iter().map(|word| cased(word, chance)).collect();
        let named = words.len();
        let (newer, group) = (&form.newer[..], form.group);
        let number = self.requests.get();
        let mut writer = Writer { words: &mut words, chance, newer, group, number, keys_left: None };
        form.arguments.iter().for_each(|argument| writer.argument(argument));
        if chance.percent(6) {
            disturb(&mut words, named, &form.options, chance);
        }
        if ENDLESS.contains(&form.name[0].as_str()) {
            words.iter_mut().for_each(bound);
        }
        words
    }
}

/// The words of the command itself among these arguments.
fn tokens(arguments: &[Argument]) -> Vec<String> {
    let inner = arguments.iter().flat_map(|argument| tokens(&argument.arguments));
    arguments.iter().filter_map(|argument| argument.token.clone()).chain(inner).collect()
}

/// Writes one request.
struct Writer<'a> {
    words: &'a mut Vec<Vec<u8>>,
    chance: &'a mut Chance,
    newer: &'a [String],
    group: Group,
    /// Which request it is.
    number: u64,
    /// How many keys are to come, by the number given before them.
    keys_left: Option<usize>,
}

impl Writer<'_> {
    fn argument(&mut self, argument: &Argument) {
        if !self.is_known(argument) || argument.optional && !self.chance.percent(35) {
            return;
        }
        let times = match (argument.multiple, argument.kind) {
            (Multiple::No, _) => 1,
            (_, Kind::Key) => self.keys_left.take().unwrap_or_else(|| 1 + self.chance.below(3)),
            _ => 1 + self.chance.below(3),
        };
        for time in 0..times {
            if time == 0 || argument.multiple == Multiple::WithToken {
                self.token(argument);
            }
            self.value(argument);
        }
    }

    /// Whether the oracle knows an argument: neither it nor what it cannot do without is newer.
    fn is_known(&self, argument: &Argument) -> bool {
        let is_newer = argument.token.as_ref().is_some_and(|token| self.newer.contains(token));
        let mut members = argument.arguments.iter();
        !is_newer
            && match argument.kind {
                Kind::OneOf => members.any(|member| self.is_known(member)),
                Kind::Block => members.all(|member| member.optional || self.is_known(member)),
                _ => true,
            }
    }

    fn token(&mut self, argument: &Argument) {
        if let Some(token) = &argument.token {
            let token = cased(token, self.chance);
            self.words.push(token);
        }
    }

    fn value(&mut self, of: &Argument) {
        match of.kind {
            Kind::PureToken => {}
            Kind::Block => of.arguments.iter().for_each(|member| self.argument(member)),
            Kind::OneOf => {
                let known: Vec<&Argument> =
                    of.arguments.iter().filter(|member| self.is_known(member)).collect();
                let member = *self.chance.pick(&known);
                self.argument(member);
            }
            _ if of.name == "numkeys" => {
                let count = 1 + self.chance.below(3);
                self.words.push(count.to_string().into_bytes());
                self.keys_left = Some(count);
            }
            _ => {
                let of_stream = match self.group {
                    Group::Stream => stream_argument(of, self.number, self.chance),
                    _ => None,
                };
                let value = of_stream.unwrap_or_else(|| argument(of, self.group, self.chance));
                self.words.push(value);
            }
        }
    }
}

/// Brings a large negative number near.
fn bound(word: &mut Vec<u8>) {
    const LEAST: i64 = -100;
    if larder_store::parse_integer(word).is_some_and(|number| (i64::MIN + 1..LEAST).contains(&number)) {
        *word = LEAST.to_string().into_bytes();
    }
}

/// Makes a request slightly wrong: a word too few, one too many, one twice, or an option where none belongs.
fn disturb(words: &mut Vec<Vec<u8>>, named: usize, options: &[String], chance: &mut Chance) {
    let at = named + chance.below(words.len() - named + 1);
    match chance.below(4) {
        0 if at < words.len() => drop(words.remove(at)),
        1 => words.insert(at, value(chance)),
        2 if at < words.len() => words.insert(at, words[at].clone()),
        _ if !options.is_empty() => {
            let option = chance.pick(options);
            words.push(cased(option, chance));
        }
        _ => {}
    }
}

fn cased(word: &str, chance: &mut Chance) -> Vec<u8> {
    if chance.percent(30) { word.to_lowercase().into_bytes() } else { word.to_uppercase().into_bytes() }
}
