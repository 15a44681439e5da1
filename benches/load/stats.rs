//! Medians and ranges over rounds.

use serde::Serialize;

/// What the rounds of one cell gave: the middle, and how far the others lie from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle value; of an even number of rounds, the mean of the two middle ones.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of `values`; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { median, min, max })
    }

    /// The spread of `ours / theirs`, round by round. Neighbours on the host slow both sides of a pair alike, so
    /// this is steadier than the ratio of two medians. Rounds that only one side has are left out.
    pub(crate) fn of_ratios(ours: &[(u32, f64)], theirs: &[(u32, f64)]) -> Option<Self> {
        let paired = ours.iter().filter_map(|&(round, our)| {
            let &(_, their) = theirs.iter().find(|&&(other, _)| other == round)?;
            (their > 0.0).then_some(our / their)
        });
        Self::of(paired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_pair_by_round() {
        let ours = [(1, 2.0), (2, 6.0), (3, 5.0)];
        let theirs = [(2, 3.0), (1, 2.0)];
        assert_eq!(Spread::of_ratios(&ours, &theirs), Some(Spread { median: 1.5, min: 1.0, max: 2.0 }));
        assert_eq!(Spread::of_ratios(&ours, &[(9, 1.0)]), None);
    }
}
