//! Streams: entries in the order in which they were added, and groups of consumers that read them.
//!
//! The entries lie in chunks under a tree by ids; a chunk ends where the directives stream-node-max-bytes and
//! stream-node-max-entries say, as the nodes of the peers do. A stream keeps three facts beside its entries: the largest id ever
//! given, the largest deleted one, and how many entries were ever added. From these follows how far a group lags behind.

use std::collections::BTreeMap;

use triomphe::Arc;

use crate::element::Element;
use crate::entry::{Content, Entry, NewValue};
use crate::large::Large;
use crate::tree::Tree;

mod chunk;
mod encoding;
mod group;
mod id;
mod lag;
mod sorted;
#[cfg(test)]
mod tests;
mod trim;

use chunk::Chunk;
pub use chunk::StreamEntry;
pub use group::{Consumer, ConsumerNumber, Group, Pending};
pub use id::StreamId;
use sorted::by;
pub use trim::{Keep, Precision};

pub use crate::order::Direction;

/// No chunk takes more bytes, whatever the directives say.
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// When a chunk is full; 0 stands for no limit.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// So many bytes.
    pub bytes: usize,
    /// So many entries, those included that were deleted.
    pub entries: u64,
}

impl ChunkLimits {
    #[inline]
    fn allows(self, chunk: &Chunk, more: usize) -> bool {
        let bytes = if self.bytes == 0 { CHUNK_BYTES_MAX } else { self.bytes.min(CHUNK_BYTES_MAX) };
        chunk.size() + more < bytes && (self.entries == 0 || chunk.given() < self.entries)
    }
}

/// See the module's documentation. Cloning it takes a view.
#[derive(Clone, Default)]
pub struct Stream {
    chunks: Tree<Chunk>,
    /// The largest id that an entry ever had.
    pub last_id: StreamId,
    /// The largest id of an entry that was deleted, other than by trimming.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    groups: Option<Arc<BTreeMap<Box<[u8]>, Group>>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Stream {
    /// The stream of an entry of the keyspace, which is of that type.
    #[must_use]
    pub fn of(entry: &Entry) -> &Stream {
        match entry.content() {
            Content::Large(Large::Stream(stream)) => stream,
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// The stream of an entry of the keyspace, which is of that type, to be changed.
    #[must_use]
    pub fn of_mut(entry: &mut Entry) -> &mut Stream {
        match entry.large_mut() {
            Some(Large::Stream(stream)) => stream,
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// As a value of a key.
    #[must_use]
    pub fn into_value(self) -> NewValue<'static> {
        NewValue::Large(Box::new(Large::Stream(Box::new(self))))
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Number of chunks. Costs a walk over them.
    #[must_use]
    pub fn chunks_len(&self) -> usize {
        self.chunks.leaves().count()
    }

    /// The entries of each chunk, in order.
    pub fn chunks(&self) -> impl Iterator<Item = impl Iterator<Item = StreamEntry<'_>>> {
        self.chunks.leaves().map(Chunk::entries)
    }

    /// The id of the first entry.
    #[must_use]
    pub fn first_id(&self) -> Option<StreamId> {
        self.chunks.first()?.entries().next().map(|entry| entry.id)
    }

    /// The id of the last entry that is there.
    #[must_use]
    pub fn last_entry_id(&self) -> Option<StreamId> {
        self.chunks.last()?.entries().last().map(|entry| entry.id)
    }

    /// Adds an entry, whose id is larger than [`Stream::last_id`] and which has a field at least; `bytes` is the length of its fields.
    #[inline]
    pub fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = (Element<'f>, Element<'f>)> + Clone,
        bytes: usize,
        limits: ChunkLimits,
    ) {
        if self.chunks.last().is_some_and(|chunk| limits.allows(chunk, bytes)) {
            self.chunks.change(|all| all.len() - 1, |chunk| chunk.append(id, fields));
        } else {
            self.chunks.push_back(Chunk::of(id, fields));
        }
        self.last_id = id;
        self.entries_added += 1;
    }

    /// The entry of an id.
    #[must_use]
    pub fn find(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.chunks.leaf(by(id))?.find(id)
    }

    /// Deletes the entry of an id; says whether there was one.
    pub fn delete(&mut self, id: StreamId) -> bool {
        if self.find(id).is_none() {
            return false;
        }
        self.chunks.change(by(id), |chunk| chunk.delete(id));
        self.max_deleted_id = self.max_deleted_id.max(id);
        true
    }

    /// How many entries have a smaller id.
    #[must_use]
    pub fn rank(&self, id: StreamId) -> usize {
        self.chunks.leaf_and_rank(by(id)).map_or(0, |(chunk, before)| before + chunk.rank(id))
    }

    /// How many entries have an id from one to another, both included.
    #[must_use]
    pub fn count(&self, from: StreamId, to: StreamId) -> usize {
        let end = to.next().map_or(self.len(), |behind| self.rank(behind));
        end.saturating_sub(self.rank(from))
    }

    /// Gives the entries with ids from one to another, both included, to `visit`, `count` at most; returns how many there were.
    pub fn each<'a>(
        &'a self,
        (from, to): (StreamId, StreamId),
        direction: Direction,
        count: usize,
        mut visit: impl FnMut(StreamEntry<'a>),
    ) -> usize {
        let within = |entry: &StreamEntry<'_>| (from..=to).contains(&entry.id);
        let mut visited = 0;
        match direction {
            Direction::Ascending => {
                let chunks = self.chunks.leaves_from(by(from));
                let entries = chunks.flat_map(Chunk::entries).skip_while(|entry| entry.id < from);
                for entry in entries.take_while(within).take(count) {
                    visit(entry);
                    visited += 1;
                }
            }
            Direction::Descending => {
                let mut chunks = self.chunks.leaves_from(by(to));
                while visited < count
                    && let Some(chunk) = chunks.previous()
                {
                    let found: Vec<_> = chunk.entries().filter(within).collect();
                    for entry in found.iter().rev().take(count - visited) {
                        visit(*entry);
                        visited += 1;
                    }
                    if chunk.entries().next().is_none_or(|first| first.id < from) {
                        break;
                    }
                }
            }
        }
        visited
    }

    /// Number of groups.
    #[must_use]
    pub fn groups_len(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.len())
    }

    /// The groups with their names, by these.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().flat_map(|groups| groups.iter().map(|(name, group)| (&**name, group)))
    }

    /// A group.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.as_ref()?.get(name)
    }

    /// A group, to be changed. If a view shares it, all groups are copied first.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        Arc::make_mut(self.groups.as_mut()?).get_mut(name)
    }

    /// A group, to be changed, as [`Stream::group_mut`]; and the entries, which are not.
    pub fn group_beside_entries(&mut self, name: &[u8]) -> Option<(&mut Group, StreamEntries<'_>)> {
        let group = Arc::make_mut(self.groups.as_mut()?).get_mut(name)?;
        Some((group, StreamEntries(&self.chunks)))
    }

    /// All groups, to be changed, as [`Stream::group_mut`].
    pub fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.groups.iter_mut().flat_map(|groups| Arc::make_mut(groups).values_mut())
    }

    /// Adds a group, whose name is new.
    pub fn add_group(&mut self, name: &[u8], group: Group) {
        let groups = self.groups.get_or_insert_with(|| Arc::new(BTreeMap::new()));
        Arc::make_mut(groups).insert(name.into(), group);
    }

    /// Removes a group; says whether there was one.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.group(name).is_some()
            && self.groups.as_mut().is_some_and(|groups| Arc::make_mut(groups).remove(name).is_some())
    }

    /// Bytes of memory that it takes, its own box included; estimated from samples.
    #[must_use]
    pub fn memory_bytes(&self, sample: usize) -> usize {
        let groups: usize = self
            .groups()
            .map(|(name, group)| name.len() + size_of::<Group>() + group.memory_bytes(sample))
            .sum();
        crate::size_class(size_of::<Stream>()) + self.chunks.memory_bytes(sample) + groups
    }
}

/// The entries of a stream while one of its groups is changed.
#[derive(Clone, Copy)]
pub struct StreamEntries<'a>(&'a Tree<Chunk>);

impl StreamEntries<'_> {
    /// Whether there is an entry of an id.
    #[must_use]
    pub fn contains(self, id: StreamId) -> bool {
        self.0.leaf(by(id)).is_some_and(|chunk| chunk.find(id).is_some())
    }
}
