//! Options that say how long a string, or a field of a hash, is to live: EX, PX, EXAT, PXAT, KEEPTTL and PERSIST.

use crate::expiry::{self, Since, Unit};
use crate::prelude::*;

/// What a request says about the expiry of a key or a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lifetime<'a> {
    /// Nothing.
    #[default]
    Unsaid,
    /// KEEPTTL: the one that it has.
    Kept,
    /// PERSIST: none from now on.
    Unlimited,
    /// A time, still to be read as a number, and how it is meant.
    Time(&'a [u8], (Unit, Since)),
}

impl<'a> Lifetime<'a> {
    /// Takes `word`, and the value that belongs to it. As in Redis, the same option may come twice: the later counts.
    ///
    /// # Errors
    /// It is no such option, lacks its value, or does not go with an earlier one: "syntax error".
    pub(crate) fn add(&mut self, word: &[u8], words: &mut ArgsFrom<'a>) -> Result<(), CommandError> {
        let new = if is_word(word, "keepttl") {
            Lifetime::Kept
        } else if is_word(word, "persist") {
            Lifetime::Unlimited
        } else {
            let kind = expiry::option(word).ok_or(CommandError::Syntax)?;
            Lifetime::Time(words.value()?, kind)
        };
        let goes = match (*self, new) {
            (Lifetime::Unsaid, _) => true,
            (Lifetime::Time(_, earlier), Lifetime::Time(_, later)) => earlier == later,
            (earlier, later) => earlier == later,
        };
        if !goes {
            return Err(CommandError::Syntax);
        }
        *self = new;
        Ok(())
    }

    /// The moment at which a key is to expire, when a time was given. It may lie in the past.
    ///
    /// # Errors
    /// The time is not an integer, not positive, or beyond what the clock can tell.
    pub(crate) fn deadline(
        self,
        now: UnixMillis,
        command: &'static str,
    ) -> Result<Option<UnixMillis>, CommandError> {
        self.moment(|number, kind| expiry::deadline(number, kind, now, command))
    }

    /// The moment at which a field is to expire, when a time was given. It may lie in the past.
    ///
    /// # Errors
    /// The time is not an integer, negative, or beyond what the clock can tell.
    pub(crate) fn field_deadline(
        self,
        now: UnixMillis,
        command: &'static str,
    ) -> Result<Option<UnixMillis>, CommandError> {
        self.moment(|number, kind| expiry::field_deadline(number, kind, now, command))
    }

    fn moment(
        self,
        moment: impl FnOnce(i64, (Unit, Since)) -> Result<UnixMillis, CommandError>,
    ) -> Result<Option<UnixMillis>, CommandError> {
        let Lifetime::Time(number, kind) = self else { return Ok(None) };
        let number = larder_store::parse_integer(number).ok_or(CommandError::NotAnInteger)?;
        moment(number, kind).map(Some)
    }
}
