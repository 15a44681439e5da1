//! Reply bytes waiting to be sent.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// An emptied output keeps its memory for the next replies up to this many bytes.
const KEPT_CAPACITY_MAX: usize = 64 * 1024;

/// Sent bytes are moved out of the way once there are this many of them, and at least as many as are still to
/// be sent.
const COMPACTED_LEN_MIN: usize = 16 * 1024;

/// A header that becomes known late is written in front of up to this many bytes by moving them; in front of
/// more it becomes a block of its own.
const MOVED_LEN_MAX: usize = 16 * 1024;

/// Reply bytes waiting to be sent: copied bytes with counted blocks between them.
///
/// All copied bytes stand in one buffer, whatever blocks come between, and each block remembers at which
/// place of that buffer it is to be sent. So an output without blocks, which nearly all are, is one vector
/// and can be sent by a plain write; a block costs a queue entry and no copy of its bytes. What has been sent
/// is cut off at the front: from blocks at once, from the buffer by a count, which is made good when the
/// buffer is empty or half of it is spent. An empty output that has been [shrunk](Self::shrink) owns no
/// memory.
#[derive(Debug, Default)]
pub struct Output {
    copied: Vec<u8>,
    /// How many bytes at the front of `copied` have been sent.
    sent: usize,
    /// In the order in which they are to be sent; places never decrease, and none is below `sent`.
    blocks: VecDeque<Block>,
    /// The bytes of all blocks together.
    blocks_len: usize,
}

#[derive(Debug)]
struct Block {
    /// The place in `copied` before whose byte this is sent.
    place: usize,
    bytes: Bytes,
}

/// A place in an output where something may be inserted later.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    place: usize,
    /// How many blocks are sent before the place.
    blocks_before: usize,
}

impl Output {
    /// How many bytes are to be sent, those of blocks included.
    #[inline]
    pub fn len(&self) -> usize {
        self.copied.len() - self.sent + self.blocks_len
    }

    /// Whether there is nothing to send.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a copy of bytes that are a reply, or a part of one, already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Appends bytes without copying them.
    pub fn push_block(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.blocks_len += bytes.len();
            self.blocks.push_back(Block { place: self.copied.len(), bytes });
        }
    }

    /// Appends all that another output holds: few bytes are copied, many become blocks.
    pub fn append(&mut self, other: Output) {
        if other.blocks.is_empty() && other.len() <= MOVED_LEN_MAX {
            self.raw(&other.copied[other.sent..]);
            return;
        }
        let copied = Bytes::from(other.copied);
        let mut place = other.sent;
        for block in other.blocks {
            self.push_block(copied.slice(place..block.place));
            self.push_block(block.bytes);
            place = block.place;
        }
        self.push_block(copied.slice(place..));
    }

    /// All that is to be sent, if no block is in it.
    #[inline]
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.blocks.is_empty().then(|| &self.copied[self.sent..])
    }

    /// A copy of all that is to be sent.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut place = self.sent;
        for block in &self.blocks {
            all.extend_from_slice(&self.copied[place..block.place]);
            all.extend_from_slice(&block.bytes);
            place = block.place;
        }
        all.extend_from_slice(&self.copied[place..]);
        all
    }

    /// Fills `slices`, in order, with what is to be sent next, and returns how many are filled.
    pub fn fill_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut place = self.sent;
        let mut fill = |bytes: &'a [u8]| match slices.get_mut(filled) {
            Some(slice) if !bytes.is_empty() => {
                *slice = IoSlice::new(bytes);
                filled += 1;
                true
            }
            // A slice is never filled with nothing; without one left it ends here.
            slice => slice.is_some(),
        };
        for block in &self.blocks {
            if !fill(&self.copied[place..block.place]) || !fill(&block.bytes) {
                return filled;
            }
            place = block.place;
        }
        fill(&self.copied[place..]);
        filled
    }

    /// Forgets the first `len` bytes: they have been sent.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, len: usize) {
        assert!(len <= self.len(), "no more is sent than there was to send");
        let behind_blocks = self.consume_blocks(len);
        self.sent += behind_blocks;
        if self.is_empty() {
            self.clear();
        } else if self.sent >= COMPACTED_LEN_MIN {
            self.compact();
        }
    }

    /// The end of what is there now: what is appended later can be taken back to here, if nothing is sent in between.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark { place: self.copied.len(), blocks_before: self.blocks.len() }
    }

    /// How many bytes were appended since the mark was taken.
    #[must_use]
    pub fn len_since(&self, mark: Mark) -> usize {
        let blocks = self.blocks.iter().skip(mark.blocks_before);
        self.copied.len() - mark.place + blocks.map(|block| block.bytes.len()).sum::<usize>()
    }

    /// Takes back what was appended since the mark was taken.
    pub fn truncate(&mut self, mark: Mark) {
        self.copied.truncate(mark.place);
        for block in self.blocks.drain(mark.blocks_before..) {
            self.blocks_len -= block.bytes.len();
        }
    }

    /// Forgets everything, and keeps memory for the next replies if that is not much.
    pub fn clear(&mut self) {
        self.copied.clear();
        self.copied.shrink_to(KEPT_CAPACITY_MAX);
        self.sent = 0;
        self.blocks.clear();
        self.blocks.shrink_to(KEPT_CAPACITY_MAX / size_of::<Block>());
        self.blocks_len = 0;
    }

    /// Gives back the memory that is not needed: all of it, if there is nothing to send.
    pub fn shrink(&mut self) {
        self.compact();
        self.copied.shrink_to_fit();
        self.blocks.shrink_to_fit();
    }

    /// Takes everything out, memory included, and leaves an output that owns none.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Forgets the first `len` bytes up to the end of the last block, and returns how many of `len` are
    /// behind that.
    fn consume_blocks(&mut self, mut len: usize) -> usize {
        while let Some(block) = self.blocks.front_mut() {
            let before = len.min(block.place - self.sent);
            self.sent += before;
            len -= before;
            if self.sent < block.place {
                return 0;
            }
            let within = len.min(block.bytes.len());
            block.bytes.advance(within);
            self.blocks_len -= within;
            len -= within;
            if !block.bytes.is_empty() {
                return 0;
            }
            self.blocks.pop_front();
        }
        len
    }

    /// How many copied bytes have been appended since the mark.
    pub(crate) fn copied_since(&self, mark: Mark) -> usize {
        self.copied.len() - mark.place
    }

    /// Inserts a header at a mark, behind which nothing may have been consumed.
    pub(crate) fn insert(&mut self, mark: Mark, header: &[u8]) {
        assert!(
            self.sent <= mark.place && mark.blocks_before <= self.blocks.len(),
            "no byte is sent while a header before it is missing"
        );
        if self.copied_since(mark) > MOVED_LEN_MAX {
            self.blocks_len += header.len();
            let block = Block { place: mark.place, bytes: Bytes::copy_from_slice(header) };
            self.blocks.insert(mark.blocks_before, block);
        } else {
            let moved_end = self.copied.len();
            self.copied.extend_from_slice(header);
            self.copied.copy_within(mark.place..moved_end, mark.place + header.len());
            self.copied[mark.place..mark.place + header.len()].copy_from_slice(header);
            for block in self.blocks.range_mut(mark.blocks_before..) {
                block.place += header.len();
            }
        }
    }

    /// The buffer that copied bytes are appended to.
    #[inline]
    pub(crate) fn copied_mut(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// Moves unsent bytes to the buffer's front, if that costs no more than sending what was before them did.
    fn compact(&mut self) {
        if self.sent >= self.copied.len() - self.sent && self.sent >= self.blocks.len() {
            self.copied.drain(..self.sent);
            for block in &mut self.blocks {
                block.place -= self.sent;
            }
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests;
