//! The buffers that receives fill: lent to the kernel in a table that it reads, and taken back one completion at a time.
//!
//! Nothing here is unsafe by itself. A lent buffer is reached by nobody but the kernel, because only a [`Received`] leads to its
//! bytes, and there is one only between the completion that yields the buffer and [`Buffers::give_back`].

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// How many there are, a power of two. Where more connections have something to read at once, the rest ask again.
pub(super) const BUFFERS: usize = 128;
/// Bytes of each.
const BUFFER_LEN: usize = 16 * 1024;
/// Buffers begin at so many different distances from the beginnings of pages: most hold less than a hundred bytes, and these
/// would else compete for the same few lines of the processor's cache.
const STAGGERS: usize = 16;
const CACHE_LINE: usize = 64;
/// Bytes of each that are lent.
const LENT_LEN: usize = BUFFER_LEN - (STAGGERS - 1) * CACHE_LINE;

/// A buffer with bytes that have come; to be given back.
#[derive(Debug)]
#[must_use = "a buffer that is not given back is lost"]
pub(in crate::driver) struct Received {
    /// Which buffer it is: the kernel's word, to be taken once per completion.
    pub(super) id: u16,
    /// How many bytes have come.
    pub(super) len: usize,
}

/// All buffers of a ring.
pub(super) struct Buffers {
    table: Box<Table>,
    /// How many buffers were lent in all, modulo 2^16.
    tail: u16,
    memory: Vec<Box<[u8]>>,
}

/// The kernel's `io_uring_buf`. The last field of the first is the table's tail.
#[repr(C)]
#[derive(Debug, Default)]
struct Lent {
    address: AtomicU64,
    len: AtomicU32,
    id: AtomicU16,
    tail: AtomicU16,
}

/// The kernel's `io_uring_buf_ring`, which begins with a page.
#[repr(C, align(4096))]
struct Table([Lent; BUFFERS]);

impl Buffers {
    pub(super) fn new() -> Buffers {
        let memory = (0..BUFFERS).map(|_| vec![0; BUFFER_LEN].into_boxed_slice()).collect();
        let mut buffers = Buffers { table: Table::new(), tail: 0, memory };
        for id in 0..BUFFERS as u16 {
            buffers.give_back(Received { id, len: 0 });
        }
        buffers
    }

    /// Where the table is, for as long as this lives.
    pub(super) fn table_address(&self) -> u64 {
        (&raw const *self.table).expose_provenance() as u64
    }

    /// The bytes that have come.
    pub(super) fn bytes(&mut self, received: &Received) -> &mut [u8] {
        let start = stagger(received.id);
        &mut self.memory[usize::from(received.id)][start..start + received.len]
    }

    /// Lends a buffer again.
    pub(super) fn give_back(&mut self, received: Received) {
        let id = received.id;
        let start = self.memory[usize::from(id)][stagger(id)..].as_mut_ptr();
        let entry = &self.table.0[usize::from(self.tail) % BUFFERS];
        entry.address.store(start.expose_provenance() as u64, Ordering::Relaxed);
        entry.len.store(LENT_LEN as u32, Ordering::Relaxed);
        entry.id.store(id, Ordering::Relaxed);
        self.tail = self.tail.wrapping_add(1);
        self.table.0[0].tail.store(self.tail, Ordering::Release);
    }

    /// Never frees the memory: the kernel may still use it.
    pub(super) fn leak(&mut self) {
        std::mem::forget(std::mem::take(&mut self.memory));
        std::mem::forget(std::mem::replace(&mut self.table, Table::new()));
    }
}

impl Table {
    fn new() -> Box<Table> {
        Box::new(Table(std::array::from_fn(|_| Lent::default())))
    }
}

/// How far from the beginning of its memory a buffer begins.
fn stagger(id: u16) -> usize {
    usize::from(id) % STAGGERS * CACHE_LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_the_kernel_reads() {
        assert_eq!(size_of::<Lent>(), 16);
        let mut buffers = Buffers::new();
        assert_eq!(buffers.table_address() % 4096, 0);
        assert_eq!(buffers.table.0[0].tail.load(Ordering::Relaxed), BUFFERS as u16);
        let lent: Vec<u64> =
            buffers.table.0.iter().map(|entry| entry.address.load(Ordering::Relaxed)).collect();
        for (id, address) in lent.iter().enumerate() {
            let memory = &buffers.memory[id];
            let first = memory.as_ptr().addr() as u64;
            assert!(first <= *address && address + LENT_LEN as u64 <= first + memory.len() as u64);
        }
        // One that comes back stands behind all others, with the memory that it had.
        let received = Received { id: 77, len: 5 };
        let bytes = buffers.bytes(&received);
        assert_eq!((bytes.len(), bytes.as_ptr().addr() as u64), (5, lent[77]));
        buffers.give_back(received);
        assert_eq!(buffers.table.0[0].tail.load(Ordering::Relaxed), BUFFERS as u16 + 1);
        assert_eq!(buffers.table.0[0].id.load(Ordering::Relaxed), 77);
        assert_eq!(buffers.table.0[0].address.load(Ordering::Relaxed), lent[77]);
    }
}
