//! Hashes: fields with values.
//!
//! A small one is a listpack of fields, each followed by its value; a large one a hashtable.

use crate::element::Element;
use crate::entry::{Content, Entry, Packing};
use crate::hashtable::{Field, Fields, Hashtable};
use crate::large::{Large, PACKED_BYTES_MAX, PackedLimits};
use crate::listpack::{self, Listpack};

/// A hash to be read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    /// A small one.
    Packed(Listpack<'a>),
    /// A large one.
    Large(&'a Hashtable<Fields>),
}

impl<'a> HashRef<'a> {
    /// The hash of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a Entry) -> HashRef<'a> {
        match entry.content() {
            Content::Packed(_, bytes) => HashRef::Packed(Listpack::new(bytes)),
            Content::Large(Large::Hash(fields)) => HashRef::Large(fields),
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// Number of fields.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pairs) => pairs.len() / 2,
            HashRef::Large(fields) => fields.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[inline]
    #[must_use]
    pub fn value(self, field: &[u8]) -> Option<Element<'a>> {
        match self {
            HashRef::Packed(pairs) => {
                let at = pairs.find(field, pairs.first(), 2)?;
                Some(pairs.at(pairs.next(at)))
            }
            HashRef::Large(fields) => fields.find(field).map(|field| field.text.into()),
        }
    }

    /// The field of a rank, in whatever order, with its value.
    #[must_use]
    pub fn at(self, rank: usize) -> Option<(Element<'a>, Element<'a>)> {
        match self {
            HashRef::Packed(pairs) => {
                let at = pairs.offset_of(2 * i64::try_from(rank).ok()?)?;
                Some((pairs.at(at), pairs.at(pairs.next(at))))
            }
            HashRef::Large(fields) => fields.at(rank).map(|(field, value)| (field.into(), value.text.into())),
        }
    }

    /// Gives the fields from a rank on, with their values, to `visit`, `count` at most.
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
            HashRef::Large(fields) => {
                for (field, value) in fields.iter_from(rank).take(count) {
                    visit(field.into(), value.text.into());
                }
            }
        }
    }
}

/// A hash to be changed.
pub struct HashMut<'a> {
    entry: &'a mut Entry,
    limits: PackedLimits,
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
    pub fn of(entry: &'a mut Entry, limits: PackedLimits) -> HashMut<'a> {
        HashMut { entry, limits }
    }

    /// To be read.
    #[inline]
    #[must_use]
    pub fn as_ref(&self) -> HashRef<'_> {
        HashRef::of(self.entry)
    }

    /// Gives a field a value.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> FieldSet {
        if field.len().max(value.len()) > self.limits.value_bytes {
            self.grow();
        }
        if let Some(fields) = self.large() {
            let old = fields.put(field, Field::lasting(value), |old| old.is_some());
            return if old { FieldSet::Updated } else { FieldSet::Created };
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

    /// Removes a field; says whether it was there.
    #[inline]
    pub fn remove(&mut self, field: &[u8]) -> bool {
        if let Some(fields) = self.large() {
            return fields.remove(field, |_| ()).is_some();
        }
        let Some(mut packed) = self.entry.packed_mut() else { return false };
        let pairs = Listpack::new(crate::Buffer::bytes(&packed));
        let Some(at) = pairs.find(field, pairs.first(), 2) else { return false };
        listpack::remove(&mut packed, at, 2);
        true
    }

    #[inline]
    fn large(&mut self) -> Option<&mut Hashtable<Fields>> {
        match self.entry.large_mut() {
            Some(Large::Hash(fields)) => Some(fields),
            _ => None,
        }
    }

    /// Makes a packed hash a large one.
    #[cold]
    fn grow(&mut self) {
        let HashRef::Packed(_) = self.as_ref() else { return };
        let mut fields = Hashtable::default();
        self.as_ref().each(0, usize::MAX, |field, value| {
            let (mut field_digits, mut value_digits) = Default::default();
            let value = Field::lasting(value.text(&mut value_digits));
            fields.put(field.text(&mut field_digits), value, |_| ());
        });
        self.entry.become_large(Large::Hash(fields));
    }
}

/// An empty hash.
#[must_use]
pub fn empty() -> crate::NewValue<'static> {
    crate::empty(crate::Type::Hash, Packing::Listpack)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{Attributes, Encoding};

    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (0..40_u32).prop_map(|number| number.to_string().into_bytes()),
            4 => (0..40_u32).prop_map(|number| format!("word{number}").into_bytes()),
            1 => (9..12_usize).prop_map(|len| vec![b'x'; len]),
        ]
    }

    proptest! {
        /// Small or large, a hash holds what a map would hold.
        #[test]
        fn a_hash_is_a_map(steps in prop::collection::vec((word(), prop::option::weighted(0.7, word())), 0..150)) {
            let limits = PackedLimits { entries: 20, value_bytes: 10 };
            let mut entry = Entry::new(b"key", 0, &Attributes::default(), empty());
            let mut model = BTreeMap::new();
            for (field, value) in steps {
                let mut hash = HashMut::of(&mut entry, limits);
                match value {
                    Some(value) => {
                        let created = hash.set(&field, &value) == FieldSet::Created;
                        prop_assert_eq!(created, model.insert(field, value).is_none());
                    }
                    None => prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                }
                let hash = HashRef::of(&entry);
                prop_assert_eq!(hash.len(), model.len());
                prop_assert_eq!(entry.is_spent(), model.is_empty());
                prop_assert!(model.len() <= 20 || entry.encoding() == Encoding::Large);
            }
            let hash = HashRef::of(&entry);
            let mut all = BTreeMap::new();
            hash.each(0, usize::MAX, |field, value| assert!(all.insert(field.to_vec(), value.to_vec()).is_none()));
            prop_assert_eq!(&all, &model);
            for (rank, (field, value)) in model.iter().enumerate() {
                prop_assert_eq!(hash.value(field).map(Element::to_vec), Some(value.clone()));
                let (field, value) = hash.at(rank).unwrap();
                prop_assert_eq!(model.get(&field.to_vec()), Some(&value.to_vec()));
            }
            prop_assert!(hash.at(model.len()).is_none());
        }
    }
}
