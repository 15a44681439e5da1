//! The wheel against a naive owner who knows all deadlines, and its memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Pass, Progress, SEEN_LIMIT, STEP_BACK_TICKS, Verdict, Wheel};
use crate::time::UnixMillis;

const TICK_MILLIS: i64 = 16;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The owner's side: the deadline of each live fragment, and by the wheel's promise the tick of `advance` by
/// whose end it must have been judged.
struct Model {
    wheel: Wheel,
    epoch: i64,
    tick: i64,
    live: BTreeMap<u32, Watched>,
    /// Some owners may not expire what is due (a replica): these put it off by nothing.
    expires: bool,
}

#[derive(Clone, Copy)]
struct Watched {
    deadline: i64,
    promised_tick: i64,
}

#[derive(Clone, Debug)]
enum Step {
    /// The deadline becomes this much after now; `bool`: insert even if a node stands early enough.
    Set(u32, i64, bool),
    Remove(u32),
    /// Jump by this, then advance with this limit; with `bool` until done.
    Advance(i64, usize, bool),
    Sweep(usize),
    SweepAll,
    Refuse(bool),
}

/// The tick that begins at `deadline` or next after it.
fn end_tick(epoch: i64, deadline: i64) -> i64 {
    (deadline.saturating_sub(epoch).max(0).saturating_add(TICK_MILLIS - 1)) / TICK_MILLIS
}

impl Model {
    fn new(epoch: i64) -> Model {
        Model { wheel: Wheel::new(UnixMillis(epoch)), epoch, tick: 0, live: BTreeMap::new(), expires: true }
    }

    fn set(&mut self, fragment: u32, deadline: i64, always_insert: bool) {
        let tick = end_tick(self.epoch, deadline);
        let known = self.live.get(&fragment).copied();
        let stands_early_enough = known.is_some_and(|known| known.promised_tick <= tick);
        let promised_tick = if stands_early_enough && !always_insert {
            tick.max(self.tick + 1)
        } else {
            self.wheel.insert(fragment, UnixMillis(deadline));
            tick.max(self.tick)
        };
        self.live.insert(fragment, Watched { deadline, promised_tick });
    }

    fn advance(&mut self, now: i64, limit: usize) -> Progress {
        let target = (now.saturating_sub(self.epoch)).max(0) / TICK_MILLIS;
        let set_back = target + (STEP_BACK_TICKS as i64) < self.tick;
        self.tick = if set_back { target } else { target.max(self.tick) };
        if set_back {
            for watched in self.live.values_mut() {
                watched.promised_tick = end_tick(self.epoch, watched.deadline).max(self.tick + 1);
            }
        }
        let next_due = self.wheel.next_due();
        let (epoch, tick, expires) = (self.epoch, self.tick, self.expires);
        let (mut handed, live) = (0, &mut self.live);
        let progress = self.wheel.advance(UnixMillis(now), limit, |fragment, at| {
            assert_eq!(at, UnixMillis(now));
            handed += 1;
            let Some(watched) = live.get_mut(&fragment) else { return Verdict::Drop };
            if watched.deadline <= now && expires {
                live.remove(&fragment);
                return Verdict::Expired;
            }
            watched.promised_tick = end_tick(epoch, watched.deadline).max(tick + 1);
            Verdict::At(UnixMillis(watched.deadline))
        });
        assert!(handed <= limit);
        if next_due.is_none_or(|due| due.0 > now.max(epoch + TICK_MILLIS * tick)) && !set_back {
            assert_eq!(handed, 0, "asked at {now}, before {next_due:?}");
        }
        if progress == Progress::Done {
            for (fragment, watched) in &self.live {
                assert!(watched.promised_tick > self.tick, "{fragment} did not come up");
            }
        }
        progress
    }

    fn advance_all(&mut self, now: i64, limit: usize) {
        let bound = 10 + 2 * self.wheel.len() / limit;
        assert!(
            (0..bound).any(|_| self.advance(now, limit) == Progress::Done),
            "an advance to a standing time does not end"
        );
    }

    fn sweep(&mut self, limit: usize) -> Progress {
        let (mut handed, live) = (0, &self.live);
        let progress = self.wheel.sweep(limit, |fragment| {
            handed += 1;
            live.get(&fragment).map_or(Verdict::Drop, |watched| Verdict::At(UnixMillis(watched.deadline)))
        });
        assert!(handed <= limit);
        progress
    }

    /// Two sweeps from end to end: one that is under way may have begun before the latest insertions.
    fn sweep_all(&mut self, limit: usize) {
        for _ in 0..2 {
            let bound = 10 + 2 * self.wheel.len() / limit;
            assert!((0..bound).any(|_| self.sweep(limit) == Progress::Done), "a sweep does not end");
        }
    }

    /// The wheel's own books.
    fn check(&self) {
        let wheel = &self.wheel;
        let rest = wheel.pass.iter().map(|pass| &pass.rest);
        let nodes: usize = wheel.chains.iter().chain(&wheel.due).chain(rest).map(|c| c.len as usize).sum();
        assert_eq!(nodes, wheel.len());
        assert!(wheel.chains.is_sorted_by(|a, b| a.slot > b.slot));
        assert!(wheel.chains.iter().all(|chain| wheel.start_of(chain.slot) > wheel.tick));
        assert!(wheel.due.iter().all(|chain| chain.len > 0));
        assert!(wheel.len() >= self.live.len());
        let earliest = self.live.values().map(|watched| watched.deadline).min();
        if let Some(earliest) = earliest {
            let due = wheel.next_due().expect("a wheel with live fragments has a next time");
            let begun = self.epoch.saturating_add(self.tick * TICK_MILLIS);
            assert!(due.0 < earliest.saturating_add(TICK_MILLIS).max(begun + TICK_MILLIS + 1));
        }
    }
}

/// Spans from a millisecond to a thousand years, each order of magnitude as likely as another.
fn span() -> impl Strategy<Value = i64> {
    (0..45_u32, any::<i64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
}

fn step() -> impl Strategy<Value = Step> {
    let limit = prop_oneof![0..4_usize, 1..200_usize];
    prop_oneof![
        8 => (0..60_u32, prop_oneof![9 => span(), 1 => -5000..0_i64], any::<bool>())
            .prop_map(|(fragment, ttl, insert)| Step::Set(fragment.wrapping_mul(0x9e37_79b9), ttl, insert)),
        2 => (0..60_u32).prop_map(|fragment| Step::Remove(fragment.wrapping_mul(0x9e37_79b9))),
        4 => (prop_oneof![6 => span(), 2 => 0..40_i64, 1 => -3000..0_i64], limit.clone(), any::<bool>())
            .prop_map(|(jump, limit, to_end)| Step::Advance(jump, limit, to_end)),
        2 => limit.prop_map(Step::Sweep),
        1 => Just(Step::SweepAll),
        1 => any::<bool>().prop_map(Step::Refuse),
    ]
}

proptest! {
    #[test]
    fn all_that_is_due_comes_up_and_nothing_is_lost(
        epoch in prop_oneof![Just(0_i64), 0..4_000_000_000_000_i64, -1000..0_i64],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut model = Model::new(epoch);
        let mut now = epoch;
        for step in steps {
            match step {
                Step::Set(fragment, ttl, insert) => model.set(fragment, now + ttl, insert),
                Step::Remove(fragment) => drop(model.live.remove(&fragment)),
                Step::Advance(jump, limit, to_end) => {
                    now += jump;
                    if to_end { model.advance_all(now, limit.max(1)) } else { _ = model.advance(now, limit) }
                }
                Step::Sweep(limit) => drop(model.sweep(limit)),
                Step::SweepAll => {
                    model.advance_all(now, 7);
                    model.sweep_all(5);
                    // What came due by the wheel's time, not by the owner's, waits for the next advance.
                    if model.wheel.due.is_empty() {
                        assert_eq!(model.wheel.len(), model.live.len());
                    }
                }
                Step::Refuse(refuse) => model.expires = !refuse,
            }
            model.check();
        }
        model.expires = true;
        model.advance_all(1 << 50, 100);
        prop_assert!(model.live.is_empty());
        prop_assert_eq!(model.wheel.len(), 0);
        prop_assert_eq!(model.wheel.memory_bytes(), size_of::<Wheel>());
    }
}

#[test]
fn a_fragment_comes_up_at_the_end_of_its_tick_and_cascades_once_a_level_at_most() {
    for ttl in [1, 15, 16, 17, 255, 256, 257, 4096, 65_537, HOUR + 5, 30 * DAY + 1, 1 << 55] {
        let mut wheel = Wheel::new(UnixMillis(7));
        let deadline = UnixMillis(7 + ttl);
        wheel.insert(42, deadline);
        let (mut calls, mut fired) = (0, None);
        while let Some(due) = wheel.next_due() {
            calls += 1;
            let progress = wheel.advance(due, 10, |fragment, now| {
                assert_eq!(fragment, 42);
                if now < deadline {
                    return Verdict::At(deadline);
                }
                fired = Some(now);
                Verdict::Expired
            });
            assert_eq!(progress, Progress::Done);
        }
        let late = fired.expect("it comes up").saturating_millis_since(deadline);
        assert!((0..TICK_MILLIS).contains(&late), "ttl {ttl}: late by {late}");
        let most = if ttl <= 15 * TICK_MILLIS { 1 } else { 15 };
        assert!(calls <= most, "ttl {ttl}: asked {calls} times");
    }
}

#[test]
fn the_ends_of_time_are_deadlines_like_others() {
    let mut wheel = Wheel::new(UnixMillis(1_700_000_000_000));
    wheel.insert(1, UnixMillis::MAX);
    wheel.insert(2, UnixMillis::MIN);
    assert_eq!(wheel.next_due(), Some(UnixMillis(1_700_000_000_000)), "2 is due at once");
    let mut asked = Vec::new();
    let judge = |fragment, _| {
        asked.push(fragment);
        Verdict::At(UnixMillis::MAX)
    };
    assert_eq!(wheel.advance(UnixMillis::MIN, 10, judge), Progress::Done);
    assert_eq!(asked, [2]);
    assert_eq!(wheel.advance(UnixMillis::MAX, 10, |_, _| Verdict::Drop), Progress::Done);
    assert_eq!(wheel.len(), 0);
}

#[test]
fn a_clock_set_back_far_is_followed() {
    let mut wheel = Wheel::new(UnixMillis(0));
    wheel.advance(UnixMillis(10 * HOUR), 1, |_, _| Verdict::Drop);
    let deadline = UnixMillis(9 * HOUR + 10_000);
    wheel.insert(1, deadline);
    let judge = |_, now| if now < deadline { Verdict::At(deadline) } else { Verdict::Expired };
    assert_eq!(wheel.advance(UnixMillis(9 * HOUR), 10, judge), Progress::Done);
    let due = wheel.next_due().expect("it is registered");
    assert!(due <= deadline);
    assert_eq!(wheel.advance(deadline.saturating_add(TICK_MILLIS), 10, judge), Progress::Done);
    assert_eq!(wheel.len(), 0);
}

#[test]
fn what_the_owner_does_not_expire_is_asked_about_once_a_tick() {
    let mut wheel = Wheel::new(UnixMillis(0));
    wheel.insert(1, UnixMillis(100));
    for tick in 10..50 {
        let mut asked = 0;
        let refuse = |_, _| {
            asked += 1;
            Verdict::At(UnixMillis(100))
        };
        assert_eq!(wheel.advance(UnixMillis(tick * TICK_MILLIS), 1000, refuse), Progress::Done);
        assert_eq!(asked, 1);
    }
}

#[test]
fn overwriting_in_a_loop_does_not_grow_the_wheel() {
    let mut wheel = Wheel::new(UnixMillis(0));
    let mut deadlines = [UnixMillis(0); 100];
    let mut largest = 0;
    for write in 0..1_000_000_u32 {
        let (fragment, now) = (write % 100, i64::from(write / 50));
        deadlines[fragment as usize] = UnixMillis(now + HOUR);
        wheel.insert(fragment, UnixMillis(now + HOUR));
        if wheel.len() > 2 * 100 + 100 {
            wheel.sweep(16, |fragment| Verdict::At(deadlines[fragment as usize]));
        }
        largest = largest.max(wheel.memory_bytes());
    }
    assert!(largest < 4096, "{largest} bytes for 100 fragments");
    assert!(wheel.len() < 400);
}

#[test]
fn a_sweep_finds_all_duplicates_among_more_fragments_than_it_keeps_in_mind() {
    const FRAGMENTS: u32 = 10_000;
    let mut wheel = Wheel::new(UnixMillis(0));
    for round in 0..5 {
        for fragment in 0..FRAGMENTS {
            wheel.insert(fragment, UnixMillis(HOUR + round));
        }
    }
    let mut calls = 0;
    while wheel.sweep(1000, |_| Verdict::At(UnixMillis(HOUR + 4))) == Progress::More {
        let pass = wheel.pass.as_ref().expect("a sweep is under way");
        assert!(pass.seen.capacity() <= SEEN_LIMIT);
        calls += 1;
    }
    assert_eq!(wheel.len(), FRAGMENTS as usize);
    assert!(wheel.pass.is_none());
    let passes = FRAGMENTS as usize / (SEEN_LIMIT - 1) + 1;
    assert!(calls <= passes * 5 * FRAGMENTS as usize / 1000 + passes, "{calls} calls");
}

#[test]
fn an_insertion_amid_a_sweep_is_not_taken_for_a_duplicate() {
    let mut wheel = Wheel::new(UnixMillis(0));
    wheel.insert(1, UnixMillis(DAY));
    wheel.insert(2, UnixMillis(HOUR));
    assert_eq!(wheel.sweep(1, |_| Verdict::At(UnixMillis(DAY))), Progress::More);
    wheel.insert(1, UnixMillis(1000));
    let truth = |fragment| Verdict::At(UnixMillis(if fragment == 1 { 1000 } else { HOUR }));
    while wheel.sweep(1, truth) == Progress::More {}
    assert!(wheel.next_due().expect("two are registered") <= UnixMillis(1000));
    let mut fired = Vec::new();
    wheel.advance(UnixMillis(1008), 10, |fragment, _| {
        fired.push(fragment);
        Verdict::Expired
    });
    assert_eq!(fired, [1]);
}

#[test]
fn memory_falls_with_the_number_of_nodes() {
    let mut wheel = Wheel::new(UnixMillis(0));
    let mut random = Random(1);
    for fragment in 0..100_000 {
        wheel.insert(fragment, UnixMillis(1 + random.below(DAY)));
    }
    let full = wheel.memory_bytes();
    let judge = |kept: u32| {
        move |fragment| if fragment < kept { Verdict::At(UnixMillis(DAY)) } else { Verdict::Drop }
    };
    while wheel.sweep(1000, judge(1000)) == Progress::More {}
    assert_eq!(wheel.len(), 1000);
    assert!(wheel.memory_bytes() < full / 50, "{} of {full} bytes", wheel.memory_bytes());
    while wheel.sweep(1000, judge(0)) == Progress::More {}
    assert_eq!(wheel.memory_bytes(), size_of::<Wheel>());
    assert_eq!(wheel.next_due(), None);
}

#[test]
fn a_long_chain_is_dropped_without_recursion() {
    let mut wheel = Wheel::new(UnixMillis(0));
    for fragment in 0..3_000_000 {
        wheel.insert(fragment, UnixMillis(HOUR));
    }
    assert_eq!(wheel.chains.len(), 1);
    drop(wheel);
}

#[test]
fn a_million_due_at_once_are_handed_out_in_bounded_calls() {
    let mut wheel = Wheel::new(UnixMillis(0));
    for fragment in 0..1_000_000 {
        wheel.insert(fragment, UnixMillis(HOUR));
    }
    let mut calls = 0;
    while wheel.advance(UnixMillis(HOUR), 1000, |_, _| Verdict::Expired) == Progress::More {
        calls += 1;
        assert_eq!(wheel.len(), 1_000_000 - calls * 1000);
    }
    assert_eq!(calls, 999);
}

#[test]
fn sizes_are_as_counted_on() {
    assert!(size_of::<Wheel>() <= 88);
    assert!(size_of::<Pass>() <= 56);
}

/// splitmix64: the measurements below are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as i64
    }
}

/// A wheel at a random phase. Where a node stands depends on the present and its deadline alone, so the memory
/// is that of a wheel which has been running.
fn filled(nodes: u32, longest: i64, all_the_same: bool, random: &mut Random) -> Wheel {
    let now = UnixMillis(1 << 41);
    let mut wheel = Wheel::new(now.saturating_add(-random.below(1 << 41)));
    wheel.advance(now, 1, |_, _| Verdict::Drop);
    for fragment in 0..nodes {
        let ttl = if all_the_same { longest } else { 1 + random.below(longest) };
        wheel.insert(fragment, now.saturating_add(ttl));
    }
    wheel
}

#[test]
#[ignore = "a measurement: cargo test -p larder-store bytes_per_node -- --ignored --nocapture"]
fn bytes_per_node() {
    const PHASES: u32 = 64;
    let cases = [
        ("same, 1 h", HOUR, true),
        ("1 h", HOUR, false),
        ("1 day", DAY, false),
        ("30 days", 30 * DAY, false),
    ];
    println!("{:>10} {:>7} {:>8} {:>8} {:>7}", "ttl", "nodes", "mean", "worst", "slots");
    for (name, longest, all_the_same) in cases {
        for nodes in [100, 1000, 5000, 50_000] {
            let mut random = Random(u64::from(nodes));
            let (mut sum, mut worst, mut slots) = (0.0, 0.0_f64, 0);
            for _ in 0..PHASES {
                let wheel = filled(nodes, longest, all_the_same, &mut random);
                let bytes = wheel.memory_bytes() as f64 / f64::from(nodes);
                sum += bytes;
                worst = worst.max(bytes);
                slots += wheel.chains.len();
            }
            let (mean, slots) = (sum / f64::from(PHASES), slots as f64 / f64::from(PHASES));
            println!("{name:>10} {nodes:>7} {mean:>8.2} {worst:>8.2} {slots:>7.1}");
        }
    }
}

#[test]
#[ignore = "a measurement: cargo test --release -p larder-store nanos_per_node -- --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn nanos_per_node() {
    use std::time::Instant;
    const WHEELS: u32 = 200;
    println!("{:>10} {:>7} {:>9} {:>9} {:>9}", "ttl", "nodes", "insert ns", "fire ns", "asked");
    for (name, longest) in [("1 h", HOUR), ("1 day", DAY), ("30 days", 30 * DAY)] {
        for nodes in [1000_u32, 5000] {
            let mut random = Random(u64::from(nodes));
            let deadlines: Vec<i64> = (0..nodes).map(|_| 1 + random.below(longest)).collect();
            let (mut insert, mut fire, mut asked) = (0, 0, 0_u64);
            for _ in 0..WHEELS {
                let mut wheel = Wheel::new(UnixMillis(0));
                let start = Instant::now();
                for (fragment, deadline) in (0..).zip(&deadlines) {
                    wheel.insert(fragment, UnixMillis(*deadline));
                }
                insert += start.elapsed().as_nanos();
                let start = Instant::now();
                while let Some(due) = wheel.next_due() {
                    wheel.advance(due, 1000, |fragment, now| {
                        asked += 1;
                        let deadline = deadlines[fragment as usize];
                        if deadline > now.0 { Verdict::At(UnixMillis(deadline)) } else { Verdict::Expired }
                    });
                }
                fire += start.elapsed().as_nanos();
            }
            let all = f64::from(nodes) * f64::from(WHEELS);
            let (insert, fire, asked) = (insert as f64 / all, fire as f64 / all, asked as f64 / all);
            println!("{name:>10} {nodes:>7} {insert:>9.1} {fire:>9.1} {asked:>9.2}");
        }
    }
}
