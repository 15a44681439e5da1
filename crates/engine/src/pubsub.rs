//! Publish and subscribe: channels by name, channels by pattern, and shard channels.
//!
//! A message is written once for each version of RESP; those who receive it share the bytes, which wait in their inboxes until their
//! workers send them. Publishing looks at no pattern whose literal beginning is not the channel's: patterns are found by that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use larder_config::Settings;
use larder_resp::{Output, Protocol, Reply};

use crate::client::SharedClient;
use crate::glob::{self, Case};
use crate::node::Node;
use crate::sync::{AtomicUsize, Ordering, RwLock};

/// Unread bytes that a subscriber may leave where the directive sets no limit: Redis would take all memory.
const UNREAD_MAX: u64 = 256 << 20;

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

/// A message on its way: written when the first asks for it in his version of RESP.
struct Message<'m> {
    parts: &'m [&'m [u8]],
    written: [Option<Bytes>; 2],
}

impl<'m> Message<'m> {
    fn new(parts: &'m [&'m [u8]]) -> Message<'m> {
        Message { parts, written: [None, None] }
    }

    fn bytes(&mut self, protocol: Protocol) -> Bytes {
        let place = usize::from(protocol == Protocol::Resp3);
        let write = || {
            let mut output = Output::default();
            let mut reply = Reply { out: &mut output, protocol };
            reply.push(self.parts.len());
            self.parts.iter().for_each(|part| reply.bulk(part));
            Bytes::from(output.to_vec())
        };
        self.written[place].get_or_insert_with(write).clone()
    }

    fn deliver(&mut self, subscribers: &Subscribers, unread_max: u64) -> Published {
        let sent_away = subscribers
            .values()
            .map(|client| u64::from(client.deliver(self.bytes(client.speaks()), unread_max)))
            .sum();
        Published { receivers: subscribers.len(), sent_away }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// How many received it; who subscribes in several ways, several times.
    pub receivers: usize,
    /// How many of them had left too much unread and were sent away.
    pub sent_away: u64,
}

impl Published {
    fn add(&mut self, other: Published) {
        self.receivers += other.receivers;
        self.sent_away += other.sent_away;
    }
}

impl PubSub {
    /// Whether nobody subscribes to a channel that messages are published on by the server itself.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Publishes a message on a channel, of which subscribers may leave so many bytes unread.
    pub fn publish(&self, channel: &[u8], message: &[u8], unread_max: u64) -> Published {
        let mut published = Published::default();
        if let Some(subscribers) = self.channels.get(channel) {
            published.add(Message::new(&[b"message", channel, message]).deliver(&subscribers, unread_max));
        }
        if self.pattern_count.load(Ordering::Relaxed) > 0 {
            for (pattern, subscribers) in self.patterns.read().matching(channel) {
                let parts = [b"pmessage", pattern, channel, message];
                published.add(Message::new(&parts).deliver(subscribers, unread_max));
            }
        }
        published
    }

    /// The same on a shard channel.
    pub fn publish_to_shard(&self, channel: &[u8], message: &[u8], unread_max: u64) -> Published {
        let subscribers = self.shard_channels.get(channel);
        subscribers.map_or_else(Published::default, |subscribers| {
            Message::new(&[b"smessage", channel, message]).deliver(&subscribers, unread_max)
        })
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

    fn add(&self, topic: Topic, name: &[u8], client: &Arc<SharedClient>) {
        let first = match topic {
            Topic::Pattern => {
                let first = self.patterns.write().add(name, client);
                self.pattern_count.fetch_add(usize::from(first), Ordering::Relaxed);
                first
            }
            topic => {
                let mut subscribers = self.named(topic).entry(name.into()).or_default();
                subscribers.insert(client.id, Arc::clone(client));
                subscribers.len() == 1
            }
        };
        self.count.fetch_add(usize::from(first && topic != Topic::ShardChannel), Ordering::Relaxed);
    }

    fn remove(&self, topic: Topic, name: &[u8], client: u64) {
        let last = match topic {
            Topic::Pattern => {
                let last = self.patterns.write().remove(name, client);
                self.pattern_count.fetch_sub(usize::from(last), Ordering::Relaxed);
                last
            }
            topic => {
                if let Some(mut subscribers) = self.named(topic).get_mut(name) {
                    subscribers.remove(&client);
                }
                self.named(topic).remove_if(name, |_, subscribers| subscribers.is_empty()).is_some()
            }
        };
        self.count.fetch_sub(usize::from(last && topic != Topic::ShardChannel), Ordering::Relaxed);
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

/// Bytes that a subscriber may leave unread.
#[must_use]
pub fn unread_max(settings: &Settings) -> u64 {
    match settings.client_output_buffer_limit.pubsub.hard_bytes {
        0 => UNREAD_MAX,
        limit => limit,
    }
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriptions").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::literal_prefix;

    #[test]
    fn a_pattern_begins_literally_until_a_byte_stands_for_others() {
        for (pattern, prefix) in
            [("news.*", "news."), ("*", ""), ("a?c", "a"), ("a[bc]", "a"), ("a\\*b", "a"), ("plain", "plain")]
        {
            assert_eq!(literal_prefix(pattern.as_bytes()), prefix.as_bytes(), "{pattern}");
        }
    }
}
