//! Requests that concern the server: `flush_all`, `stats`, and those that reach into parts of memcached that are not here.

use memcache_parser::reply::{Sink, Status};
use memcache_parser::{ErrorReply, Other, OtherVerb, ReplyMode, Tokens};

use super::item::Lifetime;
use super::turn::{DB, Turn};

/// The memcached whose protocol this is: clients decide by it what they may send.
pub(super) const VERSION: &str = "1.6.45";

impl Turn<'_> {
    /// Empties the database, now or at a time; another time said before is forgotten.
    pub(super) fn flush_all(&mut self, delay: i64, reply: ReplyMode) {
        self.stats().cmd_flush.add(1);
        let at = match Lifetime::of(delay.max(0), self.now()) {
            Lifetime::Until(at) => at,
            Lifetime::Over => None,
        };
        self.node.flush_timer.set(at);
        if at.is_none() {
            self.node.keyspace.flush(Some(DB), self.moment);
        }
        self.status(Status::Ok, reply);
    }

    /// Answers with statistics.
    pub(super) fn statistics(&mut self, _arguments: Tokens<'_>) {
        self.output.put(b"END\r\n");
    }

    /// Answers a command that tunes what memcached has and this server has not: with memcached's own words for a feature that
    /// is switched off, where it has such words.
    pub(super) fn other(&mut self, other: &Other<'_>) {
        let line: &[u8] = match other.verb {
            OtherVerb::CacheMemlimit => b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n",
            OtherVerb::Shutdown => b"SERVER_ERROR: shutdown not enabled\r\n",
            OtherVerb::Watch => b"CLIENT_ERROR watch commands not allowed\r\n",
            _ => ErrorReply::UnknownCommand.line(),
        };
        if other.reply == ReplyMode::Send {
            self.output.put(line);
        }
    }
}
