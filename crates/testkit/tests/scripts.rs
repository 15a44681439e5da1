//! The script runner itself: what it finds, what it says, what it leaves out.

use std::path::Path;

use larder_resp::Protocol;
use larder_testkit::InProcess;
use larder_testkit::script::{Script, run};

/// The failures of a script on a node in process, by the line each is about.
#[track_caller]
fn failures(text: &str, protocol: Protocol) -> Vec<String> {
    let script = Script::parse(Path::new("x.txt"), text).expect("a script");
    let progress = run(&script, &mut InProcess::default(), protocol);
    progress.failures.iter().map(ToString::to_string).collect()
}

#[test]
fn a_wrong_reply_is_shown_with_its_place() {
    let text = "> SET k v\n< +OK\n> GET k\n< \"w\"\n> GET k\n< \"v\"\n";
    let expected = "x.txt:3: Resp3\n  > GET k\n  expected:\n    < \"w\"\n  got:\n    < \"v\"";
    assert_eq!(failures(text, Protocol::Resp3), [expected]);
}

#[test]
fn missing_and_superfluous_replies_are_failures() {
    assert_eq!(failures("> PING\n", Protocol::Resp2).len(), 1);
    assert_eq!(failures("> PING\n< +PONG\n< +PONG\n", Protocol::Resp2).len(), 1);
}

#[test]
fn the_clock_is_moved_and_clients_are_kept_apart() {
    let text = "\
        > SET k v PX 1500\n< +OK\n@advance 1499\n@client 2\n> GET k\n< \"v\"\n@advance 1\n> GET k\n< nil\n\
        @client 1\n> GET k\n< nil\n";
    assert_eq!(failures(text, Protocol::Resp2), [""; 0]);
}

#[test]
fn a_directive_is_changed_for_one_script_only() {
    assert_eq!(failures("@config proto-max-bulk-len 2mb\n> PING\n< +PONG\n", Protocol::Resp2), [""; 0]);
    let unknown = failures("@config no-such-directive 1\n", Protocol::Resp2);
    assert!(unknown[0].starts_with("x.txt:1: @config no-such-directive: "), "{unknown:?}");
}

#[test]
fn other_protocols_are_left_out() {
    let text = "@resp2\n> GET k\n< \"never\"\n@resp3\n> GET k\n< nil\n";
    assert_eq!(failures(text, Protocol::Resp3), [""; 0]);
    assert_eq!(failures(text, Protocol::Resp2).len(), 1);
}
