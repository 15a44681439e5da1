//! Amounts of memory.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value, single};

/// Reads digits followed by at most one unit: k, m and g count in thousands, kb, mb and gb in 1,024s.
///
/// As in Redis no digits mean 0. What 64 bits cannot hold becomes the greatest number they hold, so that it
/// fails the bounds of nearly every directive instead of wrapping round to a small one.
pub fn parse(word: &str) -> Option<u64> {
    let unit_at = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at(unit_at);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(number.saturating_mul(factor))
}

/// An amount of memory, outright or in proportion to `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// That many bytes.
    Bytes(u64),
    /// That many hundredths of `maxmemory`, from 1 to 100.
    Percent(u8),
}

impl MemoryOrPercent {
    /// The bytes meant where `maxmemory` is this.
    pub fn bytes(self, maxmemory: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let bytes = u128::from(maxmemory) * u128::from(percent) / 100;
                u64::try_from(bytes).expect("a part of maxmemory is no more than maxmemory")
            }
        }
    }
}

impl Value for MemoryOrPercent {
    fn blank() -> Self {
        Self::Bytes(0)
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let word = single(words)?;
        let Some(digits) = word.strip_suffix('%') else {
            // Redis keeps a percentage as a negative number, so that too many bytes read as one.
            return match parse(word).ok_or(SettingError::NotMemoryOrPercent)? {
                bytes if i64::try_from(bytes).is_ok() => Ok(Self::Bytes(bytes)),
                _ => Err(SettingError::PercentTooLarge),
            };
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SettingError::NotMemoryOrPercent);
        }
        match digits.parse() {
            Ok(0) => Ok(Self::Bytes(0)),
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => Err(SettingError::PercentTooLarge),
        }
    }

    fn print(&self, _kind: &Kind) -> String {
        match self {
            Self::Bytes(bytes) => bytes.to_string(),
            Self::Percent(percent) => format!("{percent}%"),
        }
    }
}
