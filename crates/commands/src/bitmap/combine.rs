//! The operations of BITOP on bytes. Every source counts as followed by zeros.
//!
//! The result is made piece by piece, each small enough to stay in the nearest cache while all sources are folded into it, in
//! loops that the compiler turns into vector code.

const PIECE_BYTES: usize = 4096;

/// What BITOP makes of its sources: X is the first of them, Y the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Set in all sources.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number of them.
    Xor,
    /// Clear in the only source.
    Not,
    /// Set in X and in no Y.
    Diff,
    /// Set in some Y and not in X.
    Diff1,
    /// Set in X and in some Y.
    AndOr,
    /// Set in exactly one source.
    One,
}

impl Operation {
    /// Writes the part of the result that begins at `start`.
    pub(super) fn combine(self, sources: &[&[u8]], start: usize, result: &mut [u8]) {
        for (number, piece) in result.chunks_mut(PIECE_BYTES).enumerate() {
            self.combine_piece(sources, start + number * PIECE_BYTES, piece);
        }
    }

    fn combine_piece(self, sources: &[&[u8]], start: usize, result: &mut [u8]) {
        let mut parts = sources.iter().map(|source| source.get(start..).unwrap_or_default());
        let x = parts.next().unwrap_or_default();
        match self {
            Operation::And => {
                copy(result, x);
                parts.for_each(|part| fold(result, part, |all, bits| all & bits));
            }
            Operation::Or => {
                copy(result, x);
                parts.for_each(|part| fold(result, part, |any, bits| any | bits));
            }
            Operation::Xor => {
                copy(result, x);
                parts.for_each(|part| fold(result, part, |odd, bits| odd ^ bits));
            }
            Operation::Not => {
                copy(result, x);
                result.iter_mut().for_each(|byte| *byte = !*byte);
            }
            Operation::Diff | Operation::Diff1 | Operation::AndOr => {
                result.fill(0);
                parts.for_each(|part| fold(result, part, |any, bits| any | bits));
                match self {
                    Operation::Diff => fold(result, x, |any, x| x & !any),
                    Operation::Diff1 => fold(result, x, |any, x| any & !x),
                    _ => fold(result, x, |any, x| any & x),
                }
            }
            Operation::One => {
                copy(result, x);
                let mut several = [0; PIECE_BYTES];
                for part in parts {
                    for ((any, several), bits) in result.iter_mut().zip(&mut several).zip(part) {
                        *several |= *any & bits;
                        *any |= bits;
                    }
                }
                fold(result, &several, |any, several| any & !several);
            }
        }
    }
}

fn copy(result: &mut [u8], part: &[u8]) {
    fold(result, part, |_, bits| bits);
}

/// Folds a part, followed by zeros, into the result.
#[inline]
fn fold(result: &mut [u8], part: &[u8], combine: impl Fn(u8, u8) -> u8) {
    let (covered, beyond) = result.split_at_mut(part.len().min(result.len()));
    for (byte, bits) in covered.iter_mut().zip(part) {
        *byte = combine(*byte, *bits);
    }
    for byte in beyond {
        *byte = combine(*byte, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Operation; 8] = [
        Operation::And,
        Operation::Or,
        Operation::Xor,
        Operation::Not,
        Operation::Diff,
        Operation::Diff1,
        Operation::AndOr,
        Operation::One,
    ];

    /// What the names say, for one bit of each source.
    fn model(operation: Operation, bits: &[bool]) -> bool {
        let set = bits.iter().filter(|bit| **bit).count();
        let (x, some_y) = (bits[0], bits[1..].contains(&true));
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !x,
            Operation::Diff => x && !some_y,
            Operation::Diff1 => some_y && !x,
            Operation::AndOr => x && some_y,
            Operation::One => set == 1,
        }
    }

    fn bit(bytes: &[u8], offset: usize) -> bool {
        bytes.get(offset / 8).is_some_and(|byte| byte & (0x80 >> (offset % 8)) != 0)
    }

    proptest! {
        #[test]
        fn combines_as_the_model_does(
            operation in prop::sample::select(&ALL),
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..5),
            start: prop::sample::Index,
        ) {
            let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
            let start = start.index(len + 1);
            let mut result = vec![0xA5; len - start];
            operation.combine(&sources, start, &mut result);
            for offset in 0..result.len() * 8 {
                let bits: Vec<bool> = sources.iter().map(|source| bit(source, start * 8 + offset)).collect();
                prop_assert_eq!(bit(&result, offset), model(operation, &bits), "bit {}", offset);
            }
        }
    }

    #[test]
    fn pieces_fit_together() {
        let long: Vec<u8> = (0..3 * PIECE_BYTES + 5).map(|place| (place * 7 % 251) as u8).collect();
        let short = &long[1..PIECE_BYTES + 9];
        for operation in ALL {
            let mut whole = vec![0; long.len()];
            operation.combine(&[&long, short, &long[2..]], 0, &mut whole);
            let mut parts = vec![0; long.len()];
            for (number, part) in parts.chunks_mut(1000).enumerate() {
                operation.combine(&[&long, short, &long[2..]], number * 1000, part);
            }
            assert_eq!(whole, parts, "{operation:?}");
        }
    }
}
