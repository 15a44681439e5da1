//! Reading a syntax line: first its brackets, then what they mean.

use super::kind::{self, Kind};
use super::{Argument, Multiple, SyntaxError};

/// Members of a group whose names make up its own; the rest would only make it long.
const NAMED_MEMBERS_MAX: usize = 4;

/// A line cut at its brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item<'a> {
    Word(&'a str),
    Ellipsis,
    /// Square brackets: alternatives that may be left out.
    Optional(Vec<Vec<Item<'a>>>),
    /// Pointed brackets: alternatives of which one must be given.
    Required(Vec<Vec<Item<'a>>>),
}

/// The arguments that a syntax line describes.
///
/// # Errors
/// The line does not follow the notation.
pub fn parse(syntax: &str) -> Result<Vec<Argument>, SyntaxError> {
    let mut symbols = symbols(syntax).into_iter();
    let mut alternatives = read(&mut symbols, None)?;
    match (alternatives.pop(), alternatives.is_empty()) {
        (Some(items), true) => sequence(&items),
        _ => Err(SyntaxError::Unbalanced),
    }
}

/// Words, brackets and bars.
fn symbols(syntax: &str) -> Vec<&str> {
    let mut symbols = Vec::new();
    for mut word in syntax.split_ascii_whitespace() {
        while let Some(at) = word.find(['[', ']', '<', '>', '|']) {
            let (before, rest) = word.split_at(at);
            symbols.extend(Some(before).filter(|before| !before.is_empty()));
            symbols.push(&rest[..1]);
            word = &rest[1..];
        }
        symbols.extend(Some(word).filter(|word| !word.is_empty()));
    }
    symbols
}

/// Reads alternatives up to the closing bracket, or to the end where none is open.
fn read<'a>(
    symbols: &mut impl Iterator<Item = &'a str>,
    close: Option<&str>,
) -> Result<Vec<Vec<Item<'a>>>, SyntaxError> {
    let (mut alternatives, mut current) = (Vec::new(), Vec::new());
    while let Some(symbol) = symbols.next() {
        match symbol {
            "[" => current.push(Item::Optional(read(&mut *symbols, Some("]"))?)),
            "<" => current.push(Item::Required(read(&mut *symbols, Some(">"))?)),
            "]" | ">" if close == Some(symbol) => {
                alternatives.push(current);
                return Ok(alternatives);
            }
            "]" | ">" => return Err(SyntaxError::Unbalanced),
            "|" if close.is_none() => return Err(SyntaxError::Unbalanced),
            "|" => alternatives.push(std::mem::take(&mut current)),
            "..." => current.push(Item::Ellipsis),
            word => current.push(Item::Word(word)),
        }
    }
    if close.is_some() {
        return Err(SyntaxError::Unbalanced);
    }
    alternatives.push(current);
    Ok(alternatives)
}

/// The arguments of items that follow each other.
fn sequence(items: &[Item<'_>]) -> Result<Vec<Argument>, SyntaxError> {
    let mut arguments = Vec::new();
    let mut items = items.iter().peekable();
    while let Some(item) = items.next() {
        match item {
            Item::Word(word) if is_token(word) => {
                let mut values = Vec::new();
                while let Some(item) = items.next_if(|item| belongs_to_token(item)) {
                    push(&mut values, item)?;
                }
                arguments.push(with_token(word, values));
            }
            item => push(&mut arguments, item)?,
        }
    }
    Ok(arguments)
}

/// Adds what an item other than a token means.
fn push(arguments: &mut Vec<Argument>, item: &Item<'_>) -> Result<(), SyntaxError> {
    match item {
        Item::Word(word) => {
            let (name, kind) = kind::value(word);
            arguments.push(leaf(name, kind));
        }
        Item::Ellipsis => return Err(SyntaxError::RepeatsNothing),
        Item::Required(alternatives) => arguments.push(group(alternatives)?),
        Item::Optional(alternatives) => match repeated(alternatives) {
            Some(body) => repeat(arguments, body)?,
            None => arguments.push(Argument { optional: true, ..group(alternatives)? }),
        },
    }
    Ok(())
}

/// What is repeated, if the bracket says that something is.
fn repeated<'a, 'i>(alternatives: &'a [Vec<Item<'i>>]) -> Option<&'a [Item<'i>]> {
    match alternatives {
        [only] => only.split_last().filter(|(last, _)| **last == Item::Ellipsis).map(|(_, body)| body),
        _ => None,
    }
}

/// Marks the last arguments as repeated, as a block if there are several. An empty body repeats the last one.
fn repeat(arguments: &mut Vec<Argument>, body: &[Item<'_>]) -> Result<(), SyntaxError> {
    let again = sequence(body)?;
    let first = arguments.len().checked_sub(again.len().max(1)).ok_or(SyntaxError::RepeatsNothing)?;
    if !again.is_empty() && arguments[first..] != again[..] {
        return Err(SyntaxError::RepeatsNothing);
    }
    if again.len() > 1 {
        let members = arguments.split_off(first);
        arguments.push(several(members));
    }
    let last = arguments.last_mut().ok_or(SyntaxError::RepeatsNothing)?;
    last.multiple = match body.first() {
        Some(Item::Word(word)) if is_token(word) && again.len() == 1 => Multiple::WithToken,
        _ => Multiple::Yes,
    };
    Ok(())
}

/// One argument that stands for alternatives, each of which may be several.
fn group(alternatives: &[Vec<Item<'_>>]) -> Result<Argument, SyntaxError> {
    let mut members = Vec::new();
    for alternative in alternatives {
        let mut arguments = sequence(alternative)?;
        members.push(match arguments.len() {
            0 => return Err(SyntaxError::Empty),
            1 => arguments.swap_remove(0),
            _ => several(arguments),
        });
    }
    Ok(match members.len() {
        1 => members.swap_remove(0),
        _ => Argument {
            name: joined(&members),
            kind: Kind::OneOf,
            arguments: members,
            ..leaf("", Kind::OneOf)
        },
    })
}

fn with_token(token: &str, mut values: Vec<Argument>) -> Argument {
    let argument = match values.len() {
        0 => leaf(&token_name(token), Kind::PureToken),
        1 => values.swap_remove(0),
        _ => several(values),
    };
    Argument { token: Some(token.to_owned()), ..argument }
}

fn several(arguments: Vec<Argument>) -> Argument {
    Argument { name: joined(&arguments), arguments, ..leaf("", Kind::Block) }
}

fn leaf(name: &str, kind: Kind) -> Argument {
    Argument {
        name: name.to_owned(),
        kind,
        token: None,
        optional: false,
        multiple: Multiple::No,
        arguments: Vec::new(),
    }
}

fn joined(arguments: &[Argument]) -> String {
    let names: Vec<&str> =
        arguments.iter().take(NAMED_MEMBERS_MAX).map(|argument| argument.name.as_str()).collect();
    names.join("_")
}

/// A word of the command: it has capitals, or no letter at all.
fn is_token(word: &str) -> bool {
    !word.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Whether an item behind a token is a value of it: a plain or required one, or the repetition of one.
fn belongs_to_token(item: &Item<'_>) -> bool {
    match item {
        Item::Word(word) => !is_token(word),
        Item::Required(_) => true,
        Item::Optional(alternatives) => {
            repeated(alternatives).and_then(<[_]>::first).is_some_and(belongs_to_token)
        }
        Item::Ellipsis => false,
    }
}

fn token_name(token: &str) -> String {
    match token {
        "=" => "equal".to_owned(),
        "~" => "approximately".to_owned(),
        "*" => "auto-id".to_owned(),
        "$" => "new-id".to_owned(),
        "\"\"" => "empty-string".to_owned(),
        token => token.to_lowercase(),
    }
}
