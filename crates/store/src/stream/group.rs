//! Consumer groups: how far a group has read a stream, and which entries its consumers have not acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::id::StreamId;
use super::sorted::{Identified, Sorted};
use crate::UnixMillis;

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The id of the entry, which may be deleted by now.
    pub id: StreamId,
    /// Whose it is.
    pub consumer: ConsumerNumber,
    /// When it was delivered last.
    pub delivered_at: UnixMillis,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl Identified for Pending {
    fn id(&self) -> StreamId {
        self.id
    }
}

/// Stands for a consumer within its group, as long as there is that consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerNumber(u32);

/// A consumer.
#[derive(Clone)]
pub struct Consumer {
    name: Arc<[u8]>,
    /// When it asked for something last.
    pub seen_at: UnixMillis,
    /// When it got something last.
    pub active_at: Option<UnixMillis>,
    pending: Sorted<StreamId>,
}

impl Consumer {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries it has not acknowledged.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids of the entries that it has not acknowledged, in order.
    pub fn pending_ids(&self) -> impl Iterator<Item = StreamId> + use<'_> {
        self.pending.from(StreamId::MIN)
    }
}

/// A consumer group.
#[derive(Clone)]
pub struct Group {
    /// The id of the last entry that it was given.
    pub last_id: StreamId,
    /// How many entries it has read, those counted that were deleted meanwhile; unless nobody can tell.
    pub entries_read: Option<u64>,
    pending: Sorted<Pending>,
    /// By their numbers; those of consumers that are gone are used again.
    consumers: Vec<Option<Consumer>>,
    names: BTreeMap<Arc<[u8]>, ConsumerNumber>,
}

impl Group {
    /// A group without consumers.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: Sorted::default(),
            consumers: Vec::new(),
            names: BTreeMap::new(),
        }
    }

    /// Number of consumers.
    #[must_use]
    pub fn consumers_len(&self) -> usize {
        self.names.len()
    }

    /// The consumers, by their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> + Clone {
        self.names.values().map(|number| self.consumer(*number))
    }

    /// The number of a consumer.
    #[must_use]
    pub fn number_of(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied()
    }

    /// A consumer.
    #[must_use]
    pub fn consumer(&self, ConsumerNumber(number): ConsumerNumber) -> &Consumer {
        self.consumers[number as usize].as_ref().expect("the number of a consumer that is there")
    }

    /// A consumer, to be changed.
    pub fn consumer_mut(&mut self, ConsumerNumber(number): ConsumerNumber) -> &mut Consumer {
        self.consumers[number as usize].as_mut().expect("the number of a consumer that is there")
    }

    /// Adds a consumer, whose name is new.
    pub fn add_consumer(&mut self, name: &[u8], now: UnixMillis) -> ConsumerNumber {
        let name: Arc<[u8]> = name.into();
        let consumer =
            Consumer { name: Arc::clone(&name), seen_at: now, active_at: None, pending: Sorted::default() };
        let free = self.consumers.iter().position(Option::is_none).unwrap_or_else(|| {
            self.consumers.push(None);
            self.consumers.len() - 1
        });
        self.consumers[free] = Some(consumer);
        let number = ConsumerNumber(free as u32);
        self.names.insert(name, number);
        number
    }

    /// Removes a consumer and what is pending for it; returns how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let ConsumerNumber(number) = self.names.remove(name)?;
        let consumer = self.consumers[number as usize].take()?;
        for id in consumer.pending.from(StreamId::MIN) {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Number of entries that nobody has acknowledged.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The first and the last entry that nobody has acknowledged.
    #[must_use]
    pub fn pending_ends(&self) -> Option<(StreamId, StreamId)> {
        Some((self.pending.first()?.id, self.pending.last()?.id))
    }

    /// What is pending under an id.
    #[must_use]
    pub fn find_pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.find(id)
    }

    /// What is pending from an id on, in order.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = Pending> + use<'_> {
        self.pending.from(id)
    }

    /// What is pending for a consumer from an id on, in order.
    pub fn pending_of(
        &self,
        consumer: ConsumerNumber,
        id: StreamId,
    ) -> impl Iterator<Item = Pending> + use<'_> {
        self.consumer(consumer).pending.from(id).filter_map(|id| self.pending.find(id))
    }

    /// Makes an entry pending, or changes what was pending under its id, whoever had it.
    pub fn put_pending(&mut self, pending: Pending) {
        match self.pending.put(pending) {
            Some(before) if before.consumer == pending.consumer => return,
            Some(before) => {
                self.consumer_mut(before.consumer).pending.remove(pending.id);
            }
            None => {}
        }
        self.consumer_mut(pending.consumer).pending.put(pending.id);
    }

    /// Ends that an entry is pending; says whether it was.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.consumer_mut(pending.consumer).pending.remove(id);
        true
    }

    /// Bytes of memory that it takes, estimated from samples.
    pub(super) fn memory_bytes(&self, sample: usize) -> usize {
        /// What the maps need for a consumer, about.
        const BESIDE: usize = 64;
        let consumers: usize = self
            .consumers()
            .map(|consumer| consumer.name.len() + BESIDE + consumer.pending.memory_bytes(sample))
            .sum();
        self.pending.memory_bytes(sample)
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + consumers
    }
}
