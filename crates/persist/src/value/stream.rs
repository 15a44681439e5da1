//! Streams as RDB has them: listpacks of entries, then what the stream keeps beside them, then its groups.
//!
//! | in a listpack | |
//! |---|---|
//! | entries that are there, entries that are deleted | |
//! | number of fields, their names, 0 | those that most entries have |
//! | for each entry: flags, milliseconds and sequence above those of the listpack | |
//! | number of fields, each with its value; or the values alone | |
//! | how many elements that were | |
//!
//! Each is read back into entries, one by one: so ids grow, and what is pending has exactly one consumer, whatever the bytes say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use larder_store::stream::{ChunkLimits, Group, Pending, Stream, StreamEntry, StreamId};
use larder_store::{Element, UnixMillis, listpack};

use super::decode::read_listpack;
use crate::reader::Reader;
use crate::writer::{Sink, write_len, write_number, write_raw, write_text};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// Limits by which every chunk is full.
const BEGIN: ChunkLimits = ChunkLimits { bytes: 1, entries: 1 };

/// Which of three forms: each later one has a few facts more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    First,
    /// The first id, the largest deleted one, and how many entries were added and read. redis-server 7.0 writes it.
    WithCounts,
    /// When consumers were active.
    WithActivity,
}

/// Writes a stream in the form with counts.
pub(super) fn encode(out: &mut impl Sink, stream: &Stream) {
    write_len(out, stream.chunks_len());
    for entries in stream.chunks() {
        encode_chunk(out, &entries.collect::<Vec<_>>());
    }
    write_len(out, stream.len());
    for id in [stream.last_id, stream.first_id().unwrap_or_default(), stream.max_deleted_id] {
        write_id(out, id);
    }
    write_number(out, stream.entries_added);
    write_len(out, stream.groups_len());
    for (name, group) in stream.groups() {
        encode_group(out, name, group);
    }
}

fn encode_chunk(out: &mut impl Sink, entries: &[StreamEntry<'_>]) {
    let Some(first) = entries.first() else { return };
    let names: Vec<Element<'_>> = first.fields().map(|(name, _)| name).collect();
    let int = |number: usize| Element::Int(number as i64);
    let mut elements = vec![int(entries.len()), Element::Int(0), int(names.len())];
    elements.extend_from_slice(&names);
    elements.push(Element::Int(0));
    for entry in entries {
        let same =
            entry.len() == names.len() && entry.fields().map(|(name, _)| name).eq(names.iter().copied());
        let begin = elements.len();
        elements.push(Element::Int(if same { SAME_FIELDS } else { 0 }));
        elements.push(Element::Int(entry.id.millis.wrapping_sub(first.id.millis) as i64));
        elements.push(Element::Int(entry.id.sequence.wrapping_sub(first.id.sequence) as i64));
        if same {
            elements.extend(entry.fields().map(|(_, value)| value));
        } else {
            elements.push(int(entry.len()));
            elements.extend(entry.fields().flat_map(|(name, value)| [name, value]));
        }
        elements.push(int(elements.len() - begin));
    }
    write_raw(out, &raw_id(first.id));
    write_text(out, &listpack::from_elements(elements));
}

fn encode_group(out: &mut impl Sink, name: &[u8], group: &Group) {
    write_text(out, name);
    write_id(out, group.last_id);
    write_number(out, group.entries_read.unwrap_or(u64::MAX));
    write_len(out, group.pending_len());
    for pending in group.pending_from(StreamId::MIN) {
        out.put(&raw_id(pending.id));
        out.put(&pending.delivered_at.0.to_le_bytes());
        write_number(out, pending.deliveries);
    }
    write_len(out, group.consumers_len());
    for consumer in group.consumers() {
        write_text(out, consumer.name());
        out.put(&consumer.seen_at.0.to_le_bytes());
        write_len(out, consumer.pending_len());
        consumer.pending_ids().for_each(|id| out.put(&raw_id(id)));
    }
}

fn write_id(out: &mut impl Sink, id: StreamId) {
    write_number(out, id.millis);
    write_number(out, id.sequence);
}

fn raw_id(id: StreamId) -> [u8; 16] {
    (u128::from(id.millis) << 64 | u128::from(id.sequence)).to_be_bytes()
}

fn id_of(raw: [u8; 16]) -> StreamId {
    let number = u128::from_be_bytes(raw);
    StreamId { millis: (number >> 64) as u64, sequence: number as u64 }
}

/// The stream that comes next.
pub(super) fn decode(reader: &mut Reader<'_>, form: Form, limits: ChunkLimits) -> Option<Stream> {
    let mut stream = Stream::default();
    for _ in 0..reader.len()? {
        let base = id_of(reader.string()?[..].try_into().ok()?);
        decode_chunk(&reader.string()?, base, &mut stream, limits)?;
    }
    let (len, last_id) = (reader.len()?, read_id(reader)?);
    if len != stream.len() as u64 || last_id < stream.last_id {
        return None;
    }
    stream.last_id = last_id;
    if form >= Form::WithCounts {
        let _first = read_id(reader)?;
        stream.max_deleted_id = read_id(reader)?;
        stream.entries_added = reader.len()?;
    }
    for _ in 0..reader.len()? {
        let name = reader.string()?;
        let group = decode_group(reader, form, &stream)?;
        if stream.group(&name).is_some() {
            return None;
        }
        stream.add_group(&name, group);
    }
    Some(stream)
}

fn decode_chunk(bytes: &[u8], base: StreamId, stream: &mut Stream, limits: ChunkLimits) -> Option<()> {
    let elements = read_listpack(bytes)?;
    let mut elements = elements.iter();
    let (live, deleted) = (next_number(&mut elements)?, next_number(&mut elements)?);
    let fields = usize::try_from(next_number(&mut elements)?).ok()?;
    let names = take(&mut elements, fields)?;
    if next_number(&mut elements)? != 0 {
        return None;
    }
    let (mut found, mut found_deleted) = (0, 0);
    while !elements.as_slice().is_empty() {
        let before = elements.len();
        let flags = next_number(&mut elements)?;
        let id = StreamId {
            millis: base.millis.wrapping_add(next_number(&mut elements)? as u64),
            sequence: base.sequence.wrapping_add(next_number(&mut elements)? as u64),
        };
        let pairs: Vec<(&Bytes<'_>, &Bytes<'_>)> = if flags & SAME_FIELDS != 0 {
            names.iter().zip(take(&mut elements, fields)?).collect()
        } else {
            let count = usize::try_from(next_number(&mut elements)?).ok()?.checked_mul(2)?;
            take(&mut elements, count)?.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect()
        };
        let told = usize::try_from(next_number(&mut elements)?).ok()?;
        if told != before - elements.len() - 1 || pairs.is_empty() {
            return None;
        }
        if flags & DELETED != 0 {
            found_deleted += 1;
            continue;
        }
        found += 1;
        if id <= stream.last_id {
            return None;
        }
        let bytes = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        let pairs = pairs.iter().map(|(name, value)| (Element::of(name), Element::of(value)));
        // A listpack begins a chunk, however short the one before it is.
        let limits = if found == 1 { BEGIN } else { limits };
        stream.append(id, pairs, bytes, limits);
    }
    ((live, deleted) == (found, found_deleted)).then_some(())
}

type Bytes<'a> = Cow<'a, [u8]>;

fn next_number(elements: &mut std::slice::Iter<'_, Bytes<'_>>) -> Option<i64> {
    larder_store::parse_integer(elements.next()?)
}

/// The next elements, if there are as many.
fn take<'e, 'b>(elements: &mut std::slice::Iter<'e, Bytes<'b>>, count: usize) -> Option<&'e [Bytes<'b>]> {
    let (taken, rest) = elements.as_slice().split_at_checked(count)?;
    *elements = rest.iter();
    Some(taken)
}

fn decode_group(reader: &mut Reader<'_>, form: Form, stream: &Stream) -> Option<Group> {
    let mut group = Group::new(read_id(reader)?, None);
    group.entries_read = match form {
        Form::First => stream.entries_until(group.last_id),
        _ => Some(reader.len()?).filter(|read| *read <= i64::MAX as u64),
    };
    let mut pending = BTreeMap::new();
    for _ in 0..reader.len()? {
        let id = id_of(reader.array()?);
        let delivery = (UnixMillis(i64::from_le_bytes(reader.array()?)), reader.len()?);
        if pending.insert(id, delivery).is_some() {
            return None;
        }
    }
    for _ in 0..reader.len()? {
        decode_consumer(reader, form, &mut group, &mut pending)?;
    }
    pending.is_empty().then_some(group)
}

/// Reads a consumer, and gives it what is pending for it.
fn decode_consumer(
    reader: &mut Reader<'_>,
    form: Form,
    group: &mut Group,
    pending: &mut BTreeMap<StreamId, (UnixMillis, u64)>,
) -> Option<()> {
    let name = reader.string()?;
    if group.number_of(&name).is_some() {
        return None;
    }
    let seen_at = UnixMillis(i64::from_le_bytes(reader.array()?));
    let active_at = match form {
        Form::WithActivity => UnixMillis(i64::from_le_bytes(reader.array()?)),
        _ => seen_at,
    };
    let consumer = group.add_consumer(&name, seen_at);
    group.consumer_mut(consumer).active_at = Some(active_at).filter(|at| at.0 >= 0);
    for _ in 0..reader.len()? {
        let id = id_of(reader.array()?);
        let (delivered_at, deliveries) = pending.remove(&id)?;
        group.put_pending(Pending { id, consumer, delivered_at, deliveries });
    }
    Some(())
}

fn read_id(reader: &mut Reader<'_>) -> Option<StreamId> {
    Some(StreamId { millis: reader.len()?, sequence: reader.len()? })
}
