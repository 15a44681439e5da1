//! What users of the reserve put into it stays there until they give it back, whatever the follower does meanwhile.

use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::*;

const GRANULES: usize = 64;

/// A reserve of its own.
fn reserve() -> Reserve {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    let bytes = (GRANULES + CHUNK) * GRANULE;
    // SAFETY: a new mapping at an address of the kernel's choice, which is never unmapped.
    let mapping = unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) };
    let start = mapping.expect("addresses").map_addr(|address| address.next_multiple_of(CHUNK * GRANULE));
    let states: Vec<AtomicU8> = (0..GRANULES * (1 + GRANULE / SLICE)).map(|_| AtomicU8::new(0)).collect();
    let reserve = Reserve::nothing();
    reserve.begin(start, GRANULES, states.leak().as_mut_ptr());
    reserve.huge.store(true, Ordering::Relaxed);
    reserve.follower.set(thread::current()).expect("there is none yet");
    reserve
}

/// A place in each small page of a granule.
fn places(reserve: &Reserve, granule: usize) -> impl Iterator<Item = *mut u64> {
    let start = reserve.granule(granule).cast::<u64>();
    (0..GRANULE / 4096).map(move |page| start.wrapping_add(page * 4096 / size_of::<u64>()))
}

fn write(reserve: &Reserve, granule: usize, mark: u64) {
    // SAFETY: mapped, and taken by the caller.
    places(reserve, granule).for_each(|place| unsafe { place.write_volatile(mark) });
}

fn read(place: *mut u64) -> u64 {
    // SAFETY: mapped.
    unsafe { place.read_volatile() }
}

fn holds(reserve: &Reserve, granule: usize, mark: u64) -> bool {
    places(reserve, granule).all(|place| read(place) == mark)
}

fn state(reserve: &Reserve, granule: usize) -> u8 {
    reserve.states()[granule].load(Ordering::SeqCst)
}

/// Whether the system gives huge pages where they are asked for.
fn permitted() -> bool {
    let modes = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    modes.is_ok_and(|modes| !modes.contains("[never]"))
}

#[test]
fn the_granule_behind_one_in_use_is_made_ready_and_given_back_for_nothing() {
    let reserve = reserve();
    reserve.taken(reserve.granule(0), SMALL * GRANULE);
    assert!(!reserve.follow_touched(), "a small server stays small");
    reserve.taken(reserve.granule(SMALL), GRANULE / 2);
    assert!(reserve.follow_touched());
    assert!(!reserve.follow_touched());
    if permitted() {
        assert_eq!(state(&reserve, SMALL + 1), READY);
    }
    reserve.give_back_ready();
    assert_eq!(state(&reserve, SMALL + 1), 0);
    assert_eq!(state(&reserve, SMALL), TOUCHED | FOLLOWED);
}

#[test]
fn behind_a_full_chunk_the_first_that_was_never_used_is_made_ready() {
    let reserve = reserve();
    reserve.taken(reserve.granule(2 * CHUNK), GRANULE);
    reserve.taken(reserve.granule(0), CHUNK * GRANULE);
    reserve.follow_touched();
    if permitted() {
        assert_eq!([state(&reserve, 2 * CHUNK + 1), state(&reserve, 3 * CHUNK)], [READY, READY]);
    }
}

#[test]
fn what_was_given_back_is_taken_by_the_system_unless_it_is_wanted_again() {
    let reserve = reserve();
    for granule in [0, 1] {
        reserve.taken(reserve.granule(granule), GRANULE);
        write(&reserve, granule, 7);
        assert!(reserve.given_back(reserve.granule(granule), GRANULE));
    }
    reserve.taken(reserve.granule(1), SLICE);
    assert!(reserve.purge_given());
    assert!(!reserve.purge_given());
    assert!(holds(&reserve, 0, 0), "it is gone");
    assert_eq!([state(&reserve, 0), state(&reserve, 1)], [0, TOUCHED]);
    let values: Vec<u64> = places(&reserve, 1).map(read).collect();
    let kept = SLICE / 4096;
    assert!(values[..kept].iter().all(|value| *value == 7) && values[kept..].iter().all(|value| *value == 0));
}

#[test]
fn what_is_in_use_is_kept_whatever_the_follower_does() {
    let reserve = reserve();
    let free = Mutex::new((0..GRANULES).collect::<Vec<_>>());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                reserve.follow_touched();
                reserve.purge_given();
                reserve.give_back_ready();
            }
        });
        let users = [1, 2].map(|seed| {
            scope.spawn({
                let (reserve, free) = (&reserve, &free);
                move || use_and_give_back(reserve, free, seed)
            })
        });
        users.into_iter().for_each(|user| user.join().expect("a user ends well"));
        over.store(true, Ordering::Relaxed);
    });
}

/// Takes granules, fills them, looks at them again and gives them back, slice by slice or whole; holds some all the time, so that there
/// is something to follow.
fn use_and_give_back(reserve: &Reserve, free: &Mutex<Vec<usize>>, seed: u64) {
    let mut held: Vec<(usize, u64)> = Vec::new();
    let mut random = seed;
    for round in 0..2_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chosen = (random >> 33) as usize;
        if held.len() < 24 {
            let granule = {
                let mut free = free.lock();
                let place = chosen % free.len();
                free.swap_remove(place)
            };
            reserve.taken(reserve.granule(granule), GRANULE);
            let mark = seed << 32 | round;
            write(reserve, granule, mark);
            held.push((granule, mark));
        } else {
            let (granule, mark) = held.swap_remove(chosen % held.len());
            assert!(holds(reserve, granule, mark), "it holds what was written");
            let part = if round % 3 == 0 { SLICE } else { GRANULE };
            for offset in (0..GRANULE).step_by(part) {
                assert!(reserve.given_back(reserve.granule(granule).wrapping_byte_add(offset), part));
            }
            free.lock().push(granule);
        }
    }
}
