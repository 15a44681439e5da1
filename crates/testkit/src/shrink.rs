//! Makes a failing sequence short.

/// A shorter sequence that still fails: parts are left out, halves first, then ever smaller ones, as long as what is left fails.
/// At most `tries` sequences are tried.
pub fn shrink<T: Clone>(sequence: &[T], tries: usize, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut shortest = sequence.to_vec();
    let mut left = tries;
    let mut len = shortest.len().div_ceil(2);
    while len > 0 {
        let before = shortest.len();
        let mut start = 0;
        while start < shortest.len() {
            if left == 0 {
                return shortest;
            }
            left -= 1;
            let mut shorter = shortest.clone();
            shorter.drain(start..(start + len).min(shortest.len()));
            if fails(&shorter) {
                shortest = shorter;
            } else {
                start += len;
            }
        }
        // Single elements may become superfluous once others are gone.
        if len > 1 || shortest.len() == before {
            len /= 2;
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_left() {
        let sequence: Vec<u32> = (0..1000).collect();
        let needs = |part: &[u32]| [3, 500, 999].iter().all(|needed| part.contains(needed));
        assert_eq!(shrink(&sequence, usize::MAX, needs), [3, 500, 999]);
    }

    #[test]
    fn it_ends_when_the_tries_are_used_up() {
        let sequence: Vec<u32> = (0..1000).collect();
        let mut tried = 0;
        let shorter = shrink(&sequence, 10, |part| {
            tried += 1;
            part.contains(&7)
        });
        assert_eq!(tried, 10);
        assert!(shorter.contains(&7) && shorter.len() < 100);
    }
}
