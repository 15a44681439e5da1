//! Unpacking LZF, in which the peers pack long strings: runs of bytes as they are, and runs that were seen before.

/// The bytes that some were packed from, if they are `len`. Takes no more memory than twice what it makes.
pub(crate) fn unpack(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    let mut rest = packed;
    while let [first, after @ ..] = rest {
        let first = usize::from(*first);
        if first < 32 {
            let (run, after) = after.split_at_checked(first + 1)?;
            out.extend_from_slice(run);
            rest = after;
        } else {
            let (more, after) = if first >> 5 == 7 {
                after.split_first().map(|(more, after)| (usize::from(*more), after))?
            } else {
                (0, after)
            };
            let (low, after) = after.split_first()?;
            let run = (first >> 5) + more + 2;
            let start = out.len().checked_sub(((first & 31) << 8 | usize::from(*low)) + 1)?;
            if out.len() + run > len {
                return None;
            }
            // What is copied may be what was just written.
            for at in start..start + run {
                out.push(out[at]);
            }
            rest = after;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_unpacked() {
        assert_eq!(unpack(b"\x02abc", 3).unwrap(), b"abc");
        // "aaaaaaaaaa": one a, then nine of what was before it.
        assert_eq!(unpack(b"\x00a\xe0\x00\x00", 10).unwrap(), b"aaaaaaaaaa");
        for broken in [&b"\x02ab"[..], b"\x20\x00", b"\x00a\xe0\x00", b"\x00a\xe0\x00\x05"] {
            assert_eq!(unpack(broken, 10), None, "{broken:?}");
        }
        assert_eq!(unpack(b"\x02abc", 4), None);
    }
}
