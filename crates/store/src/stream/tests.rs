use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::UnixMillis;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

const LIMITS: ChunkLimits = ChunkLimits { bytes: 400, entries: 10 };

#[derive(Clone, Debug)]
enum Step {
    /// So many milliseconds and sequences later than the last.
    Append(u64, u64, Fields),
    Delete(usize),
    Trim(Keep),
    TrimChunks(Keep, usize),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..3_u32).prop_map(|number| format!("field{number}").into_bytes()),
        4 => any::<i32>().prop_map(|number| number.to_string().into_bytes()),
        1 => Just(vec![b'x'; 1500]),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let alike = prop_oneof![Just(b"a".to_vec()), Just(b"7".to_vec())];
    prop_oneof![
        3 => text().prop_map(|value| vec![(b"name".to_vec(), value)]),
        1 => prop::collection::vec((text(), text()), 1..4),
        1 => (alike, text()).prop_map(|(name, value)| vec![(name, value)]),
    ]
}

fn keep() -> impl Strategy<Value = Keep> {
    prop_oneof![
        (0..60_usize).prop_map(Keep::Newest),
        (0..300_u64).prop_map(|millis| Keep::From(StreamId { millis, sequence: 1 })),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..3_u64, 0..3_u64, fields()).prop_map(|(millis, more, fields)| Step::Append(millis, more, fields)),
        4 => any::<usize>().prop_map(Step::Delete),
        1 => keep().prop_map(Step::Trim),
        1 => (keep(), 0..30_usize).prop_map(|(keep, limit)| Step::TrimChunks(keep, limit)),
    ]
}

fn elements(fields: &Fields) -> impl Iterator<Item = (Element<'_>, Element<'_>)> + Clone {
    fields.iter().map(|(name, value)| (Element::of(name), Element::of(value)))
}

fn append(stream: &mut Stream, id: StreamId, fields: &Fields) {
    let bytes = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    stream.append(id, elements(fields), bytes, LIMITS);
}

fn found(entry: StreamEntry<'_>) -> (StreamId, Fields) {
    (entry.id, entry.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
}

fn all(
    stream: &Stream,
    range: (StreamId, StreamId),
    order: Direction,
    count: usize,
) -> Vec<(StreamId, Fields)> {
    let mut all = Vec::new();
    assert_eq!(stream.each(range, order, count, |entry| all.push(found(entry))), all.len());
    all
}

fn later(last: StreamId, millis: u64, more: u64) -> StreamId {
    match millis {
        0 => StreamId { sequence: last.sequence + 1 + more, ..last },
        _ => StreamId { millis: last.millis + millis, sequence: more },
    }
}

proptest! {
    /// A stream holds what a sorted map would hold, and a view of it what it held then.
    #[test]
    fn a_stream_is_a_sorted_map(steps in prop::collection::vec(step(), 0..250), at in any::<usize>(), ends in (0..300_u64, 0..300_u64)) {
        let (mut stream, mut model) = (Stream::default(), BTreeMap::new());
        let mut view = None;
        let (at, mut added, mut deleted) = (at % (steps.len() + 1), 0, StreamId::MIN);
        for (number, step) in steps.into_iter().enumerate() {
            if number == at {
                view = Some((stream.clone(), model.clone()));
            }
            match step {
                Step::Append(millis, more, fields) => {
                    let id = later(stream.last_id, millis, more);
                    append(&mut stream, id, &fields);
                    model.insert(id, fields);
                    added += 1;
                }
                Step::Delete(which) => {
                    let id = model.keys().nth(which % model.len().max(1)).copied().unwrap_or(StreamId::MAX);
                    prop_assert_eq!(stream.delete(id), model.remove(&id).is_some());
                    prop_assert!(!stream.delete(id));
                    if id < StreamId::MAX {
                        deleted = deleted.max(id);
                    }
                }
                Step::Trim(keep) => {
                    let removed = match keep {
                        Keep::Newest(count) => model.len().saturating_sub(count),
                        Keep::From(id) => model.range(..id).count(),
                    };
                    prop_assert_eq!(stream.trim(keep, Precision::Exact), removed);
                    model = model.into_iter().skip(removed).collect();
                }
                Step::TrimChunks(keep, limit) => {
                    let removed = stream.trim(keep, Precision::Chunks { limit });
                    prop_assert!(limit == 0 || removed <= limit);
                    model = model.into_iter().skip(removed).collect();
                    match keep {
                        Keep::Newest(count) => prop_assert!(removed == 0 || model.len() >= count),
                        Keep::From(id) => prop_assert!(removed == 0 || model.keys().all(|kept| *kept >= id) || model.range(..id).count() > 0),
                    }
                }
            }
            prop_assert_eq!((stream.len(), stream.entries_added, stream.max_deleted_id), (model.len(), added, deleted));
        }
        check(&stream, &model, ends)?;
        if let Some((view, model)) = view {
            check(&view, &model, ends)?;
        }
    }
}

fn check(stream: &Stream, model: &BTreeMap<StreamId, Fields>, ends: (u64, u64)) -> Result<(), TestCaseError> {
    let pairs = |from: StreamId, to: StreamId| {
        let range = if from <= to { Some(model.range(from..=to)) } else { None };
        range.into_iter().flatten().map(|(id, fields)| (*id, fields.clone())).collect::<Vec<_>>()
    };
    prop_assert_eq!(stream.first_id(), model.keys().next().copied());
    prop_assert_eq!(stream.last_entry_id(), model.keys().last().copied());
    let from = StreamId { millis: ends.0, sequence: 1 };
    let to = StreamId { millis: ends.1, sequence: 1 };
    for range in [(StreamId::MIN, StreamId::MAX), (from, to)] {
        let mut expected = pairs(range.0, range.1);
        prop_assert_eq!(stream.count(range.0, range.1), expected.len());
        prop_assert_eq!(&all(stream, range, Direction::Ascending, usize::MAX), &expected);
        prop_assert_eq!(&all(stream, range, Direction::Ascending, 7)[..], &expected[..expected.len().min(7)]);
        expected.reverse();
        prop_assert_eq!(&all(stream, range, Direction::Descending, usize::MAX), &expected);
        prop_assert_eq!(
            &all(stream, range, Direction::Descending, 7)[..],
            &expected[..expected.len().min(7)]
        );
    }
    for (rank, (id, fields)) in model.iter().enumerate() {
        prop_assert_eq!(stream.rank(*id), rank);
        prop_assert_eq!(stream.find(*id).map(found), Some((*id, fields.clone())));
    }
    Ok(())
}

#[test]
fn chunks_end_at_their_limits() {
    let mut stream = Stream::default();
    for number in 1..=35 {
        append(&mut stream, StreamId { millis: number, sequence: 0 }, &vec![(b"a".to_vec(), b"1".to_vec())]);
    }
    assert_eq!(stream.chunks_len(), 4);
    // Deleted entries count, as in Redis.
    stream.delete(StreamId { millis: 35, sequence: 0 });
    for number in 36..=40 {
        append(&mut stream, StreamId { millis: number, sequence: 0 }, &vec![(b"a".to_vec(), b"1".to_vec())]);
    }
    assert_eq!(stream.chunks_len(), 4);
    append(&mut stream, StreamId { millis: 41, sequence: 0 }, &vec![(b"a".to_vec(), vec![b'x'; 500])]);
    assert_eq!(stream.chunks_len(), 5);
    assert_eq!(stream.trim(Keep::Newest(5), Precision::Chunks { limit: 0 }), 30);
    assert_eq!(stream.trim(Keep::Newest(5), Precision::Chunks { limit: 0 }), 0);
    assert_eq!(stream.trim(Keep::Newest(5), Precision::Exact), 5);
}

#[test]
fn what_is_pending_has_one_consumer() {
    let mut group = Group::new(StreamId::MIN, None);
    let (one, other) =
        (group.add_consumer(b"one", UnixMillis(1)), group.add_consumer(b"other", UnixMillis(1)));
    let id = |millis| StreamId { millis, sequence: 0 };
    let pending =
        |millis, consumer| Pending { id: id(millis), consumer, delivered_at: UnixMillis(5), deliveries: 1 };
    for millis in 1..=300 {
        group.put_pending(pending(millis, one));
    }
    group.put_pending(pending(7, other));
    group.put_pending(pending(8, one));
    assert_eq!((group.consumer(one).pending_len(), group.consumer(other).pending_len()), (299, 1));
    assert_eq!(group.pending_of(other, StreamId::MIN).map(|pending| pending.id).collect::<Vec<_>>(), [id(7)]);
    assert_eq!(group.pending_from(id(299)).count(), 2);
    assert!(group.acknowledge(id(1)) && !group.acknowledge(id(1)));
    assert_eq!(group.pending_ends(), Some((id(2), id(300))));
    assert_eq!(group.remove_consumer(b"one"), Some(298));
    assert_eq!((group.remove_consumer(b"one"), group.pending_len(), group.consumers_len()), (None, 1, 1));
    // The number of the one that is gone is used again.
    assert_eq!(group.add_consumer(b"third", UnixMillis(1)), one);
}

#[test]
fn a_view_keeps_its_groups() {
    let mut stream = Stream::default();
    stream.add_group(b"group", Group::new(StreamId::MIN, Some(0)));
    let view = stream.clone();
    stream.group_mut(b"group").unwrap().add_consumer(b"one", UnixMillis(1));
    assert!(stream.remove_group(b"group") && !stream.remove_group(b"group"));
    assert_eq!(view.group(b"group").unwrap().consumers_len(), 0);
    assert_eq!((stream.groups_len(), view.groups_len()), (0, 1));
}
