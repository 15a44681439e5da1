//! Scores as elements of listpacks: integers as integers, others by the fewest digits that identify them.

use std::io::Write as _;

use crate::element::{Digits, Element};

/// Doubles up to here that are integers are written as such: beyond, not every integer is a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A score on its way into a listpack.
pub(super) struct ScoreText {
    bytes: [u8; 32],
    len: usize,
    integer: Option<i64>,
}

impl ScoreText {
    pub(super) fn of(score: f64) -> ScoreText {
        let mut text = ScoreText { bytes: [0; 32], len: 0, integer: None };
        if score.abs() <= EXACT_MAX && score.fract() == 0.0 && !(score == 0.0 && score.is_sign_negative()) {
            text.integer = Some(score as i64);
            return text;
        }
        let mut rest = &mut text.bytes[..];
        let magnitude = score.abs();
        // At most 24 characters either way: there is room.
        let written = if magnitude.is_infinite() || (1e-5..1e17).contains(&magnitude) || magnitude == 0.0 {
            write!(rest, "{score}")
        } else {
            write!(rest, "{score:e}")
        };
        debug_assert!(written.is_ok(), "a score has few digits");
        text.len = 32 - rest.len();
        text
    }

    pub(super) fn element(&self) -> Element<'_> {
        self.integer.map_or(Element::Bytes(&self.bytes[..self.len]), Element::Int)
    }
}

/// The score that an element of a listpack stands for.
#[inline]
pub(super) fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Int(number) => number as f64,
        text => {
            let mut digits = Digits::default();
            let text = std::str::from_utf8(text.text(&mut digits)).ok();
            text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_score_is_read_as_it_was_written(bits in any::<u64>(), small in -1_000_000..1_000_000_i64) {
            for score in [f64::from_bits(bits), small as f64, small as f64 / 64.0, f64::INFINITY, f64::MIN, -0.0] {
                if !score.is_nan() {
                    let text = ScoreText::of(score);
                    prop_assert_eq!(score_of(text.element()).to_bits(), score.to_bits());
                }
            }
        }
    }
}
