//! Somebody who answers requests: a node in process, or a real server.

use std::collections::BTreeMap;
use std::fmt;

use larder_config::Settings;
use larder_engine::Worker;
use larder_resp::Protocol;

use crate::node::{Client, Node, encode_request};
use crate::value::{DecodeError, Value};

/// A server's version, as far as it decides which commands and options it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The version that a text such as `7.0` or `7.0.15` names; missing parts are 0.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let mut next = || parts.next().unwrap_or(Some(0));
        let version = Version(next()?, next()?, next()?);
        parts.next().is_none().then_some(version)
    }
}

/// Why a peer did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerError(pub String);

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PeerError {}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> PeerError {
        PeerError(error.to_string())
    }
}

impl From<std::io::Error> for PeerError {
    fn from(error: std::io::Error) -> PeerError {
        PeerError(error.to_string())
    }
}

/// Somebody who answers requests of several clients, which come into being when they first send something.
pub trait Peer {
    /// The version of the real server; `None` for Larder, which knows everything it is asked here.
    fn version(&self) -> Option<Version>;

    /// Back to an empty keyspace and no clients; those that come speak this protocol.
    ///
    /// # Errors
    /// It does not answer.
    fn reset(&mut self, protocol: Protocol) -> Result<(), PeerError>;

    /// Sends bytes and returns what comes back: `expected` replies, or more or fewer when that is seen at once.
    ///
    /// # Errors
    /// It does not answer, or not in RESP.
    fn send(&mut self, client: usize, bytes: &[u8], expected: usize) -> Result<Vec<Value>, PeerError>;

    /// Sends a request; otherwise as [`Peer::send`].
    ///
    /// # Errors
    /// As [`Peer::send`].
    fn request(
        &mut self,
        client: usize,
        words: &[Vec<u8>],
        expected: usize,
    ) -> Result<Vec<Value>, PeerError> {
        self.send(client, &encode_request(words), expected)
    }

    /// Lets time pass.
    fn advance(&mut self, millis: u32);

    /// Changes a directive until the next reset.
    ///
    /// # Errors
    /// There is no such directive, or it does not take the value.
    fn configure(&mut self, name: &str, value: &str) -> Result<(), PeerError>;
}

/// A node with one worker, in process.
pub struct InProcess {
    node: Node,
    worker: Worker,
    protocol: Protocol,
    clients: BTreeMap<usize, Client>,
}

impl Default for InProcess {
    fn default() -> Self {
        InProcess::new(Protocol::Resp2)
    }
}

impl InProcess {
    /// An empty node whose clients speak this protocol.
    #[must_use]
    pub fn new(protocol: Protocol) -> InProcess {
        let node = Node::new(Settings::default(), 1, 1);
        let worker = node.worker(0);
        InProcess { node, worker, protocol, clients: BTreeMap::new() }
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl Peer for InProcess {
    fn version(&self) -> Option<Version> {
        None
    }

    fn reset(&mut self, protocol: Protocol) -> Result<(), PeerError> {
        *self = InProcess::new(protocol);
        Ok(())
    }

    fn send(&mut self, client: usize, bytes: &[u8], _expected: usize) -> Result<Vec<Value>, PeerError> {
        let node = &self.node;
        let client = self.clients.entry(client).or_insert_with(|| node.connect(self.protocol));
        if client.is_closed() {
            return Err(PeerError("the connection is closed".to_owned()));
        }
        Ok(Value::decode_all(&client.send(&mut self.worker, bytes))?)
    }

    fn advance(&mut self, millis: u32) {
        self.node.advance(&mut [&mut self.worker], i64::from(millis));
    }

    fn configure(&mut self, name: &str, value: &str) -> Result<(), PeerError> {
        let result: Result<(), String> = self.node.engine.change_settings(|settings| {
            settings.set_many(&[(name, value)]).map_err(|error| error.to_string())
        });
        result.map_err(PeerError)
    }
}
