//! The line that describes a client in CLIENT LIST and CLIENT INFO.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use larder_engine::{CachingState, Client, ClientNames, SharedClient, Waiting};
use larder_store::UnixMillis;

use crate::prelude::*;

/// Appends the line of a client, with the fields of Valkey 8 in their order.
pub(super) fn append(text: &mut String, cx: &Context<'_>, client: &SharedClient) {
    let own = client.id == cx.client.id();
    let names = client.names.lock().clone();
    let (query_bytes, unsent) =
        (client.query_bytes.load(Ordering::Relaxed), client.output_bytes.load(Ordering::Relaxed));
    let (inbox_bytes, messages) = (client.inbox_bytes(), client.inbox_len());
    let (output_bytes, output_blocks) = (unsent + inbox_bytes, usize::from(unsent > 0) + messages);
    let subscriptions = client.subscriptions.each_ref().map(|count| count.load(Ordering::Relaxed));
    let queued_bytes = client.queued_bytes.load(Ordering::Relaxed);
    let argument_bytes = if own { cx.args.iter().map(<[u8]>::len).sum() } else { 0 };
    let command = cx.node.table.rows().get(client.row.load(Ordering::Relaxed) as usize);
    // Appending to memory does not fail.
    let _ = write!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} \
         qbuf={query_bytes} qbuf-free=0 argv-mem={argument_bytes} multi-mem={queued_bytes} rbs=0 rbp=0 obl=0 oll={} omem={output_bytes} \
         tot-mem={} events={} cmd={} user=default redir={} resp={} lib-name={} lib-ver={} tot-net-in={} tot-net-out={} \
         tot-cmds={}",
        client.id,
        client.address,
        client.local_address,
        client.descriptor,
        names.name,
        age_seconds(client, cx.now()),
        if own { 0 } else { idle_seconds(client, cx.now()) },
        flags(client),
        database(cx, client),
        subscriptions[0],
        subscriptions[1],
        subscriptions[2],
        client.queued.load(Ordering::Relaxed),
        client.watched.load(Ordering::Relaxed),
        output_blocks,
        memory_bytes(&names) as u64 + query_bytes + output_bytes + argument_bytes as u64 + queued_bytes,
        if output_bytes > 0 { "rw" } else { "r" },
        command.map_or_else(|| "NULL".to_owned(), larder_engine::Row::full_name),
        client.caching.redirect_id(),
        client.protocol.load(Ordering::Relaxed),
        names.library,
        names.library_version,
        client.input_bytes.load(Ordering::Relaxed),
        client.sent_bytes.load(Ordering::Relaxed),
        client.requests.load(Ordering::Relaxed),
    );
}

/// Whole seconds since it connected.
pub(super) fn age_seconds(client: &SharedClient, now: UnixMillis) -> i64 {
    now.0.saturating_sub(client.connected_at.0).max(0) / 1000
}

/// Whole seconds since its last request.
pub(super) fn idle_seconds(client: &SharedClient, now: UnixMillis) -> i64 {
    now.0.saturating_sub(client.active_at().0).max(0) / 1000
}

/// The letters of its state.
pub(super) fn flags(client: &SharedClient) -> String {
    let letters = [
        (client.is_monitor(), 'O'),
        (client.is_subscriber(), 'P'),
        (client.queued.load(Ordering::Relaxed) >= 0, 'x'),
        (client.waiting() != Waiting::No, 'b'),
        (client.caching.has(CachingState::ON), 't'),
        (client.caching.has(CachingState::BROKEN), 'R'),
        (client.caching.has(CachingState::BY_PREFIX), 'B'),
        (client.doomed.load(Ordering::Relaxed), 'd'),
        (client.is_unix_socket(), 'U'),
        (client.no_evict.load(Ordering::Relaxed), 'e'),
        (client.no_touch.load(Ordering::Relaxed), 'T'),
    ];
    let flags: String = letters.iter().filter(|(holds, _)| *holds).map(|(_, letter)| letter).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// The letters of what it said it can do.
pub(super) fn capabilities(client: &SharedClient) -> &'static str {
    if client.redirectable.load(Ordering::Relaxed) { "r" } else { "" }
}

/// The database it works in. Others see what it was after a batch; the client itself, what it is.
pub(super) fn database(cx: &Context<'_>, client: &SharedClient) -> u32 {
    if client.id == cx.client.id() { cx.client.db.0 } else { client.db.load(Ordering::Relaxed) }
}

/// Bytes that a client takes beside its buffers.
fn memory_bytes(names: &ClientNames) -> usize {
    let strings = names.name.len() + names.library.len() + names.library_version.len();
    size_of::<Client>() + size_of::<SharedClient>() + strings
}
