//! Large hashes: a hashtable of fields, and beside it those that expire, in the order of time.
//!
//! The order takes no memory while no field expires. Cloning takes a view of both.

use crate::UnixMillis;
use crate::hashtable::{Field, Fields, Hashtable};
use crate::order::{Direction, Order};
use crate::texts::Text;

/// See the module's documentation.
#[derive(Clone, Default)]
pub struct LargeHash {
    fields: Hashtable<Fields>,
    /// Under the milliseconds of its expiry, each field that has one.
    expiring: Order,
}

impl std::fmt::Debug for LargeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LargeHash").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// What a field was before it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Absent,
    Lasting,
    Until(UnixMillis),
}

impl LargeHash {
    /// Number of fields, those included whose time has come but that are still there.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields with their values and expiries, in the order of a hash: what a scan walks over.
    #[inline]
    #[must_use]
    pub fn hashtable(&self) -> &Hashtable<Fields> {
        &self.fields
    }

    /// Whether any field expires.
    #[inline]
    #[must_use]
    pub fn has_expiring(&self) -> bool {
        !self.expiring.is_empty()
    }

    /// When the first field expires.
    #[inline]
    #[must_use]
    pub fn next_expiry(&self) -> Option<UnixMillis> {
        self.expiring.lowest().map(|number| UnixMillis(number as i64))
    }

    /// Number of fields whose time has come.
    #[inline]
    #[must_use]
    pub fn due(&self, now: UnixMillis) -> usize {
        match self.next_expiry() {
            Some(first) if first <= now => self.expiring.count_while(|number, _| number <= place(now)),
            _ => 0,
        }
    }

    /// Bytes of memory that it holds, estimated from some leaves.
    #[must_use]
    pub fn memory_bytes(&self, sample: usize) -> usize {
        self.fields.memory_bytes(sample) + self.expiring.memory_bytes(sample)
    }

    /// Gives a field a value, and an expiry or none, over those that it had.
    #[inline]
    pub(super) fn put(&mut self, field: &[u8], value: Field<'_>) -> Before {
        let before = self.fields.put(field, value, |old| old.map_or(Before::Absent, Before::of));
        self.follow(field, before, value.expires_at);
        before
    }

    /// Gives a field that is there another expiry, or none.
    pub(super) fn put_expiry(&mut self, field: &[u8], expires_at: Option<UnixMillis>) {
        let Some(old) = self.fields.find(field) else { return };
        // The value is written anew: it may have to move, to make room.
        match old.text {
            Text::Bytes(bytes) => {
                let bytes = bytes.to_vec();
                self.put(field, Field { text: Text::Bytes(&bytes), expires_at });
            }
            Text::Block(block) => {
                let block = block.clone();
                self.put(field, Field { text: Text::Block(&block), expires_at });
            }
        }
    }

    /// Removes a field; says what it was.
    #[inline]
    pub(super) fn remove(&mut self, field: &[u8]) -> Before {
        let before = self.fields.remove(field, Before::of).unwrap_or(Before::Absent);
        self.follow(field, before, None);
        before
    }

    /// Removes fields whose time has come, the first first, `limit` at most; returns how many. Each is told to `each`.
    pub(crate) fn remove_due(&mut self, now: UnixMillis, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        let LargeHash { fields, expiring } = self;
        let mut removed = 0;
        while removed < limit && expiring.lowest().is_some_and(|number| number <= place(now)) {
            let _ = expiring.pop(Direction::Ascending, |field, _| {
                each(field.bytes());
                fields.remove(field.bytes(), |_| ())
            });
            removed += 1;
        }
        removed
    }

    /// Has the order of time follow a change.
    #[inline]
    fn follow(&mut self, field: &[u8], before: Before, expires_at: Option<UnixMillis>) {
        let old = if let Before::Until(at) = before { Some(at) } else { None };
        if old == expires_at {
            return;
        }
        if let Some(at) = old {
            self.expiring.remove(place(at), field);
        }
        if let Some(at) = expires_at {
            self.expiring.add(place(at), field);
        }
    }
}

impl Before {
    fn of(field: Field<'_>) -> Before {
        field.expires_at.map_or(Before::Lasting, Before::Until)
    }
}

/// The place of a time in the order. Exact up to the year 287396, and in order for ever.
#[inline]
fn place(at: UnixMillis) -> f64 {
    at.0 as f64
}
