//! `oom-score-adj-values`.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value};

/// One each for a primary, a replica, and a process that saves.
impl Value for [i16; 3] {
    fn blank() -> Self {
        [0; 3]
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let [primary, replica, saving] = words else { return Err(SettingError::WrongNumberOfArguments) };
        Ok([parse(primary)?, parse(replica)?, parse(saving)?])
    }

    fn print(&self, _kind: &Kind) -> String {
        self.map(|score| score.to_string()).join(" ")
    }
}

fn parse(word: &str) -> Result<i16, SettingError> {
    word.parse().ok().filter(|score| (-2_000..=2_000).contains(score)).ok_or(SettingError::Refused(
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ))
}
