//! When two replies count as equal, and which differences are meant.

use std::ops::Range;

use larder_engine::Group;

use crate::peer::Version;
use crate::value::Value;

/// What is done with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It is not sent.
    Unsent,
    /// Its replies must be equal.
    Exact,
    /// Its replies hold the same elements.
    AnyOrder,
    /// Its replies are equal, but for integers that differ by this at most.
    Within(u64),
    /// What it answers is not looked at, unless one side answers an error.
    Loose,
}

/// The treatment of single commands, and why; others are compared exactly.
const TREATMENTS: &[(&str, Treatment, &str)] = &[
    ("blmove", Treatment::Unsent, "waits"),
    ("blmpop", Treatment::Unsent, "waits"),
    ("blpop", Treatment::Unsent, "waits"),
    ("brpop", Treatment::Unsent, "waits"),
    ("brpoplpush", Treatment::Unsent, "waits"),
    ("bzmpop", Treatment::Unsent, "waits"),
    ("bzpopmax", Treatment::Unsent, "waits"),
    ("bzpopmin", Treatment::Unsent, "waits"),
    ("dbsize", Treatment::Exact, "a fact about the keyspace"),
    ("debug", Treatment::Unsent, "acts on the process"),
    ("dump", Treatment::Unsent, "packs long strings, and follows the order of the hash"),
    ("echo", Treatment::Exact, "a reply by itself"),
    ("expiretime", Treatment::Within(2), "the clocks are read at different moments"),
    ("flushall", Treatment::Exact, "acts on the keyspace"),
    ("flushdb", Treatment::Exact, "acts on the keyspace"),
    ("function|dump", Treatment::Unsent, "packs long strings"),
    ("function|help", Treatment::Unsent, "a text for people"),
    ("function|list", Treatment::AnyOrder, "the order is that of the hash"),
    ("hgetall", Treatment::AnyOrder, "the order is that of the hash"),
    ("hkeys", Treatment::AnyOrder, "the order is that of the hash"),
    ("hrandfield", Treatment::Loose, "chosen by chance"),
    ("hscan", Treatment::Loose, "cursors are places in the hash"),
    ("hvals", Treatment::AnyOrder, "the order is that of the hash"),
    ("keys", Treatment::AnyOrder, "the order is that of the hash"),
    ("object|freq", Treatment::Loose, "counted by chance"),
    ("object|help", Treatment::Unsent, "a text for people"),
    ("object|idletime", Treatment::Loose, "small integers that all keys share in Redis also age together"),
    ("pexpiretime", Treatment::Within(2000), "the clocks are read at different moments"),
    ("pfselftest", Treatment::Unsent, "takes Redis seconds, by which times to live then differ"),
    ("ping", Treatment::Exact, "a reply by itself"),
    ("pttl", Treatment::Within(2000), "the clocks are read at different moments"),
    ("randomkey", Treatment::Loose, "chosen by chance"),
    ("scan", Treatment::Loose, "cursors are places in the hash"),
    ("script|debug", Treatment::Unsent, "changes what becomes of the requests that follow"),
    ("script|help", Treatment::Unsent, "a text for people"),
    ("sdiff", Treatment::AnyOrder, "the order is that of the hash"),
    ("select", Treatment::Exact, "decides which keys the others see"),
    ("sinter", Treatment::AnyOrder, "the order is that of the hash"),
    ("smembers", Treatment::AnyOrder, "the order is that of the hash"),
    ("spop", Treatment::Unsent, "what is left is left to chance"),
    ("srandmember", Treatment::Loose, "chosen by chance"),
    ("sscan", Treatment::Loose, "cursors are places in the hash"),
    ("sunion", Treatment::AnyOrder, "the order is that of the hash"),
    ("swapdb", Treatment::Exact, "acts on the keyspace"),
    ("ttl", Treatment::Within(2), "the clocks are read at different moments"),
    ("wait", Treatment::Unsent, "waits for replicas that are not there, for ever when told so"),
    ("xgroup|help", Treatment::Unsent, "a text for people"),
    ("xinfo|consumers", Treatment::Loose, "idle times, and one more since 7.2"),
    ("xinfo|help", Treatment::Unsent, "a text for people"),
    ("xinfo|stream", Treatment::Loose, "times, and the nodes of a radix tree"),
    ("xpending", Treatment::Within(100_000), "idle times"),
    ("xsetid", Treatment::Unsent, "before 7.2 it lets the last id become smaller than deleted ones"),
    ("zrandmember", Treatment::Loose, "chosen by chance"),
    ("zscan", Treatment::Loose, "cursors are places in the hash"),
];

/// Options that are not sent to servers of these versions: those that they do not know although they are newer than the options
/// (Redis and Valkey have gone separate ways since 7.2), and those that make no replies to compare.
const UNSENT: &[(&str, &[&str], Range<Version>, &str)] = &[
    ("bitop", &["DIFF", "DIFF1", "ANDOR", "ONE"], VALKEY_ALONE, "Redis has them since 8.2, Valkey has not"),
    ("xadd", &["*", "~"], ALWAYS, "the clocks are read at different moments, and chunks end elsewhere"),
    ("xread", &["BLOCK"], ALWAYS, "waits"),
    ("xreadgroup", &["BLOCK"], ALWAYS, "waits"),
    ("xtrim", &["~"], ALWAYS, "chunks end elsewhere"),
];

const ALWAYS: Range<Version> = Version(0, 0, 0)..Version(u32::MAX, 0, 0);

/// The versions that only Valkey has had.
const VALKEY_ALONE: Range<Version> = Version(9, 0, 0)..Version(u32::MAX, 0, 0);

/// Whether an option of a command is not sent to a server of this version, although it is newer than the option.
pub(super) fn is_unsent(full_name: &str, option: &str, version: Version) -> bool {
    UNSENT.iter().any(|(name, options, versions, _)| {
        *name == full_name && options.contains(&option) && versions.contains(&version)
    })
}

/// What is done with the command of this full name.
pub(super) fn treatment(full_name: &str, group: Group) -> Treatment {
    match TREATMENTS.iter().find(|(name, ..)| *name == full_name) {
        Some((_, treatment, _)) => *treatment,
        // They tell of the process and the connection, which no two servers have in common.
        None if matches!(group, Group::Connection | Group::Server) => Treatment::Unsent,
        // They change what becomes of the requests that follow, or are answered more than once.
        None if matches!(group, Group::Transactions | Group::PubSub) => Treatment::Unsent,
        None => Treatment::Exact,
    }
}

/// A difference that is meant.
pub(super) struct Difference {
    /// The command's full name.
    pub(super) command: &'static str,
    /// Why Larder answers otherwise.
    pub(super) reason: &'static str,
    /// The versions of Redis and Valkey that answer otherwise.
    pub(super) versions: Range<Version>,
    /// Whether a pair of replies (redis-server's, Larder's) to this request differs in that way.
    pub(super) applies: fn(&[Vec<u8>], &Value, &Value) -> bool,
}

/// All of them.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        command: "bitcount",
        reason: "before 8.0 BITCOUNT wants an end with the start",
        versions: Version(0, 0, 0)..Version(8, 0, 0),
        applies: |request, theirs, _| request.len() == 3 && is_error(theirs, "ERR syntax error"),
    },
    Difference {
        command: "bitcount",
        reason: KEY_FIRST,
        versions: Version(0, 0, 0)..Version(7, 2, 0),
        applies: key_first,
    },
    Difference {
        command: "bitpos",
        reason: KEY_FIRST,
        versions: Version(0, 0, 0)..Version(7, 2, 0),
        applies: key_first,
    },
    Difference {
        command: "getex",
        reason: "as in Valkey, a time is judged whether or not the key is there",
        versions: Version(0, 0, 0)..Version(9, 0, 0),
        applies: |_, theirs, ours| {
            (*theirs == Value::Null || is_error(theirs, "WRONGTYPE")) && matches!(ours, Value::Error(_))
        },
    },
    Difference { command: "hscan", reason: CURSOR, versions: BEFORE_CURSORS, applies: no_cursor },
    Difference {
        command: "lpos",
        reason: "before 7.2 the lowest rank of all is taken for another, later it is refused",
        versions: Version(0, 0, 0)..Version(7, 2, 0),
        applies: |_, _, ours| is_error(ours, "ERR value is out of range"),
    },
    Difference {
        command: "object|encoding",
        reason: "from 9.0 on Valkey embeds strings by the size of key and value together, Larder those of up to 44 bytes",
        versions: VALKEY_ALONE,
        applies: |_, theirs, ours| {
            is_string(theirs, &["embstr", "raw"]) && is_string(ours, &["embstr", "raw"])
        },
    },
    Difference {
        command: "object|encoding",
        reason: "packed lists and listpacks of members came with Redis 7.2",
        versions: Version(0, 0, 0)..Version(7, 2, 0),
        applies: |_, theirs, ours| {
            is_string(theirs, &["quicklist", "hashtable"]) && is_string(ours, &["listpack"])
        },
    },
    Difference {
        command: "object|encoding",
        reason: "the peers unpack a sorted set for SORT, and leave it so",
        versions: ALWAYS,
        applies: |_, theirs, ours| is_string(theirs, &["skiplist"]) && is_string(ours, &["listpack"]),
    },
    Difference {
        command: "object|refcount",
        reason: "small integers were shared by all keys before Valkey 9.0",
        versions: Version(0, 0, 0)..Version(9, 0, 0),
        applies: |_, theirs, ours| (theirs, ours) == (&Value::Integer(SHARED), &Value::Integer(1)),
    },
    Difference {
        command: "scan",
        reason: "unknown types and cursors that are no unsigned number are errors since Valkey 8.0",
        versions: Version(0, 0, 0)..Version(8, 0, 0),
        applies: |_, _, ours| is_error(ours, "ERR unknown type name") || is_error(ours, "ERR invalid cursor"),
    },
    Difference { command: "sort", reason: UNSORTED, versions: ALWAYS, applies: unsorted },
    Difference { command: "sort_ro", reason: UNSORTED, versions: ALWAYS, applies: unsorted },
    Difference { command: "sscan", reason: CURSOR, versions: BEFORE_CURSORS, applies: no_cursor },
    Difference {
        command: "xinfo|groups",
        reason: "in later versions of Redis the lag of a group that is before the first entry is the number of entries",
        versions: Version(0, 0, 0)..Version(8, 0, 0),
        applies: |_, theirs, ours| same_but_lag(theirs, ours),
    },
    Difference { command: "xread", reason: UNBALANCED, versions: BEFORE_UNBALANCED, applies: unbalanced },
    Difference {
        command: "xreadgroup",
        reason: UNBALANCED,
        versions: BEFORE_UNBALANCED,
        applies: unbalanced,
    },
    Difference { command: "zrank", reason: WITH_SCORE, versions: BEFORE_WITH_SCORE, applies: fourth_word },
    Difference { command: "zrevrank", reason: WITH_SCORE, versions: BEFORE_WITH_SCORE, applies: fourth_word },
    Difference { command: "zscan", reason: CURSOR, versions: BEFORE_CURSORS, applies: no_cursor },
];

const UNSORTED: &str =
    "what is sorted by a pattern without an asterisk is not sorted: the order is that of the hash";

fn unsorted(request: &[Vec<u8>], theirs: &Value, ours: &Value) -> bool {
    let by = request.windows(2).find(|words| words[0].eq_ignore_ascii_case(b"by"));
    by.is_some_and(|words| !words[1].contains(&b'*')) && sorted(theirs) == sorted(ours)
}

const CURSOR: &str = "cursors that are no unsigned number are errors since Valkey 8.0";
const BEFORE_CURSORS: Range<Version> = Version(0, 0, 0)..Version(8, 0, 0);

fn no_cursor(_: &[Vec<u8>], _: &Value, ours: &Value) -> bool {
    is_error(ours, "ERR invalid cursor")
}

/// Whether two lists of groups are the same but for their lag, the last of the fields of each.
fn same_but_lag(theirs: &Value, ours: &Value) -> bool {
    let (Value::Array(theirs), Value::Array(ours)) = (theirs, ours) else { return false };
    let mut pairs = theirs.iter().zip(ours);
    theirs.len() == ours.len()
        && pairs.all(|groups| match groups {
            (Value::Array(theirs), Value::Array(ours)) => {
                theirs.len() == ours.len() && theirs[..theirs.len() - 1] == ours[..ours.len() - 1]
            }
            (Value::Map(theirs), Value::Map(ours)) => {
                theirs.len() == ours.len() && theirs[..theirs.len() - 1] == ours[..ours.len() - 1]
            }
            _ => false,
        })
}

const UNBALANCED: &str = "before 7.2 the text named XREAD only";
const BEFORE_UNBALANCED: Range<Version> = Version(0, 0, 0)..Version(7, 2, 0);

fn unbalanced(_: &[Vec<u8>], theirs: &Value, ours: &Value) -> bool {
    is_error(theirs, "ERR Unbalanced") && is_error(ours, "ERR Unbalanced")
}

const WITH_SCORE: &str = "the option WITHSCORE came with 7.2";
const BEFORE_WITH_SCORE: Range<Version> = Version(0, 0, 0)..Version(7, 2, 0);

fn fourth_word(request: &[Vec<u8>], theirs: &Value, ours: &Value) -> bool {
    request.len() == 4
        && is_error(theirs, "ERR wrong number of arguments")
        && is_error(ours, "ERR syntax error")
}

const KEY_FIRST: &str = "before 7.2 the key was looked at before the arguments were";

fn key_first(_: &[Vec<u8>], theirs: &Value, ours: &Value) -> bool {
    let key_answers = matches!(theirs, Value::Integer(_)) || is_error(theirs, "WRONGTYPE");
    key_answers && matches!(ours, Value::Error(_))
}

/// The reference count of an object that is never freed.
const SHARED: i64 = 2_147_483_647;

fn is_string(value: &Value, texts: &[&str]) -> bool {
    matches!(value, Value::Bulk(bytes) if texts.iter().any(|text| text.as_bytes() == bytes))
}

fn is_error(value: &Value, start: &str) -> bool {
    matches!(value, Value::Error(line) if line.starts_with(start.as_bytes()))
}

/// How two replies compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Equal,
    /// They differ on purpose, for this reason.
    Meant(&'static str),
    Different,
}

/// Compares the replies to a request of a real server of this version and of Larder.
pub(super) fn judge(
    version: Version,
    (full_name, group): (&str, Group),
    request: &[Vec<u8>],
    oracle: &Value,
    ours: &Value,
) -> Verdict {
    let equal = match treatment(full_name, group) {
        Treatment::Unsent | Treatment::Exact => oracle == ours,
        Treatment::AnyOrder => sorted(oracle) == sorted(ours),
        Treatment::Within(tolerance) => is_within(tolerance, oracle, ours),
        Treatment::Loose => match (oracle, ours) {
            (Value::Error(_), _) | (_, Value::Error(_)) => oracle == ours,
            _ => true,
        },
    };
    let is_meant = |difference: &&Difference| {
        difference.command == full_name
            && difference.versions.contains(&version)
            && (difference.applies)(request, oracle, ours)
    };
    match DIFFERENCES.iter().find(is_meant) {
        _ if equal => Verdict::Equal,
        _ if is_same_text(oracle, ours) => Verdict::Meant(TEXT),
        _ if version < Version(7, 2, 0) && group == Group::SortedSet && is_same_number(oracle, ours) => {
            Verdict::Meant(DIGITS)
        }
        Some(difference) => Verdict::Meant(difference.reason),
        None => Verdict::Different,
    }
}

/// Whether two replies are the same, but for integers that differ by this at most. Negative ones are no times.
fn is_within(tolerance: u64, oracle: &Value, ours: &Value) -> bool {
    match (oracle, ours) {
        (Value::Integer(oracle @ 0..), Value::Integer(ours @ 0..)) => oracle.abs_diff(*ours) <= tolerance,
        (Value::Array(oracle), Value::Array(ours)) => {
            let mut pairs = oracle.iter().zip(ours);
            oracle.len() == ours.len() && pairs.all(|(oracle, ours)| is_within(tolerance, oracle, ours))
        }
        _ => oracle == ours,
    }
}

const TEXT: &str =
    "an error line is text: binary arguments that it repeats are shown otherwise, and not up to a zero byte";

const DIGITS: &str = "before 7.2 scores were written with 17 digits";

/// Whether two replies are the same but for the digits of numbers.
fn is_same_number(oracle: &Value, ours: &Value) -> bool {
    let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match (oracle, ours) {
        (Value::Bulk(one), Value::Bulk(other)) | (Value::Double(one), Value::Double(other)) => {
            one == other || number(one).is_some() && number(one) == number(other)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same_number(one, other))
        }
        _ => oracle == ours,
    }
}

/// Whether Larder's error line has a byte that is not printable, and the two are equal up to it.
fn is_same_text(oracle: &Value, ours: &Value) -> bool {
    let printable = |line: &[u8]| line.iter().position(|byte| !(b' '..=b'~').contains(byte));
    match (oracle, ours) {
        (Value::Error(oracle), Value::Error(ours)) => {
            printable(ours).is_some_and(|end| oracle.len() > end && oracle[..end] == ours[..end])
        }
        _ => false,
    }
}

pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(in_order(values)),
        Value::Set(values) => Value::Set(in_order(values)),
        Value::Map(pairs) => {
            let mut pairs = pairs.clone();
            pairs.sort();
            Value::Map(pairs)
        }
        value => value.clone(),
    }
}

fn in_order(values: &[Value]) -> Vec<Value> {
    let mut values = values.to_vec();
    values.sort();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order_and_give_reasons() {
        assert!(TREATMENTS.is_sorted_by_key(|(name, ..)| *name));
        assert!(TREATMENTS.iter().all(|(.., reason)| !reason.is_empty()));
        assert!(DIFFERENCES.iter().all(|difference| !difference.reason.is_empty()));
        assert!(DIFFERENCES.is_sorted_by_key(|difference| difference.command));
    }

    #[test]
    fn tables_name_commands_that_exist() {
        let table = larder_commands::command_table();
        let treated = TREATMENTS.iter().map(|(name, ..)| *name);
        let named = treated.chain(DIFFERENCES.iter().map(|difference| difference.command));
        for name in named.chain(UNSENT.iter().map(|(name, ..)| *name)) {
            assert!(table.find_full(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn times_may_differ_a_little_but_not_in_kind() {
        let agree = |a, b| {
            let verdict =
                judge(Version(7, 0, 0), ("ttl", Group::Generic), &[], &Value::Integer(a), &Value::Integer(b));
            verdict == Verdict::Equal
        };
        assert!(agree(100, 101));
        assert!(!agree(100, 103));
        assert!(!agree(-1, 0));
        assert!(!agree(-1, -2));
    }
}
