//! Values as RDB has them, type by type.
//!
//! Packed collections are written as the bytes that they are. What is read is built element by element: so nothing enters that the
//! commands could not have made, whatever its bytes say, and the encoding is that of the directives in force here.

use std::borrow::Cow;

use larder_store::hash::{self, FieldSet, HashMut, LargeHash};
use larder_store::list::{self, End, ListLimit, ListMut};
use larder_store::listpack::{self, Listpack};
use larder_store::set::{self, SetLimits, SetMut, SetRef};
use larder_store::stream::ChunkLimits;
use larder_store::zset::{self, Direction, SortedSetMut, SortedSetRef};
use larder_store::{
    Attributes, Content, Element, Entry, Large, NewValue, PackedLimits, Packing, Type, UnixMillis, Value,
    intset, parse_integer,
};

use crate::reader::Reader;
use crate::writer::{write_element, write_len, write_raw, write_string};
use crate::ziplist::{read_ziplist, read_zipmap};

mod stream;
#[cfg(test)]
pub(crate) mod tests;

/// Numbers of the types, as RDB has them.
mod number {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const SORTED_SET_IN_DIGITS: u8 = 3;
    pub(super) const HASH: u8 = 4;
    pub(super) const SORTED_SET: u8 = 5;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const SORTED_SET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_OF_ZIPLISTS: u8 = 14;
    pub(super) const STREAM: u8 = 15;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const SORTED_SET_LISTPACK: u8 = 17;
    pub(super) const LIST_OF_LISTPACKS: u8 = 18;
    pub(super) const STREAM_WITH_COUNTS: u8 = 19;
    pub(super) const SET_LISTPACK: u8 = 20;
    pub(super) const STREAM_WITH_ACTIVITY: u8 = 21;
    /// Valkey's; to Redis it means something else.
    pub(super) const HASH_WITH_EXPIRIES: u8 = 22;
    /// Redis's, as is the next.
    pub(super) const HASH_WITH_TTLS: u8 = 24;
    pub(super) const HASH_LISTPACK_WITH_EXPIRIES: u8 = 25;
}

/// The version that is written unless the value needs a later one: what redis-server 7.0 reads.
pub(crate) const VERSION: u16 = 10;
/// From here on versions are Valkey's; those of Redis with hashes whose fields expire come between the two.
pub(crate) const VERSION_OF_VALKEY: u16 = 80;
/// What Valkey has in the place of the expiry of a field that stays.
const NEVER: i64 = -1;

/// The lowest version that has a content.
pub(crate) fn version_of(content: &[u8]) -> u16 {
    if content.first() == Some(&number::HASH_WITH_EXPIRIES) { VERSION_OF_VALKEY } else { VERSION }
}

/// What a node of a list is.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Up to where collections are packed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of hashes.
    pub hash: PackedLimits,
    /// Of lists.
    pub list: ListLimit,
    /// Of sets.
    pub set: SetLimits,
    /// Of sorted sets.
    pub sorted_set: PackedLimits,
    /// Of the chunks of streams.
    pub stream: ChunkLimits,
}

/// Number of the type and content.
pub(crate) fn encode(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    match (entry.content(), entry.value_type()) {
        (Content::String(value), _) => encode_string(&mut out, value),
        (Content::Packed(_, bytes), Type::List) => {
            out.push(number::LIST_OF_LISTPACKS);
            write_len(&mut out, 1);
            write_len(&mut out, PACKED as usize);
            write_raw(&mut out, bytes);
        }
        (Content::Packed(Packing::Intset, bytes), _) => {
            out.push(number::SET_INTSET);
            write_raw(&mut out, bytes);
        }
        (Content::Packed(Packing::Listpack, bytes), Type::Hash) => {
            out.push(number::HASH_LISTPACK);
            write_raw(&mut out, bytes);
        }
        (Content::Packed(Packing::Listpack, bytes), Type::SortedSet) => {
            out.push(number::SORTED_SET_LISTPACK);
            write_raw(&mut out, bytes);
        }
        // Listpacks of members came with version 11: without them 10 holds it.
        (Content::Packed(..), _) | (Content::Large(Large::Set(_)), _) => {
            encode_set(&mut out, SetRef::of(entry))
        }
        (Content::Large(Large::List(list)), _) => {
            out.push(number::LIST_OF_LISTPACKS);
            write_len(&mut out, list.chunks().count());
            for chunk in list.chunks() {
                match chunk {
                    list::Chunk::Long(block) => {
                        write_len(&mut out, PLAIN as usize);
                        write_raw(&mut out, block);
                    }
                    list::Chunk::Packed(bytes) => {
                        write_len(&mut out, PACKED as usize);
                        write_raw(&mut out, bytes);
                    }
                }
            }
        }
        (Content::Large(Large::Hash(hash)), _) => encode_hash(&mut out, hash),
        (Content::Large(Large::SortedSet(set)), _) => {
            out.push(number::SORTED_SET);
            write_len(&mut out, set.len());
            // The highest first, as the peers write them.
            SortedSetRef::Large(set).each(0..usize::MAX, Direction::Descending, |member, score| {
                write_element(&mut out, member);
                out.extend_from_slice(&score.to_le_bytes());
            });
        }
        (Content::Large(Large::Stream(stream)), _) => {
            out.push(number::STREAM_WITH_COUNTS);
            stream::encode(&mut out, stream);
        }
    }
    out
}

fn encode_string(out: &mut Vec<u8>, value: Value<'_>) {
    out.push(number::STRING);
    match value {
        Value::Int(number) => write_element(out, Element::Int(number)),
        Value::Inline(bytes) => write_string(out, bytes),
        Value::Block(block) => write_raw(out, block),
    }
}

fn encode_set(out: &mut Vec<u8>, set: SetRef<'_>) {
    out.push(number::SET);
    write_len(out, set.len());
    set.each(0, usize::MAX, |member| write_element(out, member));
}

/// With what has expired but is still there, as the peers write it: who reads it knows what time it is.
fn encode_hash(out: &mut Vec<u8>, hash: &LargeHash) {
    let expires = hash.has_expiring();
    out.push(if expires { number::HASH_WITH_EXPIRIES } else { number::HASH });
    write_len(out, hash.len());
    for (field, found) in hash.hashtable().iter() {
        write_element(out, field.into());
        write_element(out, found.text.into());
        if expires {
            out.extend_from_slice(&found.expires_at.map_or(NEVER, |at| at.0).to_le_bytes());
        }
    }
}

/// The value whose type and content come next, under a key. Fields of hashes that have expired are there too.
pub(crate) fn decode(reader: &mut Reader<'_>, version: u16, key: &[u8], limits: &Limits) -> Option<Entry> {
    let mut new = Builder { key, limits };
    match (reader.byte()?, version) {
        (number::HASH_WITH_EXPIRIES, VERSION_OF_VALKEY..) => new.expiring_hash(with_expiries(reader)),
        (number::HASH_WITH_TTLS, ..VERSION_OF_VALKEY) => {
            let first = i64::from_le_bytes(reader.array()?);
            new.expiring_hash(with_ttls(reader, first))
        }
        (number::HASH_LISTPACK_WITH_EXPIRIES, ..VERSION_OF_VALKEY) => {
            let _first = reader.take(8)?;
            new.expiring_hash(in_threes(read_listpack(&reader.string()?)?))
        }
        (number, _) => decode_as(number, reader, &mut new),
    }
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
    limits: &'a Limits,
}

impl Builder<'_> {
    fn empty(&self, value: NewValue<'_>) -> Entry {
        Entry::new(self.key, 0, &Attributes::default(), value)
    }

    /// A collection, unless it has no elements: no key holds such a one.
    fn finished(entry: Entry) -> Option<Entry> {
        (!entry.is_spent()).then_some(entry)
    }

    fn list<'b>(&mut self, elements: impl Iterator<Item = Option<Cow<'b, [u8]>>>) -> Option<Entry> {
        let mut entry = self.empty(list::empty());
        for element in elements {
            self.push(&mut entry, &element?);
        }
        Self::finished(entry)
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
        Self::finished(entry)
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
        Self::finished(entry)
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
        Self::finished(entry)
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
            at if at < NEVER => None,
            at => Some((field, value, Some(UnixMillis(at)))),
        }
    })
}

/// Fields as Redis has them: each after the time from the first expiry of all to its own, and 1; without one, 0.
fn with_ttls<'a>(reader: &mut Reader<'a>, first: i64) -> impl Iterator<Item = Option<ExpiringField<'a>>> {
    repeated(reader, move |reader| {
        let ttl = i64::try_from(reader.len()?).ok()?;
        let expires_at = if ttl == 0 { None } else { Some(UnixMillis(first.checked_add(ttl - 1)?)) };
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
fn read_listpack(bytes: &[u8]) -> Option<Vec<Bytes<'_>>> {
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
        Some(parse_integer(&at).map(|at| (field, value, (at != 0).then_some(UnixMillis(at)))))
    })
}

fn in_digits(elements: Vec<Bytes<'_>>) -> impl Iterator<Item = Option<(Bytes<'_>, f64)>> {
    in_pairs(elements).map(|pair| {
        let (member, score) = pair?;
        let score: f64 = std::str::from_utf8(&score).ok()?.parse().ok()?;
        (!score.is_nan()).then_some((member, score))
    })
}
