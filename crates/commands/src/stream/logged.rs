//! What a delivery stands as in the append log: commands that do the same at any time.

use larder_store::Type;
use larder_store::stream::{Stream, StreamId};

use crate::prelude::*;

/// What was done to a group on behalf of one of its consumers.
pub(super) struct Delivered<'a> {
    pub(super) group: &'a [u8],
    pub(super) consumer: &'a [u8],
    /// What is pending for the consumer now, or no longer pending for anybody.
    pub(super) ids: &'a [StreamId],
    /// Whether the group goes on elsewhere than before.
    pub(super) moves_on: bool,
}

/// An id as text.
pub(super) fn text(id: StreamId) -> String {
    format!("{}-{}", id.millis, id.sequence)
}

/// Logs what a stream's group has come to.
pub(super) fn log_delivered(db: &mut Locked<'_>, key: Key<'_>, delivered: &Delivered<'_>) {
    if !db.is_logged() {
        return;
    }
    let Delivered { group: name, consumer, ids, moves_on } = *delivered;
    let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
    {
        let Ok(Some(entry)) = db.find_type(key, Type::Stream) else { return };
        let Some(group) = Stream::of(&entry).group(name) else { return };
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
        if group.number_of(consumer).is_some() {
            commands.push(words(&[b"XGROUP", b"CREATECONSUMER", key.bytes, name, consumer]));
        }
        let last = text(group.last_id);
        for id in ids {
            let id_text = text(*id);
            let Some(pending) = group.find_pending(*id) else {
                commands.push(words(&[b"XACK", key.bytes, name, id_text.as_bytes()]));
                continue;
            };
            let (time, count) = (pending.delivered_at.0.to_string(), pending.deliveries.to_string());
            commands.push(words(&[
                b"XCLAIM",
                key.bytes,
                name,
                consumer,
                b"0",
                id_text.as_bytes(),
                b"TIME",
                time.as_bytes(),
                b"RETRYCOUNT",
                count.as_bytes(),
                b"FORCE",
                b"JUSTID",
                b"LASTID",
                last.as_bytes(),
            ]));
        }
        if moves_on {
            let mut set = words(&[b"XGROUP", b"SETID", key.bytes, name, last.as_bytes()]);
            if let Some(read) = group.entries_read {
                set.extend([b"ENTRIESREAD".to_vec(), read.to_string().into_bytes()]);
            }
            commands.push(set);
        }
    }
    for command in commands {
        let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        db.log_as(&words);
    }
}
