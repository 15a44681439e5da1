//! What the streams of a request have for a client, written stream by stream.

use std::ops::ControlFlow;

use larder_resp::{Protocol, Reply};
use larder_store::Type;
use larder_store::stream::{Stream, StreamId};

use super::reply::{Entries, STEP, reply_entry, reply_id};
use crate::parts::{AT_ONCE_MAX, reply_in_parts};
use crate::prelude::*;

/// What one stream has.
pub(super) enum Delivery {
    /// These entries.
    Entries(Entries),
    /// The entries of these ids, some of which may be deleted by now.
    Pending(Vec<StreamId>),
}

/// A delivery that is written from a view.
struct Later {
    /// The name of the key, unless it was written.
    key: Option<Vec<u8>>,
    delivery: Delivery,
    view: Stream,
}

/// Replies what the streams of some keys have, and lets go of the keys; the keys are given by their numbers.
pub(super) fn deliver(
    cx: &mut Context<'_>,
    mut db: Locked<'_>,
    deliveries: Vec<(usize, Delivery)>,
) -> CommandResult {
    if deliveries.is_empty() {
        cx.reply.null_array();
        return Ok(Outcome::Reply);
    }
    match cx.reply.protocol {
        Protocol::Resp2 => cx.reply.array(deliveries.len()),
        Protocol::Resp3 => cx.reply.map(deliveries.len()),
    }
    let mut later: Vec<Later> = Vec::new();
    for (number, delivery) in deliveries {
        let key = cx.key(number);
        let Some(entry) = db.find_type(key, Type::Stream)? else { continue };
        let stream = Stream::of(&entry);
        if later.is_empty() {
            reply_key(&mut cx.reply, key.bytes);
            if let Err(many) = delivery.reply_if_few(&mut cx.reply, stream) {
                cx.reply.array(many);
                later.push(Later { key: None, delivery, view: stream.clone() });
            }
        } else {
            later.push(Later { key: Some(key.bytes.to_vec()), delivery, view: stream.clone() });
        }
    }
    drop(db);
    let mut later = later.into_iter();
    let Some(mut now) = later.next() else { return Ok(Outcome::Reply) };
    reply_in_parts(cx, move |reply| {
        if now.reply_some(reply).is_break() {
            match later.next() {
                Some(next) => now = next,
                None => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    })
}

/// Writes what one stream has for a client that has waited for it.
pub(super) fn deliver_one(reply: &mut Reply<'_>, key: &[u8], mut delivery: Delivery, stream: &Stream) {
    match reply.protocol {
        Protocol::Resp2 => reply.array(1),
        Protocol::Resp3 => reply.map(1),
    }
    reply_key(reply, key);
    if let Err(many) = delivery.reply_if_few(reply, stream) {
        reply.array(many);
        while delivery.reply_some(reply, stream).is_continue() {}
    }
}

fn reply_key(reply: &mut Reply<'_>, key: &[u8]) {
    if reply.protocol == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

impl Later {
    fn reply_some(&mut self, reply: &mut Reply<'_>) -> ControlFlow<()> {
        if let Some(key) = self.key.take() {
            reply_key(reply, &key);
            reply.array(self.delivery.len(&self.view));
        }
        self.delivery.reply_some(reply, &self.view)
    }
}

impl Delivery {
    fn len(&self, stream: &Stream) -> usize {
        match self {
            Delivery::Entries(entries) => entries.len(stream),
            Delivery::Pending(ids) => ids.len(),
        }
    }

    /// Writes some of it; says whether there is more.
    fn reply_some(&mut self, reply: &mut Reply<'_>, stream: &Stream) -> ControlFlow<()> {
        match self {
            Delivery::Entries(entries) => entries.reply_some(reply, stream),
            Delivery::Pending(ids) => {
                let rest = ids.split_off(STEP.min(ids.len()));
                ids.iter().for_each(|id| reply_pending(reply, stream, *id));
                *ids = rest;
                if ids.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
    }

    /// Writes what there is if it is little; else returns how much it is.
    fn reply_if_few(&self, reply: &mut Reply<'_>, stream: &Stream) -> Result<(), usize> {
        match self {
            Delivery::Entries(entries) => entries.reply_if_few(reply, stream),
            Delivery::Pending(ids) if ids.len() > AT_ONCE_MAX => Err(ids.len()),
            Delivery::Pending(ids) => {
                reply.array(ids.len());
                ids.iter().for_each(|id| reply_pending(reply, stream, *id));
                Ok(())
            }
        }
    }
}

/// Writes the entry of an id; of one that is deleted, only the id.
fn reply_pending(reply: &mut Reply<'_>, stream: &Stream, id: StreamId) {
    match stream.find(id) {
        Some(entry) => reply_entry(reply, entry),
        None => {
            reply.array(2);
            reply_id(reply, id);
            reply.null_array();
        }
    }
}
