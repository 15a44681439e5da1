//! Things that have the id of an entry, in the order of ids: what is pending.

use std::ops::Range;

use super::id::StreamId;
use crate::size_class::size_class;
use crate::tree::{Fill, Leaf, Tree};

/// A leaf of more bytes is split.
const FULL_BYTES: usize = 4096;

/// A thing with the id of an entry.
pub(super) trait Identified: Copy {
    fn id(&self) -> StreamId;
}

impl Identified for StreamId {
    fn id(&self) -> StreamId {
        *self
    }
}

#[derive(Clone, Debug)]
struct Page<T>(Vec<T>);

impl<T: Identified> Page<T> {
    const FULL: usize = FULL_BYTES / size_of::<T>();

    fn place(&self, id: StreamId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, Identified::id)
    }
}

/// See the module's documentation.
#[derive(Clone)]
pub(super) struct Sorted<T: Identified> {
    tree: Tree<Page<T>>,
}

impl<T: Identified> Default for Sorted<T> {
    fn default() -> Sorted<T> {
        Sorted { tree: Tree::default() }
    }
}

impl<T: Identified> Sorted<T> {
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    pub(super) fn first(&self) -> Option<T> {
        self.tree.first()?.0.first().copied()
    }

    pub(super) fn last(&self) -> Option<T> {
        self.tree.last()?.0.last().copied()
    }

    pub(super) fn find(&self, id: StreamId) -> Option<T> {
        let page = self.tree.leaf(by(id))?;
        page.place(id).ok().map(|place| page.0[place])
    }

    /// Adds a thing, or puts it in the place of the one with its id, which is returned.
    #[inline]
    pub(super) fn put(&mut self, thing: T) -> Option<T> {
        let id = thing.id();
        // They come in the order of ids, mostly: pages are filled up one after the other.
        let full = |page: &Page<T>| {
            page.0.len() >= Page::<T>::FULL && page.0.last().is_some_and(|last| last.id() < id)
        };
        if self.tree.last().is_none_or(full) {
            self.tree.push_back(Page(vec![thing]));
            return None;
        }
        let put = |page: &mut Page<T>| match page.place(id) {
            Ok(place) => Some(std::mem::replace(&mut page.0[place], thing)),
            Err(place) => {
                page.0.insert(place, thing);
                None
            }
        };
        self.tree.change(by(id), put).flatten()
    }

    /// Removes the thing of an id.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<T> {
        self.find(id)?;
        let remove = |page: &mut Page<T>| page.place(id).ok().map(|place| page.0.remove(place));
        self.tree.change(by(id), remove).flatten()
    }

    /// The things from an id on, in order.
    pub(super) fn from(&self, id: StreamId) -> impl Iterator<Item = T> + use<'_, T> {
        let mut first = true;
        self.tree.leaves_from(by(id)).flat_map(move |page| {
            let start =
                if std::mem::take(&mut first) { page.place(id).unwrap_or_else(|place| place) } else { 0 };
            page.0[start..].iter().copied()
        })
    }

    pub(super) fn memory_bytes(&self, sample: usize) -> usize {
        self.tree.memory_bytes(sample)
    }
}

/// Leads to the leaf of an id.
#[inline]
pub(super) fn by(id: StreamId) -> impl FnMut(&[StreamId]) -> usize {
    move |separators| separators[1..].partition_point(|begins| *begins <= id)
}

impl<T: Identified> Leaf for Page<T> {
    type Separator = StreamId;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self) -> Fill {
        match self.0.len() {
            len if len > Page::<T>::FULL => Fill::Full,
            len if len < Page::<T>::FULL / 4 => Fill::Sparse,
            _ => Fill::Fair,
        }
    }

    fn has_room_for(&self, next: &Page<T>) -> bool {
        self.0.len() + next.0.len() <= Page::<T>::FULL * 3 / 4
    }

    fn separator(&self) -> StreamId {
        self.0[0].id()
    }

    fn split(&mut self) -> Page<T> {
        Page(self.0.split_off(self.0.len() / 2))
    }

    fn append(&mut self, next: &Page<T>) {
        self.0.extend_from_slice(&next.0);
    }

    fn remove(&mut self, elements: Range<usize>) {
        self.0.drain(elements);
    }

    fn memory_bytes(&self) -> usize {
        size_class(self.0.capacity() * size_of::<T>())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn things_are_in_the_order_of_ids(steps in prop::collection::vec((any::<bool>(), 0..2000_u64), 0..3000)) {
            let (mut sorted, mut model) = (Sorted::default(), BTreeSet::new());
            for (number, (add, id)) in steps.into_iter().enumerate() {
                // Every other one is larger than all.
                let id = if number % 2 == 0 { id } else { 10_000 + number as u64 };
                let id = StreamId { millis: id, sequence: 0 };
                if add {
                    prop_assert_eq!(sorted.put(id).is_some(), !model.insert(id));
                } else {
                    prop_assert_eq!(sorted.remove(id).is_some(), model.remove(&id));
                }
                prop_assert_eq!(sorted.len(), model.len());
                prop_assert_eq!(sorted.find(id).is_some(), model.contains(&id));
            }
            let from = StreamId { millis: 1000, sequence: 0 };
            prop_assert!(sorted.from(from).eq(model.range(from..).copied()));
            prop_assert_eq!((sorted.first(), sorted.last()), (model.first().copied(), model.last().copied()));
        }
    }
}
