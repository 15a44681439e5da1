//! Runs the scripts of `tests/scripts` on a node in process and on a real redis-server; `larder_testkit::script` has the format.
//!
//! `REWRITE=1` writes what the node answers into the scripts, `REWRITE=redis` what redis-server answers, `SCRIPT=string/get`
//! runs some of them only.

use std::path::PathBuf;

use larder_commands::command_table;
use larder_testkit::script::{check_coverage, check_in_process, check_redis};

/// Commands without a script, and why. A script that comes to exist must leave this list, so it only shrinks.
const WITHOUT_SCRIPT: &[(&str, &str)] = &[];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

#[test]
fn in_process() {
    let report = check_in_process(&folder()).unwrap().expect_success();
    println!("{report}");
}

#[test]
fn on_redis_server() {
    match check_redis(&folder()).unwrap() {
        Some(report) => println!("{}", report.expect_success()),
        None => println!("skipped: redis-server is not installed"),
    }
}

#[test]
fn every_command_has_a_script() {
    let problems = check_coverage(&folder(), &command_table(), WITHOUT_SCRIPT).unwrap();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
