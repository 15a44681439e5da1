//! `cargo xtask ci`: everything that a change must pass, in the order in which it fails soonest.
//! `cargo xtask gen`: writes generated documents anew.

mod tidy;

use std::process::{Command, ExitCode};

/// One step of CI: what it is called, and the arguments to cargo.
type Step = (&'static str, &'static [&'static str]);

const CI: &[Step] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("documentation", &["doc", "--workspace", "--no-deps"]),
    ("tests", &["test", "--workspace"]),
];

const GENERATE: &[Step] = &[(
    "generated documents",
    &["test", "-p", "larder-config", "-p", "larder-commands", "-p", "larder-metrics", "--test", "documents"],
)];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let done = match wanted.as_str() {
        "ci" => tidy::check() && run(CI, &[("RUSTDOCFLAGS", "-D warnings")]),
        "tidy" => tidy::check(),
        "gen" => run(GENERATE, &[("UPDATE", "1")]),
        _ => {
            say("usage: cargo xtask ci | tidy | gen");
            false
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(steps: &[Step], variables: &[(&str, &str)]) -> bool {
    steps.iter().all(|(name, arguments)| {
        say(&format!("== {name}: cargo {}", arguments.join(" ")));
        let status = Command::new(env!("CARGO")).args(*arguments).envs(variables.iter().copied()).status();
        status.is_ok_and(|status| status.success())
    })
}

#[expect(clippy::print_stderr, reason = "a tool talks to the person who runs it")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
