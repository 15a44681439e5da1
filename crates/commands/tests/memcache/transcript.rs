//! Transcripts: what a client sends, and every byte that it gets back.
//!
//! ```text
//! # a comment
//! > set k 0 0 3            sent, with a line end behind each line; lines that follow one another are sent together
//! > abc
//! < STORED                 received, with a line end behind each line; nothing where there is no such line
//! > gets k
//! < VALUE k 0 3 {cas}      a number, which has this name from here on
//! < abc
//! < END
//! > quit
//! < @closed                the connection ends; what follows comes from another one
//! @advance 1500            so many milliseconds pass
//! @larder WHY              what follows differs from memcached 1.6.18, and why; it is not sent there
//! @both                    what follows does not
//! ```
//!
//! In all lines `\xHH` is a byte and `\\` a backslash.

use std::collections::HashMap;
use std::path::Path;

/// One file.
pub(crate) struct Transcript {
    pub(crate) steps: Vec<Step>,
}

pub(crate) enum Step {
    Advance(i64),
    Exchange(Exchange),
}

/// Numbers by name.
pub(crate) type Names = HashMap<String, String>;

/// Whom an exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Both,
    Larder,
}

/// Lines sent together, and what they are answered with.
pub(crate) struct Exchange {
    pub(crate) audience: Audience,
    /// Whether the connection ends.
    pub(crate) closes: bool,
    /// File and line.
    pub(crate) place: String,
    sent: Vec<String>,
    received: Vec<String>,
}

/// All transcripts there are.
pub(crate) fn all() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/memcache");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "there are no transcripts");
    paths.iter().map(|path| parse(path)).collect()
}

fn parse(path: &Path) -> Transcript {
    let name = path.file_name().unwrap().to_string_lossy();
    let (mut steps, mut audience) = (Vec::new(), Audience::Both);
    let mut open: Option<Exchange> = None;
    for (index, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
        let place = format!("{name}:{}", index + 1);
        if let Some(text) = behind('>', line) {
            if open.as_ref().is_some_and(|exchange| exchange.closes || !exchange.received.is_empty()) {
                steps.extend(open.take().map(Step::Exchange));
            }
            let exchange = open.get_or_insert_with(|| Exchange::new(audience, place));
            exchange.sent.push(text.to_owned());
        } else if let Some(text) = behind('<', line) {
            let exchange = open.as_mut().unwrap_or_else(|| panic!("{place}: an answer to nothing"));
            match text {
                "@closed" => exchange.closes = true,
                text => exchange.received.push(text.to_owned()),
            }
        } else {
            steps.extend(open.take().map(Step::Exchange));
            match line.split_once(' ').unwrap_or((line, "")) {
                ("", "") | ("#", _) => {}
                ("@advance", millis) => steps.push(Step::Advance(millis.parse().unwrap())),
                ("@larder", why) if !why.is_empty() => audience = Audience::Larder,
                ("@both", "") => audience = Audience::Both,
                _ => panic!("{place}: what is this line?"),
            }
        }
    }
    steps.extend(open.map(Step::Exchange));
    Transcript { steps }
}

/// The text of a line with this mark; there may be none.
fn behind(mark: char, line: &str) -> Option<&str> {
    let text = line.strip_prefix(mark)?;
    text.strip_prefix(' ').or(text.is_empty().then_some(""))
}

impl Exchange {
    fn new(audience: Audience, place: String) -> Exchange {
        Exchange { audience, closes: false, place, sent: Vec::new(), received: Vec::new() }
    }

    /// What is sent.
    pub(crate) fn request(&self, names: &Names) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in &self.sent {
            let line = names
                .iter()
                .fold(line.clone(), |line, (name, number)| line.replace(&format!("{{{name}}}"), number));
            bytes.extend(unescaped(&line));
            bytes.extend(b"\r\n");
        }
        bytes
    }

    /// Compares what came back, and remembers the numbers in it that have names.
    pub(crate) fn check(&self, answer: &[u8], names: &mut Names, who: &str) {
        let mut rest = answer;
        let matched = self.received.iter().all(|line| {
            let found = match_line(line, rest, names);
            rest = found.unwrap_or(rest);
            found.is_some()
        });
        assert!(
            matched && rest.is_empty(),
            "{}: {who} answers\n{}\ninstead of\n{}",
            self.place,
            answer.escape_ascii().to_string().replace("\\n", "\\n\n"),
            self.received.join("\n"),
        );
    }
}

/// What follows in `text` behind a line like this and its line end.
fn match_line<'t>(line: &str, text: &'t [u8], names: &mut Names) -> Option<&'t [u8]> {
    let Some((before, name_and_after)) = line.split_once('{') else {
        return text.strip_prefix(unescaped(line).as_slice())?.strip_prefix(b"\r\n");
    };
    let (name, after) = name_and_after.split_once('}').expect("a name ends in a brace");
    let text = text.strip_prefix(unescaped(before).as_slice())?;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, text) = text.split_at(digits);
    let number = String::from_utf8(number.to_vec()).unwrap();
    let known = names.entry(name.to_owned()).or_insert_with(|| number.clone());
    if number.is_empty() || *known != number {
        return None;
    }
    match_line(after, text, names)
}

fn unescaped(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), line.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
        } else if let Some(after) = rest.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = rest.strip_prefix(b"x").and_then(|hex| hex.get(..2)).expect("\\xHH");
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
            rest = &rest[3..];
        }
    }
    bytes
}
