//! Sets: members without order.
//!
//! A small one of integers is an intset, any other small one a listpack, a large one a hashtable. A set never becomes smaller in
//! kind again, as in Redis.

use crate::buffer::Buffer;
use crate::element::{Digits, Element};
use crate::entry::{Content, Entry, NewValue, Packing, Type, decimal_len, parse_integer};
use crate::hashtable::{Hashtable, Members};
use crate::intset::{self, Intset};
use crate::large::{Large, PACKED_BYTES_MAX, PackedLimits};
use crate::listpack::{self, Listpack};
use crate::texts::Text;

/// Up to where a set is what.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// Most members of an intset.
    pub intset_entries: usize,
    /// Up to where it is a listpack.
    pub packed: PackedLimits,
}

/// A set to be read.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    /// A small one of integers.
    Intset(Intset<'a>),
    /// A small one.
    Packed(Listpack<'a>),
    /// A large one.
    Large(&'a Hashtable<Members>),
}

impl<'a> SetRef<'a> {
    /// The set of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a Entry) -> SetRef<'a> {
        match entry.content() {
            Content::Packed(Packing::Intset, bytes) => SetRef::Intset(Intset::new(bytes)),
            Content::Packed(Packing::Listpack, bytes) => SetRef::Packed(Listpack::new(bytes)),
            Content::Large(Large::Set(members)) => SetRef::Large(members),
            _ => unreachable!("the type was looked at before"),
        }
    }

    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            SetRef::Intset(numbers) => numbers.len(),
            SetRef::Packed(members) => members.len(),
            SetRef::Large(members) => members.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether this is a member.
    #[inline]
    #[must_use]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Intset(numbers) => parse_integer(member).is_some_and(|number| numbers.contains(number)),
            SetRef::Packed(members) => members.find(member, members.first(), 1).is_some(),
            SetRef::Large(members) => members.contains(member),
        }
    }

    /// Whether this element, of another set perhaps, is a member.
    #[inline]
    #[must_use]
    pub fn contains_element(self, element: Element<'_>) -> bool {
        match (self, element) {
            (SetRef::Intset(numbers), Element::Int(number)) => numbers.contains(number),
            _ => self.contains(element.text(&mut Digits::default())),
        }
    }

    /// The member of a rank, in whatever order.
    #[must_use]
    pub fn at(self, rank: usize) -> Option<Element<'a>> {
        match self {
            SetRef::Intset(numbers) => (rank < numbers.len()).then(|| Element::Int(numbers.at(rank))),
            SetRef::Packed(members) => members.offset_of(i64::try_from(rank).ok()?).map(|at| members.at(at)),
            SetRef::Large(members) => members.at(rank).map(|(member, ())| member.into()),
        }
    }

    /// Gives the members from a rank on to `visit`, `count` at most, as long as it says that it wants more.
    #[inline]
    pub fn each_while(self, rank: usize, count: usize, mut visit: impl FnMut(Element<'a>) -> bool) {
        match self {
            SetRef::Intset(numbers) => {
                numbers.iter().skip(rank).take(count).map(Element::Int).all(visit);
            }
            SetRef::Packed(members) => {
                members.iter().skip(rank).take(count).all(|(_, element)| visit(element));
            }
            SetRef::Large(members) => {
                members.iter_from(rank).take(count).all(|(member, ())| visit(member.into()));
            }
        }
    }

    /// Gives the members from a rank on to `visit`, `count` at most.
    #[inline]
    pub fn each(self, rank: usize, count: usize, mut visit: impl FnMut(Element<'a>)) {
        self.each_while(rank, count, |member| {
            visit(member);
            true
        });
    }
}

/// A set to be changed.
pub struct SetMut<'a> {
    entry: &'a mut Entry,
    limits: SetLimits,
}

impl<'a> SetMut<'a> {
    /// The set of an entry, which is of that type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a mut Entry, limits: SetLimits) -> SetMut<'a> {
        SetMut { entry, limits }
    }

    /// To be read.
    #[inline]
    #[must_use]
    pub fn as_ref(&self) -> SetRef<'_> {
        SetRef::of(self.entry)
    }

    /// Makes ready for so many members to be added: a set that would then be too long to be packed becomes a large one at once.
    pub fn expect(&mut self, members: usize) {
        let most = match self.as_ref() {
            SetRef::Intset(_) => self.limits.intset_entries,
            SetRef::Packed(_) => self.limits.packed.entries,
            SetRef::Large(_) => return,
        };
        if members > most {
            self.grow();
        }
    }

    /// Adds a member; says whether it was not there.
    pub fn add(&mut self, member: &[u8]) -> bool {
        if let Some(members) = self.large() {
            return members.change(member, |old| (old.is_none(), old.is_none().then_some(())));
        }
        match (self.as_ref(), parse_integer(member)) {
            (SetRef::Intset(numbers), Some(number)) => {
                let full = numbers.len() >= self.limits.intset_entries;
                if full && !numbers.contains(number) {
                    self.grow();
                    return self.add(member);
                }
                self.entry.packed_mut().is_some_and(|mut packed| intset::insert(&mut packed, number))
            }
            (SetRef::Intset(numbers), None) => {
                let longest = numbers.iter().map(decimal_len).max().unwrap_or(0);
                if self.may_pack(numbers.len(), longest.max(member.len()), 0) {
                    let members: Vec<Element<'_>> = numbers.iter().map(Element::Int).collect();
                    let bytes = listpack::from_elements(members);
                    self.entry.become_packed(Packing::Listpack, &bytes);
                } else {
                    self.grow();
                }
                self.add(member)
            }
            (SetRef::Packed(members), _) => {
                if members.find(member, members.first(), 1).is_some() {
                    return false;
                }
                if !self.may_pack(members.len(), member.len(), members.bytes().len()) {
                    self.grow();
                    return self.add(member);
                }
                if let Some(mut packed) = self.entry.packed_mut() {
                    listpack::push_back(&mut packed, [Element::of(member)]);
                }
                true
            }
            (SetRef::Large(_), _) => unreachable!("a large set was dealt with before"),
        }
    }

    /// Removes a member; says whether it was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        if let Some(members) = self.large() {
            return members.remove(member, |()| ()).is_some();
        }
        let Some(mut packed) = self.entry.packed_mut() else { return false };
        match packed.packing() {
            Packing::Intset => {
                parse_integer(member).is_some_and(|number| intset::remove(&mut packed, number))
            }
            Packing::Listpack => {
                let members = Listpack::new(packed.bytes());
                let Some(at) = members.find(member, members.first(), 1) else { return false };
                listpack::remove(&mut packed, at, 1);
                true
            }
        }
    }

    /// Removes the member of a rank, and shows it to `take` before.
    pub fn remove_at<R>(&mut self, rank: usize, take: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        if let Some(members) = self.large() {
            return members.remove_at(rank, |member: Text<'_>, ()| take(member.into()));
        }
        let result = take(self.as_ref().at(rank)?);
        let mut packed = self.entry.packed_mut()?;
        match packed.packing() {
            Packing::Intset => {
                let number = Intset::new(packed.bytes()).at(rank);
                intset::remove(&mut packed, number);
            }
            Packing::Listpack => {
                let at = Listpack::new(packed.bytes()).offset_of(i64::try_from(rank).ok()?)?;
                listpack::remove(&mut packed, at, 1);
            }
        }
        Some(result)
    }

    /// Whether a listpack may have one member more than `len`, of so many bytes.
    fn may_pack(&self, len: usize, member_bytes: usize, bytes: usize) -> bool {
        let limits = self.limits.packed;
        len < limits.entries && member_bytes <= limits.value_bytes && bytes + member_bytes < PACKED_BYTES_MAX
    }

    #[inline]
    fn large(&mut self) -> Option<&mut Hashtable<Members>> {
        match self.entry.large_mut() {
            Some(Large::Set(members)) => Some(members),
            _ => None,
        }
    }

    /// Makes a packed set a large one.
    #[cold]
    fn grow(&mut self) {
        let mut members = Hashtable::default();
        self.as_ref().each(0, usize::MAX, |member| {
            members.put(member.text(&mut Digits::default()), (), |_| ());
        });
        self.entry.become_large(Large::Set(members));
    }
}

/// An empty set, for a first member: integers begin an intset.
#[must_use]
pub fn empty(first: &[u8]) -> NewValue<'static> {
    let packing = if parse_integer(first).is_some() { Packing::Intset } else { Packing::Listpack };
    crate::empty(Type::Set, packing)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Attributes, Encoding};

    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => (-3..60_i64, 0..40_u32).prop_map(|(number, by)| (number << by).to_string().into_bytes()),
            2 => (0..40_u32).prop_map(|number| format!("word{number}").into_bytes()),
            1 => (9..12_usize).prop_map(|len| vec![b'x'; len]),
        ]
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(Vec<u8>),
        Remove(Vec<u8>),
        RemoveAt(usize),
    }

    proptest! {
        /// Whatever its encoding, a set holds what a set would hold.
        #[test]
        fn a_set_is_a_set(steps in prop::collection::vec(prop_oneof![
            6 => word().prop_map(Step::Add),
            2 => word().prop_map(Step::Remove),
            1 => any::<usize>().prop_map(Step::RemoveAt),
        ], 0..150), integers in any::<bool>()) {
            let packed = PackedLimits { entries: 12, value_bytes: 10 };
            let limits = SetLimits { intset_entries: 20, packed };
            let first: &[u8] = if integers { b"1" } else { b"x" };
            let mut entry = Entry::new(b"key", 0, &Attributes::default(), empty(first));
            let mut model = BTreeSet::new();
            for step in steps {
                let mut set = SetMut::of(&mut entry, limits);
                match step {
                    Step::Add(word) if integers && parse_integer(&word).is_none() && model.len() < 5 => {}
                    Step::Add(word) => prop_assert_eq!(set.add(&word), model.insert(word)),
                    Step::Remove(word) => prop_assert_eq!(set.remove(&word), model.remove(&word)),
                    Step::RemoveAt(rank) if !model.is_empty() => {
                        let removed = set.remove_at(rank % model.len(), |member| member.to_vec()).unwrap();
                        prop_assert!(model.remove(&removed));
                    }
                    Step::RemoveAt(_) => {}
                }
                prop_assert_eq!(SetRef::of(&entry).len(), model.len());
                prop_assert_eq!(entry.is_spent(), model.is_empty());
                prop_assert!(model.len() <= 20 || entry.encoding() == Encoding::Large);
            }
            let set = SetRef::of(&entry);
            let mut all = BTreeSet::new();
            set.each(0, usize::MAX, |member| assert!(all.insert(member.to_vec())));
            prop_assert_eq!(&all, &model);
            for (rank, member) in model.iter().enumerate() {
                prop_assert!(set.contains(member) && set.contains_element(Element::of(member)));
                prop_assert!(model.contains(&set.at(rank).unwrap().to_vec()));
            }
            prop_assert!(set.at(model.len()).is_none() && !set.contains(b"not there"));
        }
    }
}
