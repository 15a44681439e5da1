//! Reading values: each is built anew, element by element.

use std::borrow::Cow;

use larder_store::hash::{self, FieldSet, HashMut};
use larder_store::list::{self, End, ListMut};
use larder_store::listpack::{self, Listpack};
use larder_store::set::{self, SetMut};
use larder_store::zset::{self, SortedSetMut};
use larder_store::{Attributes, Element, Entry, NewValue, UnixMillis, intset, parse_integer};

use super::{Limits, NEVER, PACKED, PLAIN, VERSION_OF_VALKEY, number, stream};
use crate::reader::Reader;
use crate::ziplist::{read_ziplist, read_zipmap};

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is a collection without elements, which no key holds. Old versions of the peers wrote some, by mistake.
    Empty,
    /// Its bytes make no value.
    Damaged,
}

/// The value that comes next, of the type with this number, under a key and with what the key has beside it. Fields of hashes
/// that have expired are there too.
pub(crate) fn decode(
    number: u8,
    reader: &mut Reader<'_>,
    version: u16,
    key: &[u8],
    attributes: &Attributes,
    limits: &Limits,
) -> Result<Entry, Refused> {
    let mut new = Builder { key, attributes, limits, found_empty: false };
    let entry = match (number, version) {
        (number::HASH_WITH_EXPIRIES, VERSION_OF_VALKEY..) => new.expiring_hash(with_expiries(reader)),
        (number::HASH_WITH_TTLS, ..VERSION_OF_VALKEY) => {
            reader.array().and_then(|first| new.expiring_hash(with_ttls(reader, i64::from_le_bytes(first))))
        }
        (number::HASH_LISTPACK_WITH_EXPIRIES, ..VERSION_OF_VALKEY) => {
            listpack_with_expiries(reader, &mut new)
        }
        (number, _) => decode_as(number, reader, &mut new),
    };
    entry.ok_or(if new.found_empty { Refused::Empty } else { Refused::Damaged })
}

fn listpack_with_expiries(reader: &mut Reader<'_>, new: &mut Builder<'_>) -> Option<Entry> {
    let _first = reader.take(8)?;
    new.expiring_hash(in_threes(read_listpack(&reader.string()?)?))
}

/// A value whose type every version knows by this number.
fn decode_as(number: u8, reader: &mut Reader<'_>, new: &mut Builder<'_>) -> Option<Entry> {
    match number {
        number::STRING => {
            let value = reader.string()?;
            Some(new.empty(NewValue::of(&value)))
        }
        number::LIST => new.list(strings(reader)),
        number::SET => new.set(strings(reader)),
        number::HASH => new.hash(pairs(reader)),
        number::SORTED_SET_IN_DIGITS => new.sorted_set(scored(reader, Reader::old_score)),
        number::SORTED_SET => new.sorted_set(scored(reader, Reader::score)),
        number::HASH_ZIPMAP => new.hash(in_pairs(read_zipmap(&reader.string()?)?)),
        number::LIST_ZIPLIST => new.list(read_ziplist(&reader.string()?)?.into_iter().map(Some)),
        number::SET_INTSET => new.intset(&reader.string()?),
        number::SORTED_SET_ZIPLIST => new.sorted_set(in_digits(read_ziplist(&reader.string()?)?)),
        number::HASH_ZIPLIST => new.hash(in_pairs(read_ziplist(&reader.string()?)?)),
        number::HASH_LISTPACK => new.hash(in_pairs(read_listpack(&reader.string()?)?)),
        number::SORTED_SET_LISTPACK => new.sorted_set(in_digits(read_listpack(&reader.string()?)?)),
        number::SET_LISTPACK => new.set(read_listpack(&reader.string()?)?.into_iter().map(Some)),
        number::LIST_OF_ZIPLISTS => new.list_of_nodes(reader, |reader| {
            let node = reader.string()?;
            Some(read_ziplist(&node)?.into_iter().map(Cow::into_owned).collect())
        }),
        number::LIST_OF_LISTPACKS => new.list_of_nodes(reader, |reader| {
            let (kind, node) = (reader.len()?, reader.string()?);
            match kind {
                PLAIN => Some(vec![node.into_owned()]),
                PACKED => Some(read_listpack(&node)?.into_iter().map(Cow::into_owned).collect()),
                _ => None,
            }
        }),
        number::STREAM => new.stream(reader, stream::Form::First),
        number::STREAM_WITH_COUNTS => new.stream(reader, stream::Form::WithCounts),
        number::STREAM_WITH_ACTIVITY => new.stream(reader, stream::Form::WithActivity),
        _ => None,
    }
}

/// Builds values from elements; an element that is `None` is damaged.
struct Builder<'a> {
    key: &'a [u8],
    attributes: &'a Attributes,
    limits: &'a Limits,
    found_empty: bool,
}

impl Builder<'_> {
    fn empty(&self, value: NewValue<'_>) -> Entry {
        Entry::new(self.key, 0, self.attributes, value)
    }

    /// A collection, unless it has no elements.
    fn finished(&mut self, entry: Entry) -> Option<Entry> {
        self.found_empty = entry.is_spent();
        (!self.found_empty).then_some(entry)
    }

    fn list<'b>(&mut self, elements: impl Iterator<Item = Option<Cow<'b, [u8]>>>) -> Option<Entry> {
        let mut entry = self.empty(list::empty());
        for element in elements {
            self.push(&mut entry, &element?);
        }
        self.finished(entry)
    }

    fn push(&self, entry: &mut Entry, element: &[u8]) {
        let mut list = ListMut::of(entry, self.limits.list);
        list.expect(1, element.len());
        list.push(End::Tail, Element::of(element));
    }

    fn list_of_nodes<'r>(
        &mut self,
        reader: &mut Reader<'r>,
        node: impl Fn(&mut Reader<'r>) -> Option<Vec<Vec<u8>>>,
    ) -> Option<Entry> {
        let mut entry = self.empty(list::empty());
        for _ in 0..reader.len()? {
            for element in node(reader)? {
                self.push(&mut entry, &element);
            }
        }
        self.finished(entry)
    }

    fn set<'b>(&mut self, members: impl Iterator<Item = Option<Cow<'b, [u8]>>>) -> Option<Entry> {
        let mut entry: Option<Entry> = None;
        for member in members {
            let member = member?;
            let entry = entry.get_or_insert_with(|| self.empty(set::empty(&member)));
            if !SetMut::of(entry, self.limits.set).add(&member) {
                return None;
            }
        }
        self.found_empty = entry.is_none();
        entry
    }

    fn intset(&mut self, bytes: &[u8]) -> Option<Entry> {
        if !intset::validate(bytes) {
            return None;
        }
        let members =
            intset::Intset::new(bytes).iter().map(|number| Some(Cow::Owned(number.to_string().into_bytes())));
        self.set(members)
    }

    fn hash<'b>(&mut self, pairs: impl Iterator<Item = Option<(Bytes<'b>, Bytes<'b>)>>) -> Option<Entry> {
        self.expiring_hash(pairs.map(|pair| pair.map(|(field, value)| (field, value, None))))
    }

    fn expiring_hash<'b>(
        &mut self,
        fields: impl Iterator<Item = Option<ExpiringField<'b>>>,
    ) -> Option<Entry> {
        let mut entry = self.empty(hash::empty());
        for field in fields {
            let (field, value, expires_at) = field?;
            // Before all times: no field has expired that another could take the place of.
            let mut hash = HashMut::of(&mut entry, self.limits.hash, UnixMillis::MIN);
            if hash.put(&field, &value, expires_at) == FieldSet::Updated {
                return None;
            }
        }
        self.finished(entry)
    }

    fn sorted_set<'b>(
        &mut self,
        elements: impl Iterator<Item = Option<(Cow<'b, [u8]>, f64)>>,
    ) -> Option<Entry> {
        let mut entry = self.empty(zset::empty());
        for element in elements {
            let (member, score) = element?;
            if SortedSetMut::of(&mut entry, self.limits.sorted_set).put(&member, score).is_some() {
                return None;
            }
        }
        self.finished(entry)
    }

    fn stream(&self, reader: &mut Reader<'_>, form: stream::Form) -> Option<Entry> {
        let stream = stream::decode(reader, form, self.limits.stream)?;
        Some(self.empty(stream.into_value()))
    }
}

type Bytes<'a> = Cow<'a, [u8]>;
/// Field, value and expiry.
type ExpiringField<'a> = (Bytes<'a>, Bytes<'a>, Option<UnixMillis>);

/// As many strings as are declared.
fn strings<'a>(reader: &mut Reader<'a>) -> impl Iterator<Item = Option<Bytes<'a>>> {
    repeated(reader, Reader::string)
}

fn pairs<'a>(reader: &mut Reader<'a>) -> impl Iterator<Item = Option<(Bytes<'a>, Bytes<'a>)>> {
    repeated(reader, |reader| Some((reader.string()?, reader.string()?)))
}

/// Fields as Valkey has them.
fn with_expiries<'a>(reader: &mut Reader<'a>) -> impl Iterator<Item = Option<ExpiringField<'a>>> {
    repeated(reader, |reader| {
        let (field, value) = (reader.string()?, reader.string()?);
        match i64::from_le_bytes(reader.array()?) {
            NEVER => Some((field, value, None)),
            at => Some((field, value, Some(expiry(at)?))),
        }
    })
}

/// When a field expires: no field has a time before 1970, which stands for something else in places.
fn expiry(at: i64) -> Option<UnixMillis> {
    (at >= 0).then_some(UnixMillis(at))
}

/// Fields as Redis has them: each after the time from the first expiry of all to its own, and 1; without one, 0.
fn with_ttls<'a>(reader: &mut Reader<'a>, first: i64) -> impl Iterator<Item = Option<ExpiringField<'a>>> {
    repeated(reader, move |reader| {
        let ttl = i64::try_from(reader.len()?).ok()?;
        let expires_at = if ttl == 0 { None } else { Some(expiry(first.checked_add(ttl - 1)?)?) };
        Some((reader.string()?, reader.string()?, expires_at))
    })
}

fn scored<'a>(
    reader: &mut Reader<'a>,
    score: impl Fn(&mut Reader<'a>) -> Option<f64>,
) -> impl Iterator<Item = Option<(Bytes<'a>, f64)>> {
    repeated(reader, move |reader| Some((reader.string()?, score(reader)?)))
}

/// As many things as are declared; one that is missing ends them.
fn repeated<'a, T>(
    reader: &mut Reader<'a>,
    one: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> impl Iterator<Item = Option<T>> {
    let declared = reader.len();
    let mut left = declared.unwrap_or(1);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        declared?;
        Some(one(reader))
    })
}

/// The elements of a listpack, which is judged first.
pub(super) fn read_listpack(bytes: &[u8]) -> Option<Vec<Bytes<'_>>> {
    if !listpack::validate(bytes) {
        return None;
    }
    let elements = Listpack::new(bytes).iter().map(|(_, element)| match element {
        Element::Bytes(bytes) => Cow::Borrowed(bytes),
        other => Cow::Owned(other.to_vec()),
    });
    Some(elements.collect())
}

fn in_pairs(elements: Vec<Bytes<'_>>) -> impl Iterator<Item = Option<(Bytes<'_>, Bytes<'_>)>> {
    let mut elements = elements.into_iter();
    std::iter::from_fn(move || {
        let first = elements.next()?;
        Some(elements.next().map(|second| (first, second)))
    })
}

/// Fields as Redis packs them: each before its value and its expiry, which is 0 if it has none.
fn in_threes(elements: Vec<Bytes<'_>>) -> impl Iterator<Item = Option<ExpiringField<'_>>> {
    let mut elements = elements.into_iter();
    std::iter::from_fn(move || {
        let field = elements.next()?;
        let (Some(value), Some(at)) = (elements.next(), elements.next()) else { return Some(None) };
        let expires_at =
            parse_integer(&at).and_then(|at| if at == 0 { Some(None) } else { expiry(at).map(Some) });
        Some(expires_at.map(|expires_at| (field, value, expires_at)))
    })
}

fn in_digits(elements: Vec<Bytes<'_>>) -> impl Iterator<Item = Option<(Bytes<'_>, f64)>> {
    in_pairs(elements).map(|pair| {
        let (member, score) = pair?;
        let score: f64 = std::str::from_utf8(&score).ok()?.parse().ok()?;
        (!score.is_nan()).then_some((member, score))
    })
}
