//! The area of a search, and the ranges of scores that cover it.

use std::ops::{Range, RangeInclusive};

use smallvec::SmallVec;

use super::place::{LATITUDE_MAX, LONGITUDE_MAX, Place, STEPS, cell_of, interleaved};

/// A shape around a centre; metres.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
    Polygon(Polygon),
}

/// The area between vertices, at least three of them; the last is joined with the first. Its edges are straight lines on a map of
/// longitudes and latitudes, which ends where longitudes do.
#[derive(Clone, Debug)]
pub(super) struct Polygon(pub(super) Vec<Place>);

/// Degrees between which a shape lies. Longitudes may go on beyond the end of the world.
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Shape {
    /// The distance of a place from the centre, if it lies within.
    pub(super) fn distance(&self, centre: Place, place: Place) -> Option<f64> {
        let distance = centre.distance(place);
        let within = match self {
            Shape::Circle { radius } => distance <= *radius,
            Shape::Box { width, height } => {
                // Its width is that along the place's own latitude.
                let beside = Place { longitude: centre.longitude, ..place };
                centre.distance_north(place) <= height / 2.0 && beside.distance(place) <= width / 2.0
            }
            Shape::Polygon(polygon) => polygon.contains(place),
        };
        within.then_some(distance)
    }

    fn bounds(&self, centre: Place) -> Bounds {
        let (north, east) = match self {
            Shape::Circle { radius } => (*radius, *radius),
            Shape::Box { width, height } => (height / 2.0, width / 2.0),
            Shape::Polygon(polygon) => return polygon.bounds(),
        };
        let (latitude, longitude) = centre.degrees(north, east);
        Bounds {
            west: centre.longitude - longitude,
            east: centre.longitude + longitude,
            south: centre.latitude - latitude,
            north: centre.latitude + latitude,
        }
    }

    /// How often the world is halved, at most, for cells of which the centre's and its neighbours hold the shape.
    fn steps(&self, centre: Place) -> u32 {
        /// Metres from the equator to the end of the projection, twice.
        const MERCATOR_MAX: f64 = 20_037_726.37;
        let radius = match self {
            Shape::Circle { radius } => *radius,
            Shape::Box { width, height } => (width / 2.0).hypot(height / 2.0),
            Shape::Polygon(polygon) => {
                let Bounds { west, east, south, north } = polygon.bounds();
                let corners = [(west, south), (west, north), (east, south), (east, north)];
                let metres =
                    corners.map(|(longitude, latitude)| centre.distance(Place { longitude, latitude }));
                metres.into_iter().fold(0.0, f64::max)
            }
        };
        if radius == 0.0 {
            return STEPS;
        }
        // Towards the poles cells are narrower.
        let narrow = [66.0, 80.0].into_iter().filter(|from| centre.latitude.abs() > *from).count() as i64;
        let doublings = (MERCATOR_MAX / radius).log2().ceil().max(0.0) as i64;
        (doublings - 1 - narrow).clamp(1, i64::from(STEPS)) as u32
    }
}

impl Polygon {
    /// The middle of its vertices on the globe, from which distances are counted.
    pub(super) fn centre(&self) -> Place {
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for vertex in &self.0 {
            let (longitude, latitude) = (vertex.longitude.to_radians(), vertex.latitude.to_radians());
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        Place { longitude: y.atan2(x).to_degrees(), latitude: z.atan2(x.hypot(y)).to_degrees() }
    }

    /// Whether a ray from the place to the east meets an odd number of edges.
    fn contains(&self, place: Place) -> bool {
        let ends = self.0.iter().cycle().skip(1);
        let met = self.0.iter().zip(ends).filter(|(one, other)| {
            (one.latitude > place.latitude) != (other.latitude > place.latitude) && {
                let part = (place.latitude - one.latitude) / (other.latitude - one.latitude);
                place.longitude < one.longitude + part * (other.longitude - one.longitude)
            }
        });
        met.count() % 2 == 1
    }

    fn bounds(&self) -> Bounds {
        let nowhere = Bounds { west: f64::MAX, east: f64::MIN, south: f64::MAX, north: f64::MIN };
        self.0.iter().fold(nowhere, |bounds, vertex| Bounds {
            west: bounds.west.min(vertex.longitude),
            east: bounds.east.max(vertex.longitude),
            south: bounds.south.min(vertex.latitude),
            north: bounds.north.max(vertex.latitude),
        })
    }
}

/// The centre's own cell and those around it, column and row, in the order in which Redis looks at them: clients see it where they ask
/// for no other.
const AROUND: [(i64, i64); 9] =
    [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

/// Ranges of scores in which all places within a shape lie: those of the centre's cell and its neighbours, as far as they are needed.
pub(super) fn cover(centre: Place, shape: &Shape) -> Vec<Range<f64>> {
    let bounds = shape.bounds(centre);
    let fits = |steps: &u32| {
        let reach = reach(centre, &bounds, *steps);
        reach.iter().all(|cells| *cells.start() >= -1 && *cells.end() <= 1)
    };
    let finest = shape.steps(centre);
    let Some(steps) = (1..=finest).rev().find(fits) else { return vec![0.0..f64::INFINITY] };
    let [columns, rows] = reach(centre, &bounds, steps);
    let mut cells: SmallVec<[u64; 9]> = SmallVec::new();
    for (east, north) in AROUND {
        if columns.contains(&east) && rows.contains(&north) {
            let column = (column(centre.longitude, steps) + east).rem_euclid(1 << steps);
            let cell = interleaved(column as u32, (row(centre.latitude, steps) + north) as u32);
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
    }
    let shift = 2 * (STEPS - steps);
    let mut ranges: Vec<Range<f64>> =
        cells.into_iter().map(|cell| (cell << shift) as f64..((cell + 1) << shift) as f64).collect();
    // A place at the very end of a range has a bit more than others, as in Redis.
    ranges.push((1_u64 << (2 * STEPS)) as f64..f64::INFINITY);
    ranges
}

/// How far bounds reach from the centre's cell, in columns and rows of cells.
fn reach(centre: Place, bounds: &Bounds, steps: u32) -> [RangeInclusive<i64>; 2] {
    let (own_column, own_row) = (column(centre.longitude, steps), row(centre.latitude, steps));
    [
        column(bounds.west, steps) - own_column..=column(bounds.east, steps) - own_column,
        row(bounds.south, steps) - own_row..=row(bounds.north, steps) - own_row,
    ]
}

fn row(latitude: f64, steps: u32) -> i64 {
    i64::from(cell_of(latitude, LATITUDE_MAX, steps).min((1 << steps) - 1))
}

/// Longitudes go on at the other side of the world.
fn column(longitude: f64, steps: u32) -> i64 {
    let cells = f64::from(1_u32 << steps);
    ((longitude + LONGITUDE_MAX) / (2.0 * LONGITUDE_MAX) * cells).floor() as i64
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
            kind in 0..3,
            corners in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 3..8),
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
            let shape = match kind {
                0 => Shape::Circle { radius: size },
                1 => Shape::Box { width: size, height: size * aspect },
                _ => Shape::Polygon(Polygon(corners.iter().map(|(east, north)| Place {
                    longitude: (longitude + east * size / 80_000.0).clamp(-180.0, 180.0),
                    latitude: (latitude + north * size / 80_000.0).clamp(-85.0, 85.0),
                }).collect())),
            };
            let centre = if let Shape::Polygon(polygon) = &shape { polygon.centre() } else { centre };
            let score = other.score();
            if shape.distance(centre, Place::of_score(score)).is_some() {
                let ranges = cover(centre, &shape);
                prop_assert!(ranges.iter().any(|range| range.contains(&score)), "{:?} {:?} {:?}", centre, other, shape);
            }
        }
    }
}
