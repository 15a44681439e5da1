//! Runs a script on a peer and compares.

use std::fmt;
use std::ops::Range;

use larder_resp::Protocol;

use super::parse::{Action, Request, Script};
use super::text::{reply_lines, request_line};
use crate::peer::Peer;
use crate::value::Value;

/// A request that was not answered as expected.
#[derive(Debug)]
pub struct Failure {
    /// Path and line.
    pub place: String,
    /// Everything else, for people.
    pub text: String,
    /// The replies that came, and where the expected ones stand; none when there was no answer.
    pub(super) correction: Option<(Range<usize>, Vec<String>)>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// What a run amounted to.
#[derive(Debug, Default)]
pub struct Progress {
    /// Requests sent.
    pub requests: usize,
    /// Those not answered as expected.
    pub failures: Vec<Failure>,
}

/// Runs a script from an empty keyspace. After a request without an answer it stops; after a wrong reply it goes on.
pub fn run(script: &Script, peer: &mut dyn Peer, protocol: Protocol) -> Progress {
    let mut progress = Progress::default();
    let place = |line: usize| format!("{}:{line}", script.path.display());
    let broken = |line: usize, text: String| Failure { place: place(line), text, correction: None };
    if let Err(error) = peer.reset(protocol) {
        progress.failures.push(broken(1, format!("no fresh start: {error}")));
        return progress;
    }
    let version = peer.version();
    for step in script.steps.iter().filter(|step| step.condition.holds(protocol, version)) {
        match &step.action {
            Action::Advance(millis) => peer.advance(*millis),
            Action::Configure(name, value) => {
                if let Err(error) = peer.configure(name, value) {
                    progress.failures.push(broken(step.line, format!("@config {name}: {error}")));
                }
            }
            Action::Request(request) => {
                progress.requests += 1;
                match peer.request(request.client, &request.words, request.replies.len()) {
                    Ok(replies) => {
                        let place = || place(step.line);
                        progress.failures.extend(difference(script, request, &replies, protocol, place));
                    }
                    Err(error) => {
                        let text = format!("{protocol:?}\n  > {}\n  {error}", request_line(&request.words));
                        progress.failures.push(broken(step.line, text));
                        return progress;
                    }
                }
            }
        }
    }
    progress
}

/// How the replies differ from what the script has, if they do.
fn difference(
    script: &Script,
    request: &Request,
    replies: &[Value],
    protocol: Protocol,
    place: impl Fn() -> String,
) -> Option<Failure> {
    let expected = &request.replies;
    let same = expected.len() == replies.len()
        && expected.iter().zip(replies).all(|(pattern, reply)| pattern.matches(reply, protocol));
    if same {
        return None;
    }
    let got: Vec<String> = replies.iter().flat_map(reply_lines).map(|line| format!("< {line}")).collect();
    let expected = &script.lines[request.reply_lines.clone()];
    let text = format!(
        "{protocol:?}\n  > {}\n  expected:{}\n  got:{}",
        request_line(&request.words),
        indented(expected),
        indented(&got),
    );
    Some(Failure { place: place(), text, correction: Some((request.reply_lines.clone(), got)) })
}

fn indented(lines: &[String]) -> String {
    if lines.is_empty() {
        return " no reply".to_owned();
    }
    lines.iter().map(|line| format!("\n    {line}")).collect()
}
