//! Command scripts: requests and the replies to them, as text.
//!
//! ```text
//! # GET of a missing key
//! > GET k
//! < nil
//! > LCS a b IDX
//! < %2
//! <   "matches"
//! <   *0
//! <   "len"
//! <   :3
//! ```
//!
//! A request (`>`) is a line of words, or of strings in quotes with the escapes `\n \r \t \" \\ \xHH`. The replies (`<`) to it
//! follow, as RESP3 has them; in RESP2 the runner expects what becomes of them there. A request without a reply expects none.
//!
//! | reply | |
//! |---|---|
//! | `+text` `-ERR line` | simple string, error |
//! | `:1` `,1.5` `(123` `#t` `#f` | integer, double, big number, boolean |
//! | `"text"` `=txt:"text"` | bulk string, verbatim string |
//! | `nil` `nilarray` | null, RESP2's null array |
//! | `*n` `%n` `~n` `>n` | array, map, set, push: the elements follow, a line each, two spaces deeper |
//! | `*n any` | an array in any order; maps and sets always are |
//! | `*n pairs` | an array of arrays, whose elements RESP2 has one after the other |
//! | `%n pairs` | a map, for which RESP2 has an array of arrays of a key and its value |
//! | `:/regex/` `"/regex/"` `/regex/` | a scalar of this kind, or of any, whose text matches |
//!
//! | directive | |
//! |---|---|
//! | `@since 8.1` | what follows is not known to real servers before this version |
//! | `@larder reason` ... `@all` | between them: Larder only |
//! | `@resp2` `@resp3` `@resp2+3` | what follows runs in this protocol only |
//! | `@advance 1500` | time passes, in milliseconds |
//! | `@config name value` | CONFIG SET, until the script ends |
//! | `@client 2` | the requests that follow come from another connection |

mod coverage;
mod parse;
mod pattern;
mod run;
mod suite;
mod text;

pub use coverage::check_coverage;
pub use parse::{Action, Script, ScriptError, Step};
pub(crate) use text::{reply_lines, request_line};

pub use run::{Failure, Progress, run};
pub use suite::{Report, check_in_process, check_redis, scripts_in};
