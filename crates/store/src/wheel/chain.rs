//! Where the nodes of a slot lie.

/// With the pointer to the next block that is 64 bytes, a cache line. Blocks of 6 (32 bytes) cost 6.0 bytes a
/// node at 1,000 nodes and 5.5 at 5,000 (up to 1 h), of 30 (128 bytes) 6.0 and 4.7.
pub(super) const BLOCK_FRAGMENTS: usize = 14;

/// A stack of fragments: blocks in a singly linked list, of which only the first may be partly filled.
pub(super) struct Chain {
    /// Whose nodes these are: it fits where there would be padding.
    pub(super) slot: u8,
    /// Nodes in all blocks, so that it tells how far the first is filled.
    pub(super) len: u32,
    head: Option<Box<Block>>,
}

struct Block {
    fragments: [u32; BLOCK_FRAGMENTS],
    next: Option<Box<Block>>,
}

impl Chain {
    pub(super) const fn new(slot: u8) -> Chain {
        Chain { slot, len: 0, head: None }
    }

    pub(super) fn block_bytes(&self) -> usize {
        (self.len as usize).div_ceil(BLOCK_FRAGMENTS) * size_of::<Block>()
    }

    pub(super) fn push(&mut self, fragment: u32) {
        let index = self.len as usize % BLOCK_FRAGMENTS;
        if index == 0 {
            let next = self.head.take();
            self.head = Some(Box::new(Block { fragments: [0; BLOCK_FRAGMENTS], next }));
        }
        let head = self.head.as_mut().expect("a chain begins with a block");
        head.fragments[index] = fragment;
        self.len = self.len.checked_add(1).expect("a chain of 2^32 nodes is 18 GiB");
    }

    /// The fragments of the first block, the last of which pops first.
    pub(super) fn first_block(&self) -> &[u32] {
        let Some(head) = &self.head else { return &[] };
        let last = self.len as usize - 1;
        &head.fragments[..=last % BLOCK_FRAGMENTS]
    }

    /// Gives up to `count` fragments to `visit`: those of block `skip`, then those of the blocks behind it.
    pub(super) fn peek(&self, skip: usize, count: usize, visit: impl FnMut(u32)) {
        let in_first = (self.len as usize).saturating_sub(1) % BLOCK_FRAGMENTS + 1;
        let blocks = std::iter::successors(self.head.as_ref(), |block| block.next.as_ref()).enumerate();
        let filled = |(at, block)| {
            let block: &Block = block;
            &block.fragments[..if at == 0 { in_first } else { BLOCK_FRAGMENTS }]
        };
        blocks
            .skip(skip)
            .map(|(at, block)| (at, &**block))
            .flat_map(filled)
            .copied()
            .take(count)
            .for_each(visit);
    }

    pub(super) fn pop(&mut self) -> Option<u32> {
        let len = self.len.checked_sub(1)?;
        let index = len as usize % BLOCK_FRAGMENTS;
        let head = self.head.as_mut().expect("a chain that is not empty has a block");
        let fragment = head.fragments[index];
        if index == 0 {
            self.head = head.next.take();
        }
        self.len = len;
        Some(fragment)
    }
}

impl Drop for Chain {
    /// Block by block: left to the compiler, a long chain would overflow the call stack.
    fn drop(&mut self) {
        let mut next = self.head.take();
        while let Some(mut block) = next {
            next = block.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Chain};

    #[test]
    fn sizes_are_as_counted_on() {
        assert_eq!(size_of::<Block>(), 64);
        assert_eq!(size_of::<Chain>(), 16);
    }

    #[test]
    fn what_was_pushed_last_pops_first_and_a_block_is_freed_with_its_last_node() {
        let mut chain = Chain::new(3);
        (0..100).for_each(|fragment| chain.push(fragment));
        assert_eq!(chain.block_bytes(), 8 * 64);
        for fragment in (0..100).rev() {
            assert_eq!(chain.first_block().last(), Some(&fragment));
            assert_eq!(chain.first_block().len() as u32, fragment % 14 + 1);
            assert_eq!(chain.pop(), Some(fragment));
            let blocks = std::iter::successors(chain.head.as_ref(), |block| block.next.as_ref()).count();
            assert_eq!(chain.block_bytes(), blocks * 64);
        }
        assert_eq!((chain.pop(), chain.first_block()), (None, &[][..]));
        assert!(chain.head.is_none());
    }
}
