//! What the peer says to the same lines; the texts were taken from redis-server.

mod lines;
mod peers;
mod properties;

use crate::table::FIELDS;
use crate::*;

#[test]
fn fields_and_directives_have_the_same_names() {
    for (field, name) in FIELDS {
        assert_eq!(*field, name.replace('-', "_"));
    }
}

#[test]
fn names_are_unique_lower_case_and_found_in_any_case() {
    let mut seen = std::collections::HashSet::new();
    for (name, row) in names() {
        assert!(seen.insert(name), "{name} twice");
        assert_eq!(name, name.to_lowercase());
        assert_eq!(directive(&name.to_uppercase()).unwrap().name, row.name);
        assert!(!row.summary().is_empty());
    }
    assert!(directive("no-such-directive").is_none());
}

#[test]
fn defaults_print_as_the_table_says() {
    let settings = Settings::default();
    for row in DIRECTIVES {
        assert_eq!(settings.value(row), row.default, "{}", row.name);
    }
}

/// A field too narrow for its kind would panic here rather than on a user's value.
#[test]
fn bounds_are_accepted_and_what_lies_beyond_is_refused() {
    for row in DIRECTIVES {
        let (min, max) = match row.kind {
            Kind::Integer { min, max, .. } => (i128::from(min), i128::from(max)),
            Kind::Memory { min, max } => (i128::from(min), i128::from(max)),
            _ => continue,
        };
        for accepted in [min, max] {
            let taken = Settings::default().apply(row, &[&accepted.to_string()]);
            // The directive's own check may refuse it.
            assert!(matches!(taken, Ok(()) | Err(SettingError::Refused(_))), "{}: {taken:?}", row.name);
        }
        for refused in [min - 1, max + 1] {
            if i64::try_from(refused).is_ok() {
                let refusal = Settings::default().apply(row, &[&refused.to_string()]);
                assert!(refusal.is_err(), "{} took {refused}", row.name);
            }
        }
    }
}

#[test]
fn values_read_and_print_as_in_redis() {
    for (name, given, printed) in [
        ("timeout", "0", "0"),
        ("timeout", "2147483647", "2147483647"),
        ("hz", "0", "1"),
        ("hz", "501", "500"),
        ("maxmemory", "1k", "1000"),
        ("maxmemory", "1KB", "1024"),
        ("maxmemory", "1m", "1000000"),
        ("maxmemory", "1mb", "1048576"),
        ("maxmemory", "1G", "1000000000"),
        ("maxmemory", "1gb", "1073741824"),
        ("maxmemory", "007", "7"),
        ("maxmemory", "", "0"),
        ("maxmemory", "18446744073709551616", "18446744073709551615"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "5kb", "5120"),
        ("maxmemory-policy", "ALLKEYS-lru", "allkeys-lru"),
        ("dynamic-hz", "YES", "yes"),
        ("save", "3600 1 300 100", "3600 1 300 100"),
        ("save", "10 0", "10 0"),
        ("save", "", ""),
        (
            "client-output-buffer-limit",
            "replica 1mb 2k 60 normal 1 2 3",
            "normal 1 2 3 slave 1048576 2000 60 pubsub 33554432 8388608 60",
        ),
        (
            "latency-tracking-info-percentiles",
            "50 0.0 99.99 100 50.123456 1e1",
            "50 0 99.99 100 50.123456 10",
        ),
        ("latency-tracking-info-percentiles", "99.9999999 33.3333333333333", "100 33.333333"),
        ("latency-tracking-info-percentiles", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "AKEm", "AKEm"),
        ("notify-keyspace-events", "Kn", "nK"),
        ("notify-keyspace-events", "$g", "g$"),
        ("notify-keyspace-events", "KEg$lshztxe", "g$lshzxetKE"),
        ("notify-keyspace-events", "KEg$lshztxed", "AKE"),
        ("hash-max-ziplist-value", "1", "1"),
        ("oom-score-adj", "Relative", "yes"),
        ("repl-backlog-size", "1", "16384"),
        ("oom-score-adj-values", "-5 0 7", "-5 0 7"),
        ("shutdown-on-sigterm", "FORCE save default", "save force"),
        ("shutdown-on-sigterm", "default", "default"),
        ("slowlog-log-slower-than", "-1", "-1"),
    ] {
        let settings = Settings::default().set_many(&[(name, given)]).unwrap();
        assert_eq!(settings.value(directive(name).unwrap()), printed, "{name} {given:?}");
    }
}

#[test]
fn bad_values_are_refused_in_the_peers_words() {
    const POLICIES: &str = "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-lrm, \
                            volatile-s3fifo, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-lrm, \
                            allkeys-s3fifo, allkeys-random, noeviction";
    const INTEGER: &str = "argument couldn't be parsed into an integer";
    const MEMORY: &str = "argument must be a memory value";
    const PERCENT: &str = "argument must be a memory or percent value";
    const SAVE: &str = "Invalid save parameters";
    const BUFFER: &str = "Wrong number of arguments in buffer limit configuration.";
    const LIMIT: &str = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    refused(&[
        ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
        ("timeout", "", INTEGER),
        ("timeout", " 1", INTEGER),
        ("timeout", "+1", INTEGER),
        ("timeout", "01", INTEGER),
        ("timeout", "-0", INTEGER),
        ("timeout", "1.0", INTEGER),
        ("timeout", "99999999999999999999999", INTEGER),
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("slowlog-log-slower-than", "-2", "argument must be between -1 and 9223372036854775807 inclusive"),
        (
            "list-max-ziplist-size",
            "2147483648",
            "argument must be between -2147483648 and 2147483647 inclusive",
        ),
        ("maxmemory", "-1", MEMORY),
        ("maxmemory", "1.5gb", MEMORY),
        ("maxmemory", "1t", MEMORY),
        ("maxmemory", "1 mb", MEMORY),
        ("maxmemory", "10%", MEMORY),
        ("maxmemory-clients", "5%%", PERCENT),
        ("maxmemory-clients", "%", PERCENT),
        ("maxmemory-clients", "-5%", PERCENT),
        ("maxmemory-clients", "x", PERCENT),
        ("maxmemory-clients", "9223372036854775808", "percentage argument must be less or equal to 100"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        ("dynamic-hz", "1", "argument must be 'yes' or 'no'"),
        ("maxmemory-policy", " allkeys-lru", POLICIES),
        ("save", "3600", SAVE),
        ("save", "0 1", SAVE),
        ("save", "1 -1", SAVE),
        ("save", " 10  2 ", SAVE),
        ("client-output-buffer-limit", "slave 1 2", BUFFER),
        (
            "client-output-buffer-limit",
            "master 1 2 3",
            "Invalid client class specified in buffer limit configuration.",
        ),
        ("client-output-buffer-limit", "normal -1 2 3", LIMIT),
        ("client-output-buffer-limit", "normal 1 2 -3", LIMIT),
        (
            "latency-tracking-info-percentiles",
            "50  60",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles",
            "100.1",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        ("notify-keyspace-events", "KQ", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
    ]);
}

#[test]
fn what_single_directives_refuse_is_said_in_the_peers_words() {
    const FLAGS: &str = "argument(s) must be one of the following: default, save, nosave, now, force";
    const SCORES: &str = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    refused(&[
        ("tls-port", "6380", "there is no TLS yet: only 0 is accepted"),
        (
            "repl-diskless-load",
            "x",
            "argument(s) must be one of the following: disabled, on-empty-db, swapdb, flush-before-load",
        ),
        ("shutdown-on-sigint", "", FLAGS),
        ("shutdown-on-sigint", "bogus now", FLAGS),
        (
            "shutdown-on-sigint",
            "nosave save",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        ("oom-score-adj-values", "1 2 x", SCORES),
        ("oom-score-adj-values", "1 2 2001", SCORES),
        (
            "cluster-announce-hostname",
            "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
    ]);
}

fn refused(cases: &[(&str, &str, &str)]) {
    for (name, given, reason) in cases {
        let error = Settings::default().set_many(&[(name, given)]).unwrap_err();
        let expected = format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(error.to_string(), expected, "{given:?}");
    }
}

#[test]
fn config_set_judges_names_before_values_and_sets_all_or_nothing() {
    let settings = Settings::default();
    for (pairs, text) in [
        (&[("bogus", "1")][..], "Unknown option or number of arguments for CONFIG SET - 'bogus'"),
        (
            &[("timeout", "x"), ("bogus", "2")],
            "Unknown option or number of arguments for CONFIG SET - 'bogus'",
        ),
        (
            &[("timeout", "1"), ("TIMEOUT", "2")],
            "CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter",
        ),
        (
            &[("tcp-backlog", "3"), ("bogus", "1")],
            "CONFIG SET failed (possibly related to argument 'tcp-backlog') - can't set immutable config",
        ),
        (
            &[("timeout", "1"), ("dir", "/tmp")],
            "CONFIG SET failed (possibly related to argument 'dir') - can't set protected config",
        ),
        (
            &[("timeout", "1"), ("Tcp-Keepalive", "y")],
            "CONFIG SET failed (possibly related to argument 'tcp-keepalive') - argument couldn't be parsed into \
             an integer",
        ),
    ] {
        assert_eq!(settings.set_many(pairs).unwrap_err().to_string(), text);
    }
    let next =
        settings.set_many(&[("timeout", "7"), ("TCP-keepalive", "8"), ("requirepass", "a b")]).unwrap();
    assert_eq!((next.timeout, next.tcp_keepalive, next.requirepass.as_str()), (7, 8, "a b"));
    assert_eq!(settings, Settings::default());

    let aliased =
        settings.set_many(&[("hash-max-ziplist-value", "1"), ("hash-max-listpack-value", "2")]).unwrap();
    assert_eq!(aliased.hash_max_listpack_value, 2);
}

#[test]
fn protected_directives_are_set_by_those_admitted() {
    let pairs = [("dir", "/tmp")];
    for (enable, remote, local) in
        [(EnableFor::No, false, false), (EnableFor::Local, false, true), (EnableFor::Yes, true, true)]
    {
        let settings = Settings { enable_protected_configs: enable, ..Settings::default() };
        assert_eq!(settings.set_many(&pairs).is_ok(), remote, "{enable:?}");
        assert_eq!(settings.set_many_for(Client::Local, &pairs).is_ok(), local, "{enable:?}");
    }
}

/// Lines of a file add up; CONFIG SET says all there is.
#[test]
fn config_set_replaces_save_points() {
    let once = Settings::default().set_many(&[("save", "60 5")]).unwrap();
    let twice = once.set_many(&[("save", "10 1")]).unwrap();
    assert_eq!(twice.save.points(), [SavePoint { seconds: 10, changes: 1 }]);
}

#[test]
fn percentages_are_of_maxmemory() {
    assert_eq!(MemoryOrPercent::Percent(5).bytes(1_010), 50);
    assert_eq!(MemoryOrPercent::Percent(100).bytes(u64::MAX), u64::MAX);
    assert_eq!(MemoryOrPercent::Bytes(7).bytes(1), 7);
}

#[test]
fn event_classes_contain_and_intersect() {
    let settings = Settings::default().set_many(&[("notify-keyspace-events", "KA")]).unwrap();
    let events = settings.notify_keyspace_events;
    assert!(events.contains(Events::KEYSPACE | Events::ALL | Events::EXPIRED));
    assert!(!events.contains(Events::KEYSPACE | Events::KEYEVENT));
    assert!(events.intersects(Events::KEYSPACE | Events::KEYEVENT));
    assert!(!events.intersects(Events::KEY_MISS | Events::NEW));
}
