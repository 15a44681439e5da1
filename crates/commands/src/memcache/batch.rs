//! Requests that are parsed and prefetched together before any of them is executed: the same in both protocols.

use larder_engine::{Served, StripeStats};
use larder_store::{Keyspace, Position};
use smallvec::SmallVec;

use super::turn::DB;

/// Requests parsed and prefetched together.
pub(super) const BATCH_MAX: usize = 16;

/// Requests in their order.
pub(super) type Batch<R> = SmallVec<[Prepared<R>; BATCH_MAX]>;

/// One request of a batch, before its turn.
pub(super) struct Prepared<R> {
    pub(super) request: R,
    /// Where its key lives, the first one if it names several.
    pub(super) position: Option<Position>,
    /// Where it begins in the input, and where the next one does.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What an input begins with.
pub(super) enum Found<R, E> {
    /// A request that ends there.
    Request { request: R, position: Option<Position>, end: usize },
    /// The beginning of a request that wants so many bytes.
    Incomplete { needed: usize },
    /// A request that is refused.
    Error(E),
}

/// Why no more requests were added to a batch.
pub(super) enum Stop<E> {
    /// It is full.
    Full,
    /// The input ends within a request, which begins at `start` and wants so many bytes.
    Incomplete { start: usize, needed: usize },
    /// A request that begins at `start` is refused.
    Refused { start: usize, error: E },
}

/// How a batch ended.
pub(super) enum BatchEnd {
    /// What follows in the input is to be looked at.
    Consumed(usize),
    /// The turn ends here.
    Served(usize, Served),
    /// The turn ends within the request that begins at `start`, whose keys begin at `first`, before the key at `next`.
    WithinKeys { start: usize, first: usize, next: usize },
}

/// Adds requests until there are so many; `find` parses the first of an input, and asks for the stripe of its key.
#[inline]
pub(super) fn fill<'i, R, E>(
    batch: &mut Batch<R>,
    most: usize,
    input: &'i [u8],
    from: usize,
    find: impl Fn(&'i [u8]) -> Found<R, E>,
) -> Stop<E> {
    let mut start = from;
    while batch.len() < most {
        match find(&input[start..]) {
            Found::Request { request, position, end } => {
                let end = start + end;
                batch.push(Prepared { request, position, start, end });
                start = end;
            }
            Found::Incomplete { needed } => return Stop::Incomplete { start, needed },
            Found::Error(error) => return Stop::Refused { start, error },
        }
    }
    Stop::Full
}

/// Brings the slots and then the entries of all keys into the cache, if there are several.
#[inline]
pub(super) fn prefetch<R>(keyspace: &Keyspace<StripeStats>, batch: &Batch<R>) {
    if batch.len() > 1 {
        let positions = batch.iter().filter_map(|request| request.position);
        keyspace.prefetch(positions.map(|position| (DB, position)));
    }
}

impl<E> Stop<E> {
    /// How a batch that began at `from` ends when all of its requests are executed.
    #[inline]
    pub(super) fn end<R>(
        self,
        batch: &Batch<R>,
        input: &[u8],
        from: usize,
        refuse: impl FnOnce(usize, &E) -> BatchEnd,
    ) -> BatchEnd {
        match self {
            Stop::Full => BatchEnd::Consumed(batch.last().map_or(from, |request| request.end)),
            Stop::Incomplete { start, needed } => BatchEnd::Served(start, missing(input, start, needed)),
            Stop::Refused { start, error } => refuse(start, &error),
        }
    }
}

/// How many bytes more than there are a request wants.
pub(super) fn missing(input: &[u8], start: usize, needed: usize) -> Served {
    Served::NeedInput(start + needed - input.len())
}
