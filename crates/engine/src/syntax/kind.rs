//! What kind of value stands at a place, told from the name of the place.

/// What stands at the place of an argument, named as COMMAND DOCS prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Double,
    /// The name of a key.
    Key,
    /// A glob pattern.
    Pattern,
    /// A moment, counted from 1970.
    UnixTime,
    /// A word of the command.
    PureToken,
    /// One of several arguments.
    OneOf,
    /// Several arguments together.
    Block,
}

const KINDS: [(Kind, &str); 9] = [
    (Kind::String, "string"),
    (Kind::Integer, "integer"),
    (Kind::Double, "double"),
    (Kind::Key, "key"),
    (Kind::Pattern, "pattern"),
    (Kind::UnixTime, "unix-time"),
    (Kind::PureToken, "pure-token"),
    (Kind::OneOf, "oneof"),
    (Kind::Block, "block"),
];

const KEYS: &[&str] =
    &["key", "key1", "key2", "newkey", "source", "sourcekey", "src", "destination", "destkey", "dst"];

const PATTERNS: &[&str] = &["pattern", "match-pattern"];

const TIMES: &[&str] = &["unix-time-seconds", "unix-time-milliseconds"];

const DOUBLES: &[&str] =
    &["height", "latitude", "longitude", "max", "min", "radius", "score", "timeout", "width"];

const INTEGERS: &[&str] = &[
    "bit",
    "bits",
    "client-id",
    "cluster-bus-port",
    "config-epoch",
    "count",
    "cursor",
    "db",
    "decrement",
    "destination-db",
    "end",
    "end-slot",
    "entries-added",
    "entries-read",
    "expected-expiry",
    "frequency",
    "idle",
    "increment",
    "index",
    "index1",
    "index2",
    "len",
    "limit",
    "maxage",
    "milliseconds",
    "min-idle-time",
    "min-match-len",
    "ms",
    "num-matches",
    "numfields",
    "numkeys",
    "numlocal",
    "numreplicas",
    "offset",
    "port",
    "protover",
    "rank",
    "seconds",
    "slot",
    "start",
    "start-slot",
    "stop",
    "ttl",
    "version",
    "weight",
];

impl Kind {
    /// The name that COMMAND DOCS prints.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of a value that has this name.
    fn of(name: &str) -> Kind {
        let kinds = [
            (Kind::Key, KEYS),
            (Kind::Pattern, PATTERNS),
            (Kind::UnixTime, TIMES),
            (Kind::Double, DOUBLES),
            (Kind::Integer, INTEGERS),
        ];
        kinds.iter().find(|(_, names)| names.contains(&name)).map_or(Kind::String, |(kind, _)| *kind)
    }
}

/// The name and kind of a value as it is written.
pub(super) fn value(word: &str) -> (&str, Kind) {
    match annotation(word) {
        Some((name, kind)) => (name, kind),
        None => (word, Kind::of(word)),
    }
}

/// The name without its kind.
pub(super) fn without_annotation(word: &str) -> &str {
    annotation(word).map_or(word, |(name, _)| name)
}

fn annotation(word: &str) -> Option<(&str, Kind)> {
    let (name, kind) = word.rsplit_once(':')?;
    let kind = KINDS.iter().find(|(_, known)| *known == kind)?;
    Some((name, kind.0))
}
