//! Ids and entries as replies.

use std::ops::ControlFlow;

use larder_resp::Reply;
use larder_store::stream::{Direction, Stream, StreamEntry, StreamId};
use smallvec::SmallVec;

use crate::element::reply_element;
use crate::parts::AT_ONCE_MAX;

/// Entries written between two looks at the clock.
pub(super) const STEP: usize = 32;

/// Writes an id.
#[inline]
pub(super) fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    // Two numbers of at most 20 digits.
    let mut text = SmallVec::<[u8; 48]>::new();
    text.extend_from_slice(itoa::Buffer::new().format(id.millis).as_bytes());
    text.push(b'-');
    text.extend_from_slice(itoa::Buffer::new().format(id.sequence).as_bytes());
    reply.bulk(&text);
}

/// Writes an entry: its id, and its fields with their values.
#[inline]
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: StreamEntry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(2 * entry.len());
    for (name, value) in entry.fields() {
        reply_element(reply, name);
        reply_element(reply, value);
    }
}

/// Some entries of a stream that are to be replied.
pub(super) struct Entries {
    /// The first and the last id that they may have.
    pub(super) range: (StreamId, StreamId),
    /// In which order.
    pub(super) order: Direction,
    /// Most of them.
    pub(super) count: usize,
}

impl Entries {
    /// Writes them if they are few; else returns how many they are, to be written from a view.
    pub(super) fn reply_if_few(&self, reply: &mut Reply<'_>, stream: &Stream) -> Result<(), usize> {
        let mut found = SmallVec::<[StreamEntry<'_>; 16]>::new();
        stream.each(self.range, self.order, self.count.min(AT_ONCE_MAX + 1), |entry| found.push(entry));
        if found.len() > AT_ONCE_MAX {
            return Err(self.len(stream));
        }
        reply.array(found.len());
        found.into_iter().for_each(|entry| reply_entry(reply, entry));
        Ok(())
    }

    /// How many they are.
    pub(super) fn len(&self, stream: &Stream) -> usize {
        self.count.min(stream.count(self.range.0, self.range.1))
    }

    /// Writes some of them and goes on behind these; says whether there are more.
    pub(super) fn reply_some(&mut self, reply: &mut Reply<'_>, stream: &Stream) -> ControlFlow<()> {
        let mut last = None;
        let visited = stream.each(self.range, self.order, self.count.min(STEP), |entry| {
            last = Some(entry.id);
            reply_entry(reply, entry);
        });
        self.count -= visited;
        let next = match (last, self.order) {
            (Some(last), Direction::Ascending) => last.next().map(|next| self.range.0 = next),
            (Some(last), Direction::Descending) => last.previous().map(|previous| self.range.1 = previous),
            (None, _) => None,
        };
        if next.is_some() && self.count > 0 && self.range.0 <= self.range.1 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// Replies which ids there are, one after the other.
pub(super) fn reply_ids(reply: &mut Reply<'_>, ids: &[StreamId]) {
    reply.array(ids.len());
    ids.iter().for_each(|id| reply_id(reply, *id));
}
