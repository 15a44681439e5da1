//! How much a request may ask for.

/// What a request may declare before it is refused.
///
/// A limit is compared with what a header declares, so a request over it is refused before its bytes arrive.
/// Within the limits nothing is allocated on a header's word either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one argument (`proto-max-bulk-len`).
    pub bulk_len_max: u64,
    /// Most arguments of one request, the command's name included.
    pub args_max: u64,
    /// Most bytes of an inline request, and of the line that holds a count or a length, before the line's
    /// end.
    pub inline_len_max: usize,
    /// Whether the tighter limits for strangers apply as well.
    pub client: Client,
}

/// What is known of the client whose request is parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Client {
    /// It may run commands: only the limits themselves hold.
    #[default]
    Authenticated,
    /// It has yet to authenticate. It may send 10 arguments of 16,384 bytes, which is enough for AUTH and
    /// HELLO, and is told that this is why it was refused; beyond the limits themselves it is told what
    /// everybody is told.
    Unauthenticated,
}

impl Limits {
    /// What Redis allows when nothing is configured.
    pub const DEFAULT: Self = Self {
        bulk_len_max: 512 * 1024 * 1024,
        args_max: i32::MAX as u64,
        inline_len_max: 64 * 1024,
        client: Client::Authenticated,
    };

    /// What Redis allows a client that has yet to authenticate: [`DEFAULT`](Self::DEFAULT), capped at 10
    /// arguments of 16,384 bytes. Where limits are configured, say `Limits { client: Client::Unauthenticated,
    /// ..configured }` instead.
    pub const UNAUTHENTICATED: Self = Self { client: Client::Unauthenticated, ..Self::DEFAULT };

    /// The number of arguments up to which no limit is broken.
    #[inline]
    pub(crate) fn args_cap(&self) -> u64 {
        match self.client {
            Client::Authenticated => self.args_max,
            Client::Unauthenticated => self.args_max.min(10),
        }
    }

    /// The length of an argument up to which no limit is broken.
    #[inline]
    pub(crate) fn bulk_len_cap(&self) -> u64 {
        match self.client {
            Client::Authenticated => self.bulk_len_max,
            Client::Unauthenticated => self.bulk_len_max.min(16_384),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
