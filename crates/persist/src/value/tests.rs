use larder_store::hash::{self, HashMut, HashRef};
use larder_store::list::{self, End, ListMut};
use larder_store::set::{self, SetMut};
use larder_store::stream::{Group, Pending, Stream, StreamId};
use larder_store::zset::{self, SortedSetMut, SortedSetRef};
use larder_store::{Attributes, Element, Encoding, NewValue, UnixMillis};
use proptest::prelude::*;

use super::number;
use super::*;
use crate::reader::Reader;
use crate::writer::Compression;

pub(crate) const LIMITS: Limits = Limits {
    hash: PackedLimits { entries: 6, value_bytes: 20 },
    list: ListLimit::Elements(6),
    set: SetLimits { intset_entries: 6, packed: PackedLimits { entries: 6, value_bytes: 20 } },
    sorted_set: PackedLimits { entries: 6, value_bytes: 20 },
    stream: ChunkLimits { bytes: 4096, entries: 6 },
};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        3 => (-200..200_i32).prop_map(|number| number.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..30),
        1 => (60..70_usize, 16_380..16_390_usize).prop_map(|(short, _)| vec![b'x'; short]),
        1 => Just(vec![b'y'; 20_000]),
    ]
}

pub(crate) fn compressions() -> impl Strategy<Value = Compression> {
    prop_oneof![Just(Compression::Lzf), Just(Compression::Off)]
}

/// Values of every type and encoding.
pub(crate) fn entries() -> impl Strategy<Value = Entry> {
    let words = || prop::collection::vec((word(), word(), -1000..1000_i32), 1..20);
    (0..8_u8, words()).prop_map(|(kind, words)| {
        let new = |value: NewValue<'_>| Entry::new(b"key", 0, &Attributes::default(), value);
        match kind {
            0 => new(NewValue::of(&words[0].0)),
            1 => {
                let mut entry = new(list::empty());
                for (word, ..) in &words {
                    let mut list = ListMut::of(&mut entry, LIMITS.list);
                    list.expect(1, word.len());
                    list.push(End::Tail, Element::of(word));
                }
                entry
            }
            2 => {
                let mut entry = new(set::empty(&words[0].0));
                for (word, ..) in &words {
                    SetMut::of(&mut entry, LIMITS.set).add(word);
                }
                entry
            }
            3 => {
                let mut entry = new(set::empty(b"1"));
                for (.., number) in &words {
                    SetMut::of(&mut entry, LIMITS.set).add(number.to_string().as_bytes());
                }
                entry
            }
            4 => {
                let mut entry = new(hash::empty());
                for (field, value, _) in &words {
                    HashMut::of(&mut entry, LIMITS.hash, NOW).set(field, value);
                }
                entry
            }
            5 => {
                let mut entry = new(hash::empty());
                for (field, value, number) in &words {
                    let expires_at = (number % 3 != 0).then(|| NOW.saturating_add(i64::from(*number)));
                    let mut hash = HashMut::of(&mut entry, LIMITS.hash, NOW);
                    // A hash with a field that ceased to expire stays large.
                    if hash.as_ref().find(field).is_none() {
                        hash.put(field, value, expires_at);
                    }
                }
                entry
            }
            6 => new(stream_of(&words).into_value()),
            _ => {
                let mut entry = new(zset::empty());
                for (member, _, number) in &words {
                    SortedSetMut::of(&mut entry, LIMITS.sorted_set).put(member, f64::from(*number) / 4.0);
                }
                entry
            }
        }
    })
}

/// A stream with deleted entries and a group.
fn stream_of(words: &[(Vec<u8>, Vec<u8>, i32)]) -> Stream {
    let mut stream = Stream::default();
    let mut group = Group::new(StreamId::MIN, Some(1));
    let consumers = [b"one", b"two"].map(|name| group.add_consumer(name, UnixMillis(5)));
    for (number, (field, value, more)) in words.iter().enumerate() {
        let id = StreamId {
            millis: stream.last_id.millis + u64::from(more % 3 == 0),
            sequence: stream.last_id.sequence + 1 + more.unsigned_abs() as u64,
        };
        let name: &[u8] = if number % 4 == 3 { field } else { b"name" };
        let fields = [(Element::of(name), Element::of(value))];
        stream.append(id, fields.into_iter(), name.len() + value.len(), LIMITS.stream);
        let consumer = consumers[number % 2];
        group.put_pending(Pending { id, consumer, delivered_at: UnixMillis(9), deliveries: number as u64 });
        if more % 7 == 0 {
            stream.delete(id);
        }
    }
    stream.add_group(b"group", group);
    stream
}

fn read_as(version: u16, payload: &[u8]) -> Option<Entry> {
    let (number, content) = payload.split_first()?;
    decode(*number, &mut Reader::new(content), version, b"k", &Attributes::default(), &LIMITS).ok()
}

fn read(payload: &[u8]) -> Option<Entry> {
    read_as(VERSION, payload)
}

#[test]
fn what_older_versions_wrote_is_read() {
    // Two elements, 1 and "ab", in a ziplist.
    let ziplist = b"\x11\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf2\x02\x02ab\xff";
    let payload = |kind: u8, body: &[u8]| [&[kind, body.len() as u8], body].concat();
    let hash = read(&payload(number::HASH_ZIPLIST, ziplist)).unwrap();
    assert_eq!(HashRef::of(&hash, NOW).value(b"1").map(Element::to_vec), Some(b"ab".to_vec()));
    let list = read(&payload(number::LIST_ZIPLIST, ziplist)).unwrap();
    assert_eq!((list.size(), list.encoding()), (2, Encoding::Listpack));
    let quicklist = [&[number::LIST_OF_ZIPLISTS, 1, ziplist.len() as u8], &ziplist[..]].concat();
    assert_eq!(read(&quicklist).unwrap().size(), 2);
    let zipmap = payload(number::HASH_ZIPMAP, b"\x01\x01f\x02\x01vw-\xff");
    assert_eq!(
        HashRef::of(&read(&zipmap).unwrap(), NOW).value(b"f").map(Element::to_vec),
        Some(b"vw".to_vec())
    );
    let scored = [&[number::SORTED_SET_IN_DIGITS, 2, 1, b'a', 3], &b"1.5"[..], &[1, b'b', 254]].concat();
    let scored = read(&scored).unwrap();
    assert_eq!(SortedSetRef::of(&scored).score(b"a"), Some(1.5));
    assert_eq!(SortedSetRef::of(&scored).score(b"b"), Some(f64::INFINITY));
}

#[test]
fn what_no_command_could_have_made_is_refused() {
    for payload in [
        &[number::SET, 2, 1, b'a', 1, b'a'][..],
        &[number::SET, 0],
        &[number::HASH, 2, 1, b'f', 1, b'v', 1, b'f', 1, b'w'],
        &[number::LIST, 3, 1, b'a'],
        &[number::SORTED_SET, 1, 1, b'a', 0, 0, 0, 0, 0, 0, 0xF8, 0x7F],
        &[number::SET, 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, b'a'],
        &[number::LIST_OF_LISTPACKS, 1, 3, 1, b'a'],
        &[15, 0],
        &[],
    ] {
        assert!(read(payload).is_none(), "{payload:?}");
    }
}

/// A field, its value and its expiry.
type OwnedField = (Vec<u8>, Vec<u8>, Option<i64>);

/// The fields of a hash that is read under a version.
fn fields(version: u16, payload: &[u8]) -> Option<Vec<OwnedField>> {
    let entry = read_as(version, payload)?;
    let hash = HashRef::of(&entry, UnixMillis::MIN);
    let mut fields = Vec::new();
    hash.each(0, usize::MAX, |field, value| {
        let found = hash.find(&field.to_vec()).unwrap();
        fields.push((field.to_vec(), value.to_vec(), found.expires_at.map(|at| at.0)));
    });
    fields.sort();
    Some(fields)
}

#[test]
fn expiries_of_fields_are_read_as_either_peer_writes_them() {
    let at = |at: i64| at.to_le_bytes();
    let expected =
        || Some(vec![(b"f".to_vec(), b"v".to_vec(), Some(1005)), (b"g".to_vec(), b"w".to_vec(), None)]);
    let valkey =
        [&[number::HASH_WITH_EXPIRIES, 2, 1, b'f', 1, b'v'][..], &at(1005), &[1, b'g', 1, b'w'], &at(-1)]
            .concat();
    assert_eq!(fields(80, &valkey), expected());
    let redis =
        [&[number::HASH_WITH_TTLS][..], &at(1000), &[2, 6, 1, b'f', 1, b'v', 0, 1, b'g', 1, b'w']].concat();
    assert_eq!(fields(12, &redis), expected());
    // A listpack of f, v, 1005, g, w, 0.
    let listpack = b"\x15\x00\x00\x00\x06\x00\x81f\x02\x81v\x02\xc3\xed\x02\x81g\x02\x81w\x02\x00\x01\xff";
    let mut listpack = listpack.to_vec();
    listpack[0] = listpack.len() as u8;
    let packed =
        [&[number::HASH_LISTPACK_WITH_EXPIRIES][..], &at(1005), &[listpack.len() as u8], &listpack].concat();
    assert_eq!(fields(12, &packed), expected());

    // Under the other's versions these numbers mean something else, or nothing.
    assert_eq!(fields(12, &valkey), None);
    assert_eq!((fields(80, &redis), fields(80, &packed)), (None, None));
    for broken in [
        [&[number::HASH_WITH_EXPIRIES, 1, 1, b'f', 1, b'v'][..], &at(-2)].concat(),
        [&[number::HASH_WITH_EXPIRIES, 1, 1, b'f', 1, b'v'][..], &[1, 2, 3]].concat(),
        [&[number::HASH_WITH_EXPIRIES, 2, 1, b'f', 1, b'v'][..], &at(5), &[1, b'f', 1, b'v'], &at(-1)]
            .concat(),
        vec![number::HASH_WITH_EXPIRIES, 0],
    ] {
        assert_eq!(fields(80, &broken), None, "{broken:?}");
    }
    let before_time = [&[number::HASH_WITH_TTLS][..], &at(-9), &[1, 6, 1, b'f', 1, b'v']].concat();
    assert_eq!(fields(12, &before_time), None);
    let overflow = [&[number::HASH_WITH_TTLS][..], &at(i64::MAX), &[1, 6, 1, b'f', 1, b'v']].concat();
    assert_eq!(fields(12, &overflow), None);
}
