//! The works on collections: a few commands of each family, on many small collections and on a single large one.
//!
//! A command is written as a text whose words are sent as they are, but for those in braces, which stand for numbers of twelve
//! digits: `{key}` one of the collections, `{element}` one of the elements that each was filled with, `{score}` any number, `{next}` a
//! number that was not used before. Commands that add and commands that remove take turns, so that a collection keeps its size.

use std::cell::Cell;

use crate::client::{Ask, Draw};
use crate::wire::{Expected, KEY_DIGITS, write_digits};
use crate::work::{Choice, scaled};

/// How many collections, and of how many elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// What it is called in names of works.
    pub(crate) name: &'static str,
    /// Collections.
    pub(crate) collections: u64,
    /// Elements of each.
    pub(crate) elements: u64,
}

impl Size {
    /// With fewer or more of what it has many of.
    fn scaled(self, scale: f64) -> Self {
        let (collections, elements) = (self.collections, self.elements);
        if collections > 1 {
            Self { collections: scaled(collections, scale), ..self }
        } else {
            Self { elements: scaled(elements, scale), ..self }
        }
    }

    /// Elements in all.
    pub(crate) fn members(self) -> u64 {
        self.collections * self.elements
    }
}

/// The sizes at which families are measured.
pub(crate) const SIZES: [Size; 2] = [
    Size { name: "small", collections: 10_000, elements: 64 },
    Size { name: "large", collections: 1, elements: 1_000_000 },
];

/// One type with what is measured of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// What is chosen to run it.
    pub(crate) choice: Choice,
    /// Its name in the names of works; and keys begin with it.
    pub(crate) name: &'static str,
    /// Adds one element.
    pub(crate) fill: &'static str,
    /// Bytes of an element with its value, score or id.
    pub(crate) member_bytes: u64,
    /// What is sent once before all else.
    pub(crate) prepare: &'static [&'static str],
    /// Whether the memory that it takes is measured, and large collections are.
    pub(crate) weighed: bool,
    /// What is measured.
    pub(crate) rows: &'static [Row],
}

/// Commands that take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What they are called together.
    pub(crate) name: &'static str,
    /// The commands.
    pub(crate) commands: &'static [&'static str],
    /// How they are sent.
    pub(crate) sent: Sent,
}

/// How the commands of a row are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// One by one; and sixteen at a time.
    Both,
    /// All of them on one connection, without waiting in between.
    Together,
    /// One by one, each on the connection that is free.
    Apart,
}

impl Row {
    const fn new(name: &'static str, commands: &'static [&'static str]) -> Self {
        Self { name, commands, sent: Sent::Both }
    }

    /// How many requests are sent together, and what the work's name ends in then.
    fn pipelines(self) -> Vec<(usize, &'static str)> {
        match self.sent {
            Sent::Both => vec![(1, ""), (16, "-p16")],
            Sent::Together => vec![(self.commands.len(), "")],
            Sent::Apart => vec![(1, "")],
        }
    }
}

/// All families.
pub(crate) const FAMILIES: [Family; 7] = [
    Family {
        choice: Choice::Lists,
        name: "list",
        fill: "RPUSH {key} {element}",
        member_bytes: 12,
        prepare: &[],
        weighed: true,
        rows: &[
            Row::new("push-pop", &["LPUSH {key} {next}", "LPOP {key}"]),
            Row::new("lrange", &["LRANGE {key} 20 29"]),
        ],
    },
    Family {
        choice: Choice::Sets,
        name: "set",
        fill: "SADD {key} m{element}",
        member_bytes: 13,
        prepare: &[],
        weighed: true,
        rows: &[
            Row::new("sadd-spop", &["SADD {key} m{next}", "SPOP {key}"]),
            Row::new("sismember", &["SISMEMBER {key} m{element}"]),
        ],
    },
    Family {
        choice: Choice::Hashes,
        name: "hash",
        fill: "HSET {key} f{element} sixteen-bytes-va",
        member_bytes: 29,
        prepare: &[],
        weighed: true,
        rows: &[
            Row::new("hset", &["HSET {key} f{element} sixteen-bytes-va"]),
            Row::new("hget", &["HGET {key} f{element}"]),
            Row::new("hset-hdel", &["HSET {key} f{next} sixteen-bytes-va", "HDEL {key} f{before}"]),
            Row::new("hgetall", &["HGETALL {key}"]),
        ],
    },
    Family {
        choice: Choice::SortedSets,
        name: "zset",
        fill: "ZADD {key} {score} m{element}",
        member_bytes: 21,
        prepare: &[],
        weighed: true,
        rows: &[
            Row::new("zadd", &["ZADD {key} {score} m{element}"]),
            Row::new("zadd-zpopmin", &["ZADD {key} {score} m{next}", "ZPOPMIN {key}"]),
            Row::new("zrange", &["ZRANGE {key} 20 29"]),
            Row::new("zrank", &["ZRANK {key} m{element}"]),
        ],
    },
    Family {
        choice: Choice::Streams,
        name: "stream",
        fill: "XADD {key} * field {element}",
        member_bytes: 33,
        prepare: &[],
        weighed: true,
        rows: &[
            Row::new("xadd", &["XADD {key} MAXLEN ~ 1000000 * field {next}"]),
            Row::new("xrange", &["XRANGE {key} - + COUNT 10"]),
        ],
    },
    Family {
        choice: Choice::Conversations,
        name: "string",
        fill: "SET {key} {element}",
        member_bytes: 0,
        prepare: &[SCRIPT],
        weighed: false,
        rows: &[
            Row {
                name: "exec-4",
                commands: &["MULTI", "SET {key} {next}", "GET {key}", "STRLEN {key}", "EXISTS {key}", "EXEC"],
                sent: Sent::Together,
            },
            Row::new("evalsha", &["EVALSHA 570b66f5994e939420358a3698849c642cac9dce 1 {key} {next}"]),
        ],
    },
    Family {
        choice: Choice::Conversations,
        name: "queue",
        fill: "DEL {key}",
        member_bytes: 0,
        prepare: &[],
        weighed: false,
        rows: &[Row { name: "blpop", commands: &["BLPOP {key} 1", "RPUSH {key} {next}"], sent: Sent::Apart }],
    },
];

/// Five lines: what is there is returned and replaced.
const SCRIPT: &str = "SCRIPT LOAD local\tv=redis.call('GET',KEYS[1])\nif\tv\tthen\n\tredis.call('SET',KEYS[1],ARGV[1])\nend\nreturn\tv";

/// A row at one size.
#[derive(Clone, Debug)]
pub(crate) struct FamilyWork {
    /// Its name in results, which says how many requests are sent together.
    pub(crate) name: String,
    /// Of which family.
    pub(crate) family: Family,
    /// How large.
    pub(crate) size: Size,
    /// What is sent.
    pub(crate) commands: &'static [&'static str],
    /// Requests sent together.
    pub(crate) pipeline: usize,
}

/// All rows of the families that are chosen. To read all of a large collection is no work of many a second.
pub(crate) fn works(chosen: impl Fn(Choice, &str) -> bool, scale: f64) -> Vec<FamilyWork> {
    let mut works = Vec::new();
    for family in FAMILIES.into_iter().filter(|family| chosen(family.choice, family.name)) {
        let sizes = SIZES.iter().filter(|size| family.weighed || size.collections > 1);
        for size in sizes.map(|size| size.scaled(scale)) {
            for row in family.rows {
                for (pipeline, suffix) in row.pipelines() {
                    if row.name == "hgetall" && size.collections == 1 {
                        continue;
                    }
                    let size_name = if family.weighed { format!("-{}", size.name) } else { String::new() };
                    let name = format!("{}{size_name}{suffix}", row.name);
                    let commands = row.commands;
                    works.push(FamilyWork { name, family, size, commands, pipeline });
                }
            }
        }
    }
    works
}

impl FamilyWork {
    /// What the memory that its collections take per member is called.
    pub(crate) fn memory_name(&self) -> String {
        format!("{} of {}", self.family.name, self.size.elements)
    }

    /// Bytes of the collections' names, and of what they were filled with.
    pub(crate) fn payload_bytes(&self) -> u64 {
        let name = self.family.name.len() + self.size.name.len() + "--".len() + KEY_DIGITS;
        name as u64 * self.size.collections + self.family.member_bytes * self.size.members()
    }

    /// What it does, for a table's caption.
    pub(crate) fn about(&self) -> String {
        let Size { collections, elements, .. } = self.size;
        format!(
            "{}; {collections} of {elements} elements, pipeline {}",
            self.commands.join(", "),
            self.pipeline
        )
    }
}

/// A request: which command, and the number that chooses its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered {
    command: usize,
    number: u64,
}

/// Draws requests for ever: the commands in turn, on one collection, which is chosen by chance each time.
pub(crate) struct Turns {
    commands: usize,
    turn: usize,
    number: u64,
    random: fastrand::Rng,
}

impl Turns {
    /// The same seed draws the same words.
    pub(crate) fn new(commands: usize, seed: u64) -> Self {
        Self { commands, turn: commands - 1, number: 0, random: fastrand::Rng::with_seed(seed) }
    }
}

impl Draw for Turns {
    type Operation = Numbered;

    fn draw(&mut self) -> Numbered {
        self.turn = (self.turn + 1) % self.commands;
        if self.turn == 0 {
            self.number = self.random.u64(..);
        }
        Numbered { command: self.turn, number: self.number }
    }
}

/// Every element of every collection once: the collections in turn, so that all grow at the same pace.
pub(crate) struct Filling {
    next: u64,
    end: u64,
}

impl Filling {
    /// For collections of this size.
    pub(crate) fn new(size: Size) -> Self {
        Self { next: 0, end: size.members() }
    }
}

impl Iterator for Filling {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        let number = self.next;
        self.next += 1;
        (number < self.end).then_some(Numbered { command: 0, number })
    }
}

/// How a number chooses words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// By chance.
    Random,
    /// The collections in turn, then their next element.
    Filling,
}

/// What stands in the place of braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    Key,
    Element,
    Score,
    Next,
    Before,
}

/// A command as it is sent, with the places of its numbers.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    holes: Vec<(usize, Hole)>,
}

impl Template {
    /// Reads a command's text.
    ///
    /// # Panics
    /// Braces hold a word that is not known, which the tests exclude.
    fn new(text: &str, family: &str, size: Size) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let mut template = Self { bytes: format!("*{}\r\n", words.len()).into_bytes(), holes: Vec::new() };
        for word in words {
            let (before, hole) = word.split_once('{').unwrap_or((word, ""));
            let hole = match hole {
                "" => None,
                "key}" => Some(Hole::Key),
                "element}" => Some(Hole::Element),
                "score}" => Some(Hole::Score),
                "next}" => Some(Hole::Next),
                "before}" => Some(Hole::Before),
                other => panic!("{other} stands for nothing"),
            };
            let before =
                if hole == Some(Hole::Key) { format!("{family}-{}-", size.name) } else { before.to_owned() };
            let digits = if hole.is_some() { KEY_DIGITS } else { 0 };
            template.bytes.extend(format!("${}\r\n{before}", before.len() + digits).bytes());
            template.holes.extend(hole.map(|hole| (template.bytes.len(), hole)));
            template.bytes.extend(std::iter::repeat_n(b'0', digits));
            template.bytes.extend(b"\r\n");
        }
        template
    }
}

/// The commands of a row.
pub(crate) struct Commands {
    templates: Vec<Template>,
    size: Size,
    order: Order,
    /// Numbers above all elements.
    next: Cell<u64>,
}

impl Commands {
    /// Commands for collections of a family and a size.
    pub(crate) fn new(texts: &[&str], family: &str, size: Size, order: Order, seed: u64) -> Self {
        let templates = texts.iter().map(|text| Template::new(text, family, size)).collect();
        // Each round's numbers are new.
        Self { templates, size, order, next: Cell::new(1_000_000_000 * (1 + seed)) }
    }

    fn number(&self, hole: Hole, number: u64) -> u64 {
        let Size { collections, elements, .. } = self.size;
        match (hole, self.order) {
            (Hole::Key, _) => number % collections,
            (Hole::Element, Order::Filling) => number / collections,
            (Hole::Element, Order::Random) => (number >> 32) % elements,
            (Hole::Score, _) => number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40,
            (Hole::Next, _) => {
                self.next.set(self.next.get() + 1);
                self.next.get()
            }
            (Hole::Before, _) => self.next.get(),
        }
    }
}

impl Ask for Commands {
    type Operation = Numbered;

    fn append(&self, out: &mut Vec<u8>, Numbered { command, number }: Numbered) -> Expected {
        let template = &self.templates[command];
        let start = out.len();
        out.extend_from_slice(&template.bytes);
        for &(at, hole) in &template.holes {
            write_digits(&mut out[start + at..][..KEY_DIGITS], self.number(hole, number));
        }
        Expected::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { name: "small", collections: 3, elements: 5 };

    #[test]
    fn holes_are_filled_with_twelve_digits() {
        let commands = Commands::new(&["ZADD {key} {score} m{element}"], "zset", SIZE, Order::Filling, 0);
        let mut out = Vec::new();
        commands.append(&mut out, Numbered { command: 0, number: 7 });
        let text = String::from_utf8(out).unwrap();
        let head = "*4\r\n$4\r\nZADD\r\n$23\r\nzset-small-000000000001\r\n$12\r\n";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("\r\n$13\r\nm000000000002\r\n"), "{text}");
    }

    #[test]
    fn filling_meets_every_element_of_every_collection_once() {
        let commands = Commands::new(&["SADD {key} {element}"], "set", SIZE, Order::Filling, 0);
        let mut sent = std::collections::BTreeSet::new();
        for operation in Filling::new(SIZE) {
            let mut out = Vec::new();
            commands.append(&mut out, operation);
            sent.insert(out);
        }
        assert_eq!(sent.len() as u64, SIZE.members());
    }

    #[test]
    fn what_is_added_is_what_is_removed_next() {
        let commands = Commands::new(&["A {key} {next}", "B {key} {before}"], "hash", SIZE, Order::Random, 1);
        let mut turns = Turns::new(2, 1);
        let mut words = || {
            let mut out = Vec::new();
            commands.append(&mut out, turns.draw());
            out.split_off(b"*3\r\n$1\r\n".len() + 1)
        };
        let first = words();
        assert_eq!(words(), first);
        assert_ne!(words(), first);
    }

    #[test]
    fn every_row_can_be_read() {
        let works = works(|_, _| true, 1.0);
        let weighed = FAMILIES.iter().filter(|family| family.weighed);
        let rows: usize = weighed.map(|family| family.rows.len()).sum();
        assert_eq!(
            works.len(),
            rows * 2 * 2 - 2 + 4,
            "all but hgetall of a large one, and the conversations"
        );
        for work in works {
            let _ = Commands::new(work.commands, work.family.name, work.size, Order::Random, 0);
        }
    }
}
