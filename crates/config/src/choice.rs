//! Settings that are one of some names.

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value, single};

/// Declares an enum whose values are names in the configuration; errors list the names in this order.
macro_rules! choice {
    ($(#[$attribute:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$doc])* $variant,)+ }

        impl $type {
            /// Every name, in the order of the variants.
            pub const NAMES: &[&str] = &[$($name),+];

            /// Its name in the configuration.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn named(name: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|choice| choice.name().eq_ignore_ascii_case(name))
            }
        }

        impl Value for $type {
            fn blank() -> Self {
                [$(Self::$variant),+][0]
            }

            fn changed(&self, _kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
                Self::named(single(words)?).ok_or(SettingError::NotOneOf(Self::NAMES))
            }

            fn print(&self, _kind: &Kind) -> String {
                self.name().to_owned()
            }
        }
    };
}

choice! {
    /// How much is written to the log.
    LogLevel {
        /// Everything, for whoever looks for a fault.
        Debug = "debug",
        /// Much, without being a mess.
        Verbose = "verbose",
        /// What one wants to know in production.
        Notice = "notice",
        /// Only what is important or critical.
        Warning = "warning",
        /// Not a word.
        Nothing = "nothing",
    }
}

choice! {
    /// What goes when memory is short.
    MaxmemoryPolicy {
        /// The least recently used key that expires.
        VolatileLru = "volatile-lru",
        /// The least frequently used key that expires.
        VolatileLfu = "volatile-lfu",
        /// The key that expires and was not changed for longest.
        VolatileLrm = "volatile-lrm",
        /// Of the keys that expire, the one whose turn it is in two queues, of new keys and of those used again.
        VolatileS3fifo = "volatile-s3fifo",
        /// Any key that expires.
        VolatileRandom = "volatile-random",
        /// The key that expires soonest.
        VolatileTtl = "volatile-ttl",
        /// The least recently used key.
        AllkeysLru = "allkeys-lru",
        /// The least frequently used key.
        AllkeysLfu = "allkeys-lfu",
        /// The key that was not changed for longest.
        AllkeysLrm = "allkeys-lrm",
        /// The key whose turn it is in two queues, of new keys and of those used again.
        AllkeysS3fifo = "allkeys-s3fifo",
        /// Any key.
        AllkeysRandom = "allkeys-random",
        /// Nothing: writes are refused.
        Noeviction = "noeviction",
    }
}

impl MaxmemoryPolicy {
    /// Whether only changes count as uses.
    pub fn counts_changes(self) -> bool {
        matches!(self, Self::VolatileLrm | Self::AllkeysLrm)
    }

    /// Whether entries keep their places in queues instead of when they were last used.
    pub fn has_queues(self) -> bool {
        matches!(self, Self::VolatileS3fifo | Self::AllkeysS3fifo)
    }

    /// Whether entries keep how often they are used instead of when they last were.
    pub fn counts_frequency(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }
}

choice! {
    /// Whether something that a machine may lack is used.
    Use {
        /// Where it is to be had.
        Auto = "auto",
        /// Never.
        No = "no",
        /// Always: nothing else will do.
        Yes = "yes",
    }
}

choice! {
    /// Whether the kernel's readiness to end the process when memory is short is adjusted.
    OomScoreAdj {
        /// It stays as it was at the start.
        No = "no",
        /// By so much.
        Yes = "yes",
        /// The same.
        Relative = "relative",
        /// To so much.
        Absolute = "absolute",
    }
}

choice! {
    /// Who started the process and waits to hear that it serves.
    Supervised {
        /// Upstart, by a signal.
        Upstart = "upstart",
        /// systemd, by its socket.
        Systemd = "systemd",
        /// Whichever of them the environment shows.
        Auto = "auto",
        /// Nobody.
        No = "no",
    }
}

choice! {
    /// Who may use something dangerous.
    EnableFor {
        /// Nobody.
        No = "no",
        /// Every client.
        Yes = "yes",
        /// Clients on this machine.
        Local = "local",
    }
}

choice! {
    /// What a line of the log looks like.
    LogFormat {
        /// As Redis writes it: process, role, time, a sign for the level, the message.
        Legacy = "legacy",
        /// `name=value` pairs.
        Logfmt = "logfmt",
        /// An object of JSON.
        Json = "json",
    }
}

choice! {
    /// How the log writes the time.
    LogTimestampFormat {
        /// Day, month, year, time of day.
        Legacy = "legacy",
        /// As in ISO 8601, with the distance from UTC.
        Iso8601 = "iso8601",
        /// Milliseconds since 1970.
        Milliseconds = "milliseconds",
    }
}
