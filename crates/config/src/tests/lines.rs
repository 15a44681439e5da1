//! Configuration files and the command line.

use crate::*;

fn load(text: &str) -> Result<Settings, ConfigError> {
    Settings::load(text, "test.conf", &mut no_file)
}

fn no_file(name: &str) -> Result<Vec<(String, String)>, String> {
    Err(format!("can't open {name}"))
}

fn arguments(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn started(words: &[&str]) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    settings.load_arguments(&arguments(words), &mut no_file).map(|()| settings)
}

fn value(settings: &Settings, name: &str) -> String {
    settings.value(directive(name).unwrap())
}

#[test]
fn comments_blanks_quotes_and_later_lines() {
    let settings = load(
        "# a comment\n\n  \t timeout   5\t\r\nTIMEOUT 6\nrequirepass \"a \\\"b\\\" \\x41\\n\"\nlogfile 'it\\'s'\nbind 127.0.0.1 -::1\n\
         unixsocketperm 700\nunixsocket pre\"fix\"",
    )
    .unwrap();
    assert_eq!(settings.timeout, 6);
    assert_eq!(settings.requirepass, "a \"b\" A\n");
    assert_eq!(settings.logfile, "it's");
    assert_eq!(settings.bind, ["127.0.0.1", "-::1"]);
    assert_eq!(settings.unixsocketperm, 0o700);
    assert_eq!(value(&settings, "unixsocketperm"), "700");
    assert_eq!(settings.unixsocket, "prefix");
}

#[test]
fn what_redis_passes_over_or_writes_itself_is_no_mistake() {
    let settings = load(
        "lua-replicate-commands yes\nlist-max-ziplist-entries 512\nslaveof NO ONE\nsave '900  1   60 5 '\nrequirepass abc\n\
         user default on sanitize-payload #ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ~* &* +@all",
    )
    .unwrap();
    assert_eq!(
        (value(&settings, "save"), value(&settings, "replicaof")),
        ("900 1 60 5".into(), String::new())
    );
    assert_eq!(settings.requirepass, "abc");
    assert_eq!(load("requirepass abc\nuser default on nopass ~* &* +@all").unwrap().requirepass, "");
    assert_eq!(load("user default >secret on").unwrap().requirepass, "secret");
}

/// What the lines ask of those who have them read.
#[derive(Default)]
struct Notes(Vec<String>);

impl Surroundings for Notes {
    fn include(&mut self, pattern: &str) -> Result<Vec<(String, String)>, String> {
        no_file(pattern)
    }

    fn rename_command(&mut self, from: &str, to: &str) -> Result<(), String> {
        self.0.push(format!("{from} is {to:?}"));
        if from == "nosuch" { Err("No such command in rename-command".to_owned()) } else { Ok(()) }
    }

    fn follow(&mut self, directive: &Directive, settings: &mut Settings) -> Result<(), String> {
        if directive.name == "dir" {
            settings.dir.insert_str(0, "/root/");
        }
        Ok(())
    }
}

#[test]
fn surroundings_rename_commands_and_have_the_last_word() {
    let mut notes = Notes::default();
    let mut settings = Settings::load("rename-command FLUSHALL ''\ndir data", "f", &mut notes).unwrap();
    settings.load_arguments(&arguments(&["--rename-command", "KEYS", "k"]), &mut notes).unwrap();
    assert_eq!(
        (settings.dir.as_str(), notes.0),
        ("/root/data", vec!["FLUSHALL is \"\"".into(), "KEYS is \"k\"".into()])
    );
    let error = Settings::load("\nRename-Command nosuch x", "f", &mut Notes::default()).unwrap_err();
    assert_eq!(error.place, Place::File { file: "f".to_owned(), line: 2 });
    assert_eq!(error.reason, "No such command in rename-command");
}

#[test]
fn comments_may_be_in_any_encoding() {
    assert_eq!(decode(b"# caf\xe9\ntimeout 5\n".to_vec()).unwrap(), "# caf\u{fffd}\ntimeout 5\n");
    assert_eq!(decode("requirepass \u{fffd}é".into()).unwrap(), "requirepass \u{fffd}é");
    assert_eq!(decode(b"# \xe9\nrequirepass caf\xe9".to_vec()).unwrap_err(), "line 2 is not UTF-8 text");
}

#[test]
fn bad_lines_are_reported_as_redis_reports_them() {
    let error = load("# c\n\n  timeout   x  \n").unwrap_err();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        error.to_string(),
        format!(
            "*** FATAL CONFIG FILE ERROR (Larder {version}) ***\n\
             Reading the configuration file, at line 3 of test.conf\n\
             >>> 'timeout   x'\n\
             argument couldn't be parsed into an integer"
        )
    );
    for (line, reason) in [
        ("bogus 1", "Bad directive or wrong number of arguments"),
        ("\"\" 1", "Bad directive or wrong number of arguments"),
        ("include", "Bad directive or wrong number of arguments"),
        ("include a b", "Bad directive or wrong number of arguments"),
        ("include a", "can't open a"),
        ("timeout", "wrong number of arguments"),
        ("timeout 1 2", "wrong number of arguments"),
        ("requirepass a b", "wrong number of arguments"),
        ("requirepass \"abc", "Unbalanced quotes in configuration line"),
        ("requirepass \"abc\"d", "Unbalanced quotes in configuration line"),
        ("requirepass 'abc", "Unbalanced quotes in configuration line"),
        ("requirepass \"\\xff\"", "the value is not UTF-8 text"),
        ("save", "wrong number of arguments"),
        ("save 1", "Invalid save parameters"),
        ("save '900 1 \"'", "Unbalanced quotes in configuration line"),
        ("loadmodule /lib/search.so", "modules cannot be loaded"),
        ("sentinel monitor m 127.0.0.1 6379 2", "sentinel directive while not in sentinel mode"),
        ("rename-command FLUSHALL", "Bad directive or wrong number of arguments"),
        ("lua-replicate-commands", "Bad directive or wrong number of arguments"),
        ("cluster-enabled yes", "there are no clusters yet: only 'no' is accepted"),
        ("tls-port 6380", "there is no TLS yet: only 0 is accepted"),
        ("replicaof 10.0.0.1 6379", "there is no replication yet: only 'no one' is accepted"),
        ("replicaof 10.0.0.1", "wrong number of arguments"),
        ("aclfile users.acl", "there are no users but the default one yet: only an empty name is accepted"),
        ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ("appendfilename ''", "appendfilename can't be empty"),
        ("user bob on", "Error in user declaration 'bob': there is no user but the default one yet"),
        ("user default off", "Error in user declaration 'off': the default user may do everything yet"),
        ("user default on #00", "Error in user declaration '#00': the default user may do everything yet"),
        ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1777", "argument must be between 0 and 777 inclusive"),
        ("unixsocketperm -1", "argument must be between 0 and 777 inclusive"),
        ("databases 0", "argument must be between 1 and 1000000 inclusive"),
        ("enable-debug-command maybe", "argument(s) must be one of the following: no, yes, local"),
        ("bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
    ] {
        let error = load(line).unwrap_err();
        assert_eq!((error.text.as_str(), error.reason.as_str()), (line, reason));
        assert_eq!(error.place, Place::File { file: "test.conf".to_owned(), line: 1 });
    }
}

#[test]
fn save_and_buffer_limits_add_up_over_file_and_command_line() {
    let mut settings = load(
        "save 900 1\nsave 60 5\nclient-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit pubsub 4 5 6\n",
    )
    .unwrap();
    assert_eq!(
        value(&settings, "client-output-buffer-limit"),
        "normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6"
    );
    settings.load_arguments(&arguments(&["--save", "10", "1"]), &mut no_file).unwrap();
    assert_eq!(value(&settings, "save"), "900 1 60 5 10 1");

    assert_eq!(value(&load("save 900 1\nsave \"\"\nsave 5 5").unwrap(), "save"), "5 5");
    assert_eq!(
        value(&load("save 3600 1 300 100 60 10000\nsave 1 1").unwrap(), "save"),
        "3600 1 300 100 60 10000 1 1"
    );
}

#[test]
fn options_of_the_command_line() {
    let settings = started(&["--port", "7000", "--save", "", "--LOGLEVEL", "verbose"]).unwrap();
    assert_eq!(
        (settings.port, settings.save.points(), settings.loglevel),
        (7000, &[][..], LogLevel::Verbose)
    );

    let settings = started(&["--save", "--hz 8", "--bind", "127.0.0.1", "-::1"]).unwrap();
    assert_eq!((settings.save.points(), settings.hz), (&[][..], 8));
    assert_eq!(settings.bind, ["127.0.0.1", "-::1"]);

    assert_eq!(started(&["--timeout", "4", "--save"]).unwrap().save.points(), []);
    assert_eq!(started(&["--requirepass", "--secret"]).unwrap().requirepass, "--secret");
    assert_eq!(started(&["--requirepass", "é \"\n\x01\\"]).unwrap().requirepass, "é \"\n\x01\\");
    assert_eq!(
        value(&started(&["--client-output-buffer-limit", "normal 1 2 3"]).unwrap(), "save"),
        "3600 1 300 100 60 10000"
    );
}

#[test]
fn bad_options_are_shown_as_the_line_they_stand_for() {
    for (words, option, text, reason) in [
        (&["--timeout", "x"][..], 1, "timeout \"x\"", "argument couldn't be parsed into an integer"),
        (
            &["--hz", "5", "--timeout", "--port", "1"],
            2,
            "timeout \"--port\" \"1\"",
            "wrong number of arguments",
        ),
        (&["--timeout=5"], 1, "timeout=5", "Bad directive or wrong number of arguments"),
        (&["--hz", "5", "--bogus", "1"], 2, "bogus \"1\"", "Bad directive or wrong number of arguments"),
        (&["stray"], 1, "\"stray\"", "Bad directive or wrong number of arguments"),
        (&["-port", "1"], 1, "\"-port\" \"1\"", "Bad directive or wrong number of arguments"),
        (&["--port"], 1, "port", "wrong number of arguments"),
        (&["--save", "1"], 1, "save \"1\"", "Invalid save parameters"),
        (&["--include", "f"], 1, "include \"f\"", "can't open f"),
    ] {
        let error = started(words).unwrap_err();
        assert_eq!(error.place, Place::CommandLine { option });
        assert_eq!((error.text.as_str(), error.reason.as_str()), (text, reason));
    }
}

#[test]
fn a_bad_option_leaves_the_settings_as_they_were() {
    let mut settings = Settings::default();
    settings.load_arguments(&arguments(&["--timeout", "9", "--hz", "x"]), &mut no_file).unwrap_err();
    assert_eq!(settings, Settings::default());
}

#[test]
fn included_files_are_read_where_they_stand_and_name_themselves() {
    let mut include = |pattern: &str| match pattern {
        "good.d/*" => Ok(vec![("a".into(), "timeout 1\nhz 3".into()), ("b".into(), "timeout 2".into())]),
        _ => Ok(vec![("bad.conf".into(), "\nhz x".into())]),
    };
    let settings = Settings::load("timeout 9\ninclude good.d/*\nhz 4", "top", &mut include).unwrap();
    assert_eq!((settings.timeout, settings.hz), (2, 4));

    let error = Settings::load("include bad", "top", &mut include).unwrap_err();
    assert_eq!(error.place, Place::File { file: "bad.conf".to_owned(), line: 2 });
}

#[test]
fn endless_includes_end() {
    let mut itself = |_: &str| Ok(vec![("loop.conf".into(), "include loop.conf\n".into())]);
    let error = Settings::load("include loop.conf", "top", &mut itself).unwrap_err();
    assert_eq!(error.reason, "includes may not be nested more than 16 deep");

    let mut calls = 0;
    let mut doubling = |pattern: &str| {
        calls += 1;
        let depth = pattern.len();
        let text = if depth < 14 { format!("include {0}x\ninclude {0}x\n", pattern) } else { String::new() };
        Ok(vec![("twice".into(), text)])
    };
    let error = Settings::load("include x", "top", &mut doubling).unwrap_err();
    assert_eq!((calls, error.reason.as_str()), (1025, "no more than 1024 files may be included"));
}
