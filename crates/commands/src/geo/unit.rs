//! Units of length, and distances as they are written.

use larder_resp::Reply;

use crate::prelude::*;

/// Metres in a unit.
pub(super) fn parse(word: &[u8]) -> Result<f64, CommandError> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let known = UNITS.iter().find(|(name, _)| is_word(word, name));
    known
        .map(|(_, metres)| *metres)
        .ok_or(CommandError::line("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// Writes a distance: four digits behind the point.
pub(super) fn reply_distance(reply: &mut Reply<'_>, distance: f64) {
    reply.bulk(format!("{distance:.4}").as_bytes());
}
