//! `ms`, `md` and `ma`.

use larder_engine::Topics;
use larder_store::{Attributes, NewValue, Position};
use memcache_parser::reply::{MetaFacts, MetaReply, MetaStatus, Status};
use memcache_parser::{ErrorReply, Flag, Key, MetaArithmetic, MetaFlags, MetaRequest, MetaSet, ReplyMode};

use super::aging::{Aging, Origin};
use super::arithmetic::{Counted, Delta};
use super::connection::key_bytes;
use super::item::{Contended, Item, Lifetime, STALE, STORED};
use super::store::{Outdated, Storing};
use super::turn::Turn;

impl Turn<'_> {
    /// Stores a value.
    pub(super) fn meta_set(&mut self, set: &MetaSet<'_>, position: Position) -> Result<(), Contended> {
        let MetaSet { key, mode, flags, value } = set;
        let mut buffer = None;
        let bytes = key_bytes(key, &mut buffer);
        let has_room = self.has_room();
        let mut item = self.item(bytes, position)?;
        self.stats().cmd_meta.add(1);
        if !has_room {
            item.give_up_for(*mode);
            self.error(ErrorReply::OutOfMemoryStoring, ReplyMode::Send);
            return Ok(());
        }
        let storing = Storing {
            mode: *mode,
            compare_cas: flags.compare_cas(),
            outdated: if flags.has(Flag::Invalidate) { Outdated::StoreStale } else { Outdated::Refuse },
            new_cas: flags.new_cas(),
            vivify: flags.vivify().map(|exptime| Lifetime::of(exptime, self.now())),
            client_flags: flags.client_flags(),
            lifetime: Lifetime::of(flags.ttl().unwrap_or_default(), self.now()),
            value,
        };
        let status = self.put(&mut item, bytes.len(), &storing);
        if status == Status::Stored && flags.has(Flag::Quiet) {
            return Ok(());
        }
        // Of an item that was not stored the CAS value is said to be 0, and the length that of the value that came.
        let stored = status == Status::Stored;
        let cas =
            flags.has(Flag::ReturnCas).then(|| if stored { self.stored_cas(&mut item, flags) } else { 0 });
        let value_bytes = if stored { item.look().map(|entry| entry.value_len()) } else { None };
        let facts =
            MetaFacts { cas, value_bytes: Some(value_bytes.unwrap_or(value.len())), ..MetaFacts::default() };
        let status = match status {
            Status::Stored => MetaStatus::Header,
            Status::Exists => MetaStatus::Exists,
            Status::NotFound => MetaStatus::NotFound,
            _ => MetaStatus::NotStored,
        };
        self.meta_status(status, key, flags, &facts);
        Ok(())
    }

    /// Deletes an item, or marks it stale, or empties it.
    pub(super) fn meta_delete(
        &mut self,
        request: &MetaRequest<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let MetaRequest { key, flags } = request;
        let mut buffer = None;
        let mut item = self.item(key_bytes(key, &mut buffer), position)?;
        let stats = self.stats();
        stats.cmd_meta.add(1);
        let status = match item.look().map(|entry| entry.attributes()) {
            None => MetaStatus::NotFound,
            Some(old) if flags.compare_cas().is_some() && flags.compare_cas() != old.cas => {
                MetaStatus::Exists
            }
            Some(old) => {
                if self.watched.meet(Topics::DELETIONS) {
                    self.log_deletion(&mut item, "md");
                }
                self.delete_or_mark(&mut item, &old, flags);
                MetaStatus::Header
            }
        };
        if status != MetaStatus::Header {
            stats.delete_misses.add(1);
        } else if !flags.has(Flag::Invalidate) {
            stats.delete_hits.add(1);
        }
        if status != MetaStatus::Header || !flags.has(Flag::Quiet) {
            self.meta_status(status, key, flags, &MetaFacts::default());
        }
        Ok(())
    }

    /// What `md` does to an item. One that is emptied or marked keeps its CAS value unless it is marked or the request names
    /// another; one that is marked keeps its lifetime unless the request names another.
    fn delete_or_mark(&self, item: &mut Item<'_>, old: &Attributes, flags: &MetaFlags<'_>) {
        let (empties, marks) = (flags.has(Flag::RemoveValue), flags.has(Flag::Invalidate));
        if empties {
            let lifetime = Lifetime::of(flags.ttl().unwrap_or_default(), self.now());
            let client_flags = flags.client_flags();
            let cas = flags.new_cas().or(old.cas);
            let attributes = Attributes { client_flags, cas, ..Attributes::default() };
            item.put(&attributes, lifetime, NewValue::of(b""), STORED);
        }
        if marks {
            let cas = flags.new_cas().unwrap_or_else(|| self.node.keyspace.next_cas());
            // Whoever had been told to renew it is not any more: the next client is.
            item.mark_attributes(|attributes| {
                attributes.item_state = STALE;
                attributes.cas = Some(cas);
            });
            if let (Some(exptime), false) = (flags.ttl(), empties) {
                item.set_lifetime(Lifetime::of(exptime, self.now()));
            }
        }
        if !empties && !marks {
            item.delete();
        }
    }

    /// Changes a counter.
    pub(super) fn meta_arithmetic(
        &mut self,
        arithmetic: &MetaArithmetic<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let MetaArithmetic { key, direction, flags } = arithmetic;
        let mut buffer = None;
        let mut item = self.item(key_bytes(key, &mut buffer), position)?;
        self.stats().cmd_meta.add(1);
        let compare_cas = flags.compare_cas().unwrap_or_default();
        let delta = Delta { direction: *direction, amount: flags.delta(), compare_cas };
        match self.count(&mut item, delta) {
            Counted::To(number) => {
                if flags.has(Flag::NewCas) {
                    item.mark_attributes(|attributes| attributes.cas = flags.new_cas());
                }
                self.meta_counted(&mut item, key, flags, Origin::Found, number);
            }
            Counted::NotFound if flags.has(Flag::Vivify) && !item.is_of_another_type() => {
                self.meta_counted(&mut item, key, flags, Origin::Created, flags.initial());
            }
            Counted::NotFound => {
                self.count_miss(*direction);
                self.meta_status(MetaStatus::NotFound, key, flags, &MetaFacts::default());
            }
            Counted::Exists => self.meta_status(MetaStatus::Exists, key, flags, &MetaFacts::default()),
            Counted::NotNumeric => self.error(ErrorReply::NonNumericValue, ReplyMode::Send),
        }
        Ok(())
    }

    /// Gives a counter its lifetime, makes it if there is none, and answers.
    fn meta_counted(
        &mut self,
        item: &mut Item<'_>,
        key: &Key<'_>,
        flags: &MetaFlags<'_>,
        origin: Origin,
        number: u64,
    ) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let expires_at = item.look().and_then(|entry| entry.expires_at());
        let aging = Aging::new(flags, origin, expires_at, self.now());
        if origin == Origin::Created {
            let attributes = Attributes { cas: flags.new_cas(), ..Attributes::default() };
            item.put(&attributes, aging.lifetime, NewValue::of(digits), STORED);
            self.stats().items_stored.add(1);
        }
        let cas = flags.has(Flag::ReturnCas).then(|| self.stored_cas(item, flags));
        if aging.is_renewed && origin == Origin::Found {
            item.set_lifetime(aging.lifetime);
        }
        if flags.has(Flag::Quiet) {
            return;
        }
        let facts = MetaFacts { cas, ttl: aging.reported, ..MetaFacts::default() };
        if flags.has(Flag::ReturnValue) {
            MetaReply::value(&mut self.output, digits.len())
                .returned(flags, key, &facts)
                .finish_with_value(digits);
        } else {
            self.meta_status(MetaStatus::Header, key, flags, &facts);
        }
    }

    /// The CAS value of an item just stored; one that was gone at once has had one too.
    pub(super) fn stored_cas(&self, item: &mut Item<'_>, flags: &MetaFlags<'_>) -> u64 {
        item.cas().or(flags.new_cas()).unwrap_or_else(|| self.node.keyspace.next_cas())
    }
}
