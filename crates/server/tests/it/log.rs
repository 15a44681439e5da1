//! The log: its lines, how much of it there is, and where it goes.

use std::fs;

use regex::Regex;

use crate::server::{Server, eventually};

/// Whether every line of a text is of this form.
fn all_lines(text: &str, form: &str) -> bool {
    let form = Regex::new(form).unwrap();
    !text.is_empty() && text.lines().all(|line| form.is_match(line))
}

#[test]
fn lines_are_those_of_redis_and_of_valkey() {
    let server = Server::start(&[]);
    let pid = server.pid();
    let month = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
    let legacy = format!(r"^{pid}:M \d\d {month} \d{{4}} \d\d:\d\d:\d\d\.\d{{3}} [.*#-] \S");
    assert!(all_lines(&server.log(), &legacy), "{}", server.log());
    let lines = server.log().lines().count();
    let mut client = server.client();
    let set = ["CONFIG", "SET", "log-format", "logfmt", "log-timestamp-format", "iso8601"];
    assert_eq!(client.call(&set).text(), "OK");
    server.end_with(|log| {
        let new: String = log.lines().skip(lines).map(|line| format!("{line}\n")).collect();
        let time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d";
        let logfmt = format!(
            "^pid={pid} role=primary timestamp=\"{time}\" level=(notice|warning) message=\"[^\"]+\"$"
        );
        assert!(all_lines(&new, &logfmt), "{new}");
        assert!(new.contains("bye bye"), "{new}");
    });
}

#[test]
fn json_is_one_object_a_line() {
    let server = Server::start(&["--log-format", "json", "--log-timestamp-format", "milliseconds"]);
    let pid = server.pid();
    server.end_with(|log| {
        for line in log.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["pid"], &line["role"]), (&pid.into(), &"primary".into()));
            assert!(line["timestamp"].as_str().unwrap().parse::<u64>().is_ok());
            assert!(line["level"].is_string() && line["message"].is_string());
        }
    });
}

#[test]
fn a_log_file_is_appended_to_and_may_be_moved_away() {
    let server = Server::start(&["--logfile", "larder.log", "--enable-debug-command", "yes"]);
    let [file, moved] = ["larder.log", "larder.log.1"].map(|name| server.directory.file(name));
    let mut client = server.client();
    assert_eq!(client.call(&["DEBUG", "LOG", "first"]).text(), "OK");
    fs::rename(&file, &moved).unwrap();
    fs::write(&file, "somebody else\n").unwrap();
    assert_eq!(client.call(&["DEBUG", "LOG", "second"]).text(), "OK");
    let (old, new) = (fs::read_to_string(&moved).unwrap(), fs::read_to_string(&file).unwrap());
    assert!(old.contains("Server initialized") && old.contains("first"), "{old}");
    assert!(new.starts_with("somebody else\n") && new.contains("second") && !new.contains("first"), "{new}");
    assert_eq!(fs::read_to_string(server.directory.file("stdout")).unwrap(), "");
    server.end();
}

#[test]
fn levels_may_change() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.client();
    for (level, word, shown) in
        [("warning", "one", true), ("nothing", "two", false), ("debug", "three", true)]
    {
        assert_eq!(client.call(&["CONFIG", "SET", "loglevel", level]).text(), "OK");
        assert_eq!(client.call(&["DEBUG", "LOG", word]).text(), "OK");
        assert_eq!(server.log().contains(&format!("DEBUG LOG: {word}")), shown, "{level}: {}", server.log());
    }
    server.end();
}

#[test]
fn the_logo_names_port_and_process() {
    let server = Server::start(&["--always-show-logo", "yes"]);
    let logo = Regex::new(&format!("Port: {}\n.* PID: {}\n", server.port, server.pid())).unwrap();
    assert!(logo.is_match(&server.log()), "{}", server.log());
    // Valkey's test suite looks for these two, in this order.
    let initialized = Regex::new(&format!("(?s) PID: {}.*Server initialized", server.pid())).unwrap();
    assert!(initialized.is_match(&server.log()), "{}", server.log());
    server.end();
}

#[test]
fn a_machine_without_a_system_log_does_without() {
    let server = Server::start(&["--syslog-enabled", "yes", "--syslog-facility", "local3"]);
    eventually("the log", || server.log().contains("Ready to accept connections"));
    server.end();
}
