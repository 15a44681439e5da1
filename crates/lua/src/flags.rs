//! What a script or function declares about itself.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of declarations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// None.
    pub const NONE: Self = Self(0);
    /// It writes nothing.
    pub const NO_WRITES: Self = Self(1);
    /// It may run when memory is short.
    pub const ALLOW_OOM: Self = Self(1 << 1);
    /// It may run on a replica that has lost its primary.
    pub const ALLOW_STALE: Self = Self(1 << 2);
    /// It may not run in a cluster.
    pub const NO_CLUSTER: Self = Self(1 << 3);
    /// It may use keys of several slots.
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(1 << 4);

    const NAMES: [(&'static str, Self); 5] = [
        ("no-writes", Self::NO_WRITES),
        ("allow-oom", Self::ALLOW_OOM),
        ("allow-stale", Self::ALLOW_STALE),
        ("no-cluster", Self::NO_CLUSTER),
        ("allow-cross-slot-keys", Self::ALLOW_CROSS_SLOT_KEYS),
    ];

    /// Whether all of `others` are declared.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// The names of those declared, in their order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(_, flag)| self.has(*flag)).map(|(name, _)| name)
    }

    /// The flag of that name.
    #[must_use]
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| flag)
    }
}

impl BitOr for ScriptFlags {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl BitOrAssign for ScriptFlags {
    fn bitor_assign(&mut self, others: Self) {
        self.0 |= others.0;
    }
}

impl fmt::Display for ScriptFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            write!(formatter, "{}{name}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}
