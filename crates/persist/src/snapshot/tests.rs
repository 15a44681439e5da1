use std::io::{self, Read, Write};

use larder_store::{Attributes, Element, Entry, NewValue, UnixMillis};
use proptest::prelude::*;

use super::*;
use crate::value::tests::{LIMITS, compressions, entries};
use crate::{Compression, dump};

mod old;

fn usages() -> impl Strategy<Value = Usage> {
    prop_oneof![
        Just(Usage::Unknown),
        (0..100_000_u64).prop_map(Usage::IdleSeconds),
        any::<u8>().prop_map(Usage::Frequency),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    (any::<Option<i64>>(), prop_oneof![Just(0), any::<u32>()], 0..4_u8).prop_map(
        |(expires_at, client_flags, item_state)| Attributes {
            expires_at: expires_at.map(UnixMillis),
            client_flags,
            item_state,
            cas: None,
        },
    )
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..30),
        any::<i32>().prop_map(|number| number.to_string().into_bytes()),
        (1..9_000_usize).prop_map(|len| b"key:".repeat(len)),
    ]
}

fn with(entry: &Entry, key: &[u8], attributes: &Attributes) -> Entry {
    let mut entry = entry.renamed(key);
    entry.set_attributes(attributes);
    entry
}

/// All that a file has.
fn all(mut reader: Reader<impl Read>) -> Result<(Vec<Item>, Verdict), Error> {
    let mut items = Vec::new();
    while let Some(item) = reader.next_item()? {
        items.push(item);
    }
    Ok((items, reader.verdict().expect("the end was read")))
}

fn read(file: &[u8]) -> Result<(Vec<Item>, Verdict), Error> {
    all(Reader::new(file)?)
}

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(3);
        self.0.read(&mut into[..len])
    }
}

fn written(
    entries: &[(Entry, Usage)],
    format: Format,
    checksum: Checksum,
    compression: Compression,
) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), format, checksum, compression);
    writer.aux(b"redis-bits", b"64").unwrap();
    writer.function(b"#!lua name=l\nredis.register_function('f', function() return 1 end)").unwrap();
    writer.database(3, entries.len() as u64, 1).unwrap();
    for (entry, usage) in entries {
        writer.key(&Key::of(entry, *usage)).unwrap();
    }
    let expected = writer.written() + 9;
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, expected);
    file
}

fn check(items: &[Item], entries: &[(Entry, Usage)]) {
    let [
        Item::Aux { name, value },
        Item::Function(source),
        Item::Database(3),
        Item::Sizes { keys, expiring: 1 },
        found @ ..,
    ] = items
    else {
        panic!("{items:?}")
    };
    assert_eq!((&name[..], &value[..], *keys), (&b"redis-bits"[..], &b"64"[..], entries.len() as u64));
    assert!(source.starts_with(b"#!lua"));
    assert_eq!(found.len(), entries.len());
    for (item, (entry, usage)) in found.iter().zip(entries) {
        let Item::Key(record) = item else { panic!("{item:?}") };
        let back = record.decode(&LIMITS).unwrap();
        assert_eq!((record.key(), record.usage()), (entry.key(), *usage));
        assert_eq!((back.key(), back.attributes()), (entry.key(), entry.attributes()));
        assert_eq!(dump(&back, Compression::Off), dump(entry, Compression::Off));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        found in prop::collection::vec((entries(), keys(), attributes(), usages()), 0..12),
        compression in compressions(),
        checked in any::<bool>(),
    ) {
        let entries: Vec<(Entry, Usage)> =
            found.iter().map(|(entry, key, attributes, usage)| (with(entry, key, attributes), *usage)).collect();
        let (checksum, verdict) =
            if checked { (Checksum::Written, Verdict::Checked) } else { (Checksum::Zero, Verdict::Zero) };
        let file = written(&entries, Format::Valkey80, checksum, compression);
        let (items, found) = read(&file).unwrap();
        prop_assert_eq!(found, verdict);
        check(&items, &entries);
        let (items, _) = all(Reader::new(Trickle(&file)).unwrap()).unwrap();
        check(&items, &entries);
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 1..13_u16) {
        let head = format!("REDIS{version:04}").into_bytes();
        judge(&[&head, &bytes[..]].concat());
        judge(&[b"VALKEY080", &bytes[..]].concat());
    }

    /// Damage that no checksum tells of makes no panic.
    #[test]
    fn damage_is_judged(
        entry in entries(),
        compression in compressions(),
        places in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut file = written(&[(entry, Usage::Unknown)], Format::Valkey80, Checksum::Zero, compression);
        for (at, byte) in places {
            let at = at % file.len();
            file[at] = byte;
        }
        judge(&file);
    }
}

/// Reads as far as that goes.
fn judge(file: &[u8]) {
    let Ok(mut reader) = Reader::new(file) else { return };
    while let Ok(Some(item)) = reader.next_item() {
        if let Item::Key(record) = item {
            let _ = record.decode(&LIMITS);
        }
    }
    assert!(reader.offset() <= file.len() as u64);
}

fn sample() -> Vec<u8> {
    let string = |key: &[u8], value: &[u8]| {
        let attributes = Attributes { client_flags: 7, ..Attributes::expiring(Some(UnixMillis(5))) };
        (Entry::new(key, 0, &attributes, NewValue::of(value)), Usage::IdleSeconds(300))
    };
    let entries = [string(b"a", b"12"), string(b"12", &b"xy".repeat(300)), string(b"c", &[7; 70_000])];
    written(&entries, Format::Redis10, Checksum::Written, Compression::Off)[..].to_vec()
}

#[test]
fn every_damaged_byte_is_found() {
    let file = sample();
    // The middle of the long string stands for all of it.
    let places = (0..1000).chain((1000..file.len() - 100).step_by(977)).chain(file.len() - 100..file.len());
    for at in places {
        let mut damaged = file.clone();
        damaged[at] ^= 0x04;
        // As a version without checksums it is as right as one without damage.
        assert!(!matches!(read(&damaged), Ok((_, Verdict::Checked))), "{at}");
    }
}

#[test]
fn every_file_that_breaks_off_is_found() {
    let file = sample();
    let lens = (0..1000).chain((1000..file.len() - 100).step_by(977)).chain(file.len() - 100..file.len());
    for len in lens {
        let error = read(&file[..len]).unwrap_err();
        assert!(matches!(error.fault, Fault::UnexpectedEnd), "{len}: {error}");
        assert!(error.offset <= len as u64);
    }
}

#[test]
fn faults_are_told_in_the_words_of_the_peers() {
    let told = |file: &[u8]| read(file).unwrap_err().to_string();
    assert_eq!(told(b"REDIS"), "Unexpected EOF reading RDB file (at offset 0)");
    assert_eq!(told(b"RUDIS0010"), "Wrong signature trying to load DB from file (at offset 9)");
    assert_eq!(told(b"REDIS0000\xff"), "Can't handle RDB format version 0 (at offset 9)");
    assert_eq!(told(b"REDIS0013\xff"), "Can't handle RDB format version 13 (at offset 9)");
    assert_eq!(told(b"VALKEY081\xff"), "Can't handle RDB format version 81 (at offset 9)");
    assert_eq!(told(b"REDIS00x1\xff"), "Can't handle RDB format version 0 (at offset 9)");
    assert_eq!(told(b"REDIS0010\x08\x01k"), "Unknown RDB encoding type 8 (at offset 10)");
    assert_eq!(told(b"REDIS0010\x06\x01k"), "Pre-release module format not supported (at offset 12)");
    assert_eq!(told(b"REDIS0010\xf6\x01k"), "Pre-release function format not supported. (at offset 10)");
    assert_eq!(told(b"REDIS0010\x00\x82"), "Unknown length encoding 2 in rdbLoadLen() (at offset 11)");
    assert_eq!(told(b"REDIS0010\x00\xc4"), "Unknown RDB string encoding type 4 (at offset 11)");
    let wrong = told(b"REDIS0010\xff\x01\0\0\0\0\0\0\0");
    assert!(
        wrong.starts_with("RDB CRC error: expected (") && wrong.ends_with("got (1) (at offset 18)"),
        "{wrong}"
    );
    // Numbers of hashes whose fields expire are those of one peer only.
    assert_eq!(told(b"VALKEY080\x18\x01k"), "Unknown RDB encoding type 24 (at offset 10)");
    assert_eq!(told(b"REDIS0012\x16\x01k"), "Unknown RDB encoding type 22 (at offset 10)");
}

#[test]
fn what_is_only_declared_takes_no_memory() {
    for declared in [
        &b"\x00\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x02\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
    ] {
        let error = read(&[b"REDIS0010", declared].concat()).unwrap_err();
        assert!(matches!(error.fault, Fault::UnexpectedEnd), "{error}");
    }
}

#[test]
fn the_rest_is_left() {
    let file = [&sample()[..], b"*1\r\n$4\r\nPING\r\n"].concat();
    let mut reader = Reader::new(&file[..]).unwrap();
    while reader.next_item().unwrap().is_some() {}
    assert!(reader.next_item().unwrap().is_none());
    let mut rest = Vec::new();
    reader.into_rest().read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"*1\r\n$4\r\nPING\r\n");
}

/// Takes so many bytes, and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let len = bytes.len().min(self.0);
        self.0 -= len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_that_fails_is_told_from_then_on() {
    let entry = Entry::new(b"k", 0, &Attributes::default(), NewValue::of(&[7; 70_000]));
    let key = Key::of(&entry, Usage::Unknown);
    let mut writer = Writer::new(Full(100_000), Format::Redis10, Checksum::Written, Compression::Off);
    writer.key(&key).unwrap();
    assert_eq!(writer.key(&key).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(writer.database(1, 1, 1).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(writer.finish().is_err());
    let writer = Writer::new(Full(3), Format::Redis10, Checksum::Written, Compression::Off);
    assert!(writer.finish().is_err());
}

/// Notes the longest write.
struct Longest<'a>(&'a mut usize);

impl Write for Longest<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0 = bytes.len().max(*self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_value_is_written_in_parts() {
    use larder_store::list::{self, End, ListMut};
    use larder_store::set::{self, SetMut};
    let mut set = Entry::new(b"set", 0, &Attributes::default(), set::empty(b"x"));
    let mut list = Entry::new(b"list", 0, &Attributes::default(), list::empty());
    for number in 0..100_000 {
        let text = format!("member {number}");
        SetMut::of(&mut set, LIMITS.set).add(text.as_bytes());
        let mut list = ListMut::of(&mut list, LIMITS.list);
        list.expect(1, text.len());
        list.push(End::Tail, Element::of(text.as_bytes()));
    }
    let mut longest = 0;
    let mut writer = Writer::new(Longest(&mut longest), Format::Redis10, Checksum::Written, Compression::Lzf);
    for entry in [&set, &list] {
        writer.key(&Key::of(entry, Usage::Unknown)).unwrap();
    }
    assert!(writer.written() > 1_500_000);
    writer.finish().unwrap();
    assert!((32 * 1024..=64 * 1024).contains(&longest), "{longest}");
}

#[test]
fn a_view_is_written_as_its_entry() {
    use larder_store::set::{self, SetMut};
    let mut entry = Entry::new(b"k", 0, &Attributes::default(), set::empty(b"x"));
    for number in 0..100 {
        SetMut::of(&mut entry, LIMITS.set).add(format!("m{number}").as_bytes());
    }
    let view = entry.large().unwrap().clone();
    let key =
        Key { name: b"k", value: (&view).into(), attributes: Attributes::default(), usage: Usage::Unknown };
    let written = |key: &Key<'_>| {
        let mut writer = Writer::new(Vec::new(), Format::Redis10, Checksum::Written, Compression::Lzf);
        writer.key(key).unwrap();
        writer.finish().unwrap()
    };
    assert_eq!(written(&key), written(&Key::of(&entry, Usage::Unknown)));
}

#[test]
fn a_value_that_the_format_does_not_have_is_not_written() {
    use larder_store::hash::{self, HashMut};
    let mut entry = Entry::new(b"k", 0, &Attributes::default(), hash::empty());
    HashMut::of(&mut entry, LIMITS.hash, UnixMillis(1)).put(b"f", b"v", Some(UnixMillis(5)));
    let mut writer = Writer::new(Vec::new(), Format::Redis10, Checksum::Written, Compression::Off);
    let error = writer.key(&Key::of(&entry, Usage::Unknown)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(writer.finish().unwrap().len(), 18);
}
