use proptest::prelude::*;

use super::*;

/// The textbook's table, and the way back with Redis's choice among ways that are as good.
fn model(a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Match>) {
    let mut table = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            table[i][j] = if a[i - 1] == b[j - 1] {
                table[i - 1][j - 1] + 1
            } else {
                table[i - 1][j].max(table[i][j - 1])
            };
        }
    }
    let (mut i, mut j) = (a.len(), b.len());
    let (mut found, mut matches) = (Vec::new(), Vec::new());
    let mut current: Option<Match> = None;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            found.insert(0, a[i]);
            current = Some(Match { a_start: i, b_start: j, len: current.map_or(0, |found| found.len) + 1 });
        } else {
            matches.extend(current.take());
            if table[i - 1][j] > table[i][j - 1] { i -= 1 } else { j -= 1 }
        }
    }
    matches.extend(current);
    assert_eq!(found.len(), table[a.len()][b.len()]);
    (found, matches)
}

fn search(a: &[u8], b: &[u8], goal: Goal, work: usize) -> Search {
    let mut search = Search::new(Bytes::copy_from_slice(a), Bytes::copy_from_slice(b), goal);
    while search.advance(work) == Progress::More {}
    search
}

fn check(a: &[u8], b: &[u8], work: usize) {
    let (found, matches) = model(a, b);
    let whole = search(a, b, Goal::Subsequence, work);
    assert_eq!(whole.subsequence(), found);
    assert_eq!(whole.matches(), matches);
    assert_eq!(whole.len(), found.len());
    assert_eq!(search(a, b, Goal::Length, work).len(), found.len());
}

#[test]
fn strings_that_end_at_the_edge_of_a_word() {
    for len in [0, 1, 63, 64, 65, 127, 128, 129] {
        let letters: Vec<u8> = (0..len).map(|number| b"abcab"[number * 7 % 5]).collect();
        for other in [&b""[..], b"a", b"cab", b"zzz", &letters] {
            check(&letters, other, 5);
            check(other, &letters, usize::MAX);
        }
    }
}

#[test]
fn rows_of_several_chunks() {
    let letters = |len: usize, factor: usize| -> Vec<u8> {
        (0..len).map(|number| b"abcdefg"[number.wrapping_mul(factor) % 1009 % 7]).collect()
    };
    let (a, b) = (letters(2500, 389), letters(1100, 577));
    assert!(b.len().div_ceil(WORD_BITS) * a.len() > CHUNK_WORDS, "one chunk holds them all");
    check(&a, &b, 1000);
    check(&b, &a, usize::MAX);
}

#[test]
fn a_piece_does_no_more_than_it_may() {
    let text = vec![b'x'; 10_000];
    let mut search = Search::new(Bytes::from(text.clone()), Bytes::from(text), Goal::Subsequence);
    let mut pieces = 0;
    while search.advance(1000) == Progress::More {
        pieces += 1;
    }
    let words = 10_000_usize.div_ceil(WORD_BITS);
    let work = 10_000 + 10_000 + words + 10_000 * (words + ROW_WORK) + 10_000 * STEP_WORK;
    assert!((work / 1100..work / 900).contains(&pieces), "{pieces} pieces for {work} words");
    assert_eq!(search.len(), 10_000);
}

proptest! {
    #[test]
    fn as_the_textbook(
        a in proptest::collection::vec(b'a'..b'e', 0..200),
        b in proptest::collection::vec(b'a'..b'e', 0..200),
        work in 1_usize..500,
    ) {
        check(&a, &b, work);
    }

    #[test]
    fn as_the_textbook_for_any_bytes(
        a in proptest::collection::vec(any::<u8>(), 0..300),
        b in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        check(&a, &b, 1 << 16);
    }
}
