//! A hashtable: byte strings, each with a value, in the order of a keyed hash.
//!
//! It is a tree (see [`mod@crate::tree`]) of pages, each of which holds the members of a range of hashes. So cloning it is taking
//! a view, a member by chance is one of a random rank, and a walk in the order of hashes returns whatever stays exactly once,
//! whatever is added and removed meanwhile. A member costs some ten bytes above its own: lengths, tag and place, room in its
//! page.

use std::hash::{BuildHasher, Hasher as _};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::UnixMillis;
use crate::records::{Kind, Records};
use crate::texts::{CODES, LONG, LONGER, Store, Text};
use crate::tree::{Leaf, Tree};

#[cfg(test)]
mod tests;

/// Distinguishes these hashes from those of keys.
const SEED: u64 = 0x6d65_6d62_6572;

/// Nothing: the members of a set.
#[derive(Clone, Debug)]
pub struct Members;

impl Kind for Members {
    type Value<'a> = ();

    #[inline]
    fn len((): ()) -> usize {
        0
    }

    #[inline]
    fn write(_: &mut Store, (): ()) {}

    #[inline]
    fn read(_: &Store, at: usize) -> ((), usize) {
        ((), at)
    }

    #[inline]
    fn overwrite(_: &mut [u8], (): ()) -> bool {
        true
    }
}

/// A number: the scores of a sorted set.
#[derive(Clone, Debug)]
pub struct Scores;

impl Kind for Scores {
    type Value<'a> = f64;

    #[inline]
    fn len(_: f64) -> usize {
        8
    }

    #[inline]
    fn write(store: &mut Store, score: f64) {
        store.bytes.extend_from_slice(&score.to_le_bytes());
    }

    #[inline]
    fn read(store: &Store, at: usize) -> (f64, usize) {
        let score = store.bytes[at..at + 8].try_into().map_or(0.0, f64::from_le_bytes);
        (score, at + 8)
    }

    #[inline]
    fn overwrite(place: &mut [u8], score: f64) -> bool {
        place.copy_from_slice(&score.to_le_bytes());
        true
    }
}

/// A text, with a time to live if it has one: the fields of a hash.
#[derive(Clone, Debug)]
pub struct Fields;

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The value.
    pub text: Text<'a>,
    /// When the field goes.
    pub expires_at: Option<UnixMillis>,
}

impl<'a> Field<'a> {
    /// A value that stays.
    #[must_use]
    pub fn lasting(bytes: &'a [u8]) -> Field<'a> {
        Field { text: Text::Bytes(bytes), expires_at: None }
    }

    /// Whether its time has come.
    #[inline]
    #[must_use]
    pub fn is_due(self, now: UnixMillis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Kind for Fields {
    type Value<'a> = Field<'a>;

    #[inline]
    fn len(field: Field<'_>) -> usize {
        let expiry = if field.expires_at.is_some() { 9 } else { 0 };
        expiry + 3 + field.text.bytes().len().min(LONG)
    }

    #[inline]
    fn write(store: &mut Store, field: Field<'_>) {
        if let Some(at) = field.expires_at {
            store.bytes.push(CODES);
            store.bytes.extend_from_slice(&at.0.to_le_bytes());
        }
        store.write_text(field.text);
    }

    #[inline]
    fn read(store: &Store, at: usize) -> (Field<'_>, usize) {
        if store.bytes[at] != CODES {
            let (text, end) = store.text(at);
            return (Field { text, expires_at: None }, end);
        }
        let expires_at = store.bytes[at + 1..at + 9].try_into().map(i64::from_le_bytes).ok().map(UnixMillis);
        let (text, end) = store.text(at + 9);
        (Field { text, expires_at }, end)
    }

    #[inline]
    fn overwrite(place: &mut [u8], field: Field<'_>) -> bool {
        let (expiry, text) = match (field.expires_at, place) {
            (Some(_), [CODES, rest @ ..]) => rest.split_at_mut(8),
            (None, place) if place[0] != CODES => place.split_at_mut(0),
            _ => return false,
        };
        let ([code, old @ ..], Text::Bytes(bytes)) = (text, field.text) else { return false };
        if usize::from(*code) != bytes.len() || *code >= LONGER {
            return false;
        }
        old.copy_from_slice(bytes);
        if let Some(at) = field.expires_at {
            expiry.copy_from_slice(&at.0.to_le_bytes());
        }
        true
    }
}

/// The members of a range of hashes.
type Page<K> = Records<u32, K>;

/// See the module's documentation.
#[derive(Clone)]
pub struct Hashtable<K: Kind> {
    tree: Tree<Page<K>>,
}

impl<K: Kind> std::fmt::Debug for Hashtable<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashtable").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<K: Kind> Default for Hashtable<K> {
    fn default() -> Hashtable<K> {
        Hashtable { tree: Tree::default() }
    }
}

impl<K: Kind> Hashtable<K> {
    /// Number of members.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// The value of a member.
    #[inline]
    #[must_use]
    pub fn find(&self, member: &[u8]) -> Option<K::Value<'_>> {
        let tag = tag_of(member);
        let page = self.tree.leaf(by(tag))?;
        find(page, tag, member).map(|number| page.record(number).1)
    }

    /// Whether a member is there.
    #[inline]
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.find(member).is_some()
    }

    /// Gives a member a value, whether it is there or not; `old` is shown the value that it had.
    #[inline]
    pub fn put<R>(
        &mut self,
        member: &[u8],
        value: K::Value<'_>,
        old: impl FnOnce(Option<K::Value<'_>>) -> R,
    ) -> R {
        self.change(member, |before| (old(before), Some(value)))
    }

    /// Looks at the value of a member, and gives it another if `change` returns one.
    #[inline]
    pub fn change<'v, R>(
        &mut self,
        member: &[u8],
        change: impl FnOnce(Option<K::Value<'_>>) -> (R, Option<K::Value<'v>>),
    ) -> R {
        let tag = tag_of(member);
        if self.tree.is_empty() {
            let (result, new) = change(None);
            if let Some(new) = new {
                let mut page = Page::default();
                page.insert(0, tag, Text::Bytes(member), new);
                self.tree.push_back(page);
            }
            return result;
        }
        let changed = self.tree.change(by(tag), |page| match find(page, tag, member) {
            Some(number) => {
                let (result, new) = change(Some(page.record(number).1));
                if let Some(new) = new {
                    page.replace(number, new);
                }
                result
            }
            None => {
                let (result, new) = change(None);
                if let Some(new) = new {
                    page.insert(first_from(page, tag), tag, Text::Bytes(member), new);
                }
                result
            }
        });
        changed.expect("a tree that is not empty has a leaf for every order")
    }

    /// Removes a member; shows `old` its value if it was there.
    #[inline]
    pub fn remove<R>(&mut self, member: &[u8], old: impl FnOnce(K::Value<'_>) -> R) -> Option<R> {
        let tag = tag_of(member);
        // Looked for first: a page that a view shares is not copied for nothing.
        find(self.tree.leaf(by(tag))?, tag, member)?;
        self.tree.change(by(tag), |page| {
            let number = find(page, tag, member)?;
            let result = old(page.record(number).1);
            page.remove_at(number);
            Some(result)
        })?
    }

    /// The member of a rank in the order of hashes, with its value.
    #[must_use]
    pub fn at(&self, rank: usize) -> Option<(Text<'_>, K::Value<'_>)> {
        let (page, number) = self.tree.leaf_at(rank)?;
        Some(page.record(number))
    }

    /// Removes the member of a rank in the order of hashes, and shows it to `old`.
    pub fn remove_at<R>(&mut self, rank: usize, old: impl FnOnce(Text<'_>, K::Value<'_>) -> R) -> Option<R> {
        self.tree.change_at(rank, |page, number| {
            let (member, value) = page.record(number);
            let result = old(member, value);
            page.remove_at(number);
            result
        })
    }

    /// All members with their values, in the order of hashes, from a rank on.
    pub fn iter_from(&self, rank: usize) -> impl Iterator<Item = (Text<'_>, K::Value<'_>)> {
        let (pages, first) = self.tree.leaves_at(rank);
        let mut skip = first;
        pages.flat_map(move |page| {
            let from = std::mem::take(&mut skip);
            (from..page.len()).map(|number| page.record(number))
        })
    }

    /// All members with their values, in the order of hashes.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'_>, K::Value<'_>)> {
        self.iter_from(0)
    }

    /// Visits members from a cursor on, at least `count` of them unless there are no more, and then those that share a place with the
    /// last one. Returns the cursor at which to go on, or 0 at the end. A member that is there throughout is visited exactly once
    /// by a walk from 0 to 0.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Text<'_>, K::Value<'_>)) -> u64 {
        let Ok(tag) = u32::try_from(cursor) else { return 0 };
        let (mut visited, mut last, mut first) = (0, None, true);
        for page in self.tree.leaves_from(by(tag)) {
            let from = if std::mem::take(&mut first) { first_from(page, tag) } else { 0 };
            for number in from..page.len() {
                let tag = page.indexes()[number];
                if visited >= count && last != Some(tag) {
                    return u64::from(tag);
                }
                let (member, value) = page.record(number);
                visit(member, value);
                visited += 1;
                last = Some(tag);
            }
        }
        0
    }

    /// Bytes of memory that it holds, estimated from `sample` of its leaves if it has more.
    #[must_use]
    pub fn memory_bytes(&self, sample: usize) -> usize {
        self.tree.memory_bytes(sample)
    }
}

/// Number of the record of a member.
#[inline]
fn find<K: Kind>(page: &Page<K>, tag: u32, member: &[u8]) -> Option<usize> {
    let first = first_from(page, tag);
    let equal = page.indexes()[first..].iter().take_while(|other| **other == tag).count();
    (first..first + equal).find(|number| page.member(*number).bytes() == member)
}

/// Number of the first record whose tag is not smaller. Tags are spread evenly, so its number is guessed to within a few; meanwhile
/// the processor is asked for what comes next, where the record lies.
#[inline]
fn first_from<K: Kind>(page: &Page<K>, tag: u32) -> usize {
    /// Numbers on either side of the guess that are looked at first: with 150 records it is off by 6 on average, at most.
    const NEAR: usize = 8;
    let tags = page.indexes();
    let Some((low, high)) = page.bounds() else { return 0 };
    let part =
        u64::from(tag.saturating_sub(low)) * tags.len() as u64 / (u64::from(high.saturating_sub(low)) + 1);
    let guess = tags.len().min(part as usize);
    page.prefetch_place(guess);
    let (mut start, mut end) = (guess.saturating_sub(NEAR), tags.len().min(guess + NEAR));
    while start > 0 && tags[start - 1] >= tag {
        end = start;
        start = start.saturating_sub(2 * NEAR);
    }
    while end < tags.len() && tags[end] < tag {
        start = end;
        end = tags.len().min(end + 2 * NEAR);
    }
    start + count_below(&tags[start..end], tag)
}

/// Leads to the page of a tag.
#[inline]
fn by(tag: u32) -> impl FnMut(&[u32]) -> usize {
    move |separators| match tag.checked_add(1) {
        Some(above) => count_below(&separators[1..], above),
        None => separators.len() - 1,
    }
}

/// How many tags are smaller, of some in ascending order. They are a few hundred at most: to look at all, many at a time, takes
/// less than to search, where each step waits for the one before it.
#[inline]
fn count_below(tags: &[u32], tag: u32) -> usize {
    tags.iter().map(|other| u32::from(*other < tag)).sum::<u32>() as usize
}

/// The place of a member in the order. 0 is left out, which as a cursor says that a walk has ended.
#[inline]
fn tag_of(member: &[u8]) -> u32 {
    let mut hasher = SeedableRandomState::with_seed(SEED, SharedSeed::global_random()).build_hasher();
    hasher.write(member);
    ((hasher.finish() >> 32) as u32).max(1)
}
