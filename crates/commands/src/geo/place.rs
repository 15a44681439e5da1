//! A place: longitude and latitude, and the geohash of 52 bits that stands for it as a score.
//!
//! Each of the two halves its range 26 times; the bits of the halves alternate, those of the longitude first. So the places of a
//! square cell have a common beginning, and their hashes are neighbours.

use crate::prelude::*;
use crate::sorted_set::parse_score;

/// Metres: the mean radius that distances are computed with, as in Redis.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// The projection to squares ends here.
pub(super) const LATITUDE_MAX: f64 = 85.051_128_78;
pub(super) const LONGITUDE_MAX: f64 = 180.0;
/// Halvings of each range.
pub(super) const STEPS: u32 = 26;

/// Degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

impl Place {
    /// Reads a longitude and a latitude.
    pub(super) fn parse(longitude: &[u8], latitude: &[u8]) -> Result<Place, CommandError> {
        let number = |text| parse_score(text).ok_or(CommandError::NotAFloat);
        let (longitude, latitude) = (number(longitude)?, number(latitude)?);
        if longitude.abs() > LONGITUDE_MAX || latitude.abs() > LATITUDE_MAX {
            let line = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
            return Err(CommandError::Line(line.into()));
        }
        Ok(Place { longitude, latitude })
    }

    /// The hash, as a score.
    pub(super) fn score(self) -> f64 {
        self.hash(LATITUDE_MAX) as f64
    }

    /// The middle of the cell that a score stands for.
    pub(super) fn of_score(score: f64) -> Place {
        let hash = score as u64;
        let middle = |bits: u32, max: f64| {
            let cells = f64::from(1 << STEPS);
            let low = -max + f64::from(bits) / cells * (2.0 * max);
            let high = -max + (f64::from(bits) + 1.0) / cells * (2.0 * max);
            ((low + high) / 2.0).clamp(-max, max)
        };
        Place {
            longitude: middle(gathered(hash >> 1), LONGITUDE_MAX),
            latitude: middle(gathered(hash), LATITUDE_MAX),
        }
    }

    fn hash(self, latitude_max: f64) -> u64 {
        let cell = |degrees: f64, max: f64| cell_of(degrees, max, STEPS);
        interleaved(cell(self.longitude, LONGITUDE_MAX), cell(self.latitude, latitude_max))
    }

    /// The eleven letters that others write a geohash with. They take latitudes to 90 degrees; and 52 bits fill ten letters, so that
    /// the last is always the same.
    pub(super) fn letters(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let hash = self.hash(90.0);
        std::array::from_fn(|at| match at {
            10 => ALPHABET[0],
            _ => ALPHABET[(hash >> (52 - (at + 1) * 5) & 31) as usize],
        })
    }

    /// Metres to another place, along a great circle.
    pub(super) fn distance(self, other: Place) -> f64 {
        let (one, two) = (self.latitude.to_radians(), other.latitude.to_radians());
        let east = ((other.longitude.to_radians() - self.longitude.to_radians()) / 2.0).sin();
        if east == 0.0 {
            return self.distance_north(other);
        }
        let north = ((two - one) / 2.0).sin();
        let chord = north * north + one.cos() * two.cos() * east * east;
        2.0 * EARTH_RADIUS * chord.sqrt().asin()
    }

    /// Metres between the latitudes of two places.
    pub(super) fn distance_north(self, other: Place) -> f64 {
        EARTH_RADIUS * (other.latitude.to_radians() - self.latitude.to_radians()).abs()
    }

    /// Degrees of latitude, and of longitude at the narrowest, that so many metres are from here.
    pub(super) fn degrees(self, north: f64, east: f64) -> (f64, f64) {
        let latitude = (north / EARTH_RADIUS).to_degrees();
        let furthest = (self.latitude.abs() + latitude).min(90.0).to_radians().cos();
        let longitude = (east / EARTH_RADIUS / furthest).to_degrees();
        (latitude, if longitude.is_finite() { longitude.min(LONGITUDE_MAX) } else { LONGITUDE_MAX })
    }
}

/// The number of the cell that a coordinate lies in, of `1 << steps`.
pub(super) fn cell_of(degrees: f64, max: f64, steps: u32) -> u32 {
    let cells = f64::from(1_u32 << steps);
    (((degrees + max) / (2.0 * max)) * cells).clamp(0.0, cells) as u32
}

/// Bits of both in turn: the longitude's are the higher ones.
pub(super) fn interleaved(longitude: u32, latitude: u32) -> u64 {
    spread(longitude) << 1 | spread(latitude)
}

/// A zero before each bit.
fn spread(bits: u32) -> u64 {
    [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ]
    .into_iter()
    .fold(u64::from(bits), |word, (shift, mask)| (word | word << shift) & mask)
}

/// Every other bit.
fn gathered(word: u64) -> u32 {
    [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0F0F_0F0F_0F0F_0F0F),
        (4, 0x00FF_00FF_00FF_00FF),
        (8, 0x0000_FFFF_0000_FFFF),
        (16, 0x0000_0000_FFFF_FFFF),
    ]
    .into_iter()
    .fold(word & 0x5555_5555_5555_5555, |word: u64, (shift, mask)| (word | word >> shift) & mask) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_score() {
        let palermo = Place { longitude: 13.361389, latitude: 38.115556 };
        assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
        let back = Place::of_score(palermo.score());
        assert!((back.longitude - 13.361_389_338_970_184).abs() < 1e-12, "{back:?}");
        assert!((back.latitude - 38.115_556_395_496_3).abs() < 1e-12, "{back:?}");
        assert_eq!(&back.letters(), b"sqc8b49rny0");
        let catania = Place { longitude: 15.087269, latitude: 37.502669 };
        assert!((palermo.distance(catania) - 166_274.15).abs() < 0.2, "{}", palermo.distance(catania));
    }
}
