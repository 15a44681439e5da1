use super::*;
use proptest::prelude::*;

fn gathered(output: &Output) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let filled = output.fill_slices(&mut slices);
    concatenated(&slices[..filled])
}

fn concatenated(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.iter().copied()).collect()
}

#[test]
fn blocks_keep_their_places() {
    let mut output = Output::default();
    output.push_block(Bytes::from_static(b"one"));
    output.raw(b" two ");
    output.push_block(Bytes::from_static(b"three"));
    output.push_block(Bytes::new());
    output.raw(b" four");
    assert_eq!(gathered(&output), b"one two three four");
    assert_eq!((output.len(), output.contiguous()), (18, None));
    output.consume(14);
    assert_eq!(output.contiguous(), Some(&b"four"[..]));
}

#[test]
fn few_slices_hold_the_beginning() {
    let mut output = Output::default();
    output.raw(b"a");
    output.push_block(Bytes::from_static(b"b"));
    output.raw(b"c");
    let mut slices = [IoSlice::new(&[]); 2];
    assert_eq!(output.fill_slices(&mut slices), 2);
    assert_eq!(concatenated(&slices), b"ab");
    assert_eq!(output.fill_slices(&mut []), 0);
}

#[test]
fn memory_is_given_back() {
    let mut output = Output::default();
    output.raw(&vec![0; 1_000_000]);
    output.consume(1_000_000);
    assert!(output.is_empty());
    assert!((1..=KEPT_CAPACITY_MAX).contains(&output.copied.capacity()), "some is kept");
    output.shrink();
    assert_eq!((output.copied.capacity(), output.blocks.capacity()), (0, 0));
}

#[test]
fn an_output_that_is_never_empty_does_not_grow() {
    let mut output = Output::default();
    output.raw(&[0; 10_000]);
    for _ in 0..1_000 {
        output.raw(&[0; 10_000]);
        output.push_block(Bytes::from_static(b"block"));
        output.consume(10_005);
    }
    assert_eq!(output.len(), 10_000);
    assert!(output.copied.capacity() < 100_000, "{}", output.copied.capacity());
}

#[test]
fn a_late_header_before_many_bytes_is_a_block() {
    for len in [10, MOVED_LEN_MAX, MOVED_LEN_MAX + 1] {
        let mut output = Output::default();
        output.raw(b"before ");
        output.push_block(Bytes::from_static(b"block "));
        let outer = output.mark();
        let inner = output.mark();
        output.raw(&vec![b'x'; len]);
        output.push_block(Bytes::from_static(b" after"));
        output.insert(inner, b"inner ");
        output.insert(outer, b"outer ");
        let expected = [&b"before block outer inner "[..], &vec![b'x'; len], b" after"].concat();
        assert_eq!(gathered(&output), expected);
        assert_eq!(output.len(), expected.len());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Raw(Vec<u8>),
    Block(Vec<u8>),
    Consume(usize),
    Shrink,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20_000);
    let step = prop_oneof![
        bytes().prop_map(Step::Raw),
        bytes().prop_map(Step::Block),
        (0usize..40_000).prop_map(Step::Consume),
        Just(Step::Shrink),
    ];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_leave_as_they_came(steps in steps()) {
        let mut output = Output::default();
        let mut model = Vec::new();
        for step in steps {
            match step {
                Step::Raw(bytes) => {
                    output.raw(&bytes);
                    model.extend(bytes);
                }
                Step::Block(bytes) => {
                    model.extend(&bytes);
                    output.push_block(bytes.into());
                }
                Step::Consume(len) => {
                    let len = len.min(model.len());
                    output.consume(len);
                    model.drain(..len);
                }
                Step::Shrink => output.shrink(),
            }
            prop_assert_eq!(output.len(), model.len());
            prop_assert_eq!(output.is_empty(), model.is_empty());
            prop_assert!(gathered(&output) == model);
            if let Some(bytes) = output.contiguous() {
                prop_assert!(bytes == model);
            }
        }
    }
}

#[test]
fn outputs_are_joined_in_order() {
    for len in [10, 2 * MOVED_LEN_MAX] {
        let mut joined = Output::default();
        joined.raw(b"first ");
        let mut plain = Output::default();
        plain.raw(&vec![b'p'; len + 1]);
        plain.consume(1);
        joined.append(plain);
        let mut mixed = Output::default();
        mixed.raw(b" a ");
        mixed.push_block(Bytes::from_static(b"block"));
        mixed.raw(b" b");
        joined.append(mixed);
        joined.raw(b" last");
        let expected = [&b"first "[..], &vec![b'p'; len], b" a block b last"].concat();
        assert_eq!((gathered(&joined), joined.len()), (expected.clone(), expected.len()));
    }
}
