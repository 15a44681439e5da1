//! Errors of native functions on their way into Lua.

use std::ffi::CStr;
use std::fmt::{self, Write as _};

use crate::native::{Kind, Stack};
use crate::port::{Event, Order, Port};

/// What a native function wants raised. It owns nothing, so that nothing is lost when Lua leaves its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raise {
    /// A text, behind the place of the call.
    Message(&'static str),
    /// The text in the scratch buffer, behind the place of the call.
    Scratch,
    /// An argument is not as it should be.
    Argument(i32, &'static CStr),
    /// An argument is not of the type named.
    Type(i32, &'static CStr),
    /// A table whose `err` is this, with the code ERR.
    Table(&'static str),
    /// The topmost value as it is.
    Top,
    /// The script has to end.
    Killed,
}

/// How much work there is between two pauses: about as much as a thousand instructions.
const WORK_PER_PAUSE: usize = 1 << 16;

impl Port<'_> {
    /// Lets the caller have its say.
    pub(crate) fn pause(&self) -> Result<(), Raise> {
        self.work.set(0);
        if self.exchange.killed.get().is_none() {
            let _: Order = self.yielder.suspend(Event::Paused);
        }
        self.killed()
    }

    /// Whether the script has to end.
    #[inline]
    pub(crate) fn killed(&self) -> Result<(), Raise> {
        match self.exchange.killed.get() {
            Some(_) => Err(Raise::Killed),
            None => Ok(()),
        }
    }

    /// Notes work (a byte copied, a step of a search), and pauses when it has become much.
    #[inline]
    pub(crate) fn work(&self, amount: usize) -> Result<(), Raise> {
        let work = self.work.get().saturating_add(amount);
        self.work.set(work);
        if work < WORK_PER_PAUSE { Ok(()) } else { self.pause() }
    }

    /// Writes the text of an error.
    pub(crate) fn error(&self, text: fmt::Arguments<'_>) -> Raise {
        struct Bytes<'a>(&'a mut Vec<u8>);
        impl fmt::Write for Bytes<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        // Writing into a vector does not fail.
        let _ = Bytes(&mut scratch).write_fmt(text);
        Raise::Scratch
    }

    /// Appends to the scratch buffer, which may not grow above what a script may have.
    #[inline]
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), Raise> {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.len() + bytes.len() > self.memory_limit {
            return Err(Raise::Message("not enough memory"));
        }
        scratch.extend_from_slice(bytes);
        Ok(())
    }
}

/// Checking arguments, in Lua's words.
impl Stack<'_> {
    /// There is a string, or a number, which becomes one.
    #[inline]
    pub(crate) fn check_text(&mut self, index: i32) -> Result<(), Raise> {
        if self.coerce(index) { Ok(()) } else { Err(Raise::Type(index, c"string")) }
    }

    /// There is a number, or a string that spells one.
    #[inline]
    pub(crate) fn check_number(&self, index: i32) -> Result<f64, Raise> {
        self.number(index).ok_or(Raise::Type(index, c"number"))
    }

    /// The same, without its fraction.
    #[inline]
    pub(crate) fn check_integer(&self, index: i32) -> Result<i64, Raise> {
        self.check_number(index).map(|number| number as i64)
    }

    /// The same, or what stands for it.
    pub(crate) fn optional_integer(&self, index: i32, absent: i64) -> Result<i64, Raise> {
        if self.is_absent(index) { Ok(absent) } else { self.check_integer(index) }
    }

    /// There is a value of that type.
    pub(crate) fn check_kind(&self, index: i32, kind: Kind, name: &'static CStr) -> Result<(), Raise> {
        if self.kind(index) == kind { Ok(()) } else { Err(Raise::Type(index, name)) }
    }
}
