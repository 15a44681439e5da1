//! `save`: when a snapshot is due.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value};

/// The points at which a snapshot is due, any one of which suffices.
///
/// Lines of a file and options of the command line add up, where the first of them does away with the default
/// and one with an empty value does away with all so far. So the points remember whether they are still the
/// default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavePoints {
    points: Vec<SavePoint>,
    given: bool,
}

/// A snapshot is due when this long has passed with this many changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// The seconds since the last snapshot, at least 1.
    pub seconds: u32,
    /// The changes since the last snapshot.
    pub changes: u32,
}

impl SavePoints {
    /// No points: no snapshot is made on its own.
    #[must_use]
    pub fn none() -> SavePoints {
        SavePoints { points: Vec::new(), given: false }
    }

    /// The points, in the order given; none means that no snapshot is made on its own.
    pub fn points(&self) -> &[SavePoint] {
        &self.points
    }
}

impl Value for SavePoints {
    fn blank() -> Self {
        SavePoints::none()
    }

    fn changed(&self, _kind: &Kind, words: &[&str], source: Source) -> Result<Self, SettingError> {
        let (pairs, rest) = words.as_chunks();
        if !rest.is_empty() {
            return Err(INVALID);
        }
        let adds = source == Source::Line && self.given && !pairs.is_empty();
        let mut points = if adds { self.points.clone() } else { Vec::new() };
        for pair in pairs {
            points.push(parse(pair)?);
        }
        Ok(Self { points, given: source != Source::Table })
    }

    fn print(&self, _kind: &Kind) -> String {
        let points: Vec<_> =
            self.points.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
        points.join(" ")
    }
}

const INVALID: SettingError = SettingError::Refused("Invalid save parameters");

fn parse([seconds, changes]: &[&str; 2]) -> Result<SavePoint, SettingError> {
    let number = |word: &str| u32::try_from(word.parse::<i32>().ok()?).ok();
    match (number(seconds), number(changes)) {
        (Some(seconds @ 1..), Some(changes)) => Ok(SavePoint { seconds, changes }),
        _ => Err(INVALID),
    }
}
