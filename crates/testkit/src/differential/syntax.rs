//! The notation of a row's syntax column, read as a grammar to generate requests from.
//!
//! Words in capitals stand for themselves, others name an argument; `[a]` may be left out, `<a | b>` is one of them, and `...`
//! says that the group it ends may come again.

/// A part of a syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A word that stands for itself.
    Word(String),
    /// The name of an argument.
    Argument(String),
    /// What may be left out, as its alternatives.
    Optional(Vec<Sequence>),
    /// One of these.
    Choice(Vec<Sequence>),
}

/// Parts in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) parts: Vec<Part>,
    /// Whether it may come several times.
    pub(super) repeats: bool,
}

impl Sequence {
    /// Reads a syntax.
    ///
    /// # Panics
    /// Its brackets do not match.
    pub(super) fn parse(syntax: &str) -> Sequence {
        let spaced = ["[", "]", "<", ">", "|"]
            .iter()
            .fold(syntax.to_owned(), |text, bracket| text.replace(bracket, &format!(" {bracket} ")));
        let tokens: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = tokens.as_slice();
        let mut alternatives = alternatives(&mut rest, None);
        assert!(alternatives.len() == 1, "alternatives need brackets: {syntax}");
        alternatives.swap_remove(0)
    }

    /// The words in it that stand for themselves.
    pub(super) fn words(&self) -> Vec<&str> {
        let mut words = Vec::new();
        for part in &self.parts {
            match part {
                Part::Word(word) => words.push(word.as_str()),
                Part::Argument(_) => {}
                Part::Optional(choices) | Part::Choice(choices) => {
                    words.extend(choices.iter().flat_map(Sequence::words));
                }
            }
        }
        words
    }
}

/// Reads up to the closing bracket, or to the end.
fn alternatives(rest: &mut &[&str], close: Option<&str>) -> Vec<Sequence> {
    let mut alternatives = vec![Sequence::default()];
    loop {
        let token = match rest.split_first() {
            Some((token, after)) => {
                *rest = after;
                *token
            }
            None => {
                assert!(close.is_none(), "a bracket is not closed");
                return alternatives;
            }
        };
        let last = alternatives.len() - 1;
        let current = &mut alternatives[last];
        match token {
            "[" => current.parts.push(Part::Optional(self::alternatives(rest, Some("]")))),
            "<" => current.parts.push(Part::Choice(self::alternatives(rest, Some(">")))),
            "|" => alternatives.push(Sequence::default()),
            "..." => current.repeats = true,
            "]" | ">" => {
                assert!(close == Some(token), "{token} closes nothing");
                return alternatives;
            }
            word if is_literal(word) => current.parts.push(Part::Word(word.to_owned())),
            word => current.parts.push(Part::Argument(word.to_owned())),
        }
    }
}

fn is_literal(word: &str) -> bool {
    !word.contains(|letter: char| letter.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_nest() {
        let syntax = Sequence::parse("key [NX | XX] <EX seconds | PX [A b] milliseconds> [key value ...]");
        let argument = |name: &str| Part::Argument(name.to_owned());
        let word = |name: &str| Part::Word(name.to_owned());
        let once = |parts: Vec<Part>| Sequence { parts, repeats: false };
        let inner = Part::Optional(vec![once(vec![word("A"), argument("b")])]);
        let expected = vec![
            argument("key"),
            Part::Optional(vec![once(vec![word("NX")]), once(vec![word("XX")])]),
            Part::Choice(vec![
                once(vec![word("EX"), argument("seconds")]),
                once(vec![word("PX"), inner, argument("milliseconds")]),
            ]),
            Part::Optional(vec![Sequence { parts: vec![argument("key"), argument("value")], repeats: true }]),
        ];
        assert_eq!(syntax, once(expected));
        assert_eq!(syntax.words(), ["NX", "XX", "EX", "PX", "A"]);
    }

    #[test]
    fn every_row_can_be_read() {
        for row in larder_commands::command_table().rows() {
            Sequence::parse(row.command.syntax);
        }
    }
}
