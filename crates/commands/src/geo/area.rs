//! The area of a search, and the ranges of scores that cover it.

use std::ops::Range;

use super::place::{LATITUDE_MAX, LONGITUDE_MAX, Place, STEPS, cell_of, interleaved};

/// A shape around a place; metres.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

impl Shape {
    /// The distance of a place from the centre, if it lies within.
    pub(super) fn distance(self, centre: Place, place: Place) -> Option<f64> {
        let distance = centre.distance(place);
        let within = match self {
            Shape::Circle { radius } => distance <= radius,
            Shape::Box { width, height } => {
                // Its width is that along the place's own latitude.
                let beside = Place { longitude: centre.longitude, ..place };
                centre.distance_north(place) <= height / 2.0 && beside.distance(place) <= width / 2.0
            }
        };
        within.then_some(distance)
    }

    /// Metres from the centre to the north, and to the east, at most.
    fn reach(self) -> (f64, f64) {
        match self {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (height / 2.0, width / 2.0),
        }
    }
}

/// Ranges of scores in which all places within a shape lie: those of a few cells that cover it, as small as may be.
pub(super) fn cover(centre: Place, shape: Shape) -> Vec<Range<f64>> {
    /// Cells along each side.
    const SIDE: u32 = 3;
    let (north, east) = shape.reach();
    let (latitude, longitude) = centre.degrees(north, east);
    let rows = |steps| {
        let cell = |degrees: f64| cell_of(degrees, LATITUDE_MAX, steps).min((1 << steps) - 1);
        cell(centre.latitude - latitude)..=cell(centre.latitude + latitude)
    };
    // Longitudes go on at the other side of the world.
    let columns = |steps: u32| {
        let cells = f64::from(1_u32 << steps);
        let column =
            |degrees: f64| ((degrees + LONGITUDE_MAX) / (2.0 * LONGITUDE_MAX) * cells).floor() as i64;
        column(centre.longitude - longitude)..=column(centre.longitude + longitude)
    };
    let fits = |steps: &u32| {
        let (rows, columns) = (rows(*steps), columns(*steps));
        rows.end() - rows.start() < SIDE && columns.end() - columns.start() < i64::from(SIDE)
    };
    let Some(steps) = (1..=STEPS).rev().find(fits) else { return vec![0.0..f64::INFINITY] };
    let mut cells: Vec<u64> = Vec::new();
    for row in rows(steps) {
        cells.extend(columns(steps).map(|column| interleaved(column.rem_euclid(1 << steps) as u32, row)));
    }
    cells.sort_unstable();
    cells.dedup();
    let shift = 2 * (STEPS - steps);
    let mut ranges: Vec<Range<f64>> =
        cells.into_iter().map(|cell| (cell << shift) as f64..((cell + 1) << shift) as f64).collect();
    // A place at the very end of a range has a bit more than others, as in Redis.
    ranges.push((1_u64 << (2 * STEPS)) as f64..f64::INFINITY);
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever lies within a shape lies in one of its ranges.
        #[test]
        fn a_shape_is_covered(
            (longitude, latitude) in (-180.0..180.0_f64, -85.0..85.0_f64),
            (other_longitude, other_latitude) in (-180.0..180.0_f64, -85.0..85.0_f64),
            near in any::<bool>(),
            exponent in 0.0..7.4_f64,
            aspect in 0.1..10.0_f64,
            round in any::<bool>(),
        ) {
            let centre = Place { longitude, latitude };
            let size = 10_f64.powf(exponent);
            let other = if near {
                let scale = size / 111_000.0;
                Place {
                    longitude: (longitude + other_longitude / 180.0 * scale).clamp(-180.0, 180.0),
                    latitude: (latitude + other_latitude / 85.0 * scale).clamp(-85.0, 85.0),
                }
            } else {
                Place { longitude: other_longitude, latitude: other_latitude }
            };
            let shape = if round { Shape::Circle { radius: size } } else { Shape::Box { width: size, height: size * aspect } };
            let score = other.score();
            if shape.distance(centre, Place::of_score(score)).is_some() {
                let ranges = cover(centre, shape);
                prop_assert!(ranges.iter().any(|range| range.contains(&score)), "{:?} {:?} {:?}", centre, other, shape);
            }
        }
    }
}
