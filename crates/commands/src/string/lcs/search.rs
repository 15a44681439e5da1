//! The search for a longest common subsequence, 64 cells of the table at a time, in pieces of bounded work.
//!
//! Let L(i, j) be the length of a longest common subsequence of the first i bytes of `a` and the first j of `b`. From one j to
//! the next it grows by one or not at all, so a row of the table is a row of bits. If a set bit says "does not grow", and `marks`
//! are the places in `b` of the byte `a[i]`, then the next row is `(row + (row & marks)) | (row & !marks)`, where the addition's
//! carry runs through all words of the row (Hyyrö 2004). All ones is the row of no byte of `a`.
//!
//! The rows are all that the way back needs. Where the bytes differ, L comes from above or from the left; it comes from above
//! only, which is what decides the direction, exactly if L grows there from the left. So each cell is remembered as a single bit,
//! where Redis has an integer of 32, and costs about a nanosecond for 64 of them. Rows are kept in chunks, which are freed one
//! by one as the way back leaves them behind: to free hundreds of megabytes at once would take tens of milliseconds.
//!
//! The choice among subsequences of the same length, and so every reply, is that of Redis: a match is always taken, and of two
//! ways that are as good the one to the left.

use bytes::Bytes;

#[cfg(test)]
mod tests;

/// Cells in a word of a row.
const WORD_BITS: usize = u64::BITS as usize;
/// What beginning with a row costs, in words of a row.
const ROW_WORK: usize = 4;
/// What a step of the way back costs, in words of a row: it is likely to leave the cache.
const STEP_WORK: usize = 4;
/// Words in a chunk of rows; more if a single row has more.
const CHUNK_WORDS: usize = 1 << 15;
/// Words that are freed in the time that one is made in.
const FREE_RATIO: usize = 16;

/// What is searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Goal {
    /// The length only, for which one row is enough.
    #[default]
    Length,
    /// The subsequence and where it lies.
    Subsequence,
}

/// How far a search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The result is there.
    Done,
    /// It is to be called again after others had their turn.
    More,
}

/// Bytes of the subsequence that follow one another in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Offset of the first in `a`.
    pub(super) a_start: usize,
    /// Offset of the first in `b`.
    pub(super) b_start: usize,
    /// How many.
    pub(super) len: usize,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Search {
    a: Bytes,
    b: Bytes,
    goal: Goal,
    /// Words in a row.
    row_words: usize,
    /// For each byte that occurs in `a`: its places in `b`. No vector for the others.
    marks: Vec<Vec<u64>>,
    /// The row at hand.
    row: Vec<u64>,
    /// All rows so far, if they are needed, without that of no byte of `a`.
    chunks: Vec<Vec<u64>>,
    /// Rows in a chunk: 2 to the power of this.
    chunk_rows_log2: u32,
    stage: Stage,
    /// The subsequence, backwards until it is complete.
    found: Vec<u8>,
    /// From the last to the first, as Redis replies them.
    matches: Vec<Match>,
    len: usize,
}

/// What a search is about to do.
#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// Make room for the marks of the byte at this offset of `a`.
    Survey(usize),
    /// Mark the place at this offset of `b`.
    Mark(usize),
    /// Make all ones of the first row, from this word on.
    FirstRow(usize),
    /// Make the row of this offset of `a`, from this word on, with the carry of the addition.
    Row(usize, usize, bool),
    /// Go back from behind these offsets of `a` and `b`.
    Back(usize, usize),
    /// Free the memory.
    Free,
    /// Nothing.
    #[default]
    Done,
}

impl Search {
    pub(super) fn new(a: Bytes, b: Bytes, goal: Goal) -> Search {
        let row_words = b.len().div_ceil(WORD_BITS);
        let stage = if a.is_empty() || b.is_empty() { Stage::Done } else { Stage::Survey(0) };
        Search {
            a,
            b,
            goal,
            row_words,
            marks: vec![Vec::new(); 256],
            row: Vec::with_capacity(row_words),
            chunk_rows_log2: (CHUNK_WORDS / row_words.max(1)).max(1).ilog2(),
            stage,
            ..Search::default()
        }
    }

    /// Works on for about so many words of rows.
    pub(super) fn advance(&mut self, work: usize) -> Progress {
        let mut left = work;
        while left > 0 {
            let done = match self.stage {
                Stage::Survey(from) => self.survey(from, left),
                Stage::Mark(from) => self.mark(from, left),
                Stage::FirstRow(from) => self.fill_first_row(from, left),
                Stage::Row(row, from, carry) => self.make_row(row, from, carry, left),
                Stage::Back(i, j) => self.go_back(i, j, left),
                Stage::Free => self.free(),
                Stage::Done => return Progress::Done,
            };
            left = left.saturating_sub(done);
        }
        match self.stage {
            Stage::Done => Progress::Done,
            _ => Progress::More,
        }
    }

    /// The length of the subsequence.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The subsequence.
    pub(super) fn subsequence(&self) -> &[u8] {
        &self.found
    }

    /// Where it lies, from the last match to the first.
    pub(super) fn matches(&self) -> &[Match] {
        &self.matches
    }

    // Each of the following does a part of a stage, sets the next one and returns what it cost.

    fn survey(&mut self, from: usize, work: usize) -> usize {
        let to = self.a.len().min(from.saturating_add(work));
        for byte in &self.a[from..to] {
            let marks = &mut self.marks[usize::from(*byte)];
            if marks.is_empty() {
                *marks = vec![0; self.row_words];
            }
        }
        self.stage = if to == self.a.len() { Stage::Mark(0) } else { Stage::Survey(to) };
        to - from
    }

    fn mark(&mut self, from: usize, work: usize) -> usize {
        let to = self.b.len().min(from.saturating_add(work));
        for place in from..to {
            if let Some(word) = self.marks[usize::from(self.b[place])].get_mut(place / WORD_BITS) {
                *word |= 1 << (place % WORD_BITS);
            }
        }
        self.stage = if to == self.b.len() { Stage::FirstRow(0) } else { Stage::Mark(to) };
        to - from
    }

    fn fill_first_row(&mut self, from: usize, work: usize) -> usize {
        let to = self.row_words.min(from.saturating_add(work));
        self.row.resize(to, u64::MAX);
        self.stage = if to == self.row_words { Stage::Row(0, 0, false) } else { Stage::FirstRow(to) };
        to - from
    }

    fn make_row(&mut self, row: usize, from: usize, mut carry: bool, work: usize) -> usize {
        let to = self.row_words.min(from.saturating_add(work));
        let marks = &self.marks[usize::from(self.a[row])][from..to];
        for (word, marks) in self.row[from..to].iter_mut().zip(marks) {
            (*word, carry) = next_row(*word, *marks, carry);
        }
        if self.goal == Goal::Subsequence {
            let chunk_rows = 1_usize << self.chunk_rows_log2;
            if from == 0 && row.is_multiple_of(chunk_rows) {
                let rows = chunk_rows.min(self.a.len() - row);
                self.chunks.push(Vec::with_capacity(rows * self.row_words));
            }
            let chunk = self.chunks.last_mut().expect("pushed when its first row was begun");
            chunk.extend_from_slice(&self.row[from..to]);
        }
        self.stage = if to < self.row_words {
            Stage::Row(row, to, carry)
        } else if row + 1 < self.a.len() {
            Stage::Row(row + 1, 0, false)
        } else {
            self.finish_rows()
        };
        to - from + ROW_WORK
    }

    fn finish_rows(&mut self) -> Stage {
        // Behind the end of `b` there are no marks, so the bits there are still set.
        self.len = self.row.iter().map(|word| word.count_zeros() as usize).sum();
        match self.goal {
            Goal::Length => Stage::Free,
            Goal::Subsequence => Stage::Back(self.a.len(), self.b.len()),
        }
    }

    fn go_back(&mut self, mut i: usize, mut j: usize, work: usize) -> usize {
        let mut done = 0;
        while i > 0 && j > 0 && done < work {
            done += STEP_WORK;
            let is_match = self.a[i - 1] == self.b[j - 1];
            if !is_match && !self.grows(i, j) {
                j -= 1;
                continue;
            }
            i -= 1;
            if is_match {
                j -= 1;
                self.take(i, j);
            }
            // The rows above are those of the first i bytes.
            if i & ((1 << self.chunk_rows_log2) - 1) == 0 {
                done += self.chunks.pop().map_or(0, |chunk| chunk.len() / FREE_RATIO);
            }
        }
        self.stage = if i == 0 || j == 0 {
            self.found.reverse();
            Stage::Free
        } else {
            Stage::Back(i, j)
        };
        done
    }

    fn free(&mut self) -> usize {
        let block = self.chunks.pop().or_else(|| self.marks.pop());
        if block.is_none() {
            self.stage = Stage::Done;
        }
        block.map_or(0, |block| block.len() / FREE_RATIO) + 1
    }

    /// Takes the byte at these offsets into the subsequence: into the match that it precedes, or into one of its own.
    fn take(&mut self, i: usize, j: usize) {
        self.found.push(self.a[i]);
        match self.matches.last_mut() {
            Some(next) if next.a_start == i + 1 && next.b_start == j + 1 => {
                *next = Match { a_start: i, b_start: j, len: next.len + 1 };
            }
            _ => self.matches.push(Match { a_start: i, b_start: j, len: 1 }),
        }
    }

    /// Whether L(i, j) is more than L(i, j - 1).
    fn grows(&self, i: usize, j: usize) -> bool {
        let (row, place) = (i - 1, j - 1);
        let chunk = &self.chunks[row >> self.chunk_rows_log2];
        let within = row & ((1 << self.chunk_rows_log2) - 1);
        chunk[within * self.row_words + place / WORD_BITS] >> (place % WORD_BITS) & 1 == 0
    }
}

/// One word of the row below, and the carry into the next word.
#[inline]
fn next_row(row: u64, marks: u64, carry: bool) -> (u64, bool) {
    let (sum, overflow) = row.overflowing_add(row & marks);
    let (sum, overflow_by_carry) = sum.overflowing_add(u64::from(carry));
    (sum | row & !marks, overflow || overflow_by_carry)
}
