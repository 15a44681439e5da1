//! Facts about keys of one stripe, by database and key: few, and usually none.

use std::collections::HashMap;

use larder_store::DbIndex;
use smallvec::SmallVec;

/// See the module's documentation. One key of several databases shares a place, so that looking one up needs no copy of it.
#[derive(Debug)]
pub(crate) struct KeyMap<T>(HashMap<Box<[u8]>, Places<T>>);

/// The facts about one key.
type Places<T> = SmallVec<[(DbIndex, T); 1]>;

impl<T> Default for KeyMap<T> {
    fn default() -> KeyMap<T> {
        KeyMap(HashMap::new())
    }
}

impl<T> KeyMap<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&mut self, db: DbIndex, key: &[u8]) -> Option<&mut T> {
        let places = self.0.get_mut(key)?;
        places.iter_mut().find(|(of, _)| *of == db).map(|(_, fact)| fact)
    }

    pub(crate) fn put(&mut self, db: DbIndex, key: &[u8], fact: T) {
        if let Some(place) = self.find(db, key) {
            *place = fact;
        } else if let Some(places) = self.0.get_mut(key) {
            places.push((db, fact));
        } else {
            self.0.insert(key.into(), SmallVec::from_iter([(db, fact)]));
        }
    }

    pub(crate) fn take(&mut self, db: DbIndex, key: &[u8]) -> Option<T> {
        let places = self.0.get_mut(key)?;
        let place = places.iter().position(|(of, _)| *of == db)?;
        let (_, fact) = places.swap_remove(place);
        if places.is_empty() {
            self.0.remove(key);
            if self.0.is_empty() {
                self.0 = HashMap::new();
            }
        }
        Some(fact)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (DbIndex, &[u8], &T)> {
        self.0.iter().flat_map(|(key, places)| places.iter().map(move |(db, fact)| (*db, &**key, fact)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_fact_in_each_database() {
        let (mut map, zero, one) = (KeyMap::default(), DbIndex(0), DbIndex(1));
        map.put(zero, b"key", 'a');
        map.put(one, b"key", 'b');
        map.put(zero, b"key", 'c');
        assert_eq!(map.find(zero, b"key"), Some(&mut 'c'));
        assert_eq!(map.find(zero, b"other"), None);
        assert_eq!(map.iter().count(), 2);
        assert_eq!((map.take(zero, b"key"), map.take(zero, b"key")), (Some('c'), None));
        assert!(!map.is_empty());
        assert_eq!(map.take(one, b"key"), Some('b'));
        assert!(map.is_empty());
    }
}
