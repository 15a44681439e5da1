//! Keys in the order in which they came or were used last, with the bytes they take.

use std::collections::VecDeque;

use crate::trace::{KEYS_MAX, Request, bytes};

/// See the module's documentation. A key that is moved leaves its old place behind, which is passed over.
#[derive(Debug)]
pub(crate) struct Recency {
    places: VecDeque<(Request, u32)>,
    /// The valid place of each key; 0 for none.
    current: Vec<u32>,
    last: u32,
    bytes: u64,
}

impl Recency {
    pub(crate) fn new() -> Recency {
        Recency { places: VecDeque::new(), current: vec![0; KEYS_MAX as usize], last: 0, bytes: 0 }
    }

    pub(crate) fn has(&self, key: Request) -> bool {
        self.current[key as usize] != 0
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts a key at the end, be it there already or not.
    pub(crate) fn push(&mut self, key: Request) {
        if !self.has(key) {
            self.bytes += u64::from(bytes(key));
        }
        self.last += 1;
        self.current[key as usize] = self.last;
        self.places.push_back((key, self.last));
    }

    pub(crate) fn remove(&mut self, key: Request) -> bool {
        let found = std::mem::take(&mut self.current[key as usize]) != 0;
        if found {
            self.bytes -= u64::from(bytes(key));
        }
        found
    }

    /// The first key, which stays.
    pub(crate) fn first(&mut self) -> Option<Request> {
        while let Some((key, place)) = self.places.front() {
            if self.current[*key as usize] == *place {
                return Some(*key);
            }
            self.places.pop_front();
        }
        None
    }

    pub(crate) fn pop(&mut self) -> Option<Request> {
        let key = self.first()?;
        self.remove(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_the_one_moved_longest_ago() {
        let mut keys = Recency::new();
        [1, 2, 3, 1].into_iter().for_each(|key| keys.push(key));
        assert_eq!(keys.bytes(), u64::from(bytes(1) + bytes(2) + bytes(3)));
        assert!(keys.remove(3) && !keys.remove(3));
        assert_eq!((keys.pop(), keys.pop(), keys.pop(), keys.bytes()), (Some(2), Some(1), None, 0));
    }
}
