//! Hashes: fields with values, and with an expiry where they were given one.
//!
//! A small one is a listpack of fields, each followed by its value; a large one a hashtable, and so is each with a field that
//! expires.
//!
//! A field whose time has come stays until the time index brings up its key, a moment later; whoever reads a hash says what time it
//! is, and does not see it. Only the number of fields ([`HashRef::len`]) counts it as long as it is there, as HLEN does in Valkey.

use crate::UnixMillis;
use crate::element::Element;
use crate::entry::{Content, Entry, Packing};
use crate::hashtable::Field;
use crate::large::{Large, PACKED_BYTES_MAX, PackedLimits};
use crate::listpack::{self, Listpack};
use crate::texts::Text;

mod large;
#[cfg(test)]
mod tests;

use large::Before;
pub use large::LargeHash;

/// A hash to be read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    /// A small one.
    Packed(Listpack<'a>),
    /// A large one, at this time.
    Large(&'a LargeHash, UnixMillis),
}

/// A field as it is read.
#[derive(Clone, Copy, Debug)]
pub struct FoundField<'a> {
    /// Its value.
    pub value: Element<'a>,
    /// When it expires.
    pub expires_at: Option<UnixMillis>,
}

impl<'a> HashRef<'a> {
    /// The hash of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a Entry, now: UnixMillis) -> HashRef<'a> {
        match entry.content() {
            Content::Packed(_, bytes) => HashRef::Packed(Listpack::new(bytes)),
            Content::Large(Large::Hash(hash)) => HashRef::Large(hash, now),
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// Number of fields, those included whose time has come but that are still there.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pairs) => pairs.len() / 2,
            HashRef::Large(hash, _) => hash.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of fields that can be seen: whose time has not come.
    #[inline]
    #[must_use]
    pub fn visible(self) -> usize {
        match self {
            HashRef::Packed(pairs) => pairs.len() / 2,
            HashRef::Large(hash, now) => hash.len() - hash.due(now),
        }
    }

    /// A field, with its value and its expiry.
    #[inline]
    #[must_use]
    pub fn find(self, field: &[u8]) -> Option<FoundField<'a>> {
        match self {
            HashRef::Packed(pairs) => {
                let at = pairs.find(field, pairs.first(), 2)?;
                Some(FoundField { value: pairs.at(pairs.next(at)), expires_at: None })
            }
            HashRef::Large(hash, now) => {
                let found = hash.hashtable().find(field).filter(|found| !found.is_due(now))?;
                Some(FoundField { value: found.text.into(), expires_at: found.expires_at })
            }
        }
    }

    /// The value of a field.
    #[inline]
    #[must_use]
    pub fn value(self, field: &[u8]) -> Option<Element<'a>> {
        self.find(field).map(|found| found.value)
    }

    /// The field of a rank, in whatever order, with its value; none if its time has come.
    #[must_use]
    pub fn at(self, rank: usize) -> Option<(Element<'a>, Element<'a>)> {
        match self {
            HashRef::Packed(pairs) => {
                let at = pairs.offset_of(2 * i64::try_from(rank).ok()?)?;
                Some((pairs.at(at), pairs.at(pairs.next(at))))
            }
            HashRef::Large(hash, now) => {
                let (field, found) = hash.hashtable().at(rank)?;
                (!found.is_due(now)).then(|| (field.into(), found.text.into()))
            }
        }
    }

    /// The ranks of the fields that can be seen. Takes a walk over all.
    #[must_use]
    pub fn visible_ranks(self) -> Vec<usize> {
        match self {
            HashRef::Packed(_) => (0..self.len()).collect(),
            HashRef::Large(hash, now) => {
                let fields = hash.hashtable().iter().enumerate();
                fields.filter(|(_, (_, found))| !found.is_due(now)).map(|(rank, _)| rank).collect()
            }
        }
    }

    /// Gives the fields of `count` ranks from a rank on, with their values, to `visit`, save those whose time has come.
    #[inline]
    pub fn each(self, rank: usize, count: usize, mut visit: impl FnMut(Element<'a>, Element<'a>)) {
        match self {
            HashRef::Packed(pairs) => {
                let mut elements = pairs.iter().map(|(_, element)| element).skip(2 * rank);
                for _ in 0..count {
                    let (Some(field), Some(value)) = (elements.next(), elements.next()) else { break };
                    visit(field, value);
                }
            }
            HashRef::Large(hash, now) => {
                for (field, found) in hash.hashtable().iter_from(rank).take(count) {
                    if !found.is_due(now) {
                        visit(field.into(), found.text.into());
                    }
                }
            }
        }
    }
}

/// A hash to be changed. A field whose time has come counts as missing.
pub struct HashMut<'a> {
    entry: &'a mut Entry,
    limits: PackedLimits,
    now: UnixMillis,
    overdue: usize,
}

/// What setting a field did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSet {
    /// It is new.
    Created,
    /// It had another value.
    Updated,
}

impl<'a> HashMut<'a> {
    /// The hash of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a mut Entry, limits: PackedLimits, now: UnixMillis) -> HashMut<'a> {
        HashMut { entry, limits, now, overdue: 0 }
    }

    /// To be read.
    #[inline]
    #[must_use]
    pub fn as_ref(&self) -> HashRef<'_> {
        HashRef::of(self.entry, self.now)
    }

    /// Number of fields in whose place others were set after their time had come: they have expired by this.
    #[inline]
    #[must_use]
    pub fn overdue(&self) -> usize {
        self.overdue
    }

    /// Gives a field a value; it does not expire any more.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> FieldSet {
        self.put(field, value, None)
    }

    /// Gives a field a value and leaves its expiry as it is.
    #[inline]
    pub fn update(&mut self, field: &[u8], value: &[u8]) -> FieldSet {
        let expires_at = match self.as_ref() {
            HashRef::Large(hash, _) if hash.has_expiring() => {
                self.as_ref().find(field).and_then(|found| found.expires_at)
            }
            _ => None,
        };
        self.put(field, value, expires_at)
    }

    /// Gives a field a value, and an expiry or none.
    #[inline]
    pub fn put(&mut self, field: &[u8], value: &[u8], expires_at: Option<UnixMillis>) -> FieldSet {
        if field.len().max(value.len()) > self.limits.value_bytes || expires_at.is_some() {
            self.grow();
        }
        let now = self.now;
        if let Some(hash) = self.large() {
            return match hash.put(field, Field { text: Text::Bytes(value), expires_at }) {
                Before::Absent => FieldSet::Created,
                Before::Until(at) if at <= now => {
                    self.overdue += 1;
                    FieldSet::Created
                }
                Before::Until(_) | Before::Lasting => FieldSet::Updated,
            };
        }
        let Some(mut packed) = self.entry.packed_mut() else { unreachable!("a hash is packed or large") };
        let pairs = Listpack::new(crate::Buffer::bytes(&packed));
        if let Some(at) = pairs.find(field, pairs.first(), 2) {
            let at = pairs.next(at);
            listpack::replace(&mut packed, at, Element::of(value));
            return FieldSet::Updated;
        }
        let (full, bytes) = (pairs.len() / 2 >= self.limits.entries, pairs.bytes().len());
        if full || bytes + field.len() + value.len() > PACKED_BYTES_MAX {
            self.grow();
            return self.set(field, value);
        }
        listpack::push_back(&mut packed, [Element::of(field), Element::of(value)]);
        FieldSet::Created
    }

    /// Gives a field that is there another expiry, or none.
    pub fn put_expiry(&mut self, field: &[u8], expires_at: Option<UnixMillis>) {
        if expires_at.is_some() {
            self.grow();
        }
        if let Some(hash) = self.large() {
            hash.put_expiry(field, expires_at);
        }
    }

    /// Removes a field; says whether it was there.
    #[inline]
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let now = self.now;
        if let Some(hash) = self.large() {
            // What is due goes by time, and is told of then.
            if hash.has_expiring() && hash.hashtable().find(field).is_some_and(|found| found.is_due(now)) {
                return false;
            }
            return hash.remove(field) != Before::Absent;
        }
        let Some(mut packed) = self.entry.packed_mut() else { return false };
        let pairs = Listpack::new(crate::Buffer::bytes(&packed));
        let Some(at) = pairs.find(field, pairs.first(), 2) else { return false };
        listpack::remove(&mut packed, at, 2);
        true
    }

    #[inline]
    fn large(&mut self) -> Option<&mut LargeHash> {
        match self.entry.large_mut() {
            Some(Large::Hash(hash)) => Some(hash),
            _ => None,
        }
    }

    /// Makes a packed hash a large one.
    #[cold]
    fn grow(&mut self) {
        let HashRef::Packed(_) = self.as_ref() else { return };
        let mut hash = LargeHash::default();
        self.as_ref().each(0, usize::MAX, |field, value| {
            let (mut field_digits, mut value_digits) = Default::default();
            let value = Field::lasting(value.text(&mut value_digits));
            hash.put(field.text(&mut field_digits), value);
        });
        self.entry.become_large(Large::Hash(hash));
    }
}

/// An empty hash.
#[must_use]
pub fn empty() -> crate::NewValue<'static> {
    crate::empty(crate::Type::Hash, Packing::Listpack)
}
