//! Binary requests that are about an item.
//!
//! A reply tells the item's CAS value, of reads as well as of changes. So an item gets one at the latest when a binary client sees
//! it; only what is stored by a quiet request stays without.

use larder_store::{Attributes, NewValue, Position};
use memcache_parser::StoreMode;
use memcache_parser::binary::reply::{self, Body, Status};
use memcache_parser::binary::{Arithmetic, Get, Request, Returned, Store};
use memcache_parser::reply::Status as TextStatus;

use super::super::arithmetic::{Counted, Delta};
use super::super::item::{Contended, Item, Lifetime, STORED};
use super::super::store::{Outdated, Storing};
use super::super::turn::Turn;

impl Turn<'_> {
    /// Answers with an item, or gives it another lifetime, or both.
    #[inline]
    pub(super) fn binary_get(
        &mut self,
        request: &Request<'_>,
        get: &Get<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let stats = self.stats();
        let mut item = self.item(get.key, position)?;
        let cas = item.cas().unwrap_or_default();
        let found = item.read();
        match (get.exptime.is_some(), found.is_some()) {
            (false, true) => stats.get_hits.add(1),
            (false, false) => stats.get_misses.add(1),
            (true, true) => stats.touch_hits.add(1),
            (true, false) => stats.touch_misses.add(1),
        }
        self.note_get(get.key, found.is_some().into());
        let Some(entry) = found else {
            self.binary_miss(request, get);
            return Ok(());
        };
        let client_flags = entry.attributes().client_flags;
        let value_bytes = if get.returned == Returned::Nothing { 0 } else { entry.value_len() };
        let body = Body { cas, extras: &client_flags.to_be_bytes(), key: returned_key(get), value_bytes };
        reply::start(&mut self.output, request.head, Status::Success, &body);
        if get.returned != Returned::Nothing {
            self.output.bare_value(&entry);
        }
        if let Some(exptime) = get.exptime {
            item.set_lifetime(Lifetime::of(exptime.into(), self.now()));
        }
        Ok(())
    }

    /// Answers that there is no such item. Whoever wanted the key returned gets it in the text's place.
    fn binary_miss(&mut self, request: &Request<'_>, get: &Get<'_>) {
        if request.quiet {
            return;
        }
        match get.returned {
            Returned::KeyAndValue => {
                let body = Body { key: get.key, ..Body::default() };
                reply::start(&mut self.output, request.head, Status::NotFound, &body);
            }
            Returned::Nothing | Returned::Value => self.binary_error(request, Status::NotFound),
        }
    }

    /// Stores a value. As in memcached one that names a CAS value is stored over the item that has it, even by `add`.
    #[inline]
    pub(super) fn binary_store(
        &mut self,
        request: &Request<'_>,
        store: &Store<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let has_room = self.has_room();
        let mut item = self.item(store.key, position)?;
        self.note(store.key, |counts| counts.sets += 1);
        if !has_room {
            item.give_up_for(store.mode);
            self.binary_error(request, Status::OutOfMemory);
            return Ok(());
        }
        let adds = matches!(store.mode, StoreMode::Append | StoreMode::Prepend);
        let storing = Storing {
            mode: if request.cas != 0 && !adds { StoreMode::Set } else { store.mode },
            compare_cas: (request.cas != 0).then_some(request.cas),
            outdated: Outdated::Refuse,
            new_cas: None,
            vivify: None,
            client_flags: store.client_flags,
            lifetime: Lifetime::of(store.exptime.into(), self.now()),
            value: store.value,
        };
        let status = match (self.put(&mut item, store.key.len(), &storing), store.mode) {
            (TextStatus::Stored, _) => {
                self.binary_changed(request, &mut item, &[]);
                return Ok(());
            }
            (TextStatus::Exists, _) | (TextStatus::NotStored, StoreMode::Add) => Status::Exists,
            (TextStatus::NotFound, _) | (TextStatus::NotStored, StoreMode::Replace) => Status::NotFound,
            _ => Status::NotStored,
        };
        self.binary_error(request, status);
        Ok(())
    }

    /// Deletes an item, if it has the CAS value that is wanted.
    pub(super) fn binary_delete(
        &mut self,
        request: &Request<'_>,
        key: &[u8],
        position: Position,
    ) -> Result<(), Contended> {
        let mut item = self.item(key, position)?;
        self.note(key, |counts| counts.deletes += 1);
        let Some(cas) = item.look().map(|entry| entry.attributes().cas) else {
            self.stats().delete_misses.add(1);
            self.binary_error(request, Status::NotFound);
            return Ok(());
        };
        if request.cas != 0 && cas != Some(request.cas) {
            self.binary_error(request, Status::Exists);
            return Ok(());
        }
        item.delete();
        self.stats().delete_hits.add(1);
        self.binary_done(request, 0);
        Ok(())
    }

    /// Changes a counter, or makes one.
    pub(super) fn binary_arithmetic(
        &mut self,
        request: &Request<'_>,
        arithmetic: &Arithmetic<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let Arithmetic { direction, delta: amount, initial, exptime, .. } = *arithmetic;
        let mut item = self.item(arithmetic.key, position)?;
        let number = match self.count(&mut item, Delta { direction, amount, compare_cas: request.cas }) {
            Counted::To(number) => number,
            Counted::NotNumeric => {
                self.binary_error(request, Status::NonNumeric);
                return Ok(());
            }
            Counted::Exists => {
                self.binary_error(request, Status::Exists);
                return Ok(());
            }
            Counted::NotFound => {
                let Some(exptime) = exptime else {
                    self.count_miss(direction);
                    self.binary_error(request, Status::NotFound);
                    return Ok(());
                };
                if item.is_of_another_type() {
                    self.binary_error(request, Status::NotStored);
                    return Ok(());
                }
                let digits = itoa::Buffer::new().format(initial).to_owned();
                let lifetime = Lifetime::of(exptime.into(), self.now());
                item.put(&Attributes::default(), lifetime, NewValue::of(digits.as_bytes()), STORED);
                self.stats().items_stored.add(1);
                initial
            }
        };
        self.binary_changed(request, &mut item, &number.to_be_bytes());
        Ok(())
    }

    /// Answers that an item was changed, if that is to be said.
    #[inline]
    fn binary_changed(&mut self, request: &Request<'_>, item: &mut Item<'_>, value: &[u8]) {
        if !request.quiet {
            // One whose time was over before it was stored is gone already.
            let cas = item.cas().unwrap_or_else(|| self.node.keyspace.next_cas());
            reply::value(&mut self.output, request.head, cas, value);
        }
    }

    pub(super) fn binary_error(&mut self, request: &Request<'_>, status: Status) {
        reply::error(&mut self.output, request.head, status);
    }
}

/// The key as far as it is to be returned.
fn returned_key<'a>(get: &Get<'a>) -> &'a [u8] {
    if get.returned == Returned::KeyAndValue { get.key } else { b"" }
}
