//! `watch`: makes a connection a log of what the server does, and the lines of that log.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_engine::{Node, SharedClient, Topics};
use memcache_parser::reply::{RemainingTtl, Status};
use memcache_parser::{StoreMode, Tokens};

use super::dump::uri_encode;
use super::item::Item;
use super::statistics::ONLY_CLASS;
use super::store::Storing;
use super::turn::Turn;

/// Whether the client is sent lines instead of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watching {
    No,
    Yes,
}

/// The topics by memcached's names. What never happens here may be watched, too.
const TOPICS: [(&str, Topics); 10] = [
    ("rawcmds", Topics::NONE),
    ("evictions", Topics::NONE),
    ("fetchers", Topics::FETCHERS),
    ("mutations", Topics::MUTATIONS),
    ("sysevents", Topics::NONE),
    ("connevents", Topics::CONNECTIONS),
    ("proxyreqs", Topics::NONE),
    ("proxyevents", Topics::NONE),
    ("proxyuser", Topics::NONE),
    ("deletions", Topics::DELETIONS),
];

impl Turn<'_> {
    /// Makes the client a watcher; the line it is answered with, and whether it is one. The beginning of a topic will do for it.
    pub(super) fn watch(&self, arguments: Tokens<'_>) -> (&'static [u8], Watching) {
        if !self.settings.memcached_watch {
            return (b"CLIENT_ERROR watch commands not allowed\r\n", Watching::No);
        }
        let mut wants = if arguments.is_empty() { Topics::FETCHERS } else { Topics::NONE };
        for word in arguments {
            match TOPICS.iter().find(|(name, _)| name.as_bytes().starts_with(word)) {
                Some((_, topic)) => wants = wants.and(*topic),
                None => return (b"ERROR\r\n", Watching::No),
            }
        }
        if self.node.memcache.watchers.add(self.client, wants) {
            (Status::Ok.line(), Watching::Yes)
        } else {
            (b"WATCHER_TOO_MANY log watcher limit reached\r\n", Watching::No)
        }
    }

    /// Logs that a key was looked up.
    #[cold]
    pub(super) fn log_fetch(&self, item: &mut Item<'_>) {
        let found = item.look().map(|entry| entry.value_len());
        let (status, class) = if found.is_some() { ("found", ONLY_CLASS) } else { ("not_found", 0) };
        self.log(Topics::FETCHERS, |line| {
            let (key, cfd, size) = (uri(item.key()), self.client.descriptor, found.unwrap_or(0));
            let _ =
                write!(line, "type=item_get key={key} status={status} clsid={class} cfd={cfd} size={size}");
        });
    }

    /// Logs that a value was sent to be stored.
    #[cold]
    pub(super) fn log_store(&self, item: &Item<'_>, storing: &Storing<'_>, status: Status) {
        let status = match status {
            Status::Stored => "stored",
            Status::Exists => "exists",
            Status::NotFound => "not_found",
            _ => "not_stored",
        };
        let command = match storing.mode {
            StoreMode::Set | StoreMode::Replace if storing.compare_cas.is_some() => "cas",
            StoreMode::Set => "set",
            StoreMode::Add => "add",
            StoreMode::Replace => "replace",
            StoreMode::Append => "append",
            StoreMode::Prepend => "prepend",
        };
        let ttl = match storing.lifetime.remaining(self.now()) {
            RemainingTtl::Unlimited => 0,
            RemainingTtl::Seconds(seconds) => seconds,
        };
        self.log(Topics::MUTATIONS, |line| {
            let (key, cfd, size) = (uri(item.key()), self.client.descriptor, storing.value.len());
            let _ = write!(line, "type=item_store key={key} status={status} cmd={command} ttl={ttl} ");
            let _ = write!(line, "clsid={ONLY_CLASS} cfd={cfd} size={size}");
        });
    }

    /// Logs that an item is deleted by a command.
    #[cold]
    pub(super) fn log_deletion(&self, item: &mut Item<'_>, command: &str) {
        let size = item.look().map_or(0, |entry| entry.value_len());
        self.log(Topics::DELETIONS, |line| {
            let key = uri(item.key());
            let _ = write!(line, "type=deleted key={key} cmd={command} clsid={ONLY_CLASS} size={size}");
        });
    }

    fn log(&self, topic: Topics, write: impl FnOnce(&mut String)) {
        self.node.memcache.watchers.log(topic, self.node.host.unix_micros(), write);
    }
}

/// Logs that a client has come.
pub(super) fn log_arrival(node: &Node, client: &SharedClient) {
    log_connection(node, client, "conn_new", "");
}

/// Forgets a client that has gone, and logs that it has.
pub fn left(node: &Node, client: &Arc<SharedClient>) {
    node.memcache.watchers.remove(client);
    let reason = match (client.failed.load(Ordering::Relaxed), client.is_ended()) {
        (true, _) => " reason=error",
        (false, true) => " reason=idle_timeout",
        (false, false) => " reason=normal",
    };
    log_connection(node, client, "conn_close", reason);
}

fn log_connection(node: &Node, client: &SharedClient, what: &str, reason: &str) {
    let watchers = &node.memcache.watchers;
    if !watchers.wanted().meet(Topics::CONNECTIONS) {
        return;
    }
    watchers.log(Topics::CONNECTIONS, node.host.unix_micros(), |line| {
        let (ip, port) = client.address.rsplit_once(':').unwrap_or((&client.address, "0"));
        let (ip, transport) = if ip.starts_with('/') { ("unix", "local") } else { (ip, "tcp") };
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        let _ = write!(line, "type={what} rip={ip} rport={port} transport={transport}{reason} ");
        let _ = write!(line, "cfd={}", client.descriptor);
    });
}

/// A key as the log has it.
fn uri(key: &[u8]) -> String {
    let mut encoded = Vec::with_capacity(3 * key.len());
    uri_encode(key, &mut encoded);
    String::from_utf8(encoded).unwrap_or_default()
}
