//! Stripes that stay locked though nobody has their guards: those of a transaction or a script, between its requests.
//!
//! A guard borrows the keyspace, so it can neither be put away with what has begun to run nor be lent to one request after the other.
//! In its place there is a token, from which the guard is made again.

#![expect(unsafe_code, reason = "the guard of a mutex that is known to be locked is made again")]

use crate::change::SideState;
use crate::keyspace::Keyspace;
use crate::stripe::{Moment, StripeGuard};

/// A locked stripe without its guard. It stays locked until it is taken up again and the guard is dropped.
#[derive(Debug)]
#[must_use = "the stripe stays locked until it is taken up again"]
pub struct HeldStripe {
    index: usize,
    /// Which keyspace's it is.
    keyspace: usize,
}

impl HeldStripe {
    /// Which stripe this is.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }
}

impl<S: SideState> StripeGuard<'_, S> {
    /// Gives the guard away and leaves the stripe locked.
    pub fn hold(self) -> HeldStripe {
        let StripeGuard { keyspace, index, stripe, .. } = self;
        std::mem::forget(stripe);
        HeldStripe { index, keyspace: keyspace.address() }
    }
}

impl<S: SideState> Keyspace<S> {
    /// The guard of a stripe that was left locked.
    ///
    /// # Panics
    /// The stripe is another keyspace's.
    #[inline]
    #[must_use]
    pub fn take_up(&self, held: HeldStripe, moment: Moment) -> StripeGuard<'_, S> {
        assert_eq!(held.keyspace, self.address(), "the stripe belongs to another keyspace");
        // SAFETY: the token was made from the guard of this very mutex, which was forgotten, and can be neither copied nor made
        // otherwise: the mutex is locked, and nobody else has a guard of it. That it may be unlocked by another thread than the one
        // that locked it is a property of parking_lot's mutex, whose guards are bound to threads for the sake of deadlock detection.
        let stripe = unsafe { self.mutex(held.index).make_guard_unchecked() };
        StripeGuard { keyspace: self, index: held.index, stripe, moment }
    }
}

#[cfg(test)]
mod tests {
    use crate::change::{Change, SideState};
    use crate::{AccessPolicy, Attributes, DbIndex, Event, Keyspace, Moment, NewValue, Touch, UnixMillis};

    #[derive(Default)]
    struct Nothing;

    impl SideState for Nothing {
        fn changed(&mut self, _: Change<'_>) {}
        fn fields_expired(&mut self, _: usize) {}
        fn flushed(&mut self, _: DbIndex, _: usize, _: &dyn Fn(&[u8]) -> bool) {}
        fn swapped(&mut self, _: (DbIndex, DbIndex), _: &dyn Fn(DbIndex, &[u8]) -> bool) {}
    }

    const MOMENT: Moment = Moment {
        now: UnixMillis(1),
        clock: UnixMillis(1),
        policy: AccessPolicy::Lru,
        due: crate::Due::Removed,
    };
    const DB: DbIndex = DbIndex(0);

    #[test]
    fn a_held_stripe_is_locked_until_its_guard_goes() {
        let (keyspace, _garbage) = Keyspace::<Nothing>::new(1, 1);
        let key = keyspace.key(b"key");
        let stripe = key.position.stripe();
        let mut guard = keyspace.lock(stripe, MOMENT);
        guard.put(DB, key, &Attributes::default(), NewValue::raw(b"value"), Event::string("set"));
        let held = guard.hold();
        assert!(keyspace.try_lock(stripe, MOMENT).is_none());
        let held = std::thread::scope(|scope| {
            // The token may go to another thread, and the stripe be unlocked there.
            let taken_up = scope.spawn(|| {
                let mut guard = keyspace.take_up(held, MOMENT);
                assert!(guard.find(DB, key, Touch::No).is_some());
                guard.hold()
            });
            taken_up.join().expect("no assertion failed")
        });
        assert!(keyspace.try_lock(stripe, MOMENT).is_none());
        drop(keyspace.take_up(held, MOMENT));
        assert!(keyspace.try_lock(stripe, MOMENT).is_some());
    }

    #[test]
    #[should_panic(expected = "another keyspace")]
    fn a_held_stripe_of_another_keyspace_is_refused() {
        let (keyspace, _garbage) = Keyspace::<Nothing>::new(1, 1);
        let (other, _garbage) = Keyspace::<Nothing>::new(1, 1);
        let held = keyspace.lock(0, MOMENT).hold();
        drop(other.take_up(held, MOMENT));
    }
}
