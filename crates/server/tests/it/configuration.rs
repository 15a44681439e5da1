//! Configuration files: those in use elsewhere start as they are, and CONFIG REWRITE brings them up to date.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, Reply};
use crate::server::{Directory, Server, command, driver, eventually, free_port, said, wait};

/// Directories that files name and that a test moves into its own.
const ELSEWHERE: &[&str] = &[
    "/opt/bitnami/redis/tmp",
    "/bitnami/redis/data",
    "/var/opt/app/redis",
    "/var/run/redis",
    "/var/run",
    "/run/redis",
    "/run/valkey",
    "/var/log/redis",
    "/var/log/valkey",
    "/var/lib/redis",
    "/var/lib/valkey",
    "/etc/redis",
    "/data",
];

/// A process started with words of its own, under a name of its own.
struct Started {
    child: Child,
    directory: Directory,
    socket: String,
}

impl Started {
    /// Starts the binary with these words and a socket file, and waits until it serves.
    fn new(directory: Directory, words: &[&str]) -> Started {
        let (port, socket) = (free_port().to_string(), directory.file("it.socket"));
        let own = [
            "--port",
            &port,
            "--memcached-port",
            "0",
            "--unixsocket",
            &socket,
            "--daemonize",
            "no",
            "--logfile",
            "",
        ];
        let words = [words, &own, &driver()].concat();
        let mut child = command(&directory, &words).spawn().unwrap();
        eventually("the server serves", || {
            assert!(child.try_wait().unwrap().is_none(), "{words:?}: {}", said(&directory));
            said(&directory).contains("Ready to accept connections")
        });
        Started { child, directory, socket }
    }

    fn client(&self) -> Client {
        Client::unix(&self.socket)
    }

    fn end(mut self) -> Directory {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(wait(&mut self.child).code(), Some(0), "{}", said(&self.directory));
        self.directory
    }
}

fn setting(client: &mut Client, name: &str) -> String {
    match client.call(&["CONFIG", "GET", name]) {
        Reply::Array(pair) => pair[1].text().to_owned(),
        other => panic!("{name}: {other:?}"),
    }
}

/// A file's text with its directories moved into this one.
fn moved(text: &str, directory: &Directory) -> String {
    let own = directory.path().display().to_string();
    ELSEWHERE.iter().fold(text.to_owned(), |text, elsewhere| text.replace(elsewhere, &own))
}

/// Starts a server with the file, its directories moved, and asks it for a key. What it says can be rewritten and read again.
fn starts(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let behind = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let config = behind("rename-command CONFIG ").unwrap_or("CONFIG");
    let password = behind("requirepass ");
    let client_of = |server: &Started| {
        let mut client = server.client();
        if let Some(password) = password {
            assert_eq!(client.call(&["AUTH", password.trim_matches('"')]).text(), "OK");
        }
        client
    };

    let directory = Directory::new();
    let file = directory.file("its.conf");
    fs::write(&file, moved(&text, &directory)).unwrap();
    let server = Started::new(directory, &[&file]);
    let mut client = client_of(&server);
    assert_eq!(client.call(&["SET", "key", "value"]).text(), "OK", "{}", path.display());
    assert_eq!(client.call(&["GET", "key"]).text(), "value");
    assert_eq!(client.call(&[config, "REWRITE"]).text(), "OK", "{}", path.display());
    let before = client.call(&[config, "GET", "[^pu]*"]);
    let server = Started::new(server.end(), &[&file]);
    assert_eq!(client_of(&server).call(&[config, "GET", "[^pu]*"]), before, "{}", path.display());
    server.end();
}

#[test]
fn files_in_the_manner_of_images_and_charts_start() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/configurations");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10);
    files.iter().for_each(|file| starts(file));
}

/// Those that distributions ship, where they are installed and may be read, and those that `CONFIGURATIONS` names, parted by colons.
#[test]
fn files_as_they_are_shipped_start() {
    let named = std::env::var("CONFIGURATIONS").unwrap_or_default();
    let shipped = ["/etc/redis/redis.conf", "/etc/valkey/valkey.conf"];
    for path in shipped.into_iter().chain(named.split(':')).map(Path::new) {
        if fs::File::open(path).is_ok() {
            starts(path);
        }
    }
}

#[test]
fn command_lines_in_the_manner_of_compose_files_start() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--appendonly", "yes", "--requirepass", "x"], "appendonly", "yes"),
        (&["--save", "60", "1", "--loglevel", "warning"], "save", "60 1"),
        (&["--save", "", "--appendonly", "no"], "save", ""),
        (&["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"], "maxmemory", "268435456"),
        (&["--bind", "0.0.0.0", "--protected-mode", "no"], "protected-mode", "no"),
        (&["--notify-keyspace-events KEA", "--databases", "32"], "notify-keyspace-events", "AKE"),
        (
            &["--rename-command", "FLUSHALL", "", "--io-threads", "4", "--io-threads-do-reads", "yes"],
            "io-threads",
            "4",
        ),
        (&["--client-output-buffer-limit", "normal 0 0 0", "--tcp-keepalive", "60"], "tcp-keepalive", "60"),
    ];
    for (words, name, value) in cases {
        // Without its word Redis's level would hide that the server serves.
        let loud = [&words[..], &["--loglevel", "notice"]].concat();
        let server = Started::new(Directory::new(), &loud);
        let mut client = server.client();
        if words.contains(&"--requirepass") {
            assert_eq!(client.call(&["AUTH", "x"]).text(), "OK");
        }
        assert_eq!(setting(&mut client, name), *value, "{words:?}");
        server.end();
    }
}

/// As the chart's start script calls it.
#[test]
fn files_included_on_the_command_line_are_read_in_their_places() {
    let directory = Directory::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/configurations");
    for name in ["helm-common.conf", "helm-master.conf"] {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        fs::write(directory.file(name), moved(&text, &directory)).unwrap();
    }
    let words = [
        "--requirepass",
        "x",
        "--masterauth",
        "x",
        "--include",
        "helm-common.conf",
        "--include",
        "helm-master.conf",
    ];
    let server = Started::new(directory, &words);
    let mut client = server.client();
    client.call(&["AUTH", "x"]);
    assert_eq!(
        (setting(&mut client, "appendonly").as_str(), setting(&mut client, "save").as_str()),
        ("yes", "")
    );
    assert!(client.call(&["FLUSHALL"]).text().starts_with("ERR unknown command 'FLUSHALL'"));
    assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "ERR The server is running without a config file");
    server.end();
}

#[test]
fn rewriting_keeps_the_file_and_changes_its_settings() {
    let directory = Directory::new();
    let file = directory.file("larder.conf");
    fs::write(&file, "# mine\ntimeout 5\n\nrename-command KEYS ALLKEYS\ntimeout 6\ninclude more.d/*.conf\n")
        .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(directory.file("more.d")).unwrap();
    fs::write(directory.file("more.d/b.conf"), "hz 12").unwrap();
    fs::write(directory.file("more.d/a.conf"), "hz 11\nslowlog-max-len 3").unwrap();
    let server = Started::new(directory, &["larder.conf"]);
    let mut client = server.client();
    assert_eq!(
        (setting(&mut client, "hz").as_str(), setting(&mut client, "slowlog-max-len").as_str()),
        ("12", "3")
    );
    assert!(client.call(&["KEYS", "*"]).text().starts_with("ERR unknown command"));
    assert_eq!(client.call(&["ALLKEYS", "*"]), Reply::Array(Vec::new()));
    client.call(&["CONFIG", "SET", "timeout", "7", "maxmemory", "3gb"]);
    assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# mine\ntimeout 7\n\nrename-command KEYS ALLKEYS\ninclude more.d/*.conf\n"),
        "{text}"
    );
    assert!(text.contains("\n# Added by CONFIG REWRITE\n") && text.contains("\nmaxmemory 3gb\n"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing is left beside it.
    let left = fs::read_dir(server.directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".larder"));
    assert_eq!(left.count(), 0);
    server.end();
}

/// As Redis writes it, the file has the password twice: as it is, and as a rule of its only user.
#[test]
fn a_new_password_outlives_the_start_with_a_rewritten_file() {
    let directory = Directory::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/configurations");
    let text = moved(&fs::read_to_string(folder.join("rewritten.conf")).unwrap(), &directory);
    let file = directory.file("its.conf");
    fs::write(&file, text).unwrap();
    let server = Started::new(directory, &[&file]);
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", "abc"]).text(), "OK");
    assert_eq!(client.call(&["CONFIG", "SET", "requirepass", "new"]).text(), "OK");
    assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
    let server = Started::new(server.end(), &[&file]);
    let mut client = server.client();
    assert!(client.call(&["AUTH", "abc"]).text().starts_with("WRONGPASS"));
    assert_eq!(client.call(&["AUTH", "new"]).text(), "OK");
    server.end();
}

#[test]
fn a_file_with_comments_of_old_is_rewritten() {
    let directory = Directory::new();
    let file = directory.file("larder.conf");
    fs::write(&file, b"# caf\xe9\ntimeout 5\n").unwrap();
    let server = Started::new(directory, &[&file]);
    let mut client = server.client();
    assert_eq!(client.call(&["CONFIG", "SET", "timeout", "7"]).text(), "OK");
    assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
    assert!(fs::read(&file).unwrap().starts_with(b"# caf\xe9\ntimeout 7\n"));
    server.end();
}

#[test]
fn config_set_moves_to_another_port_or_stays() {
    let server = Server::start(&[]);
    let (taken, free) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), free_port());
    let mut client = server.client();
    let refusal = client.call(&[
        "CONFIG",
        "SET",
        "timeout",
        "9",
        "port",
        &taken.local_addr().unwrap().port().to_string(),
    ]);
    let expected = "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.";
    assert_eq!(refusal.text(), expected);
    assert_eq!(
        (setting(&mut client, "timeout").as_str(), server.client().call(&["PING"]).text()),
        ("0", "PONG")
    );
    assert_eq!(client.call(&["CONFIG", "SET", "port", &free.to_string()]).text(), "OK");
    assert_eq!(Client::tcp(([127, 0, 0, 1], free).into()).call(&["PING"]).text(), "PONG");
    assert!(crate::client::connect(server.address()).is_err());
    assert_eq!(client.call(&["PING"]).text(), "PONG");
    let mut memcached = server.memcached();
    memcached.send(b"version\r\n").unwrap();
    assert!(memcached.line().unwrap().starts_with("VERSION"));
    server.end();
}
