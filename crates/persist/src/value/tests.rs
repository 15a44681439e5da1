use larder_store::stream::{Group, Pending, Stream, StreamId};
use larder_store::{Encoding, UnixMillis};
use proptest::prelude::*;

use super::*;

pub(crate) const LIMITS: Limits = Limits {
    hash: PackedLimits { entries: 6, value_bytes: 20 },
    list: ListLimit::Elements(6),
    set: SetLimits { intset_entries: 6, packed: PackedLimits { entries: 6, value_bytes: 20 } },
    sorted_set: PackedLimits { entries: 6, value_bytes: 20 },
    stream: ChunkLimits { bytes: 4096, entries: 6 },
};

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        3 => (-200..200_i32).prop_map(|number| number.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..30),
        1 => (60..70_usize, 16_380..16_390_usize).prop_map(|(short, _)| vec![b'x'; short]),
        1 => Just(vec![b'y'; 20_000]),
    ]
}

/// Values of every type and encoding.
pub(crate) fn entries() -> impl Strategy<Value = Entry> {
    let words = || prop::collection::vec((word(), word(), -1000..1000_i32), 1..20);
    (0..7_u8, words()).prop_map(|(kind, words)| {
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
                    HashMut::of(&mut entry, LIMITS.hash).set(field, value);
                }
                entry
            }
            5 => new(stream_of(&words).into_value()),
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

fn read(payload: &[u8]) -> Option<Entry> {
    let mut reader = Reader::new(payload);
    decode(&mut reader, b"k", &LIMITS)
}

#[test]
fn what_older_versions_wrote_is_read() {
    // Two elements, 1 and "ab", in a ziplist.
    let ziplist = b"\x11\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\xf2\x02\x02ab\xff";
    let payload = |kind: u8, body: &[u8]| [&[kind, body.len() as u8], body].concat();
    let hash = read(&payload(number::HASH_ZIPLIST, ziplist)).unwrap();
    assert_eq!(HashRef::of(&hash).value(b"1").map(Element::to_vec), Some(b"ab".to_vec()));
    let list = read(&payload(number::LIST_ZIPLIST, ziplist)).unwrap();
    assert_eq!((list.size(), list.encoding()), (2, Encoding::Listpack));
    let quicklist = [&[number::LIST_OF_ZIPLISTS, 1, ziplist.len() as u8], &ziplist[..]].concat();
    assert_eq!(read(&quicklist).unwrap().size(), 2);
    let zipmap = payload(number::HASH_ZIPMAP, b"\x01\x01f\x02\x01vw-\xff");
    assert_eq!(HashRef::of(&read(&zipmap).unwrap()).value(b"f").map(Element::to_vec), Some(b"vw".to_vec()));
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
