use std::sync::mpsc;

use proptest::prelude::*;

use super::regions::REGION_SPANS;
use super::*;

/// An object that owns itself, filled with a pattern that must still be there when it goes.
struct Lent<'a> {
    slab: &'a Slab,
    object: NonNull<u8>,
    size: usize,
    fill: u8,
}

// SAFETY: an object is plain memory with one owner.
unsafe impl Send for Lent<'_> {}

impl<'a> Lent<'a> {
    fn new(slab: &'a Slab, size: usize, fill: u8) -> Lent<'a> {
        let object = slab.allocate(class_of(size));
        assert!(object.addr().get().is_multiple_of(8));
        // SAFETY: the object has this many bytes.
        unsafe { object.write_bytes(fill, size) };
        Lent { slab, object, size, fill }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `new` wrote all of them.
        unsafe { std::slice::from_raw_parts(self.object.as_ptr(), self.size) }
    }

    fn range(&self) -> std::ops::Range<usize> {
        let start = self.object.addr().get();
        start..start + size_of_class(class_of(self.size))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        assert!(self.bytes().iter().all(|byte| *byte == self.fill));
        // SAFETY: the only owner gives up what this slab handed out for this size.
        unsafe { self.slab.free(self.object, class_of(self.size)) };
    }
}

/// Nothing is in use, and at most the one region that is kept is held.
fn assert_returned(slab: &Slab) {
    let held = slab.regions_held.load(Ordering::Relaxed);
    assert!(held <= 1, "{held} regions");
    assert_eq!(slab.unused_bytes(), held * size_class(REGION_BYTES));
}

/// The model: nobody's range may meet another's.
fn assert_disjoint(lent: &[Lent<'_>]) {
    let mut ranges: Vec<_> = lent.iter().map(Lent::range).collect();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
}

#[derive(Clone, Debug)]
enum Step {
    /// Takes so many objects of a size.
    Take(usize, usize),
    /// Frees so many, chosen by a number.
    Free(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![
        Just(SMALL_MAX_BYTES + 1),
        Just(1000),
        Just(SLAB_MAX_BYTES),
        SMALL_MAX_BYTES + 1..=SLAB_MAX_BYTES
    ];
    prop_oneof![
        (size, 1..200_usize).prop_map(|(size, count)| Step::Take(size, count)),
        (any::<usize>(), 1..200_usize).prop_map(|(which, count)| Step::Free(which, count)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]
    #[test]
    fn objects_are_apart_keep_their_content_and_are_returned(steps in prop::collection::vec(step(), 0..60)) {
        let slab = Box::new(Slab::new());
        let mut lent = Vec::new();
        for step in steps {
            match step {
                Step::Take(size, count) => {
                    lent.extend((0..count).map(|number| Lent::new(&slab, size, number as u8)));
                }
                Step::Free(which, count) => {
                    for number in 0..count.min(lent.len()) {
                        let place = which.wrapping_mul(number * 2 + 1) % lent.len();
                        drop(lent.swap_remove(place));
                    }
                }
            }
            assert_disjoint(&lent);
            let used: usize = lent.iter().map(|object| size_of_class(class_of(object.size))).sum();
            let held = slab.regions_held.load(Ordering::Relaxed) * size_class(REGION_BYTES);
            prop_assert_eq!(held - slab.unused_bytes(), used);
        }
        drop(lent);
        assert_returned(&slab);
    }
}

#[test]
fn a_span_is_filled_to_the_last_object_and_emptied_in_any_order() {
    for (size, odd_first) in [(129, true), (700, false), (SLAB_MAX_BYTES, true)] {
        let slab = Box::new(Slab::new());
        let objects = objects_of_class(class_of(size)) as usize;
        let mut lent: Vec<_> = (0..3 * objects).map(|_| Some(Lent::new(&slab, size, 7))).collect();
        let spans: std::collections::HashSet<_> =
            lent.iter().flatten().map(|object| object.range().start / SPAN_BYTES).collect();
        assert_eq!(spans.len(), 3);
        for parity in [usize::from(odd_first), usize::from(!odd_first)] {
            lent.iter_mut().skip(parity).step_by(2).for_each(|object| drop(object.take()));
        }
        assert_returned(&slab);
    }
}

#[test]
fn empty_regions_go_back_and_free_objects_are_used_first() {
    let slab = Box::new(Slab::new());
    let region = REGION_SPANS * objects_of_class(class_of(4000)) as usize;
    let mut lent: Vec<_> = (0..5 * region).map(|_| Lent::new(&slab, 4000, 1)).collect();
    assert_eq!(slab.regions_held.load(Ordering::Relaxed), 5);
    lent.truncate(2 * region);
    assert_eq!(slab.regions_held.load(Ordering::Relaxed), 3, "one free region is kept");
    // Holes everywhere: as many objects again take no further region.
    let kept: Vec<_> = lent.into_iter().enumerate().filter(|(number, _)| number % 2 == 0).collect();
    let again: Vec<_> = (0..region).map(|_| Lent::new(&slab, 4000, 2)).collect();
    assert_eq!(slab.regions_held.load(Ordering::Relaxed), 3);
    // Another class takes the spans of the free region.
    let other: Vec<_> = (0..region / 8).map(|_| Lent::new(&slab, 2000, 3)).collect();
    assert_eq!(slab.regions_held.load(Ordering::Relaxed), 3);
    drop((kept, again, other));
    assert_returned(&slab);
}

#[test]
fn threads_free_what_others_took() {
    const THREADS: usize = 6;
    let rounds = if cfg!(miri) { 40 } else { 20_000 };
    let slab = Box::new(Slab::new());
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds / 40 {
                let chosen = slab.begin_emptying(usize::MAX);
                // Whoever is given what was discarded finds nothing else in its way.
                let discard = &mut |start: NonNull<u8>, bytes: usize| {
                    // SAFETY: a free span that is nobody's for the moment.
                    unsafe { start.write_bytes(0, bytes) };
                };
                while slab.discard_free_span(discard) {}
                std::thread::yield_now();
                drop(chosen);
                slab.end_emptying();
            }
        });
        for (number, inbox) in receivers.into_iter().enumerate() {
            let (senders, slab) = (senders.clone(), &slab);
            scope.spawn(move || {
                let (mut kept, mut random) = (Vec::new(), number * 7919 + 1);
                for round in 0..rounds {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let choice = random >> 33;
                    let size = if choice % 3 == 0 { 200 } else { 129 + choice % 4000 };
                    let lent = Lent::new(slab, size, round as u8);
                    match choice % 4 {
                        0 => kept.push(lent),
                        1 => drop(lent),
                        _ => drop(senders[choice / 8 % THREADS].send(lent)),
                    }
                    if kept.len() > 500 {
                        kept.clear();
                    }
                    if choice % 5 == 0 {
                        kept.extend(inbox.try_iter().take(50));
                    } else {
                        drop(inbox.try_recv());
                    }
                }
                drop(senders);
                kept.extend(inbox.try_iter());
                kept
            });
        }
    });
    drop(senders);
    assert_returned(&slab);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "written to after it was freed")]
fn a_write_to_a_freed_object_is_noticed() {
    let slab = Box::new(Slab::new());
    let keeps_the_span = Lent::new(&slab, 200, 1);
    let freed = Lent::new(&slab, 200, 1).object.as_ptr().wrapping_add(100);
    // SAFETY: as memory it is valid, since its span is still there; but nobody owns it.
    unsafe { freed.write(0) };
    std::mem::forget(keeps_the_span);
    let _ = slab.allocate(class_of(200));
}

impl<'a> Lent<'a> {
    /// What its owner does with an object in a span that is being emptied.
    fn moved(self, emptying: &Emptying) -> Lent<'a> {
        // SAFETY: the object is in use.
        if !emptying.may_hold(self.object) || !unsafe { is_emptying(self.object) } {
            return self;
        }
        let object = self.slab.allocate_elsewhere(class_of(self.size));
        // SAFETY: both have this many bytes, and are apart.
        unsafe { object.copy_from_nonoverlapping(self.object, self.size) };
        Lent { slab: self.slab, object, size: self.size, fill: self.fill }
    }
}

/// Spans that have objects in use.
fn spans(lent: &[Lent<'_>]) -> usize {
    let spans: std::collections::HashSet<_> =
        lent.iter().map(|object| object.range().start / SPAN_BYTES).collect();
    spans.len()
}

#[test]
fn sparse_spans_are_emptied_into_the_others() {
    let slab = Box::new(Slab::new());
    let per_span = objects_of_class(class_of(1000)) as usize;
    let mut lent: Vec<_> = (0..30 * per_span).map(|number| Lent::new(&slab, 1000, number as u8)).collect();
    let mut number = 0;
    lent.retain(|_| {
        number += 1;
        number % 5 == 0
    });
    assert_eq!(spans(&lent), 30);
    let emptying = slab.begin_emptying(usize::MAX).expect("a fifth is in use");
    assert_eq!(emptying.spans(), 24);
    // What is new does not go into them.
    let new = Lent::new(&slab, 1000, 3);
    // SAFETY: the object is in use.
    assert!(!unsafe { is_emptying(new.object) });
    let lent: Vec<_> = lent.into_iter().map(|object| object.moved(&emptying)).chain([new]).collect();
    assert_disjoint(&lent);
    assert!(spans(&lent) <= 7, "{}", spans(&lent));
    slab.end_emptying();
    let again = slab.begin_emptying(usize::MAX).map_or(0, |emptying| emptying.spans());
    assert!(again <= 1, "what is sparse still is the last span, which may be copied into a new one: {again}");
    slab.end_emptying();
    drop(lent);
    assert_returned(&slab);
}

#[test]
fn what_was_not_emptied_is_filled_again() {
    let slab = Box::new(Slab::new());
    let per_span = objects_of_class(class_of(4000)) as usize;
    let mut lent: Vec<_> = (0..4 * per_span).map(|_| Lent::new(&slab, 4000, 1)).collect();
    let mut number = 0;
    lent.retain(|_| {
        number += 1;
        number % 4 == 0
    });
    assert!(
        slab.begin_emptying(1).is_some_and(|emptying| emptying.spans() == 1),
        "no more than was asked for"
    );
    slab.end_emptying();
    lent.extend((lent.len()..4 * per_span).map(|_| Lent::new(&slab, 4000, 1)));
    assert_eq!(spans(&lent), 4);
    drop(lent);
    assert_returned(&slab);
}

#[test]
fn free_spans_are_discarded_once() {
    let slab = Box::new(Slab::new());
    let per_span = objects_of_class(class_of(2000)) as usize;
    let mut lent: Vec<_> = (0..5 * per_span).map(|_| Lent::new(&slab, 2000, 1)).collect();
    lent.truncate(2 * per_span);
    let discard = |limit: usize| {
        let mut discarded = Vec::new();
        let show = &mut |start: NonNull<u8>, bytes: usize| discarded.push((start.addr().get(), bytes));
        let count = (0..limit).take_while(|_| slab.discard_free_span(show)).count();
        assert_eq!(count, discarded.len());
        assert!(discarded.iter().all(|(start, bytes)| start % SPAN_BYTES == 0 && *bytes == SPAN_BYTES));
        assert!(discarded.iter().all(|(start, _)| {
            lent.iter().all(|object| object.range().start / SPAN_BYTES != start / SPAN_BYTES)
        }));
        count
    };
    assert_eq!((discard(2), discard(10), discard(10)), (2, 1, 0));
    lent.extend((0..per_span).map(|_| Lent::new(&slab, 2000, 2)));
    drop(lent);
    assert_returned(&slab);
}
