//! `incr` and `decr`, for the text and the meta protocol.

use larder_store::{Attributes, Entry, Event, NewValue, Position, Value};
use memcache_parser::reply::{self, Status};
use memcache_parser::{Arithmetic, Direction, ErrorReply, ReplyMode, counter_value};

use super::item::{Contended, Item};
use super::turn::Turn;

/// A change of a counter.
#[derive(Clone, Copy)]
pub(super) struct Delta {
    pub(super) direction: Direction,
    pub(super) amount: u64,
    /// The CAS value that the item must have; 0 is any.
    pub(super) compare_cas: u64,
}

/// What came of it.
pub(super) enum Counted {
    /// The counter is now this.
    To(u64),
    /// There is no item.
    NotFound,
    /// The item has another CAS value.
    Exists,
    /// The value is no number.
    NotNumeric,
}

/// What is known of a counter before it is changed.
struct Old {
    number: Option<u64>,
    value_len: usize,
    attributes: Attributes,
    is_fetched: bool,
}

impl Turn<'_> {
    /// Changes a counter.
    pub(super) fn arithmetic(
        &mut self,
        arithmetic: &Arithmetic<'_>,
        position: Position,
    ) -> Result<(), Contended> {
        let mut item = self.item(arithmetic.key, position)?;
        let delta = Delta { direction: arithmetic.direction, amount: arithmetic.delta, compare_cas: 0 };
        match self.count(&mut item, delta) {
            Counted::To(number) if arithmetic.reply == ReplyMode::Send => {
                reply::counter(&mut self.output, number);
            }
            Counted::To(_) => {}
            Counted::NotFound | Counted::Exists => {
                self.count_miss(arithmetic.direction);
                self.status(Status::NotFound, arithmetic.reply);
            }
            Counted::NotNumeric => self.error(ErrorReply::NonNumericValue, arithmetic.reply),
        }
        Ok(())
    }

    /// Changes a counter if it is one.
    pub(super) fn count(&self, item: &mut Item<'_>, delta: Delta) -> Counted {
        let Some(old) = item.look().map(|entry| Old::of(&entry)) else { return Counted::NotFound };
        if old.value_len == 0 {
            return Counted::NotNumeric;
        }
        if delta.compare_cas != 0 && old.attributes.cas != Some(delta.compare_cas) {
            return Counted::Exists;
        }
        let Some(number) = old.number else { return Counted::NotNumeric };
        let (number, event) = match delta.direction {
            Direction::Increment => (number.wrapping_add(delta.amount), Event::string("incrby")),
            Direction::Decrement => (number.saturating_sub(delta.amount), Event::string("decrby")),
        };
        write(item, &old, number, event);
        match delta.direction {
            Direction::Increment => self.stats().incr_hits.add(1),
            Direction::Decrement => self.stats().decr_hits.add(1),
        }
        Counted::To(number)
    }

    /// Counts a counter that was not there.
    pub(super) fn count_miss(&self, direction: Direction) {
        match direction {
            Direction::Increment => self.stats().incr_misses.add(1),
            Direction::Decrement => self.stats().decr_misses.add(1),
        }
    }
}

impl Old {
    fn of(entry: &Entry) -> Old {
        let number = match entry.value() {
            Value::Int(number) => u64::try_from(number).ok(),
            Value::Inline(bytes) => counter_value(bytes),
            Value::Block(block) => counter_value(block),
        };
        Old {
            number,
            value_len: entry.value_len(),
            attributes: entry.attributes(),
            is_fetched: entry.is_fetched(),
        }
    }
}

/// Writes a counter's new value. As in memcached a value never becomes shorter: what is missing is filled up with spaces. One that
/// becomes longer is a new item, which nobody has read yet and which is neither stale nor about to be renewed.
fn write(item: &mut Item<'_>, old: &Old, number: u64, event: Event) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    if digits.len() < old.value_len {
        item.change(0, event, |bytes| {
            let (start, rest) = bytes.split_at_mut(digits.len());
            start.copy_from_slice(digits);
            rest.fill(b' ');
        });
    } else {
        let grows = digits.len() > old.value_len;
        let item_state = if grows { 0 } else { old.attributes.item_state };
        let attributes = Attributes { item_state, cas: None, ..old.attributes };
        item.put_value(&attributes, NewValue::of(digits), event);
        if grows {
            return;
        }
    }
    if old.is_fetched {
        item.mark(Entry::set_fetched);
    }
}
