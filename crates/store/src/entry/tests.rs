use proptest::prelude::*;

use super::*;
use crate::buffer::Buffer;

fn attributes() -> impl Strategy<Value = Attributes> {
    let expiry = prop_oneof![
        Just(None),
        (NARROW_EPOCH..NARROW_EPOCH + (1 << 40)).prop_map(Some),
        any::<i64>().prop_map(Some),
    ];
    let cas = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    let flags = prop_oneof![Just(0), any::<u32>()];
    (expiry, flags, 0..3_u8, cas).prop_map(|(expires_at, client_flags, item_state, cas)| Attributes {
        expires_at: expires_at.map(UnixMillis),
        client_flags,
        item_state,
        cas,
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![0..60_usize, 100..300_usize, 300..4095_usize, Just(4095), Just(4096), Just(70_000)];
    (len, any::<u8>()).prop_map(|(len, fill)| vec![fill; len])
}

fn content(entry: &Entry) -> Vec<u8> {
    match entry.value() {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Inline(bytes) => bytes.to_vec(),
        Value::Block(block) => block.to_vec(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Replace(Attributes, Vec<u8>),
    Attributes(Attributes),
    Integer(i64),
    Grow(usize),
    Access(u32),
    Timed(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (attributes(), bytes()).prop_map(|(attributes, bytes)| Step::Replace(attributes, bytes)),
        attributes().prop_map(Step::Attributes),
        any::<i64>().prop_map(Step::Integer),
        prop_oneof![0..200_usize, 4000..4200_usize].prop_map(Step::Grow),
        (0..1_u32 << 24).prop_map(Step::Access),
        any::<bool>().prop_map(Step::Timed),
    ]
}

proptest! {
    /// Whatever is done to an entry, it reads back what a plain struct would hold.
    #[test]
    fn an_entry_is_what_was_put_into_it(key in bytes(), first in attributes(), value in bytes(),
                                        steps in prop::collection::vec(step(), 0..20)) {
        let mut entry = Entry::new(&key, 0xABCDEF, &first, NewValue::of(&value));
        let (mut expected, mut attributes, mut access, mut timed) = (value, first, 0xABCDEF, false);
        for step in steps {
            match step {
                Step::Replace(new, bytes) => {
                    entry.replace(&new, NewValue::of(&bytes));
                    (attributes, expected) = (new, bytes);
                }
                Step::Attributes(new) => {
                    entry.set_attributes(&new);
                    attributes = new;
                }
                Step::Integer(number) => {
                    entry.replace(&attributes, NewValue::Int(number));
                    expected = number.to_string().into_bytes();
                }
                Step::Grow(len) => {
                    let bytes = entry.raw_mut(len);
                    if let Some(last) = bytes.last_mut() { *last = b'!'; }
                    expected.resize(expected.len().max(len), 0);
                    if let Some(last) = expected.last_mut() { *last = b'!'; }
                }
                Step::Access(bits) => {
                    entry.set_access(bits);
                    access = bits;
                }
                Step::Timed(on) => {
                    entry.set_timed(on);
                    timed = on;
                }
            }
            prop_assert_eq!(entry.key(), &key[..]);
            prop_assert_eq!(&content(&entry), &expected);
            prop_assert_eq!(entry.value_len(), expected.len());
            prop_assert_eq!(entry.attributes(), attributes);
            prop_assert_eq!(entry.expires_at(), attributes.expires_at);
            prop_assert_eq!(entry.access(), access);
            prop_assert_eq!(entry.is_timed(), timed);
        }
        let renamed = entry.renamed(b"another key");
        prop_assert_eq!(content(&renamed), expected);
        prop_assert_eq!(renamed.key(), b"another key");
    }

    #[test]
    fn an_integer_is_recognised_exactly_when_its_digits_are_canonical(text in "-?[0-9]{0,21}|[ +0-9a]{0,4}") {
        let canonical = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
        prop_assert_eq!(parse_integer(text.as_bytes()), canonical);
    }
}

#[test]
fn the_extremes_of_integers() {
    for number in [i64::MIN, i64::MAX, 0, -1, 10, -10] {
        let text = number.to_string();
        assert_eq!(parse_integer(text.as_bytes()), Some(number));
        assert_eq!(decimal_len(number), text.len());
    }
    for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999", "-0", "00", ""] {
        assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn sixteen_plus_hundred_bytes_with_a_time_to_live_fill_one_class_of_128() {
    let expires_at = Some(UnixMillis(1_800_000_000_000));
    let entry = Entry::new(&[b'k'; 16], 0, &Attributes::expiring(expires_at), NewValue::of(&[b'v'; 100]));
    assert_eq!(entry.memory_bytes(), 128);
    let small = Entry::new(&[b'k'; 16], 0, &Attributes::default(), NewValue::of(b"eight by"));
    assert_eq!(small.memory_bytes(), 32);
}

#[test]
fn larger_entries_take_little_more_than_their_content() {
    let mut last = 0;
    for len in 106..BLOCK_MIN_BYTES {
        let entry = Entry::new(&[b'k'; 16], 0, &Attributes::default(), NewValue::raw(&vec![b'v'; len]));
        let (content, bytes) = (entry.content_bytes(), entry.memory_bytes());
        assert!(bytes >= content.max(last) && bytes - content < 8 + content / 40, "{content} in {bytes}");
        assert_eq!(class_bytes(bytes), bytes, "a class is its own class");
        last = bytes;
    }
    let long_name = Entry::new(&[b'k'; 2000], 0, &Attributes::default(), NewValue::raw(&[b'v'; 4000]));
    assert_eq!(long_name.memory_bytes(), size_class(5 + 3 + 2000 + 3 + 4000));
}

#[test]
fn encodings_are_those_that_redis_shows() {
    let encoding = |bytes: &[u8]| Entry::new(b"k", 0, &Attributes::default(), NewValue::of(bytes)).encoding();
    assert_eq!(encoding(b"123"), Encoding::Int);
    assert_eq!(encoding(&[b'x'; 44]), Encoding::Embstr);
    assert_eq!(encoding(&[b'x'; 45]), Encoding::Raw);
    assert_eq!(encoding(&[b'x'; BLOCK_MIN_BYTES]), Encoding::Block);
}

#[test]
fn a_shared_block_is_copied_before_it_is_changed() {
    let mut entry = Entry::new(b"k", 0, &Attributes::default(), NewValue::of(&[7; 10_000]));
    let Value::Block(block) = entry.value() else { panic!("10,000 bytes are a block") };
    let shared = Arc::clone(block);
    entry.raw_mut(0)[0] = 8;
    assert_eq!((shared[0], content(&entry)[0]), (7, 8));
    drop(entry);
    assert_eq!(Arc::strong_count(&shared), 1);
}

/// Gives bytes the header by which a listpack tells where it ends.
fn with_total(bytes: &mut [u8]) {
    let total = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[..4].copy_from_slice(&total);
}

proptest! {
    /// Whatever is spliced into a packed collection, and wherever it lies meanwhile, it holds what a vector would hold, and what
    /// is beside it stays.
    #[test]
    fn a_packed_collection_is_edited_in_place(
        key in bytes(),
        attributes in attributes(),
        splices in prop::collection::vec((any::<(u16, u16)>(), bytes()), 1..40),
    ) {
        let mut model = Packing::Listpack.empty().to_vec();
        let mut entry = Entry::new(&key, 7, &attributes, NewValue::packed(Type::Hash, Packing::Listpack, &model));
        prop_assert!(entry.is_spent());
        for ((start, len), with) in splices {
            let start = 6 + usize::from(start) % (model.len() - 6);
            let end = start + usize::from(len) % (model.len() - start);
            let mut packed = entry.packed_mut().unwrap();
            packed.splice(start..end, &with);
            with_total(packed.bytes_mut());
            Buffer::splice(&mut model, start..end, &with);
            with_total(&mut model);
            prop_assert_eq!(packed.bytes(), &model);
            prop_assert_eq!(entry.packed(), Some((Packing::Listpack, &model[..])));
            let room = entry.value_len() - model.len();
            prop_assert!(room <= 64 + model.len() / 4, "{} bytes of room behind {}", room, model.len());
        }
        prop_assert_eq!((entry.key(), entry.attributes(), entry.value_type()), (&key[..], attributes, Type::Hash));
        let copy = entry.renamed(b"copy");
        prop_assert_eq!(copy.packed(), Some((Packing::Listpack, &model[..])));
    }
}
