//! From the text of a script to its steps.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use larder_resp::Protocol;

use super::pattern::{Opened, Pattern, open};
use super::text::words;
use crate::peer::Version;

/// A script, read.
#[derive(Debug)]
pub struct Script {
    /// Where it stands.
    pub path: PathBuf,
    /// Its lines, for rewriting.
    pub(super) lines: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug)]
pub struct Step {
    /// The line it stands on, counted from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
    pub(super) condition: Condition,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// A client sends a request.
    Request(Request),
    /// So many milliseconds pass.
    Advance(u32),
    /// A directive gets a value.
    Configure(String, String),
}

/// A request and the replies to it.
#[derive(Debug)]
pub struct Request {
    /// The number of the client.
    pub client: usize,
    /// The request.
    pub words: Vec<Vec<u8>>,
    pub(super) replies: Vec<Pattern>,
    /// Where the replies stand, or would stand, among the lines counted from 0.
    pub(super) reply_lines: Range<usize>,
}

/// When a step is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) protocol: Option<Protocol>,
    since: Version,
    larder_only: bool,
}

impl Condition {
    /// Whether a peer of this version (`None` = Larder) takes the step.
    pub(super) fn holds(self, protocol: Protocol, version: Option<Version>) -> bool {
        self.protocol.is_none_or(|only| only == protocol)
            && version.is_none_or(|version| version >= self.since && !self.larder_only)
    }
}

/// A script that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Path and line.
    pub place: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for ScriptError {}

impl Script {
    /// Reads a script; the path is for messages.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn parse(path: &Path, text: &str) -> Result<Script, ScriptError> {
        let mut parser = Parser {
            lines: text.lines().map(str::to_owned).collect(),
            at: 0,
            client: 1,
            condition: Condition { protocol: None, since: Version(0, 0, 0), larder_only: false },
            steps: Vec::new(),
        };
        while parser.at < parser.lines.len() {
            let line = parser.at + 1;
            parser.line().map_err(|problem| ScriptError {
                place: format!("{}:{}", path.display(), line.max(parser.at)),
                problem,
            })?;
        }
        Ok(Script { path: path.to_owned(), lines: parser.lines, steps: parser.steps })
    }

    /// The requests in it.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Request(request) => Some(request),
            _ => None,
        })
    }
}

struct Parser {
    lines: Vec<String>,
    /// The line that comes next, counted from 0.
    at: usize,
    client: usize,
    condition: Condition,
    steps: Vec<Step>,
}

impl Parser {
    fn line(&mut self) -> Result<(), String> {
        let number = self.at + 1;
        let text = self.lines[self.at].trim_end().to_owned();
        self.at += 1;
        if let Some(request) = text.strip_prefix("> ") {
            let words = words(request)?;
            let start = self.at;
            let replies = self.replies()?;
            let request = Request { client: self.client, words, replies, reply_lines: start..self.at };
            self.push(number, Action::Request(request));
        } else if let Some(directive) = text.strip_prefix('@') {
            self.directive(number, directive)?;
        } else if text.starts_with('<') {
            return Err("a reply without a request".to_owned());
        } else if !text.is_empty() && !text.starts_with('#') {
            return Err("neither request (> ), reply (< ), directive (@) nor comment (#)".to_owned());
        }
        Ok(())
    }

    fn push(&mut self, line: usize, action: Action) {
        self.steps.push(Step { line, action, condition: self.condition });
    }

    fn replies(&mut self) -> Result<Vec<Pattern>, String> {
        let mut replies = Vec::new();
        while self.lines.get(self.at).is_some_and(|line| line.starts_with('<')) {
            replies.push(self.pattern(0)?);
        }
        Ok(replies)
    }

    /// Reads a reply, or an element of one, that stands on the next lines.
    fn pattern(&mut self, depth: usize) -> Result<Pattern, String> {
        let line = self.lines.get(self.at).cloned().unwrap_or_default();
        self.at += 1;
        let text = line.strip_prefix("< ").ok_or("an element is missing")?;
        let indent = text.len() - text.trim_start_matches(' ').len();
        if indent != 2 * depth {
            return Err(format!("{} spaces are expected before {:?}", 2 * depth, text.trim()));
        }
        match open(text[indent..].trim_end())? {
            Opened::Whole(pattern) => Ok(pattern),
            Opened::Elements(sequence, count) => {
                let elements: Result<_, String> = (0..count).map(|_| self.pattern(depth + 1)).collect();
                Ok(Pattern::Elements(sequence, elements?))
            }
            Opened::Map(form, count) => {
                let pair = |_| Ok((self.pattern(depth + 1)?, self.pattern(depth + 1)?));
                Ok(Pattern::Map(form, (0..count).map(pair).collect::<Result<_, String>>()?))
            }
        }
    }

    fn directive(&mut self, line: usize, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once(' ').unwrap_or((text, ""));
        let value = value.trim();
        let number = || value.parse::<u32>().map_err(|_| format!("{value:?} is no number"));
        match (name, value) {
            ("since", _) => {
                self.condition.since = Version::parse(value).ok_or(format!("{value:?} is no version"))?;
            }
            ("larder", "") => return Err("@larder needs a reason".to_owned()),
            ("larder", _) => self.condition.larder_only = true,
            ("all", "") => self.condition.larder_only = false,
            ("resp2", "") => self.condition.protocol = Some(Protocol::Resp2),
            ("resp3", "") => self.condition.protocol = Some(Protocol::Resp3),
            ("resp2+3", "") => self.condition.protocol = None,
            ("advance", _) => self.push(line, Action::Advance(number()?)),
            ("client", _) => self.client = number()? as usize,
            ("config", _) => {
                let (name, value) = value.split_once(' ').ok_or("@config needs a name and a value")?;
                let value = words(value)?.swap_remove(0);
                let value = String::from_utf8(value).map_err(|error| error.to_string())?;
                self.push(line, Action::Configure(name.to_owned(), value));
            }
            _ => return Err(format!("unknown directive @{text}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let error = Script::parse(Path::new("x.txt"), text).expect_err("this must be refused");
        format!("{error}")
    }

    #[test]
    fn what_is_not_understood_is_told_by_its_line() {
        assert_eq!(
            problem("# a\nGET"),
            "x.txt:2: neither request (> ), reply (< ), directive (@) nor comment (#)"
        );
        assert_eq!(problem("< :1"), "x.txt:1: a reply without a request");
        assert_eq!(problem("> GET k\n< *1\n"), "x.txt:3: an element is missing");
        assert_eq!(problem("> GET k\n< *1\n< :1"), "x.txt:3: 2 spaces are expected before \":1\"");
        assert_eq!(problem("> GET k\n< ?"), "x.txt:2: no kind of reply begins with ?");
        assert_eq!(problem("@larder"), "x.txt:1: @larder needs a reason");
        assert_eq!(problem("@advance soon"), "x.txt:1: \"soon\" is no number");
        assert_eq!(problem("@nothing"), "x.txt:1: unknown directive @nothing");
    }

    #[test]
    fn conditions_hold_until_they_are_lifted() {
        let text =
            "> A\n@since 8.1\n> B\n@since 1.0\n@larder for a reason\n> C\n@all\n@resp3\n> D\n@resp2+3\n> E\n";
        let script = Script::parse(Path::new("x.txt"), text).unwrap();
        let taken = |protocol, version| {
            let steps = script.steps.iter().filter(|step| step.condition.holds(protocol, version));
            steps.map(|step| step.line).collect::<Vec<_>>()
        };
        assert_eq!(taken(Protocol::Resp3, None), [1, 3, 6, 9, 11]);
        assert_eq!(taken(Protocol::Resp2, None), [1, 3, 6, 11]);
        assert_eq!(taken(Protocol::Resp3, Some(Version(7, 0, 15))), [1, 9, 11]);
        assert_eq!(taken(Protocol::Resp3, Some(Version(8, 1, 0))), [1, 3, 9, 11]);
    }
}
