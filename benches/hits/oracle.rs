//! Policies simulated exactly, as their papers describe them, by bytes.

use crate::Cache;
use crate::recency::Recency;
use crate::trace::{KEYS_MAX, Request, bytes};

/// Least recently used.
#[derive(Debug)]
pub(crate) struct Lru {
    keys: Recency,
    room: u64,
}

impl Lru {
    pub(crate) fn new(room: u64) -> Lru {
        Lru { keys: Recency::new(), room }
    }
}

impl Cache for Lru {
    fn request(&mut self, key: Request) -> bool {
        let hit = self.keys.has(key);
        self.keys.push(key);
        while self.keys.bytes() > self.room {
            self.keys.pop();
        }
        hit
    }
}

/// S3-FIFO (Yang and others, SOSP 2023): a small queue with a tenth of the room, a main queue, and the keys, without values, that the
/// small one gave up, as many bytes of them as the main queue may hold.
#[derive(Debug)]
pub(crate) struct S3Fifo {
    small: Recency,
    main: Recency,
    ghosts: Recency,
    uses: Vec<u8>,
    room: u64,
}

impl S3Fifo {
    pub(crate) fn new(room: u64) -> S3Fifo {
        let queue = Recency::new;
        S3Fifo { small: queue(), main: queue(), ghosts: queue(), uses: vec![0; KEYS_MAX as usize], room }
    }

    fn evict(&mut self) {
        if self.small.bytes() > self.room / 10 || self.main.first().is_none() {
            self.evict_small();
        } else {
            self.evict_main();
        }
    }

    fn evict_small(&mut self) {
        let Some(key) = self.small.pop() else { return };
        if self.uses[key as usize] > 1 {
            self.uses[key as usize] = 0;
            self.main.push(key);
            return;
        }
        self.ghosts.push(key);
        while self.ghosts.bytes() > self.room * 9 / 10 {
            self.ghosts.pop();
        }
    }

    fn evict_main(&mut self) {
        while let Some(key) = self.main.pop() {
            let uses = &mut self.uses[key as usize];
            if *uses == 0 {
                return;
            }
            *uses -= 1;
            self.main.push(key);
        }
    }
}

impl Cache for S3Fifo {
    fn request(&mut self, key: Request) -> bool {
        if self.small.has(key) || self.main.has(key) {
            let uses = &mut self.uses[key as usize];
            *uses = (*uses + 1).min(3);
            return true;
        }
        while self.small.bytes() + self.main.bytes() + u64::from(bytes(key)) > self.room {
            self.evict();
        }
        self.uses[key as usize] = 0;
        if self.ghosts.remove(key) {
            self.main.push(key)
        } else {
            self.small.push(key)
        }
        false
    }
}

/// W-TinyLFU (Einziger, Friedman and Manes, 2017): a window of a hundredth of the room, by recency, from which a key comes into the
/// main part only if it was asked for more often than the one that would have to go. The main part keeps four fifths for
/// keys used there. The sketch of frequencies is without error here: a counter up to 15 per key, all halved from time to time.
#[derive(Debug)]
pub(crate) struct WTinyLfu {
    window: Recency,
    probation: Recency,
    protected: Recency,
    frequency: Vec<u8>,
    counted: u64,
    sample: u64,
    room: u64,
}

impl WTinyLfu {
    pub(crate) fn new(room: u64) -> WTinyLfu {
        /// Bytes of a key, about: the sketch ages after ten requests for each key that there is room for.
        const KEY: u64 = 360;
        let queue = Recency::new;
        let frequency = vec![0; KEYS_MAX as usize];
        let sample = 10 * room / KEY;
        WTinyLfu {
            window: queue(),
            probation: queue(),
            protected: queue(),
            frequency,
            counted: 0,
            sample,
            room,
        }
    }

    fn count(&mut self, key: Request) {
        let counter = &mut self.frequency[key as usize];
        *counter = (*counter + 1).min(15);
        self.counted += 1;
        if self.counted >= self.sample {
            self.frequency.iter_mut().for_each(|counter| *counter /= 2);
            self.counted /= 2;
        }
    }

    fn main_bytes(&self) -> u64 {
        self.probation.bytes() + self.protected.bytes()
    }

    fn main_room(&self) -> u64 {
        self.room - self.room / 100
    }

    /// Makes room in the window: what leaves it comes into the main part or goes.
    fn shrink_window(&mut self) {
        while self.window.bytes() > self.room / 100 {
            let Some(candidate) = self.window.pop() else { return };
            if self.wins(candidate) {
                self.probation.push(candidate);
            }
        }
    }

    /// Whether a candidate is more wanted than each that would have to go for it; those are gone then.
    fn wins(&mut self, candidate: Request) -> bool {
        while self.main_bytes() + u64::from(bytes(candidate)) > self.main_room() {
            let from_probation = self.probation.first();
            let Some(victim) = from_probation.or_else(|| self.protected.first()) else { return false };
            if self.frequency[candidate as usize] <= self.frequency[victim as usize] {
                return false;
            }
            if !self.probation.remove(victim) {
                self.protected.remove(victim);
            }
        }
        true
    }
}

impl Cache for WTinyLfu {
    fn request(&mut self, key: Request) -> bool {
        self.count(key);
        if self.window.has(key) {
            self.window.push(key);
        } else if self.protected.has(key) {
            self.protected.push(key);
        } else if self.probation.remove(key) {
            self.protected.push(key);
            while self.protected.bytes() > self.main_room() / 5 * 4 {
                let Some(demoted) = self.protected.pop() else { break };
                self.probation.push(demoted);
            }
        } else {
            self.window.push(key);
            self.shrink_window();
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(cache: &mut dyn Cache, keys: impl IntoIterator<Item = u32>) -> usize {
        keys.into_iter().filter(|key| cache.request(*key)).count()
    }

    #[test]
    fn the_least_recently_used_goes() {
        let mut cache = Lru::new(u64::from(bytes(1) + bytes(2)));
        assert_eq!(hits(&mut cache, [1, 2, 1, 2]), 2);
        assert_eq!(hits(&mut cache, [3]), 0);
        assert!(!cache.keys.has(1));
    }

    #[test]
    fn a_scan_sweeps_keys_away_by_recency_only() {
        let room = (0..1000).map(|key| u64::from(bytes(key))).sum();
        let caches: [(Box<dyn Cache>, bool); 3] = [
            (Box::new(Lru::new(room)), false),
            (Box::new(S3Fifo::new(room)), true),
            (Box::new(WTinyLfu::new(room)), true),
        ];
        for (mut cache, resists) in caches {
            (0..8).for_each(|_| _ = hits(&mut *cache, 0..500));
            hits(&mut *cache, 10_000..20_000);
            let left = hits(&mut *cache, 0..500);
            assert_eq!(left > 400, resists, "{left} of 500 are left");
        }
    }
}
