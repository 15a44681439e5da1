//! Sparse spans: which are emptied, and how their objects are told from others.
//!
//! Of a class, the sparsest spans are chosen as long as what they hold fits into the free objects of the others: so each object
//! that moves goes into memory that is there, and a span becomes free for at most a span's worth of copying. Where it does not fit, as
//! for a class with a single span, it goes into a new span, which takes memory only as far as it is used. The order is that of
//! how full spans are, over all classes, until what becomes free is enough.
//!
//! Objects are moved by who owns them. A table's slots hold addresses, and [`Emptying`] says of an address whether it lies in a chosen
//! span without looking there: going over all keys costs a nanosecond or two for each that stays. To ask the objects themselves for their
//! keys would be cheaper still, but an object may be changed or freed by whoever holds its stripe, which only its key would tell.

use std::ptr::NonNull;

use super::classes::{CLASSES, objects_of_class, size_of_class};
use super::span::Span;
use super::{ARENAS, SPAN_BYTES, Slab};

/// Spans looked at per list of roomy ones, so that a class is not locked for long.
const LOOKED_AT: usize = 512;
/// How full a span may be to be chosen, in hundredths, from round to round.
const ROUNDS: [u32; 5] = [25, 50, 75, 90, 99];
/// How full what was touched of a span may be, in hundredths, to be copied into a new one.
const SHRINKING_MAX: u32 = 75;

/// Spans that are being emptied, by their addresses. One that became empty and is used for something else is still among them.
#[derive(Debug)]
pub struct Emptying {
    /// A hash table of the numbers of spans (address by length), 0 where there is none; at most half of it is in use.
    numbers: Box<[u32]>,
    bytes: usize,
    spans: usize,
}

impl Emptying {
    fn of(chosen: &[(u32, usize)]) -> Emptying {
        let mut numbers = vec![0; (2 * chosen.len()).next_power_of_two()].into_boxed_slice();
        for (number, _) in chosen {
            let mut at = home(*number, numbers.len());
            while numbers[at] != 0 {
                at = (at + 1) % numbers.len();
            }
            numbers[at] = *number;
        }
        let bytes = chosen.iter().map(|(_, bytes)| bytes).sum();
        Emptying { numbers, bytes, spans: chosen.len() }
    }

    /// Whether an object at this address may have to move.
    #[inline]
    #[must_use]
    pub fn may_hold(&self, object: NonNull<u8>) -> bool {
        let number = number_of(object);
        let mut at = home(number, self.numbers.len());
        loop {
            match self.numbers[at] {
                0 => return false,
                found if found == number => return true,
                _ => at = (at + 1) & (self.numbers.len() - 1),
            }
        }
    }

    /// Bytes of memory that become free with the spans, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many spans were chosen.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.spans
    }
}

#[inline]
fn number_of(object: NonNull<u8>) -> u32 {
    // An address has 48 bits, as tables want it.
    (object.addr().get() / SPAN_BYTES) as u32
}

#[inline]
fn home(number: u32, len: usize) -> usize {
    (number.wrapping_mul(0x9E37_79B1) >> 12) as usize & (len - 1)
}

impl Slab {
    pub(super) fn begin_emptying(&self, wanted_bytes: usize) -> Option<Emptying> {
        let (mut chosen, mut bytes) = (Vec::new(), 0);
        for fullness in ROUNDS {
            for class in 0..CLASSES {
                if bytes >= wanted_bytes {
                    break;
                }
                let before = chosen.len();
                self.choose(class, fullness, wanted_bytes - bytes, &mut chosen);
                bytes += chosen[before..].iter().map(|(_, bytes)| bytes).sum::<usize>();
            }
        }
        (!chosen.is_empty()).then(|| Emptying::of(&chosen))
    }

    /// Chooses spans of a class that are no fuller than that, up to a number of bytes: number and bytes of each.
    fn choose(&self, class: usize, fullness: u32, wanted_bytes: usize, chosen: &mut Vec<(u32, usize)>) {
        let objects = objects_of_class(class);
        // Nobody else holds two classes' locks, and there is one who chooses.
        let mut arenas: Vec<_> = self.arenas.iter().map(|arena| arena.classes[class].lists.lock()).collect();
        let mut roomy: Vec<(usize, Span)> = Vec::new();
        let (mut room, mut to_move, mut bytes) = (0, 0, 0);
        for (arena, lists) in arenas.iter().enumerate() {
            roomy.extend(lists.roomy.iter().take(LOOKED_AT).map(|span| (arena, span)));
            to_move += lists.emptying.iter().take(LOOKED_AT).map(Span::used).sum::<u32>();
        }
        room += roomy.iter().map(|(_, span)| objects - span.used()).sum::<u32>();
        roomy.sort_unstable_by_key(|(_, span)| span.used());
        for (arena, span) in roomy {
            let (used, touched) = (span.used(), span.touched());
            let own_room = objects - used;
            let fits = to_move + used <= room - own_room && used * 100 <= objects * fullness;
            // Where others were chosen, what they hold fills this one.
            let shrinks = to_move == 0 && used * 100 <= touched * fullness.min(SHRINKING_MAX);
            if bytes >= wanted_bytes {
                break;
            }
            if !fits && !shrinks {
                continue;
            }
            to_move += used;
            room -= own_room;
            let freed = if fits { touched } else { touched - used } as usize * size_of_class(class);
            bytes += freed;
            arenas[arena].roomy.unlink(span);
            span.set_emptying(true);
            arenas[arena].emptying.push(span);
            chosen.push((number_of(span.start()), freed));
        }
    }

    pub(super) fn end_emptying(&self) {
        for (arena, class) in (0..ARENAS).flat_map(|arena| (0..CLASSES).map(move |class| (arena, class))) {
            let mut lists = self.arenas[arena].classes[class].lists.lock();
            while let Some(span) = lists.emptying.first() {
                lists.emptying.unlink(span);
                span.set_emptying(false);
                // Not the first, from which objects are taken: there may be fuller ones.
                lists.roomy.push_second(span);
            }
        }
    }
}
