//! XINFO STREAM with FULL: everything about a stream.

use larder_resp::Reply;
use larder_store::stream::{Consumer, Direction, Group as ConsumerGroup, Pending, Stream, StreamId};

use super::info::{reply_facts, reply_progress};
use super::reply::{reply_entry, reply_id};

/// Writes it all, `count` entries of each kind at most.
pub(super) fn reply(reply: &mut Reply<'_>, stream: &Stream, count: usize) {
    reply.map(9);
    reply_facts(reply, stream);
    reply.bulk(b"entries");
    reply.array(stream.len().min(count));
    stream
        .each((StreamId::MIN, StreamId::MAX), Direction::Ascending, count, |entry| reply_entry(reply, entry));
    reply.bulk(b"groups");
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply_group(reply, stream, name, group, count);
    }
}

fn reply_group(reply: &mut Reply<'_>, stream: &Stream, name: &[u8], group: &ConsumerGroup, count: usize) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    reply_progress(reply, stream, group);
    reply.bulk(b"pel-count");
    reply.integer(group.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array(group.pending_len().min(count));
    for pending in group.pending_from(StreamId::MIN).take(count) {
        reply.array(4);
        reply_id(reply, pending.id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply_delivery(reply, pending);
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        reply_consumer(reply, group, consumer, count);
    }
}

fn reply_consumer(reply: &mut Reply<'_>, group: &ConsumerGroup, consumer: &Consumer, count: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_at.0);
    reply.bulk(b"active-time");
    reply.integer(consumer.active_at.map_or(-1, |active_at| active_at.0));
    reply.bulk(b"pel-count");
    reply.integer(consumer.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending_len().min(count));
    for pending in consumer.pending_ids().take(count).filter_map(|id| group.find_pending(id)) {
        reply.array(3);
        reply_id(reply, pending.id);
        reply_delivery(reply, pending);
    }
}

fn reply_delivery(reply: &mut Reply<'_>, pending: Pending) {
    reply.integer(pending.delivered_at.0);
    reply.integer(pending.deliveries as i64);
}
