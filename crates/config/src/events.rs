//! `notify-keyspace-events`: which events are published.

use std::ops::BitOr;

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value, single};

/// A set of classes of keyspace events, with the two kinds of channel they are published on.
///
/// Bit i stands for letter i of `LETTERS`, in the order in which Redis prints them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events(u16);

const LETTERS: &[u8; 14] = b"g$lshzxetdnKEm";

impl Events {
    /// No event.
    pub const NONE: Self = Self(0);
    /// `g`: commands of any type, like DEL and EXPIRE.
    pub const GENERIC: Self = Self(1);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 1);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 2);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 3);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 4);
    /// `z`: sorted sets.
    pub const SORTED_SET: Self = Self(1 << 5);
    /// `x`: keys that expired.
    pub const EXPIRED: Self = Self(1 << 6);
    /// `e`: keys that were evicted.
    pub const EVICTED: Self = Self(1 << 7);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 8);
    /// `d`: types of modules.
    pub const MODULE: Self = Self(1 << 9);
    /// `n`: keys that came to be.
    pub const NEW: Self = Self(1 << 10);
    /// `K`: published under the key.
    pub const KEYSPACE: Self = Self(1 << 11);
    /// `E`: published under the event.
    pub const KEYEVENT: Self = Self(1 << 12);
    /// `m`: keys asked for that are not there.
    pub const KEY_MISS: Self = Self(1 << 13);
    /// `A`: the classes `g$lshzxetd`.
    pub const ALL: Self = Self((1 << 10) - 1);

    /// Whether all of these classes are in the set.
    pub const fn contains(self, classes: Self) -> bool {
        self.0 & classes.0 == classes.0
    }

    /// The classes of both sets.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of these classes is in the set.
    pub const fn intersects(self, classes: Self) -> bool {
        self.0 & classes.0 != 0
    }

    fn of_letter(letter: u8) -> Option<Self> {
        if letter == b'A' {
            return Some(Self::ALL);
        }
        LETTERS.iter().position(|known| *known == letter).map(|bit| Self(1 << bit))
    }
}

impl BitOr for Events {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl Value for Events {
    fn blank() -> Self {
        Self::NONE
    }

    fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let classes =
            single(words)?.bytes().try_fold(Self::NONE, |set, letter| Some(set | Self::of_letter(letter)?));
        classes.ok_or(SettingError::Refused("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."))
    }

    /// Redis leaves out `n` where it prints `A`; we print it, lest a value read back be another.
    fn print(&self, _kind: &Kind) -> String {
        let all = self.contains(Self::ALL);
        let mut letters = if all { String::from("A") } else { String::new() };
        for (bit, letter) in LETTERS.iter().enumerate() {
            let class = Self(1 << bit);
            if self.contains(class) && !(all && Self::ALL.contains(class)) {
                letters.push(char::from(*letter));
            }
        }
        letters
    }
}
