//! Files as old versions and other peers write them, byte by byte.

use larder_store::hash::HashRef;
use larder_store::list::ListRef;
use larder_store::stream::Stream;
use larder_store::zset::SortedSetRef;
use larder_store::{Content, Large, Type};

use super::*;

/// A ziplist of entries, each already with its encoding.
fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut before, mut tail) = (Vec::new(), 0, 10);
    for entry in entries {
        tail = 10 + body.len();
        let begin = body.len();
        match u8::try_from(before) {
            Ok(before @ ..254) => body.push(before),
            _ => body.extend_from_slice(&[&[254], &(before as u32).to_le_bytes()[..]].concat()),
        }
        body.extend_from_slice(entry);
        before = body.len() - begin;
    }
    let head = [(body.len() as u32 + 11).to_le_bytes(), (tail as u32).to_le_bytes()].concat();
    [&head[..], &(entries.len() as u16).to_le_bytes(), &body, &[255]].concat()
}

/// A string with its length before it.
fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes.len() {
        len @ ..64 => [&[len as u8], bytes].concat(),
        len => [&[0x40 | (len >> 8) as u8, len as u8], bytes].concat(),
    }
}

fn file(magic: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    [magic, &parts.concat(), &[opcode::END]].concat()
}

/// The entries of a file, which has nothing else.
fn entries_of(file: &[u8]) -> Vec<Entry> {
    let (items, verdict) = read(file).unwrap();
    assert!(matches!(verdict, Verdict::Unchecked | Verdict::Zero));
    let entry = |item| match item {
        Item::Key(record) => record.decode(&LIMITS).unwrap(),
        other => panic!("{other:?}"),
    };
    items.into_iter().map(entry).collect()
}

fn elements(entry: &Entry) -> Vec<Vec<u8>> {
    let list = ListRef::of(entry);
    (0..list.len()).map(|at| list.at(at).unwrap().to_vec()).collect()
}

fn value(hash: &Entry, field: &[u8]) -> Option<Vec<u8>> {
    HashRef::of(hash, UnixMillis(0)).value(field).map(Element::to_vec)
}

#[test]
fn first_versions() {
    let long = vec![b'z'; 70];
    let long_entry = [&[0x40, 70][..], &long].concat();
    let linked = [&[1][..], &string(b"list"), &[3], &string(b"x"), &[0xC0, 0xFE], &string(&long)].concat();
    let set = [&[2][..], &string(b"set"), &[2], &string(b"m"), &[0xC1, 0x2C, 0x01]].concat();
    let scores = [
        &[3][..],
        &string(b"scores"),
        &[3],
        &string(b"a"),
        &string(b"-2.5"),
        &string(b"b"),
        &[254],
        &string(b"c"),
        &[255],
    ]
    .concat();
    let hash = [&[4][..], &string(b"hash"), &[1], &string(b"f"), &string(b"v")].concat();
    let zipmap = [&[9][..], &string(b"zipmap"), &string(b"\x02\x01f\x01\x00v\x01g\x02\x01vw-\xff")].concat();
    let packed = [
        &[10][..],
        &string(b"ziplist"),
        &string(&ziplist(&[b"\xf2", b"\x02ab", &long_entry, b"\xc0\x39\x30"])),
    ]
    .concat();
    let intset = [&[11][..], &string(b"intset"), &string(b"\x02\0\0\0\x02\0\0\0\x05\0\x07\0")].concat();
    let packed_scores = [&[12][..], &string(b"zset"), &string(&ziplist(&[b"\x01m", b"\x031.5"]))].concat();
    let packed_hash = [&[13][..], &string(b"ziphash"), &string(&ziplist(&[b"\x01f", b"\xfe\x9c"]))].concat();
    let expiring = [
        &[opcode::EXPIRES_AT_SECONDS][..],
        &1_000_000_000_i32.to_le_bytes(),
        &[0],
        &string(b"k"),
        &string(b"v"),
    ]
    .concat();
    let found = entries_of(&file(
        b"REDIS0003",
        &[&linked, &set, &scores, &hash, &zipmap, &packed, &intset, &packed_scores, &packed_hash, &expiring],
    ));
    let names: Vec<&[u8]> = found.iter().map(Entry::key).collect();
    assert_eq!(
        names,
        [
            &b"list"[..],
            b"set",
            b"scores",
            b"hash",
            b"zipmap",
            b"ziplist",
            b"intset",
            b"zset",
            b"ziphash",
            b"k"
        ]
    );
    assert_eq!(elements(&found[0]), [b"x".to_vec(), b"-2".to_vec(), long.clone()]);
    assert_eq!((found[1].value_type(), found[1].size()), (Type::Set, 2));
    let score = |entry, member: &[u8]| SortedSetRef::of(entry).score(member);
    assert_eq!(score(&found[2], b"a"), Some(-2.5));
    assert_eq!(
        (score(&found[2], b"b"), score(&found[2], b"c")),
        (Some(f64::INFINITY), Some(f64::NEG_INFINITY))
    );
    assert_eq!(value(&found[3], b"f"), Some(b"v".to_vec()));
    assert_eq!((value(&found[4], b"f"), value(&found[4], b"g")), (Some(b"v".to_vec()), Some(b"vw".to_vec())));
    assert_eq!(elements(&found[5]), [b"1".to_vec(), b"ab".to_vec(), long, b"12345".to_vec()]);
    assert_eq!(found[6].size(), 2);
    assert_eq!(score(&found[7], b"m"), Some(1.5));
    assert_eq!(value(&found[8], b"f"), Some(b"-100".to_vec()));
    assert_eq!(found[9].expires_at(), Some(UnixMillis(1_000_000_000_000)));
}

#[test]
fn versions_with_quicklists_and_streams() {
    let quicklist =
        [&[14][..], &string(b"q"), &[2], &string(&ziplist(&[b"\x01a"])), &string(&ziplist(&[b"\x01b"]))]
            .concat();
    // A stream without entries, of which some were there: last id 5-1; a group with a consumer.
    let stream = [
        &[15][..],
        &string(b"s"),
        &[0, 0, 5, 1, 1],
        &string(b"g"),
        &[3, 0, 0, 1],
        &string(b"c"),
        &[9, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let used = [
        &[opcode::IDLE, 0x41, 0x2C][..],
        &[0, 0xC0, 7],
        &string(b"v"),
        &[opcode::FREQUENCY, 200, 0],
        &string(b"f"),
        &string(b"v"),
    ]
    .concat();
    let mut whole = file(b"REDIS0009", &[&quicklist, &stream, &used]);
    whole.extend_from_slice(&[0; 8]);
    let found = entries_of(&whole);
    assert_eq!(elements(&found[0]), [b"a", b"b"]);
    let Content::Large(Large::Stream(_)) = found[1].content() else { panic!() };
    let stream = Stream::of(&found[1]);
    assert_eq!((stream.last_id.millis, stream.group(b"g").unwrap().consumers_len()), (5, 1));
    assert_eq!(found[2].key(), b"7");
    let (items, _) = read(&whole).unwrap();
    let usage = |at: usize| match &items[at] {
        Item::Key(record) => record.usage(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [usage(1), usage(2), usage(3)],
        [Usage::Unknown, Usage::IdleSeconds(300), Usage::Frequency(200)]
    );
}

/// The number of a module: its name in 6 bits a character, and a version.
fn module_id(name: &[u8; 9]) -> [u8; 9] {
    let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let position = |wanted: &u8| characters.iter().position(|found| found == wanted).unwrap() as u64;
    let id = name.iter().fold(0, |id, character| id << 6 | position(character)) << 10 | 3;
    let mut len = [0x81; 9];
    len[1..].copy_from_slice(&id.to_be_bytes());
    len
}

#[test]
fn what_modules_and_clusters_have_is_passed_over_or_named() {
    let data = b"\x01\x05\x02\x41\x00\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\x03abc\x00";
    let module = [&[7][..], &string(b"m"), &module_id(b"ReJSON-RL"), data].concat();
    let aux = [&[opcode::MODULE_AUX][..], &module_id(b"scdtype00"), &[2, 1], data].concat();
    let slots = [opcode::DATABASE, 2, opcode::SIZES, 5, 1, opcode::SLOT_INFO, 9, 3, 1];
    let mut whole = file(b"REDIS0012", &[&aux, &slots, &module]);
    whole.extend_from_slice(&[0; 8]);
    let (items, _) = read(&whole).unwrap();
    let [
        Item::ModuleAux { module },
        Item::Database(2),
        Item::Sizes { keys: 5, expiring: 1 },
        Item::SlotSizes { slot: 9, keys: 3, expiring: 1 },
        Item::Key(record),
    ] = &items[..]
    else {
        panic!("{items:?}")
    };
    assert_eq!((&module[..], record.key()), ("scdtype00", &b"m"[..]));
    let error = record.decode(&LIMITS).unwrap_err();
    assert_eq!(error, Unusable::Module("ReJSON-RL".to_owned()));
    assert!(error.to_string().ends_with("no matching module type 'ReJSON-RL'"));

    let import =
        [&[opcode::SLOT_IMPORT][..], &string(&[b'n'; 40]), &[2, 0, 5, 0x7F, 0xFF, 0x7F, 0xFF]].concat();
    let mut whole = file(b"VALKEY080", &[&import]);
    whole.extend_from_slice(&[0; 8]);
    let (items, _) = read(&whole).unwrap();
    let [Item::SlotImport(import)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(import.ranges, [(0, 5), (16_383, 16_383)]);
    assert!(read(&[&b"REDIS0011"[..], &whole[9..]].concat()).is_err());
}

#[test]
fn empty_collections_are_told_apart() {
    let empty = [
        &[2][..],
        &string(b"set"),
        &[0, 10],
        &string(b"list"),
        &string(&ziplist(&[])),
        &[14],
        &string(b"q"),
        &[1],
        &string(&ziplist(&[])),
    ]
    .concat();
    let (items, _) = read(&file(b"REDIS0003", &[&empty])).unwrap();
    assert_eq!(items.len(), 3);
    for item in items {
        let Item::Key(record) = item else { panic!("{item:?}") };
        assert_eq!(record.decode(&LIMITS).unwrap_err(), Unusable::Empty);
    }
}
