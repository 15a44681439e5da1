//! What memcached's options become.

use super::options::{OPTIONS, meaning};
use super::*;

fn read(line: &str) -> Result<Memcached, String> {
    memcached_arguments(&line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

fn served(line: &str) -> (Settings, Option<String>, Vec<String>) {
    match read(line) {
        Ok(Memcached::Serve { settings, user, notes }) => (*settings, user, notes),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn options_name_directives_and_tell_all_they_do() {
    for (index, option) in OPTIONS.iter().enumerate() {
        if let Set(name) | SetTo(name, _) = option.does {
            assert!(directive(name).is_some(), "{name}");
        }
        if let Act(_) = option.does {
            assert!(!meaning(option.letter).is_empty(), "{}", option.letter);
        }
        assert!(OPTIONS[..index].iter().all(|earlier| earlier.letter != option.letter));
    }
}

#[test]
fn without_options_it_is_memcached_with_its_defaults() {
    let (settings, user, notes) = served("");
    assert_eq!((settings.port, settings.memcached_port, settings.maxclients), (0, 11211, 1024));
    assert_eq!((settings.maxmemory, settings.maxmemory_policy.name()), (64 << 20, "allkeys-lru"));
    assert!(!settings.protected_mode && user.is_none() && notes.is_empty(), "{notes:?}");
}

#[test]
fn short_long_and_joined_options_mean_the_same() {
    for line in [
        "-d -p 7000 -c 5 -t 2 -b 9 -vv -I 2m -P /run/m.pid -u nobody -M",
        "-dMvvp7000 -c5 -t2 -b9 -I2m -P/run/m.pid -unobody",
        "--daemon --port=7000 --conn-limit 5 --threads=2 --listen-backlog 9 -v --verb --max-item-size=2048k --pidfile \
         /run/m.pid --user=nobody --disable-ev",
    ] {
        let (settings, user, _) = served(line);
        assert_eq!(
            (settings.memcached_port, settings.maxclients, settings.worker_threads),
            (7000, 5, 2),
            "{line}"
        );
        assert_eq!((settings.tcp_backlog, settings.loglevel), (9, LogLevel::Debug), "{line}");
        assert_eq!((settings.memcached_item_size_max, settings.pidfile.as_str()), (2 << 20, "/run/m.pid"));
        assert_eq!((settings.daemonize, user.as_deref()), (true, Some("nobody")));
        assert_eq!(settings.maxmemory_policy, MaxmemoryPolicy::Noeviction);
    }
}

#[test]
fn addresses_may_have_the_port() {
    assert_eq!(served("-l 127.0.0.1,::1").0.bind, ["127.0.0.1", "::1"]);
    let blanks = memcached_arguments(&["-l".to_owned(), "\t10.0.0.1 \t10.0.0.2;10.0.0.3".to_owned()]);
    assert!(matches!(blanks, Ok(Memcached::Serve { settings, .. }) if settings.bind.len() == 3));
    let (settings, ..) = served("-l 0.0.0.0:7001 -l [::1]:7001");
    assert_eq!((settings.bind, settings.memcached_port), (vec!["*".to_owned(), "::1".to_owned()], 7001));
    let (settings, _, notes) = served("-p 7001 -l notls:127.0.0.1:7002");
    assert_eq!((settings.bind, settings.memcached_port), (vec!["127.0.0.1".to_owned()], 7002));
    assert_eq!(notes, ["-l notls:127.0.0.1:7002: there is one port for all addresses, now 7002"]);
}

#[test]
fn a_unix_socket_stands_alone_unless_a_port_is_asked_for() {
    let (settings, ..) = served("-s /tmp/m.sock -a 0750");
    assert_eq!(
        (settings.memcached_unixsocket.as_str(), settings.memcached_unixsocketperm),
        ("/tmp/m.sock", 0o750)
    );
    assert_eq!(settings.memcached_port, 0);
    assert_eq!(served("-p 7000 -s /tmp/m.sock").0.memcached_port, 7000);
}

#[test]
fn what_means_nothing_here_is_said() {
    let (.., notes) = served("-U 0 -C -f 1.5 -o slab_reassign,idle_timeout=9,hashpower=20 -U 11211 -k");
    assert_eq!(
        notes,
        [
            "-C changes nothing: only items that are asked for it have a CAS value",
            "-f changes nothing: size classes are fixed",
            "-o slab_reassign changes nothing: there is no such part here",
            "-o hashpower changes nothing: there is no such part here",
            "-U changes nothing: UDP is not spoken",
            "-k changes nothing: memory may be swapped out",
        ]
    );
    assert_eq!(served("-o idle_timeout=9").0.timeout, 9);
    assert!(!served("-F").0.memcached_flush_all);
}

#[test]
fn what_clients_may_see_is_switched_off() {
    let seen = |line: &str| {
        let (settings, _, notes) = served(line);
        assert!(notes.is_empty(), "{notes:?}");
        (settings.memcached_dump, settings.memcached_watch, settings.memcached_detail)
    };
    assert_eq!(seen(""), (true, true, false));
    assert_eq!(seen("-X"), (false, true, false));
    assert_eq!(seen("--disable-watch"), (true, false, false));
    assert_eq!(seen("-WXD:"), (false, false, true));
    assert_eq!(seen("-D :."), (true, true, true));
}

#[test]
fn texts_are_printed_and_end_it() {
    assert!(matches!(read("-V --nonsense"), Ok(Memcached::Version)));
    let Ok(Memcached::Help(text)) = read("-h") else { panic!("no help") };
    assert!(OPTIONS.iter().all(|option| text.contains(&format!("-{}", option.letter))));
    assert!(matches!(read("--lic"), Ok(Memcached::Help(_))));
    assert!(matches!(read("-- -V"), Ok(Memcached::Serve { .. })));
}

#[test]
fn mistakes_are_named() {
    for (line, complaint) in [
        ("-q", "memcached: invalid option -- 'q'"),
        ("-p", "memcached: option requires an argument -- 'p'"),
        ("--nosuch", "memcached: unrecognized option '--nosuch'"),
        ("--max", "memcached: option '--max' is ambiguous"),
        ("--port", "memcached: option '--port' requires an argument"),
        ("--daemon=1", "memcached: option '--daemon' doesn't allow an argument"),
        ("-c 0", "Maximum connections must be greater than 0"),
        ("-t 0", "Number of threads must be greater than 0"),
        ("-I 1023", "Item max size cannot be less than 1024 bytes."),
        ("-I 33m", "Cannot set item size limit higher than 1/2 of memory max."),
        ("-m 1", "Cannot set item size limit higher than 1/2 of memory max."),
        ("-I 1025m", "Cannot set item size limit higher than a gigabyte."),
        ("-B x", "Invalid value for binding protocol: x\n -- should be one of auto, binary, or ascii"),
        ("-a 999", "-a 999: argument couldn't be parsed as an octal number"),
        ("-D.", "-D .: keys are counted by what is before a colon only"),
        ("-Z", "-Z: there is no TLS yet"),
        ("-o ssl_key=x", "-o ssl_key: there is no TLS yet"),
        ("-e x", "-e: items are not kept in a file"),
    ] {
        assert_eq!(read(line).unwrap_err(), complaint, "{line}");
    }
}
