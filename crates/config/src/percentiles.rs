//! `latency-tracking-info-percentiles`.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value};

impl Value for Vec<f64> {
    fn blank() -> Self {
        Self::new()
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        words.iter().map(|word| parse(word)).collect()
    }

    fn print(&self, _kind: &Kind) -> String {
        self.iter().map(|percentile| print(*percentile)).collect::<Vec<_>>().join(" ")
    }
}

fn parse(word: &str) -> Result<f64, SettingError> {
    let percentile: f64 = word.parse().unwrap_or(f64::NAN);
    if percentile.is_nan() {
        Err(SettingError::Refused("Invalid latency-tracking-info-percentiles parameters"))
    } else if !(0.0..=100.0).contains(&percentile) {
        Err(SettingError::Refused(
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ))
    } else {
        Ok(percentile)
    }
}

/// Six decimals at most, without the zeros at their end.
fn print(percentile: f64) -> String {
    let text = format!("{percentile:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
