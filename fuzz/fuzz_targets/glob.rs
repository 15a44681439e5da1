//! Any pattern and text: they match when they do by a table of all their ends, which is slow but plain.

#![no_main]

use larder_engine::glob::{Case, matches};
use libfuzzer_sys::fuzz_target;

// The first line is the pattern, the rest the text.
fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (pattern, text) = (&data[..cut], &data[(cut + 1).min(data.len())..]);
    if pattern.len() > 200 || text.len() > 500 {
        return;
    }
    for case in [Case::Sensitive, Case::Insensitive] {
        assert_eq!(matches(pattern, text, case), by_table(&elements(pattern, case), text, case));
    }
});

enum Element {
    Star,
    /// The bytes it matches.
    OneOf(Box<[bool; 256]>),
}

/// A pattern's elements.
fn elements(mut pattern: &[u8], case: Case) -> Vec<Element> {
    let mut elements = Vec::new();
    while let [first, rest @ ..] = pattern {
        let mut set = Box::new([false; 256]);
        pattern = match (first, rest) {
            (b'*', rest) => {
                elements.push(Element::Star);
                pattern = rest;
                continue;
            }
            (b'?', rest) => {
                set.fill(true);
                rest
            }
            (b'[', rest) => class(rest, &mut set, case),
            (b'\\', [quoted, rest @ ..]) => {
                set[usize::from(folded(*quoted, case))] = true;
                rest
            }
            (literal, rest) => {
                set[usize::from(folded(*literal, case))] = true;
                rest
            }
        };
        elements.push(Element::OneOf(set));
    }
    elements
}

/// Reads a class up to its end into `set`, and returns what follows it.
fn class<'a>(mut rest: &'a [u8], set: &mut [bool; 256], case: Case) -> &'a [u8] {
    let negated = rest.first() == Some(&b'^');
    rest = &rest[usize::from(negated)..];
    loop {
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', quoted, after @ ..] => {
                set[usize::from(folded(*quoted, case))] = true;
                after
            }
            [low, b'-', high, after @ ..] => {
                let (low, high) = (folded(*low, case), folded(*high, case));
                (low.min(high)..=low.max(high)).for_each(|byte| set[usize::from(byte)] = true);
                after
            }
            [member, after @ ..] => {
                set[usize::from(folded(*member, case))] = true;
                after
            }
        };
    }
    if negated {
        set.iter_mut().for_each(|member| *member = !*member);
    }
    rest
}

fn folded(byte: u8, case: Case) -> u8 {
    if case == Case::Insensitive { byte.to_ascii_lowercase() } else { byte }
}

/// For each element in turn, at which ends in the text the pattern up to it may match.
fn by_table(elements: &[Element], text: &[u8], case: Case) -> bool {
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for element in elements {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] |= match element {
                Element::Star => ends[at] || (at > 0 && next[at - 1]),
                Element::OneOf(set) => at > 0 && ends[at - 1] && set[usize::from(folded(text[at - 1], case))],
            };
        }
        ends = next;
    }
    ends[text.len()]
}
