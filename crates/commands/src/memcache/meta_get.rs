//! `mg` and `me`.

use larder_store::{Attributes, Entry, Moment, NewValue, Position};
use memcache_parser::reply::{self, DebugFacts, MetaFacts, MetaReply, MetaStatus, Sink};
use memcache_parser::{Flag, Key, MetaFlags, MetaRequest};

use super::aging::{Aging, Origin};
use super::connection::key_bytes;
use super::item::{Contended, Item, Lifetime, STALE, STORED, TOKEN_SENT};
use super::statistics::ONLY_CLASS;
use super::turn::Turn;

/// Flags with which more is to be done than to read the item and say what it is.
const UNUSUAL: [Flag; 9] = [
    Flag::Ttl,
    Flag::Vivify,
    Flag::Recache,
    Flag::CompareCas,
    Flag::ReturnCas,
    Flag::ReturnHit,
    Flag::ReturnLastAccess,
    Flag::ReturnTtl,
    Flag::NoBump,
];

/// An item before a request changes it.
struct Seen {
    attributes: Attributes,
    value_len: usize,
    is_fetched: bool,
    idle_seconds: u32,
}

impl Seen {
    const NOTHING: Seen = Seen {
        attributes: Attributes { expires_at: None, client_flags: 0, item_state: 0, cas: None },
        value_len: 0,
        is_fetched: false,
        idle_seconds: 0,
    };

    fn of(entry: &Entry, moment: Moment) -> Seen {
        Seen {
            attributes: entry.attributes(),
            value_len: entry.value_len(),
            is_fetched: entry.is_fetched(),
            idle_seconds: moment.policy.idle_seconds(entry.access(), moment.now),
        }
    }

    fn has(&self, state: u8) -> bool {
        self.attributes.item_state & state != 0
    }
}

impl Turn<'_> {
    /// Reads an item.
    #[inline]
    pub(super) fn meta_get(
        &mut self,
        request: &MetaRequest<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let MetaRequest { key, flags } = request;
        let mut buffer = None;
        let mut item = self.item(key_bytes(key, &mut buffer), position)?;
        self.stats().cmd_meta.add(1);
        if UNUSUAL.into_iter().any(|flag| flags.has(flag)) {
            self.meta_get_unusual(&mut item, key, flags);
            return Ok(());
        }
        let Some(entry) = item.read() else {
            self.meta_miss(key, flags);
            return Ok(());
        };
        let attributes = if entry.is_item() { entry.attributes() } else { Attributes::default() };
        if attributes.item_state != 0 {
            self.meta_get_unusual(&mut item, key, flags);
            return Ok(());
        }
        self.stats().get_hits.add(1);
        let facts = MetaFacts {
            client_flags: Some(attributes.client_flags),
            value_bytes: Some(entry.value_len()),
            ..MetaFacts::default()
        };
        if flags.has(Flag::ReturnValue) {
            MetaReply::value(&mut self.output, entry.value_len()).returned(flags, key, &facts).finish();
            self.output.value(&entry);
        } else {
            MetaReply::status(&mut self.output, MetaStatus::Header).returned(flags, key, &facts).finish();
        }
        Ok(())
    }

    /// Reads an item of which more is to be said, or with which more is to be done.
    fn meta_get_unusual(&mut self, item: &mut Item<'_>, key: &Key<'_>, flags: &MetaFlags<'_>) {
        let (seen, origin) = match item.look().map(|entry| Seen::of(&entry, self.moment)) {
            Some(seen) => (seen, Origin::Found),
            None if flags.has(Flag::Vivify) && !item.is_of_another_type() => (Seen::NOTHING, Origin::Created),
            None => return self.meta_miss(key, flags),
        };
        let aging = Aging::new(flags, origin, seen.attributes.expires_at, self.now());
        let created = origin == Origin::Created;
        let won = created || !seen.has(TOKEN_SENT) && (aging.is_old || seen.has(STALE));
        if created {
            self.vivify(item, flags, aging.lifetime);
        } else if won {
            item.mark_attributes(|attributes| attributes.item_state |= TOKEN_SENT);
        }
        let wants_cas = flags.has(Flag::ReturnCas) || flags.has(Flag::CompareCas);
        let cas = wants_cas.then(|| self.stored_cas(item, flags));
        let is_known = flags.has(Flag::CompareCas) && flags.compare_cas() == cas;
        let facts = MetaFacts {
            cas,
            client_flags: Some(seen.attributes.client_flags),
            hit_before: Some(seen.is_fetched),
            last_access_seconds: Some(seen.idle_seconds.into()),
            value_bytes: Some(seen.value_len),
            ttl: aging.reported,
        };
        let entry = if flags.has(Flag::NoBump) { item.look() } else { item.read() };
        let wants_value = flags.has(Flag::ReturnValue) && !is_known;
        let reply = if wants_value {
            MetaReply::value(&mut self.output, seen.value_len)
        } else {
            MetaReply::status(&mut self.output, MetaStatus::Header)
        };
        let reply = reply.returned(flags, key, &facts);
        let reply = if seen.has(TOKEN_SENT) { reply.already_won() } else { reply };
        let reply = if seen.has(STALE) { reply.stale() } else { reply };
        let reply = if won { reply.won() } else { reply };
        reply.finish();
        match entry {
            Some(entry) if wants_value => self.output.value(&entry),
            // Made with a lifetime that was over, and gone.
            None if wants_value => self.output.put(b"\r\n"),
            _ => {}
        }
        if aging.is_renewed && !created {
            item.set_lifetime(aging.lifetime);
        }
        if flags.has(Flag::Ttl) {
            self.stats().touch_hits.add(1);
        } else {
            self.stats().get_hits.add(1);
        }
    }

    /// Makes an empty item that this client is to fill.
    fn vivify(&self, item: &mut Item<'_>, flags: &MetaFlags<'_>, lifetime: Lifetime) {
        let attributes = Attributes { item_state: TOKEN_SENT, cas: flags.new_cas(), ..Attributes::default() };
        item.put(&attributes, lifetime, NewValue::of(b""), STORED);
        self.stats().items_stored.add(1);
    }

    fn meta_miss(&mut self, key: &Key<'_>, flags: &MetaFlags<'_>) {
        self.stats().get_misses.add(1);
        if !flags.has(Flag::Quiet) {
            self.meta_status(MetaStatus::End, key, flags, &MetaFacts::default());
        }
    }

    /// Answers without a value.
    pub(super) fn meta_status(
        &mut self,
        status: MetaStatus,
        key: &Key<'_>,
        flags: &MetaFlags<'_>,
        facts: &MetaFacts,
    ) {
        MetaReply::status(&mut self.output, status).returned(flags, key, facts).finish();
    }

    /// Says what is known about an item.
    pub(super) fn meta_debug(&mut self, key: &Key<'_>, position: Position) -> Result<(), Contended> {
        let mut buffer = None;
        let mut item = self.item(key_bytes(key, &mut buffer), position)?;
        self.stats().cmd_meta.add(1);
        let cas = item.cas();
        match item.look() {
            Some(entry) => {
                let seen = Seen::of(&entry, self.moment);
                let facts = DebugFacts {
                    ttl: Lifetime::Until(seen.attributes.expires_at).remaining(self.now()),
                    last_access_seconds: seen.idle_seconds.into(),
                    cas: cas.unwrap_or_default(),
                    fetched: seen.is_fetched,
                    class: ONLY_CLASS,
                    item_bytes: entry.memory_bytes(),
                };
                reply::meta_debug(&mut self.output, key, &facts);
            }
            None => self.output.put(b"EN\r\n"),
        }
        Ok(())
    }
}
