//! The flags of a meta request.

use crate::error::ErrorReply;
use crate::key::Key;
use crate::number;
use crate::tokens::Tokens;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $letter:literal,)*) => {
        /// A letter of the meta protocol. Any command accepts any of them, and ignores what it has no use for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Flag {
            $($(#[$doc])* $name = $letter,)*
        }

        impl Flag {
            /// The flag with this letter.
            #[inline]
            pub const fn from_letter(letter: u8) -> Option<Self> {
                match letter {
                    $($letter => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

flags! {
    /// `b`: the key is written in base64.
    Base64Key = b'b',
    /// `c`: return the CAS value.
    ReturnCas = b'c',
    /// `f`: return the client flags.
    ReturnClientFlags = b'f',
    /// `h`: return whether the item has been read before.
    ReturnHit = b'h',
    /// `k`: return the key.
    ReturnKey = b'k',
    /// `l`: return how many seconds ago the item was last read.
    ReturnLastAccess = b'l',
    /// `q`: do not answer what is expected.
    Quiet = b'q',
    /// `s`: return the length of the value.
    ReturnSize = b's',
    /// `t`: return how many seconds the item has left.
    ReturnTtl = b't',
    /// `u`: do not count this as a use of the item.
    NoBump = b'u',
    /// `v`: return the value.
    ReturnValue = b'v',
    /// `x`: empty the item rather than delete it.
    RemoveValue = b'x',
    /// `C`: the CAS value to compare with.
    CompareCas = b'C',
    /// `D`: by how much to change a counter.
    Delta = b'D',
    /// `E`: the CAS value the item shall have.
    NewCas = b'E',
    /// `F`: the client flags.
    ClientFlags = b'F',
    /// `I`: mark the item as stale, or accept an older CAS value.
    Invalidate = b'I',
    /// `J`: the first value of a counter.
    Initial = b'J',
    /// `L`: for a proxy on the way.
    ProxyHint = b'L',
    /// `M`: the mode.
    Mode = b'M',
    /// `N`: make the item if there is none, with this expiry time.
    Vivify = b'N',
    /// `O`: an opaque token to return.
    Opaque = b'O',
    /// `P`: for a proxy on the way.
    ProxyPath = b'P',
    /// `R`: tell one client to renew the item if it has less time left than this.
    Recache = b'R',
    /// `T`: the expiry time.
    Ttl = b'T',
}

/// A request may have this many words, command and key included.
const WORDS_MAX: usize = 20;

/// The flags of a request: which are there, what their tokens say, and in which order they came.
///
/// The order is kept by keeping the end of the line: a reply returns flags in the order in which they were asked
/// for, and [`iter`](Self::iter) reads it again for that. Every token that is a number has been read, and a set
/// of one bit a letter says which of the numbers were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaFlags<'a> {
    tokens: Tokens<'a>,
    present: FlagSet,
    ttl: i64,
    vivify: i64,
    recache: i64,
    compare_cas: u64,
    new_cas: u64,
    delta: u64,
    initial: u64,
    opaque: &'a [u8],
    client_flags: u32,
    /// What stands behind the `M`; 0 if nothing does.
    mode: u8,
}

impl<'a> MetaFlags<'a> {
    /// Reads the words after the key, or after the length; `words_before` is how many come before them. One of
    /// the flags says how the key is to be read.
    #[inline]
    pub(crate) fn parse(
        key: &'a [u8],
        tokens: Tokens<'a>,
        words_before: usize,
    ) -> Result<(Key<'a>, Self), ErrorReply> {
        let words_max = WORDS_MAX - words_before;
        // That many words have as many first letters and the spaces between them.
        if tokens.as_bytes().len() > 2 * words_max && tokens.count() > words_max {
            return Err(ErrorReply::TooManyFlags);
        }
        let mut key = Key::plain(key);
        let mut flags = Self::none(tokens);
        let mut wrong_token = None;
        for token in tokens {
            let flag = known(token[0])?;
            if !flags.present.insert(flag) {
                return Err(ErrorReply::DuplicateFlag);
            }
            // memcached reads on after a wrong token, and says what it found wrong last.
            if let Err(error) = flags.read(flag, &token[1..], &mut key) {
                wrong_token = error.or(wrong_token).or(Some(ErrorReply::BadCommandLine));
            }
        }
        match wrong_token {
            None => Ok((key, flags)),
            Some(error) => Err(error),
        }
    }

    /// Whether this flag was given.
    #[inline]
    pub fn has(&self, flag: Flag) -> bool {
        self.present.contains(flag)
    }

    /// The flags in the order of the request, each with its token.
    pub fn iter(&self) -> impl Iterator<Item = (Flag, &'a [u8])> + use<'a> {
        self.tokens.filter_map(|token| Some((Flag::from_letter(token[0])?, &token[1..])))
    }

    /// `T`: the expiry time.
    pub fn ttl(&self) -> Option<i64> {
        self.has(Flag::Ttl).then_some(self.ttl)
    }

    /// `N`: the expiry time of an item made because there was none.
    pub fn vivify(&self) -> Option<i64> {
        self.has(Flag::Vivify).then_some(self.vivify)
    }

    /// `R`: how little time an item must have left for a client to win its renewal.
    pub fn recache(&self) -> Option<i64> {
        self.has(Flag::Recache).then_some(self.recache)
    }

    /// `C`: the CAS value to compare with.
    pub fn compare_cas(&self) -> Option<u64> {
        self.has(Flag::CompareCas).then_some(self.compare_cas)
    }

    /// `E`: the CAS value the item shall have.
    pub fn new_cas(&self) -> Option<u64> {
        self.has(Flag::NewCas).then_some(self.new_cas)
    }

    /// `F`: the client flags; 0 if not given.
    pub fn client_flags(&self) -> u32 {
        self.client_flags
    }

    /// `D`: by how much to change a counter; 1 if not given.
    pub fn delta(&self) -> u64 {
        self.delta
    }

    /// `J`: the first value of a counter; 0 if not given.
    pub fn initial(&self) -> u64 {
        self.initial
    }

    /// `O`: the opaque token, without its letter.
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.has(Flag::Opaque).then_some(self.opaque)
    }

    /// `M`: the first byte of the mode, 0 if it is empty; none if there is no such flag.
    pub(crate) fn mode(&self) -> Option<u8> {
        self.has(Flag::Mode).then_some(self.mode)
    }

    fn none(tokens: Tokens<'a>) -> Self {
        Self {
            tokens,
            present: FlagSet(0),
            ttl: 0,
            vivify: 0,
            recache: 0,
            compare_cas: 0,
            new_cas: 0,
            delta: 1,
            initial: 0,
            opaque: &[],
            client_flags: 0,
            mode: 0,
        }
    }

    /// Reads what stands behind the letter. An error without a text leaves the text to the other flags.
    #[inline]
    fn read(&mut self, flag: Flag, token: &'a [u8], key: &mut Key<'a>) -> Result<(), Option<ErrorReply>> {
        let time = || number::strict_signed(token).ok_or(Some(ErrorReply::BadToken));
        let number = |error| number::strict_unsigned(token).ok_or(error);
        match flag {
            Flag::Base64Key => {
                *key = Key::base64(key.token()).ok_or(Some(ErrorReply::KeyDecoding))?;
            }
            Flag::Ttl => self.ttl = time()?,
            Flag::Vivify => self.vivify = time()?,
            Flag::Recache => self.recache = time()?,
            Flag::CompareCas => self.compare_cas = number(Some(ErrorReply::BadToken))?,
            Flag::NewCas => self.new_cas = number(Some(ErrorReply::BadToken))?,
            Flag::Delta => self.delta = number(Some(ErrorReply::InvalidDeltaValue))?,
            Flag::Initial => self.initial = number(Some(ErrorReply::InvalidInitialValue))?,
            Flag::ClientFlags => self.client_flags = u32::try_from(number(None)?).map_err(|_| None)?,
            Flag::Opaque => self.opaque = token,
            Flag::Mode => self.mode = token.first().copied().unwrap_or(0),
            _ => {}
        }
        Ok(())
    }
}

/// The flag with this letter. memcached's tokenizer wants a letter or a digit, and lets some signs between the
/// two alphabets pass; what it stops has a text of its own.
#[inline]
fn known(letter: u8) -> Result<Flag, ErrorReply> {
    Flag::from_letter(letter).ok_or(match letter {
        b'A'..=b'z' | b'0'..=b'9' => ErrorReply::InvalidFlag,
        _ => ErrorReply::BadCommandLine,
    })
}

/// One bit a letter, `A` the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FlagSet(u64);

impl FlagSet {
    fn contains(self, flag: Flag) -> bool {
        self.0 & Self::bit(flag) != 0
    }

    /// False if it was there before.
    fn insert(&mut self, flag: Flag) -> bool {
        let new = !self.contains(flag);
        self.0 |= Self::bit(flag);
        new
    }

    /// No letter is more than 55 behind `A`.
    fn bit(flag: Flag) -> u64 {
        1 << (flag as u8 - b'A')
    }
}
