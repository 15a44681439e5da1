//! Configurations: ElastiCache's way to tell clients which nodes there are.
//!
//! A client that knows one node asks it for the configuration `cluster`: a version that rises with every change, and a line with
//! host, address and port of each node. Clients older than that command ask for it as for an item, by a key that nobody else uses.
//! Where nobody has stored one, it is made of the directive memcached-cluster-nodes.

use larder_engine::StoredConfig;
use memcache_parser::binary::reply::{self as binary_reply, Body, Status as BinaryStatus};
use memcache_parser::binary::{self, Request};
use memcache_parser::reply::{self, Status};
use memcache_parser::{Config, ErrorReply, ReplyMode};

use super::turn::Turn;

/// The configuration that tells of the nodes.
const CLUSTER: &[u8] = b"cluster";
/// The key by which older clients ask for it.
const CLUSTER_KEY: &[u8] = b"AmazonElastiCache:cluster";
/// Bytes of the longest configuration, as in ElastiCache.
const CONFIG_BYTES_MAX: usize = 64 * 1024;

impl Turn<'_> {
    /// Answers a request about a configuration.
    #[cold]
    pub(super) fn config(&mut self, config: &Config<'_>) {
        match *config {
            Config::Get { name } => match self.configuration(name) {
                Some(found) => reply::config(&mut self.output, name, found.client_flags, &found.value),
                None => reply::end(&mut self.output),
            },
            Config::Set { name, client_flags, value } => match self.store_config(name, client_flags, value) {
                Ok(()) => self.status(Status::Stored, ReplyMode::Send),
                Err(BinaryStatus::TooLarge) => self.error(ErrorReply::ObjectTooLarge, ReplyMode::Send),
                Err(_) => self.error(ErrorReply::OutOfMemoryStoring, ReplyMode::Send),
            },
            Config::Delete { name } => {
                let deleted = self.node.memcache.configs.delete(known_name(name));
                self.status(if deleted { Status::Deleted } else { Status::NotFound }, ReplyMode::Send);
            }
        }
    }

    /// The same for a binary request, if it is about one.
    #[cold]
    pub(super) fn binary_config(&mut self, request: &Request<'_>) -> Option<()> {
        let done = match request.command {
            binary::Command::ConfigGet { name } => match self.configuration(name) {
                Some(StoredConfig { client_flags, value }) => {
                    let extras = client_flags.to_be_bytes();
                    let body = Body { extras: &extras, value_bytes: value.len(), ..Body::default() };
                    binary_reply::start(&mut self.output, request.head, BinaryStatus::Success, &body);
                    memcache_parser::reply::Sink::put(&mut self.output, &value);
                    return Some(());
                }
                None => Err(BinaryStatus::NotFound),
            },
            binary::Command::ConfigSet { name, client_flags, value } => {
                self.store_config(name, client_flags, value)
            }
            binary::Command::ConfigDelete { name } => {
                let deleted = self.node.memcache.configs.delete(known_name(name));
                if deleted { Ok(()) } else { Err(BinaryStatus::NotFound) }
            }
            _ => return None,
        };
        match done {
            Ok(()) => binary_reply::value(&mut self.output, request.head, 0, b""),
            Err(status) => binary_reply::error(&mut self.output, request.head, status),
        }
        Some(())
    }

    /// The configuration of the nodes, if this is the key by which older clients ask for it. To be called when there is no such
    /// item, so that nobody else pays for it.
    pub(super) fn nodes_as_item(&mut self, key: &[u8]) {
        if key == CLUSTER_KEY
            && let Some(found) = self.configuration(CLUSTER)
        {
            reply::value(&mut self.output, key, found.client_flags, &found.value, None);
        }
    }

    fn configuration(&self, name: &[u8]) -> Option<StoredConfig> {
        self.stats().cmd_config_get.add(1);
        let name = known_name(name);
        let stored = self.node.memcache.configs.stored(name);
        stored.or_else(|| (name == CLUSTER).then(|| self.nodes()))
    }

    fn store_config(&self, name: &[u8], client_flags: u32, value: &[u8]) -> Result<(), BinaryStatus> {
        self.stats().cmd_config_set.add(1);
        if value.len() > CONFIG_BYTES_MAX {
            return Err(BinaryStatus::TooLarge);
        }
        let config = StoredConfig { client_flags, value: value.into() };
        let stored = self.node.memcache.configs.store(known_name(name), config);
        if stored { Ok(()) } else { Err(BinaryStatus::OutOfMemory) }
    }

    /// The nodes as the directive has them, by their names; without one, this node as its client knows it.
    fn nodes(&self) -> StoredConfig {
        let mut nodes: Vec<&str> = self.settings.memcached_cluster_nodes.split_ascii_whitespace().collect();
        nodes.sort_unstable();
        let said = nodes.join(" ");
        let started_seconds = u64::try_from(self.node.identity.started_at.0 / 1000).unwrap_or(0);
        // That each client knows this node by an address of its own is no change.
        let version = self.node.memcache.configs.version_of(&said, started_seconds);
        let list = if said.is_empty() { this_node(&self.client.local_address) } else { said };
        StoredConfig { client_flags: 0, value: format!("{version}\n{list}\n").into_bytes().into() }
    }
}

/// A binary client may ask for the nodes by either name.
fn known_name(name: &[u8]) -> &[u8] {
    if name == CLUSTER_KEY { CLUSTER } else { name }
}

/// A node that the client has reached by this address of the server.
fn this_node(local_address: &str) -> String {
    match local_address.rsplit_once(':') {
        Some((ip, port)) if !ip.starts_with('/') => {
            let ip = ip.trim_start_matches('[').trim_end_matches(']');
            format!("{ip}|{ip}|{port}")
        }
        _ => "localhost||0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_what_its_client_has_reached() {
        assert_eq!(this_node("127.0.0.1:11211"), "127.0.0.1|127.0.0.1|11211");
        assert_eq!(this_node("[::1]:11211"), "::1|::1|11211");
        assert_eq!(this_node("/tmp/larder:0"), "localhost||0");
    }
}
