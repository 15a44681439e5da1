//! Publish and subscribe: channels by name, channels by pattern, and shard channels.
//!
//! A message is written once; those who receive it share the bytes, which wait in their inboxes until their workers send them. Publishing looks at no pattern whose literal beginning is not the channel's: patterns are found by that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;

use crate::client::SharedClient;
use crate::glob::{self, Case};
use crate::inbox::Letter;
use crate::node::Node;
use crate::sync::{AtomicUsize, Ordering, RwLock};

/// Clients by their numbers.
type Subscribers = BTreeMap<u64, Arc<SharedClient>>;

/// What one may subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Channels by name.
    Channel,
    /// Channels by pattern.
    Pattern,
    /// Channels of a shard, by name.
    ShardChannel,
}

/// Who subscribes to what.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: DashMap<Box<[u8]>, Subscribers>,
    shard_channels: DashMap<Box<[u8]>, Subscribers>,
    patterns: RwLock<Patterns>,
    pattern_count: AtomicUsize,
    /// Channels and patterns with subscribers: while there are none, nobody looks further.
    count: AtomicUsize,
}

type ByPattern = BTreeMap<Box<[u8]>, Subscribers>;

/// Patterns by what they literally begin with.
#[derive(Debug, Default)]
struct Patterns {
    by_prefix: HashMap<Box<[u8]>, ByPattern>,
    /// How many prefixes there are of each length.
    lengths: BTreeMap<usize, usize>,
}

/// The bytes of a pattern before the first that does not stand for itself.
fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
    &pattern[..end.unwrap_or(pattern.len())]
}

impl Patterns {
    fn add(&mut self, pattern: &[u8], client: &Arc<SharedClient>) -> bool {
        let prefix = literal_prefix(pattern);
        if !self.by_prefix.contains_key(prefix) {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        let patterns = self.by_prefix.entry(prefix.into()).or_default();
        let first = !patterns.contains_key(pattern);
        patterns.entry(pattern.into()).or_default().insert(client.id, Arc::clone(client));
        first
    }

    fn remove(&mut self, pattern: &[u8], client: u64) -> bool {
        let prefix = literal_prefix(pattern);
        let Some(patterns) = self.by_prefix.get_mut(prefix) else { return false };
        let Some(subscribers) = patterns.get_mut(pattern) else { return false };
        subscribers.remove(&client);
        let last = subscribers.is_empty();
        if last {
            patterns.remove(pattern);
        }
        if patterns.is_empty() {
            self.by_prefix.remove(prefix);
            if let Some(count) = self.lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
        last
    }

    /// The patterns that a channel matches.
    fn matching<'p>(&'p self, channel: &'p [u8]) -> impl Iterator<Item = (&'p [u8], &'p Subscribers)> {
        let prefixes = self.lengths.range(..=channel.len()).map(|(len, _)| &channel[..*len]);
        let candidates = prefixes.filter_map(|prefix| self.by_prefix.get(prefix)).flatten();
        candidates
            .filter(|(pattern, _)| glob::matches(pattern, channel, Case::Sensitive))
            .map(|(pattern, subscribers)| (&**pattern, subscribers))
    }
}

/// A message as an array or push of these parts, without its first byte; see [`Letter::Message`].
fn message(parts: &[&[u8]]) -> Bytes {
    let mut length = itoa::Buffer::new();
    let headers = parts.len() * "$18446744073709551615\r\n\r\n".len();
    let mut bytes = Vec::with_capacity(headers + parts.iter().map(|part| part.len()).sum::<usize>());
    let mut add = |pieces: [&[u8]; 2]| pieces.into_iter().for_each(|piece| bytes.extend_from_slice(piece));
    add([length.format(parts.len()).as_bytes(), b"\r\n$"]);
    for (index, part) in parts.iter().enumerate() {
        add([length.format(part.len()).as_bytes(), b"\r\n"]);
        add([part, if index + 1 < parts.len() { b"\r\n$" } else { b"\r\n" }]);
    }
    Bytes::from(bytes)
}

/// Sends a message to all subscribers; returns how many they are.
fn deliver(parts: &[&[u8]], subscribers: &Subscribers) -> usize {
    let message = message(parts);
    subscribers.values().for_each(|client| client.deliver(Letter::Message(message.clone())));
    subscribers.len()
}

impl PubSub {
    /// Whether nobody subscribes to a channel that messages are published on by the server itself.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Publishes a message on a channel. Returns how many received it; who subscribes in several ways, several times.
    pub fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let by_name = self.channels.get(channel);
        let mut receivers =
            by_name.map_or(0, |subscribers| deliver(&[b"message", channel, message], &subscribers));
        if self.pattern_count.load(Ordering::Relaxed) > 0 {
            for (pattern, subscribers) in self.patterns.read().matching(channel) {
                receivers += deliver(&[b"pmessage", pattern, channel, message], subscribers);
            }
        }
        receivers
    }

    /// The same on a shard channel.
    pub fn publish_to_shard(&self, channel: &[u8], message: &[u8]) -> usize {
        let subscribers = self.shard_channels.get(channel);
        subscribers.map_or(0, |subscribers| deliver(&[b"smessage", channel, message], &subscribers))
    }

    fn named(&self, topic: Topic) -> &DashMap<Box<[u8]>, Subscribers> {
        if topic == Topic::ShardChannel { &self.shard_channels } else { &self.channels }
    }

    /// The channels that have subscribers.
    #[must_use]
    pub fn channels(&self, topic: Topic) -> Vec<Vec<u8>> {
        self.named(topic).iter().map(|channel| channel.key().to_vec()).collect()
    }

    /// How many channels have subscribers; or patterns, of which each counts once.
    #[must_use]
    pub fn count(&self, topic: Topic) -> usize {
        match topic {
            Topic::Pattern => self.pattern_count.load(Ordering::Relaxed),
            topic => self.named(topic).len(),
        }
    }

    /// How many subscribe to a channel by its name.
    #[must_use]
    pub fn subscribers(&self, topic: Topic, channel: &[u8]) -> usize {
        self.named(topic).get(channel).map_or(0, |subscribers| subscribers.len())
    }

    /// Counts are changed under the lock under which it is seen who was first or last: so they are right as soon as the client is told
    /// of its subscription, and in the end.
    fn add(&self, topic: Topic, name: &[u8], client: &Arc<SharedClient>) {
        if topic == Topic::Pattern {
            let mut patterns = self.patterns.write();
            let first = usize::from(patterns.add(name, client));
            self.pattern_count.fetch_add(first, Ordering::Relaxed);
            self.count.fetch_add(first, Ordering::Relaxed);
        } else {
            let mut subscribers = self.named(topic).entry(name.into()).or_default();
            let counts = subscribers.is_empty() && topic == Topic::Channel;
            self.count.fetch_add(usize::from(counts), Ordering::Relaxed);
            subscribers.insert(client.id, Arc::clone(client));
        }
    }

    fn remove(&self, topic: Topic, name: &[u8], client: u64) {
        if topic == Topic::Pattern {
            let mut patterns = self.patterns.write();
            let last = usize::from(patterns.remove(name, client));
            self.pattern_count.fetch_sub(last, Ordering::Relaxed);
            self.count.fetch_sub(last, Ordering::Relaxed);
        } else {
            self.named(topic).remove_if_mut(name, |_, subscribers| {
                let was_there = subscribers.remove(&client).is_some();
                let last = was_there && subscribers.is_empty();
                self.count.fetch_sub(usize::from(last && topic == Topic::Channel), Ordering::Relaxed);
                last
            });
        }
    }
}

/// What a client subscribes to. When this is dropped, it subscribes to nothing any more.
pub struct Subscriptions {
    node: Arc<Node>,
    client: Arc<SharedClient>,
    names: [BTreeSet<Box<[u8]>>; 3],
    /// Bytes of all names.
    name_bytes: usize,
}

impl Subscriptions {
    /// None yet.
    pub(crate) fn new(node: &Arc<Node>, client: &Arc<SharedClient>) -> Subscriptions {
        let (node, client) = (Arc::clone(node), Arc::clone(client));
        Subscriptions { node, client, names: Default::default(), name_bytes: 0 }
    }

    /// Subscribes to a channel or pattern.
    pub fn add(&mut self, topic: Topic, name: &[u8]) {
        if self.names[topic as usize].insert(name.into()) {
            self.name_bytes += name.len();
            self.note();
            self.node.pubsub.add(topic, name, &self.client);
        }
    }

    /// Ends a subscription, if there is one.
    pub fn remove(&mut self, topic: Topic, name: &[u8]) {
        if self.names[topic as usize].remove(name) {
            self.name_bytes -= name.len();
            self.node.pubsub.remove(topic, name, self.client.id);
            self.note();
        }
    }

    /// The names of all of one kind, in order.
    #[must_use]
    pub fn names(&self, topic: Topic) -> Vec<Box<[u8]>> {
        self.names[topic as usize].iter().cloned().collect()
    }

    /// How many there are, as a client is told it with each: those of shards are counted by themselves.
    #[must_use]
    pub fn count(&self, topic: Topic) -> usize {
        let len = |topic: Topic| self.names[topic as usize].len();
        match topic {
            Topic::ShardChannel => len(Topic::ShardChannel),
            Topic::Channel | Topic::Pattern => len(Topic::Channel) + len(Topic::Pattern),
        }
    }

    /// Bytes of memory that they take: the client's part, and its place among the subscribers.
    pub(crate) fn memory_bytes(&self) -> usize {
        let count: usize = self.names.iter().map(BTreeSet::len).sum();
        let each = size_of::<Box<[u8]>>() + size_of::<(u64, Arc<SharedClient>)>();
        count * each + self.name_bytes
    }

    /// Whether there are none of any kind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }

    fn note(&self) {
        for (names, count) in self.names.iter().zip(&self.client.subscriptions) {
            count.store(names.len(), Ordering::Relaxed);
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
            for name in std::mem::take(&mut self.names[topic as usize]) {
                self.node.pubsub.remove(topic, &name, self.client.id);
            }
        }
        self.note();
    }
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use larder_store::UnixMillis;

    use super::*;
    use crate::client::NoLink;
    use crate::output_limits::OutputLimits;

    fn client(id: u64) -> Arc<SharedClient> {
        let limits = Arc::<OutputLimits>::default();
        Arc::new(SharedClient::new(id, String::new(), String::new(), UnixMillis(0), limits, Box::new(NoLink)))
    }

    #[test]
    fn whether_anybody_subscribes_is_known_however_many_come_and_go() {
        let pubsub = PubSub::default();
        thread::scope(|scope| {
            for id in 0..4 {
                let pubsub = &pubsub;
                scope.spawn(move || {
                    let client = client(id);
                    for _ in 0..20_000 {
                        for topic in [Topic::Channel, Topic::Pattern] {
                            pubsub.add(topic, b"name", &client);
                            assert!(!pubsub.is_empty(), "{id} subscribes");
                            pubsub.remove(topic, b"name", id);
                            // Once more, for nothing.
                            pubsub.remove(topic, b"name", id);
                        }
                    }
                });
            }
        });
        assert!(pubsub.is_empty());
        assert_eq!((pubsub.count(Topic::Channel), pubsub.count(Topic::Pattern)), (0, 0));
    }

    #[test]
    fn a_message_is_written_as_the_protocol_has_it() {
        assert_eq!(
            &message(&[b"message", b"", b"text"])[..],
            b"3\r\n$7\r\nmessage\r\n$0\r\n\r\n$4\r\ntext\r\n"
        );
    }

    #[test]
    fn a_pattern_begins_literally_until_a_byte_stands_for_others() {
        for (pattern, prefix) in
            [("news.*", "news."), ("*", ""), ("a?c", "a"), ("a[bc]", "a"), ("a\\*b", "a"), ("plain", "plain")]
        {
            assert_eq!(literal_prefix(pattern.as_bytes()), prefix.as_bytes(), "{pattern}");
        }
    }
}
