//! An item: a string entry as the memcached protocol sees it, its stripe locked.

use larder_engine::{CommandError, Locked};
use larder_store::{Attributes, Entry, Event, Key, NewValue, Type, UnixMillis, table::Borrowed};
use memcache_parser::reply::RemainingTtl;
use memcache_parser::{Expiry, RELATIVE_SECONDS_MAX, StoreMode, expiry};

use crate::expiry::EXPIRE;

/// Item state: whoever asks is told that the value is out of date.
pub(super) const STALE: u8 = 1;
/// Item state: a client has been told to renew the value; others are told that somebody has.
pub(super) const TOKEN_SENT: u8 = 1 << 1;

/// The event of an item that was stored whole.
pub(super) const STORED: Event = Event::string("set");

/// A stripe is in use. The request is tried again from its start, so nothing may have happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contended;

impl From<CommandError> for Contended {
    fn from(error: CommandError) -> Contended {
        debug_assert!(matches!(error, CommandError::Contended), "locking fails in one way");
        Contended
    }
}

/// What an expiry time of a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// The item lives until then, or without end.
    Until(Option<UnixMillis>),
    /// It is gone as soon as it is stored.
    Over,
}

impl Lifetime {
    /// Without end.
    pub(super) const UNLIMITED: Lifetime = Lifetime::Until(None);

    /// As the rules of the protocol have it. A time from now counts from this millisecond, where memcached counts from the
    /// beginning of the second.
    #[inline]
    pub(super) fn of(exptime: i64, now: UnixMillis) -> Lifetime {
        match exptime {
            0 => Lifetime::UNLIMITED,
            1..=RELATIVE_SECONDS_MAX => Lifetime::Until(Some(now.saturating_add(1000 * exptime))),
            _ => match expiry(exptime, u64::try_from(now.0 / 1000).unwrap_or(0)) {
                Expiry::Never => Lifetime::UNLIMITED,
                Expiry::At(date) => Lifetime::Until(Some(date_millis(date))),
                Expiry::AlreadyExpired => Lifetime::Over,
            },
        }
    }

    /// How long is left, in whole seconds begun.
    pub(super) fn remaining(self, now: UnixMillis) -> RemainingTtl {
        match self {
            Lifetime::Until(None) => RemainingTtl::Unlimited,
            Lifetime::Until(Some(at)) => {
                let millis = u64::try_from(at.saturating_millis_since(now)).unwrap_or(0);
                RemainingTtl::Seconds(millis.div_ceil(1000))
            }
            Lifetime::Over => RemainingTtl::Seconds(0),
        }
    }
}

fn date_millis(seconds: u64) -> UnixMillis {
    UnixMillis(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// One key with its stripe locked. What is under the key but no string is not seen, and [`Item::put`] replaces it.
pub(super) struct Item<'a> {
    db: Locked<'a>,
    key: Key<'a>,
}

impl<'a> Item<'a> {
    pub(super) fn new(db: Locked<'a>, key: Key<'a>) -> Item<'a> {
        Item { db, key }
    }

    /// The bytes of the key.
    pub(super) fn key(&self) -> &'a [u8] {
        self.key.bytes
    }

    /// The item, read on behalf of a client: counts a hit or a miss, and as a use.
    #[inline]
    pub(super) fn read(&mut self) -> Option<Borrowed<'_, Entry>> {
        self.db.read(self.key).filter(|entry| entry.value_type() == Type::String)
    }

    /// The item, without leaving a trace.
    #[inline]
    pub(super) fn look(&mut self) -> Option<Borrowed<'_, Entry>> {
        self.db.inspect(self.key).filter(|entry| entry.value_type() == Type::String)
    }

    /// Whether the key holds something else than a string.
    pub(super) fn is_of_another_type(&mut self) -> bool {
        self.db.inspect(self.key).is_some_and(|entry| entry.value_type() != Type::String)
    }

    /// The CAS value; given to the item now if it had none.
    pub(super) fn cas(&mut self) -> Option<u64> {
        self.look()?;
        self.db.cas(self.key)
    }

    /// Stores a value with these attributes, whose expiry the lifetime overrides, over whatever the key held.
    #[inline]
    pub(super) fn put(
        &mut self,
        attributes: &Attributes,
        lifetime: Lifetime,
        value: NewValue<'_>,
        event: Event,
    ) {
        match lifetime {
            Lifetime::Over => {
                self.delete();
            }
            Lifetime::Until(expires_at) => {
                self.db.put(self.key, &Attributes { expires_at, ..*attributes }, value, event);
                if expires_at.is_some() {
                    self.db.note(self.key, EXPIRE);
                }
            }
        }
    }

    /// Stores a value with these attributes, of which the expiry is the one the item has.
    pub(super) fn put_value(&mut self, attributes: &Attributes, value: NewValue<'_>, event: Event) {
        self.db.put(self.key, attributes, value, event);
    }

    /// Changes the bytes of the value, at least `min_len` of them, in place.
    pub(super) fn change<R>(
        &mut self,
        min_len: usize,
        event: Event,
        change: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        let changed = self.db.change_string(self.key, min_len, event, change);
        changed.expect("the caller has seen that it is a string")
    }

    /// Changes what the protocol notes on an item beside its value: attributes other than the expiry, marks. Nobody is told.
    pub(super) fn mark(&mut self, mark: impl FnOnce(&mut Entry)) {
        self.db.mark(self.key, mark);
    }

    /// As [`Item::mark`], for item state and CAS value.
    pub(super) fn mark_attributes(&mut self, change: impl FnOnce(&mut Attributes)) {
        self.mark(|entry| {
            let mut attributes = entry.attributes();
            change(&mut attributes);
            entry.set_attributes(&attributes);
        });
    }

    /// Gives the item another lifetime.
    pub(super) fn set_lifetime(&mut self, lifetime: Lifetime) {
        match lifetime {
            Lifetime::Over => {
                self.delete();
            }
            Lifetime::Until(expires_at) => {
                let event = if expires_at.is_some() { EXPIRE } else { Event::generic("persist") };
                self.db.put_expiry(self.key, expires_at, event);
            }
        }
    }

    /// What becomes of an item in whose place a value was to be stored for which there is no memory: as in memcached it goes, so that
    /// nobody reads what its owner has given up.
    #[cold]
    pub(super) fn give_up_for(&mut self, mode: StoreMode) {
        if mode == StoreMode::Set {
            self.delete();
        }
    }

    /// Removes whatever is under the key; says whether there was anything.
    pub(super) fn delete(&mut self) -> bool {
        self.db.delete(self.key, Event::DELETED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_250);

    #[test]
    fn an_expiry_time_becomes_a_moment() {
        let until = |millis| Lifetime::Until(Some(UnixMillis(millis)));
        assert_eq!(Lifetime::of(0, NOW), Lifetime::UNLIMITED);
        assert_eq!(Lifetime::of(1, NOW), until(1_700_000_001_250));
        assert_eq!(Lifetime::of(2_592_000, NOW), until(1_702_592_000_250));
        assert_eq!(Lifetime::of(2_592_001, NOW), Lifetime::Over);
        assert_eq!(Lifetime::of(1_800_000_000, NOW), until(1_800_000_000_000));
        assert_eq!(Lifetime::of(-1, NOW), Lifetime::Over);
        assert_eq!(Lifetime::of(i64::MAX, NOW), until(i64::MAX));
    }

    #[test]
    fn seconds_begun_remain() {
        let remaining = |exptime| Lifetime::of(exptime, NOW).remaining(NOW);
        assert_eq!(remaining(0), RemainingTtl::Unlimited);
        assert_eq!(remaining(30), RemainingTtl::Seconds(30));
        assert_eq!(remaining(-1), RemainingTtl::Seconds(0));
        let later = NOW.saturating_add(29_001);
        assert_eq!(Lifetime::of(30, NOW).remaining(later), RemainingTtl::Seconds(1));
    }
}
