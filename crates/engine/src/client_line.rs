//! The line that describes a client, as CLIENT LIST and the log show it.

use std::fmt;

use larder_store::UnixMillis;

use crate::caching::CachingState;
use crate::client::SharedClient;
use crate::sync::Ordering;
use crate::table::{CommandTable, Row};
use crate::waiting::Waiting;

/// See the module's documentation. It has the fields of Valkey 8 in their order.
#[derive(Clone, Copy)]
pub struct ClientLine<'c> {
    table: &'c CommandTable,
    client: &'c SharedClient,
    now: UnixMillis,
    /// The database that it works in. Others see what it was after a batch; the client itself, what it is.
    pub db: u32,
    /// Bytes of the arguments of the request in which it asks for its own line.
    pub own_arguments: Option<usize>,
    /// Whether what it calls itself is left out.
    pub redacted: bool,
}

impl<'c> ClientLine<'c> {
    /// The line of a client as others see it.
    #[must_use]
    pub fn new(table: &'c CommandTable, client: &'c SharedClient, now: UnixMillis) -> ClientLine<'c> {
        let db = client.db.load(Ordering::Relaxed);
        ClientLine { table, client, now, db, own_arguments: None, redacted: false }
    }
}

impl fmt::Display for ClientLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client;
        let number = |number: &crate::sync::AtomicU64| number.load(Ordering::Relaxed);
        let names = client.names.lock().clone();
        let (query_bytes, query_free) = (number(&client.query_bytes), client.query_free());
        let unsent = number(&client.output_bytes);
        let (inbox_bytes, messages) = (client.inbox_bytes(), client.inbox_len());
        let (output_bytes, output_blocks) = (unsent + inbox_bytes, usize::from(unsent > 0) + messages);
        let subscriptions = client.subscriptions.each_ref().map(|count| count.load(Ordering::Relaxed));
        let queued_bytes = number(&client.queued_bytes);
        let argument_bytes = self.own_arguments.unwrap_or(0) as u64 + number(&client.kept_bytes);
        let command = self.table.rows().get(client.row.load(Ordering::Relaxed) as usize);
        let hidden = |shown: &'static str| if self.redacted { "*redacted*" } else { shown };
        write!(
            f,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} \
             qbuf={query_bytes} qbuf-free={query_free} argv-mem={argument_bytes} multi-mem={queued_bytes} rbs=0 rbp=0 obl=0 oll={} omem={output_bytes} \
             tot-mem={} events={} cmd={} user={} redir={} resp={} lib-name={} lib-ver={} tot-net-in={} tot-net-out={} \
             tot-cmds={}",
            client.id,
            client.address,
            client.local_address,
            client.descriptor,
            if self.redacted { "*redacted*" } else { &names.name },
            client.age_seconds(self.now),
            if self.own_arguments.is_some() { 0 } else { client.idle_seconds(self.now) },
            client.flags(),
            self.db,
            subscriptions[0],
            subscriptions[1],
            subscriptions[2],
            client.queued.load(Ordering::Relaxed),
            number(&client.watched),
            output_blocks,
            client.memory_bytes() + self.own_arguments.unwrap_or(0) as u64,
            if output_bytes > 0 { "rw" } else { "r" },
            command.map_or_else(|| "NULL".to_owned(), Row::full_name),
            hidden("default"),
            client.caching.redirect_id(),
            client.protocol.load(Ordering::Relaxed),
            names.library,
            names.library_version,
            number(&client.input_bytes),
            number(&client.sent_bytes),
            number(&client.requests),
        )
    }
}

impl SharedClient {
    /// Whole seconds since it connected.
    #[must_use]
    pub fn age_seconds(&self, now: UnixMillis) -> i64 {
        now.0.saturating_sub(self.connected_at.0).max(0) / 1000
    }

    /// Whole seconds since its last request.
    #[must_use]
    pub fn idle_seconds(&self, now: UnixMillis) -> i64 {
        now.0.saturating_sub(self.active_at().0).max(0) / 1000
    }

    /// The letters of its state.
    #[must_use]
    pub fn flags(&self) -> String {
        let letters = [
            (self.is_monitor(), 'O'),
            (self.is_subscriber(), 'P'),
            (self.queued.load(Ordering::Relaxed) >= 0, 'x'),
            (self.waiting() != Waiting::No, 'b'),
            (self.caching.has(CachingState::ON), 't'),
            (self.caching.has(CachingState::BROKEN), 'R'),
            (self.caching.has(CachingState::BY_PREFIX), 'B'),
            (self.doomed.load(Ordering::Relaxed), 'd'),
            (self.is_unix_socket(), 'U'),
            (self.is_spared(), 'e'),
            (self.no_touch.load(Ordering::Relaxed), 'T'),
        ];
        let flags: String = letters.iter().filter(|(holds, _)| *holds).map(|(_, letter)| letter).collect();
        if flags.is_empty() { "N".to_owned() } else { flags }
    }

    /// The letters of what it said it can do.
    #[must_use]
    pub fn capabilities(&self) -> &'static str {
        if self.redirectable.load(Ordering::Relaxed) { "r" } else { "" }
    }
}
