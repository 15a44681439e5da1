//! What a handler may see and do.

use std::sync::Arc;

use bytes::Bytes;
use larder_config::Settings;
use larder_resp::{Output, Protocol, Reply};
use larder_store::{Key, Moment, Position, Touch, UnixMillis};

use crate::args::Args;
use crate::caching::{CachingOptions, ClientCaching};
use crate::client::{Client, ReplyMode};
use crate::command::{Command, Flags};
use crate::error::CommandError;
use crate::inbox::Letter;
use crate::locked::Locked;
use crate::node::Node;
use crate::programs::ProgramToken;
use crate::pubsub::{Subscriptions, Topic};
use crate::safepoint::{Exclusive, Running};
use crate::stats::WorkerStats;
use crate::table::Row;
use crate::transaction::Nesting;
use crate::watch::Watch;
use crate::worker::{Belongings, Random};

/// A key of a request: which argument it is, and where it lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyAt {
    pub(crate) argument: u32,
    pub(crate) position: Position,
}

/// One request on its way: what the handler of its command works with.
pub struct Context<'a> {
    /// The node.
    pub node: &'a Node,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The client that asks.
    pub client: &'a mut Client,
    /// The arguments.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The row.
    pub command: &'static Command,
    /// The row with its number, and with its container if it is a subcommand.
    pub row: Row,
    /// The time at which the request runs.
    pub moment: Moment,
    /// Uniform random numbers.
    pub random: &'a mut Random,
    pub(crate) keys: &'a [KeyAt],
    pub(crate) stats: &'a WorkerStats,
    pub(crate) running: &'a Running<'a>,
    /// The node, for what outlives the request.
    pub(crate) shared_node: &'a Arc<Node>,
    pub(crate) nesting: Nesting<'a>,
    pub(crate) belongings: &'a mut Belongings,
}

/// Has one worker be alone at work, unless a program that is put aside has begun to change keys.
pub(crate) fn exclusive<'a>(node: &Node, running: &'a Running<'a>) -> Result<Exclusive<'a>, CommandError> {
    let all = running.exclusive().ok_or(CommandError::Contended)?;
    // Who puts a program aside is at work until then.
    if node.programs.is_aside() { Err(CommandError::Contended) } else { Ok(all) }
}

impl<'a> Context<'a> {
    /// The time at which the request runs.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.moment.now
    }

    /// What a handler says of too few or too many arguments, where the row's arity cannot.
    #[must_use]
    pub fn wrong_arity(&self) -> CommandError {
        CommandError::WrongArity(self.row.full_name().into())
    }

    /// The request's key of this number, counted from 0, which the command's key specs guarantee.
    #[inline]
    #[must_use]
    pub fn key(&self, number: usize) -> Key<'a> {
        let key = &self.keys[number];
        Key { bytes: self.args.at(key.argument as usize), position: key.position }
    }

    /// The request's keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = Key<'a>> + use<'a> {
        let args = self.args;
        self.keys.iter().map(move |key| Key { bytes: args.at(key.argument as usize), position: key.position })
    }

    /// Locks the stripes of the request's keys, all of them, until the result is dropped. To be called once, after parsing.
    ///
    /// # Errors
    /// One is in use: the request is tried again from the start, so nothing may have happened yet.
    #[inline]
    pub fn lock(&self) -> Result<Locked<'a>, CommandError> {
        let touch = if self.client.no_touch { Touch::No } else { Touch::Yes };
        self.lock_touching(touch)
    }

    /// As [`Context::lock`], with reads that count as uses or not whatever the client said.
    ///
    /// # Errors
    /// As [`Context::lock`].
    pub fn lock_touching(&self, touch: Touch) -> Result<Locked<'a>, CommandError> {
        let keys = self.keys.iter().map(|key| key.position);
        let (node, stats, moment, db) = (self.node, self.stats, self.moment, self.client.db);
        let mut locked = match self.nesting {
            Nesting::Holding(held) => Locked::within(node, stats, held, keys, moment, touch, db),
            Nesting::None => Locked::new(node, stats, keys, moment, touch, db)?,
            Nesting::Exclusive(_) => Locked::new(node, stats, keys, moment, touch, db)?.without_serving(),
        };
        if node.append_log.is_on() {
            self.note_for_log(&mut locked);
        }
        if node.caching.is_any() {
            self.note_for_caching(&mut locked);
        }
        Ok(locked)
    }

    /// Has the request be recorded, if it may change anything.
    fn note_for_log(&self, locked: &mut Locked<'a>) {
        if self.command.flags.has_any(Flags::WRITE.and(Flags::MAY_REPLICATE)) {
            locked.record_as((self.command.logged)(self.args), self.args, self.keys(), self.nesting.record());
        }
    }

    /// Records a request that changes something otherwise than through its keys. To be called while nobody else is at work, or can
    /// change the same.
    pub fn log_request(&self) {
        if self.node.append_log.is_on() {
            self.node.append_log.record_request(self.nesting.record(), self.client.db, self.args);
        }
    }

    /// Says who is at work, and remembers what he reads if he caches it.
    #[cold]
    fn note_for_caching(&self, locked: &mut Locked<'a>) {
        locked.act_for(self.client.id());
        if self.client.remembers && self.command.flags.has(Flags::READONLY) {
            let keys_max = self.settings.tracking_table_max_keys;
            for key in self.keys() {
                let cached = &mut locked.side(key).listeners().cached;
                cached.remember(&self.node.caching, key.bytes, &self.client.shared, keys_max);
            }
        }
    }

    /// Has the client cache: what it asks for is added to what it had asked for before.
    pub fn cache(&mut self, options: CachingOptions) {
        let before = self.client.take_caching();
        let mut caching =
            before.unwrap_or_else(|| Box::new(ClientCaching::new(self.shared_node, &self.client.shared)));
        caching.set(options);
        self.client.set_caching(Some(caching));
    }

    /// Subscribes the client to a channel or pattern.
    pub fn subscribe(&mut self, topic: Topic, name: &[u8]) {
        let (node, client) = (self.shared_node, &mut *self.client);
        let new = || Box::new(Subscriptions::new(node, &client.shared));
        client.subscriptions.get_or_insert_with(new).add(topic, name);
    }

    /// Ends a subscription, if there is one: what was sent because of it comes before whatever the client is told next.
    pub fn unsubscribe(&mut self, topic: Topic, name: &[u8]) {
        let before = self.client.subscriptions.is_some();
        self.client.unsubscribe(topic, name);
        if before {
            self.take_inbox();
        }
    }

    /// Has the client speak a version of RESP: what was sent to it before is in the one that it has spoken so far.
    pub fn speak(&mut self, protocol: Protocol) {
        self.take_inbox();
        self.client.speak(protocol);
        self.reply.protocol = protocol;
        self.client.forget_messages_if_deaf();
    }

    /// Makes the client as if it had just connected.
    pub fn reset_client(&mut self) {
        self.node.monitors.remove(&self.client.shared);
        self.client.subscriptions = None;
        self.take_inbox();
        self.client.reset(self.settings.requirepass.is_empty());
        self.reply.protocol = self.client.protocol;
    }

    /// Takes over what others have sent, before anything of the reply is written.
    ///
    /// Within a transaction there is no place for it: it comes behind all replies. Of RESP2 that would be too late once the client
    /// subscribes to nothing, so it is forgotten, as if nobody had published in that one moment.
    fn take_inbox(&mut self) {
        if !self.nesting.is_none() {
            self.client.forget_messages_if_deaf();
        } else if self.client.reply_mode == ReplyMode::On {
            // Otherwise it would be taken back with the reply; nobody can take it for one, as none is wanted.
            self.client.take_inbox(self.reply.out);
        }
    }

    /// Tells the client something that is no reply, and that it is told even if it wants none.
    pub fn tell(&mut self, write: impl FnOnce(&mut Reply<'_>)) {
        if self.client.reply_mode == ReplyMode::On {
            write(&mut self.reply);
        } else {
            let mut output = Output::default();
            write(&mut Reply { out: &mut output, protocol: self.reply.protocol });
            self.client.shared.deliver(Letter::Plain(Bytes::from(output.to_vec())));
        }
    }

    /// Watches the request's keys until the client's next EXEC.
    ///
    /// # Errors
    /// As [`Context::lock`].
    pub fn watch(&mut self) -> Result<(), CommandError> {
        let mut db = self.lock_touching(Touch::No)?;
        let mut watch = self.client.watch.take().unwrap_or_else(|| Box::new(Watch::new(self.shared_node)));
        for key in self.keys() {
            // One whose time has come goes now, and is not watched as what it was.
            db.contains(key);
            watch.add(self.client.db, key, db.side(key));
        }
        self.client.watch = Some(watch);
        Ok(())
    }

    /// Stops all other workers, for a command whose scope is the whole keyspace.
    ///
    /// # Errors
    /// Another worker was first, or a program has begun to change keys: the request is tried again.
    pub fn exclusive(&self) -> Result<Exclusive<'a>, CommandError> {
        exclusive(self.node, self.running)
    }

    /// The right to run a program.
    ///
    /// # Errors
    /// Somebody else has it: the request is tried again.
    pub fn claim_program(&self) -> Result<ProgramToken, CommandError> {
        if self.nesting.is_none() {
            ProgramToken::claim(self.shared_node).ok_or(CommandError::Contended)
        } else {
            Ok(ProgramToken::within(self.shared_node))
        }
    }

    /// The node, for what outlives the request.
    #[must_use]
    pub fn share_node(&self) -> Arc<Node> {
        Arc::clone(self.shared_node)
    }

    /// What this worker keeps for its commands, of which there is one of each type.
    pub fn belongings<T: Default + 'static>(&mut self) -> &mut T {
        self.belongings.of()
    }
}
