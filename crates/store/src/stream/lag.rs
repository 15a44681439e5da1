//! How far a group is: what it has read, and what is still before it. Where entries were deleted in between, nobody can tell.

use super::{Group, Stream, StreamId};

impl Stream {
    /// How many entries a group has yet to be given, if that can be told. Negative if it was told to have read more than there were.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        // A group that has yet to come to the first entry has all of them before it, however many were trimmed.
        if self.first_id().is_some_and(|first| group.last_id < first && self.max_deleted_id < first) {
            return Some(self.len() as i64);
        }
        let read = match group.entries_read {
            Some(read) if !self.has_deleted_from(group.last_id) => read,
            _ => self.entries_until(group.last_id)?,
        };
        Some(self.entries_added.wrapping_sub(read) as i64)
    }

    /// How many entries a group has read when it is given the entry of an id, if that can be told; it had read so many before.
    #[must_use]
    pub fn read_count_after(&self, entries_read: Option<u64>, id: StreamId) -> Option<u64> {
        match entries_read {
            Some(read) if !self.has_deleted_from(id) => Some(read + 1),
            read if self.entries_added == 0 => read,
            _ => self.entries_until(id),
        }
    }

    /// Whether an entry may have been deleted, other than by trimming, between the first entry and the last, from an id on.
    fn has_deleted_from(&self, id: StreamId) -> bool {
        let first = self.first_id().filter(|first| *first <= self.max_deleted_id);
        self.max_deleted_id != StreamId::MIN && first.is_some() && id <= self.max_deleted_id
    }

    /// How many entries were ever added up to an id, if that can be told.
    #[must_use]
    pub fn entries_until(&self, id: StreamId) -> Option<u64> {
        let first = match self.first_id() {
            _ if self.entries_added == 0 => return Some(0),
            None if id <= self.last_id => return Some(self.entries_added),
            first => first.unwrap_or_default(),
        };
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < first;
        let before = self.entries_added.wrapping_sub(self.len() as u64);
        match id.cmp(&first) {
            std::cmp::Ordering::Less if whole => Some(before),
            std::cmp::Ordering::Equal if whole => Some(before.wrapping_add(1)),
            _ => None,
        }
    }
}
