//! Requests made from the rows of the commands.

use larder_engine::{CommandTable, Flags};

use super::compare::{Treatment, is_unknown, treatment};
use super::syntax::{Part, Sequence};
use crate::chance::Chance;
use crate::peer::Version;

/// Keys are few, so that requests meet.
const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"key:1",
    b"{tag}a-rather-long-key-of-more-than-44-bytes-x",
    b"\x00\xff\r\n",
    b"",
];
/// Lengths about which something changes: embedded strings end at 44, blocks begin at a few KiB.
const LENGTHS: &[usize] =
    &[0, 1, 2, 7, 8, 9, 31, 43, 44, 45, 46, 64, 255, 256, 4095, 4096, 4097, 8192, 20_000];
/// Integers at the edges of what encodings hold, and what only looks like one.
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "10",
    "9999",
    "10000",
    "12345678901",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "4611686018427387904",
    "-0",
    "00",
    "+1",
    "01",
    " 1",
    "1 ",
    "1.0",
    "1e2",
    "0x1",
];
const FLOATS: &[&str] = &[
    "0.1",
    "1.5",
    "-2.25",
    "3e5",
    "1e-7",
    "1e17",
    "5.0e3",
    "inf",
    "-inf",
    "nan",
    "1.",
    ".5",
    "1x",
    "0.30000000000000004",
];
const PATTERNS: &[&str] =
    &["*", "?", "a*", "[a-c]", "[^a]", "key:?", "\\a", "[", "", "*e*", "{tag}*", "[c-a]"];
const BIT_TYPES: &[&str] =
    &["u1", "u8", "i8", "u16", "i5", "u63", "i64", "i1", "u64", "i65", "u0", "x8", "u"];

/// Commands that take most of the keyspace with them: sent so seldom that keys gather.
const RARE: &[&str] = &["flushall", "flushdb", "swapdb"];
/// Of a hundred requests of a rare command so many are sent.
const RARE_PERCENT: usize = 10;
/// Of a hundred requests so many are made of commands that may create keys.
const CREATING_PERCENT: usize = 30;

/// Makes requests of the commands that both sides know.
pub(super) struct Generator {
    commands: Vec<Form>,
    /// The places of those that may create keys.
    creating: Vec<usize>,
}

/// A command as requests are made of it.
struct Form {
    /// Its name; for a subcommand, the container's and its own.
    name: Vec<String>,
    syntax: Sequence,
    /// Options that the oracle does not know.
    newer: Vec<String>,
}

impl Generator {
    /// For an oracle of this version. What is newer is left out: rows by their `since`, options by the `history` that names them.
    pub(super) fn new(table: &CommandTable, oracle: Version) -> Generator {
        let knows = |since: &str| Version::parse(since).is_some_and(|since| since <= oracle);
        let (mut commands, mut creating) = (Vec::new(), Vec::new());
        for row in table.rows().iter().filter(|row| row.command.subcommands.is_empty()) {
            let since = [row.container.map_or("1.0.0", |container| container.since), row.command.since];
            if !since.iter().all(|since| knows(since))
                || treatment(&row.full_name(), row.command.group) == Treatment::Unsent
            {
                continue;
            }
            let syntax = Sequence::parse(row.command.syntax);
            let later = row.command.history.iter().filter(|(version, _)| !knows(version));
            let named = |word: &str| {
                later
                    .clone()
                    .any(|(_, text)| text.split(|c: char| !c.is_alphanumeric()).any(|named| named == word))
            };
            let is_newer = |word: &&str| named(word) || is_unknown(&row.full_name(), word, oracle);
            let newer = syntax.words().into_iter().filter(is_newer).map(str::to_owned).collect();
            let name = row.full_name().split('|').map(str::to_owned).collect();
            if row.command.flags.has(Flags::DENY_OOM) {
                creating.push(commands.len());
            }
            commands.push(Form { name, syntax, newer });
        }
        Generator { commands, creating }
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
        let mut words: Vec<Vec<u8>> = form.name.iter().map(|word| cased(word, chance)).collect();
        let named = words.len();
        Writer { words: &mut words, chance, newer: &form.newer, keys_left: None }.sequence(&form.syntax);
        if chance.percent(6) {
            disturb(&mut words, named, &form.syntax, &form.newer, chance);
        }
        words
    }
}

/// Writes one request.
struct Writer<'a> {
    words: &'a mut Vec<Vec<u8>>,
    chance: &'a mut Chance,
    newer: &'a [String],
    /// Keys that are still to come by the number given before them.
    keys_left: Option<usize>,
}

impl Writer<'_> {
    fn sequence(&mut self, sequence: &Sequence) {
        for part in &sequence.parts {
            match part {
                Part::Word(word) => {
                    let word = cased(word, self.chance);
                    self.words.push(word);
                }
                Part::Argument(name) => self.argument(name),
                Part::Choice(choices) => self.one_of(choices),
                Part::Optional(choices) => {
                    let counted = self.keys_left.take_if(|_| is_keys(choices));
                    match counted {
                        Some(count) => (0..count).for_each(|_| self.one_of(choices)),
                        None if self.chance.percent(35) => self.one_of(choices),
                        None => {}
                    }
                }
            }
        }
    }

    fn one_of(&mut self, choices: &[Sequence]) {
        let newer = self.newer;
        let known =
            |choice: &&Sequence| !choice.words().iter().any(|word| newer.iter().any(|newer| newer == word));
        let known: Vec<&Sequence> = choices.iter().filter(known).collect();
        if known.is_empty() {
            return;
        }
        let choice = *self.chance.pick(&known);
        let counted = choice.repeats && self.keys_left.is_none();
        let times = if counted { 1 + self.chance.below(3) } else { 1 };
        (0..times).for_each(|_| self.sequence(choice));
    }

    fn argument(&mut self, name: &str) {
        if name == "numkeys" {
            let count = 1 + self.chance.below(3);
            self.words.push(count.to_string().into_bytes());
            self.keys_left = Some(count - 1);
        } else {
            let value = argument(name, self.chance);
            self.words.push(value);
        }
    }
}

fn is_keys(choices: &[Sequence]) -> bool {
    matches!(choices, [only] if only.repeats && matches!(only.parts.as_slice(), [Part::Argument(name)] if is_key(name)))
}

fn is_key(name: &str) -> bool {
    name.contains("key") || matches!(name, "source" | "destination" | "source1" | "source2")
}

/// A value for an argument, by its name.
fn argument(name: &str, chance: &mut Chance) -> Vec<u8> {
    if chance.percent(3) && !name.contains("seconds") {
        return value(chance);
    }
    match name {
        name if is_key(name) => chance.pick(KEYS).to_vec(),
        "seconds" => seconds(chance, 1, 0),
        "milliseconds" => seconds(chance, 1000, 0),
        "unix-time-seconds" => seconds(chance, 1, 4_000_000_000),
        "unix-time-milliseconds" => seconds(chance, 1000, 4_000_000_000),
        "pattern" => chance.pick(PATTERNS).as_bytes().to_vec(),
        "encoding" => chance.pick(BIT_TYPES).as_bytes().to_vec(),
        "bit" => chance.pick(&["0", "1", "1", "0", "2"]).as_bytes().to_vec(),
        "offset" => offset(chance),
        "cursor" => b"0".to_vec(),
        "type" => chance.pick(&["string", "hash", "none", "STRING"]).as_bytes().to_vec(),
        name if name.contains("db") || name.starts_with("index") => {
            chance.pick(&["0", "0", "1", "2", "15", "16", "-1", "x"]).as_bytes().to_vec()
        }
        "start" | "end" | "count" | "increment" | "decrement" => match chance.below(4) {
            0 => chance.pick(INTEGERS).as_bytes().to_vec(),
            1 if name == "increment" => chance.pick(FLOATS).as_bytes().to_vec(),
            _ => (chance.below(60) as i64 - 20).to_string().into_bytes(),
        },
        _ => value(chance),
    }
}

/// Times that are out of range, in the past, or none: nothing that comes to pass while requests are compared.
const ODD_TIMES: &[&str] = &[
    "0",
    "-1",
    "-1000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775",
    "-9223372036854775",
    "9223372036854775808",
    "99999999999999999",
    "1.5",
    "1x",
    "",
    " 1",
    "+1",
    "-0",
];

/// A time far enough from now that neither side's clock matters; sometimes an odd one.
fn seconds(chance: &mut Chance, per_second: i64, since: i64) -> Vec<u8> {
    if chance.percent(12) {
        return chance.pick(ODD_TIMES).as_bytes().to_vec();
    }
    // Two equal ones from now on, given a moment apart, are later than each other or not as it happens; absolute ones may meet.
    let ahead = if since == 0 { 10_000 + chance.below(10_000_000) } else { 10_000 * (1 + chance.below(20)) };
    let seconds = since + ahead as i64;
    (seconds * per_second).to_string().into_bytes()
}

/// A place in a string: near, or beyond what is allowed, never so far that the string takes long to make.
fn offset(chance: &mut Chance) -> Vec<u8> {
    let near = [40, 600, 70_000];
    match chance.below(12) {
        0 => chance
            .pick(&["-1", "4294967296", "9223372036854775807", "x", "", "1.0", "#-1"])
            .as_bytes()
            .to_vec(),
        1 => format!("#{}", chance.below(40)).into_bytes(),
        _ => {
            let end = *chance.pick(&near);
            chance.below(end).to_string().into_bytes()
        }
    }
}

/// A value: integers, floats, and strings of the lengths that matter.
fn value(chance: &mut Chance) -> Vec<u8> {
    match chance.below(6) {
        0 => chance.pick(INTEGERS).as_bytes().to_vec(),
        1 => (chance.seed() as i64 >> chance.below(63)).to_string().into_bytes(),
        2 => chance.pick(FLOATS).as_bytes().to_vec(),
        3 => {
            let len = *chance.pick(LENGTHS);
            chance.bytes(len)
        }
        4 => {
            let len = *chance.pick(LENGTHS);
            vec![b'a' + chance.below(26) as u8; len]
        }
        _ => {
            let len = chance.below(12);
            (0..len).map(|_| b'a' + chance.below(4) as u8).collect()
        }
    }
}

/// Makes a request slightly wrong: a word too few, one too many, one twice, or an option where none belongs.
fn disturb(words: &mut Vec<Vec<u8>>, named: usize, syntax: &Sequence, newer: &[String], chance: &mut Chance) {
    let at = named + chance.below(words.len() - named + 1);
    match chance.below(4) {
        0 if at < words.len() => drop(words.remove(at)),
        1 => words.insert(at, value(chance)),
        2 if at < words.len() => words.insert(at, words[at].clone()),
        _ => {
            let options = syntax.words();
            if !options.is_empty() {
                let option = *chance.pick(&options);
                if !newer.iter().any(|newer| newer == option) {
                    words.push(cased(option, chance));
                }
            }
        }
    }
}

fn cased(word: &str, chance: &mut Chance) -> Vec<u8> {
    if chance.percent(30) { word.to_lowercase().into_bytes() } else { word.to_uppercase().into_bytes() }
}
