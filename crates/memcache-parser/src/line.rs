//! Finding the first line of the input.

use memchr::memchr;

use crate::error::{Error, ErrorReply};
use crate::limits::Limits;
use crate::parse::Stop;
use crate::scan::first;

/// The first line of the input: every request begins with one.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Without the line end, which is a line feed with or without a carriage return.
    pub(crate) text: &'a [u8],
    /// Where the line ends in the input, line end included.
    pub(crate) end: usize,
    /// All of the input: a value may follow the line.
    pub(crate) input: &'a [u8],
}

/// Most lines are no longer than this.
const NEAR_BYTES: usize = 64;

/// memcached looks for `get` behind no more leading spaces than this.
const LEADING_SPACES_MAX: usize = 100;

impl<'a> Line<'a> {
    #[inline]
    pub(crate) fn first(input: &'a [u8], limits: &Limits) -> Result<Self, Stop<'a>> {
        let searched = input.len().min(limits.line_bytes.saturating_add(1));
        let near = searched.min(NEAR_BYTES);
        let feed = match first(b'\n', &input[..near]) {
            feed if feed < near => Some(feed),
            _ => memchr(b'\n', &input[near..searched]).map(|feed| near + feed),
        };
        match feed {
            Some(feed) => Ok(Self::ending_at(input, feed)),
            None if searched == input.len() && searched <= limits.line_bytes => {
                Err(Stop::Incomplete { needed: searched + 1 })
            }
            None => Self::long(input, searched, limits),
        }
    }

    /// A refusal of the request, which ends with this line.
    pub(crate) fn refuse(&self, reply: ErrorReply) -> Stop<'a> {
        Stop::Error(Error { reply: Some(reply), end: self.end, swallow: 0, close: false, unlink: None })
    }

    #[inline]
    fn ending_at(input: &'a [u8], feed: usize) -> Self {
        let text = &input[..feed];
        Self { text: text.strip_suffix(b"\r").unwrap_or(text), end: feed + 1, input }
    }

    /// A line that is too long for all but the commands that name many keys.
    #[cold]
    fn long(input: &'a [u8], searched: usize, limits: &Limits) -> Result<Self, Stop<'a>> {
        if !names_many_keys(&input[..searched]) {
            return Err(close(searched, None));
        }
        let limit = limits.get_line_bytes;
        let end = input.len().min(limit.saturating_add(1));
        match memchr(b'\n', &input[searched.min(end)..end]) {
            Some(feed) => Ok(Self::ending_at(input, searched + feed)),
            None if end <= limit => Err(Stop::Incomplete { needed: end + 1 }),
            None => Err(close(end, Some(ErrorReply::OutOfMemoryReading))),
        }
    }
}

fn names_many_keys(input: &[u8]) -> bool {
    let spaces = input.iter().take(LEADING_SPACES_MAX).take_while(|&&byte| byte == b' ').count();
    let verb = &input[spaces..];
    [&b"get "[..], b"gets ", b"gat ", b"gats "].iter().any(|name| verb.starts_with(name))
}

/// Nobody knows where the next request begins, so there is none.
fn close<'a>(end: usize, reply: Option<ErrorReply>) -> Stop<'a> {
    Stop::Error(Error { reply, end, swallow: 0, close: true, unlink: None })
}
