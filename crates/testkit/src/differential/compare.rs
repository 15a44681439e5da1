//! When two replies count as equal, and which differences are meant.

use larder_engine::Group;

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
    /// Its replies are equal, or integers that differ by this at most.
    Within(u64),
    /// What it answers is not looked at, unless one side answers an error.
    Loose,
}

/// The treatment of single commands, and why; others are compared exactly.
const TREATMENTS: &[(&str, Treatment, &str)] = &[
    ("dbsize", Treatment::Exact, "a fact about the keyspace"),
    ("debug", Treatment::Unsent, "acts on the process"),
    ("dump", Treatment::Unsent, "its bytes carry the version of the format"),
    ("echo", Treatment::Exact, "a reply by itself"),
    ("expiretime", Treatment::Within(2), "the clocks are read at different moments"),
    ("flushall", Treatment::Exact, "acts on the keyspace"),
    ("flushdb", Treatment::Exact, "acts on the keyspace"),
    ("keys", Treatment::AnyOrder, "the order is that of the hash"),
    ("migrate", Treatment::Unsent, "connects to other servers"),
    ("object|freq", Treatment::Loose, "counted by chance"),
    ("object|help", Treatment::Unsent, "a text for people"),
    ("object|idletime", Treatment::Within(2), "the clocks are read at different moments"),
    ("pexpiretime", Treatment::Within(2000), "the clocks are read at different moments"),
    ("ping", Treatment::Exact, "a reply by itself"),
    ("pttl", Treatment::Within(2000), "the clocks are read at different moments"),
    ("randomkey", Treatment::Loose, "chosen by chance"),
    ("restore", Treatment::Unsent, "needs a payload of the format"),
    ("scan", Treatment::Loose, "cursors are places in the hash"),
    ("select", Treatment::Exact, "decides which keys the others see"),
    ("swapdb", Treatment::Exact, "acts on the keyspace"),
    ("ttl", Treatment::Within(2), "the clocks are read at different moments"),
    ("wait", Treatment::Unsent, "waits"),
    ("waitaof", Treatment::Unsent, "waits"),
];

/// What is done with the command of this full name.
pub(super) fn treatment(full_name: &str, group: Group) -> Treatment {
    match TREATMENTS.iter().find(|(name, ..)| *name == full_name) {
        Some((_, treatment, _)) => *treatment,
        // They tell of the process and the connection, which no two servers have in common.
        None if matches!(group, Group::Connection | Group::Server) => Treatment::Unsent,
        None => Treatment::Exact,
    }
}

/// A difference that is meant.
pub(super) struct Difference {
    /// The command's full name.
    pub(super) command: &'static str,
    /// Why Larder answers otherwise than the redis-server at hand.
    pub(super) reason: &'static str,
    /// Whether a pair of replies (redis-server's, Larder's) to this request differs in that way.
    pub(super) applies: fn(&[Vec<u8>], &Value, &Value) -> bool,
}

/// All of them.
pub(super) const DIFFERENCES: &[Difference] = &[];

/// How two replies compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Equal,
    /// They differ on purpose, for this reason.
    Meant(&'static str),
    Different,
}

/// Compares redis-server's and Larder's reply to a request.
pub(super) fn judge(
    full_name: &str,
    group: Group,
    request: &[Vec<u8>],
    oracle: &Value,
    ours: &Value,
) -> Verdict {
    let equal = match treatment(full_name, group) {
        Treatment::Unsent | Treatment::Exact => oracle == ours,
        Treatment::AnyOrder => sorted(oracle) == sorted(ours),
        Treatment::Within(tolerance) => match (oracle, ours) {
            // Negative ones are no times.
            (Value::Integer(oracle @ 0..), Value::Integer(ours @ 0..)) => oracle.abs_diff(*ours) <= tolerance,
            _ => oracle == ours,
        },
        Treatment::Loose => match (oracle, ours) {
            (Value::Error(_), _) | (_, Value::Error(_)) => oracle == ours,
            _ => true,
        },
    };
    let is_meant = |difference: &&Difference| {
        difference.command == full_name && (difference.applies)(request, oracle, ours)
    };
    match DIFFERENCES.iter().find(is_meant) {
        _ if equal => Verdict::Equal,
        Some(difference) => Verdict::Meant(difference.reason),
        None => Verdict::Different,
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(in_order(values)),
        Value::Set(values) => Value::Set(in_order(values)),
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
    }

    #[test]
    fn times_may_differ_a_little_but_not_in_kind() {
        let agree = |a, b| {
            let verdict = judge("ttl", Group::Generic, &[], &Value::Integer(a), &Value::Integer(b));
            verdict == Verdict::Equal
        };
        assert!(agree(100, 101));
        assert!(!agree(100, 103));
        assert!(!agree(-1, 0));
        assert!(!agree(-1, -2));
    }
}
