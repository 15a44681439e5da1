//! Requests that concern the server: `flush_all`, and those that reach into parts of memcached that are not here.

use memcache_parser::reply::{Sink, Status};
use memcache_parser::{ErrorReply, Other, OtherVerb, ReplyMode, Tokens};

use super::item::Lifetime;
use super::turn::{DB, Turn};

/// The memcached whose protocol this is: clients decide by it what they may send.
pub(super) const VERSION: &str = "1.6.45";

impl Turn<'_> {
    /// Empties the database, now or at a time; another time said before is forgotten. A date that has passed means now, because
    /// an entry does not know when it was stored.
    pub(super) fn flush_all(&self, delay: i64) {
        self.stats().cmd_flush.add(1);
        let at = match Lifetime::of(delay.max(0), self.now()) {
            Lifetime::Until(at) => at,
            Lifetime::Over => None,
        };
        self.node.flush_timer.set(at);
        if at.is_none() {
            self.node.keyspace.flush(Some(DB), self.moment);
        }
    }

    /// Answers a request to tune or look into what memcached has and this server has not: as a memcached does in which it is
    /// switched off, where there is such a switch.
    pub(super) fn other(&mut self, other: &Other<'_>) {
        let line: &[u8] = match other.verb {
            OtherVerb::CacheMemlimit => b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n",
            OtherVerb::LruCrawler => lru_crawler(other.arguments),
            OtherVerb::Shutdown => b"SERVER_ERROR: shutdown not enabled\r\n",
            OtherVerb::Slabs => slabs(other.arguments),
            OtherVerb::Watch => b"CLIENT_ERROR watch commands not allowed\r\n",
            _ => ErrorReply::UnknownCommand.line(),
        };
        if other.reply == ReplyMode::Send {
            self.output.put(line);
        }
    }
}

fn lru_crawler(mut arguments: Tokens<'_>) -> &'static [u8] {
    match (arguments.next(), arguments.next()) {
        (Some(b"enable"), None) => b"ERROR failed to start lru crawler thread\r\n",
        (Some(b"disable"), None) => Status::Ok.line(),
        (Some(b"crawl" | b"metadump" | b"mgdump"), Some(_)) => b"CLIENT_ERROR lru crawler disabled\r\n",
        _ => ErrorReply::UnknownCommand.line(),
    }
}

fn slabs(mut arguments: Tokens<'_>) -> &'static [u8] {
    let what = arguments.next();
    let numbers = arguments.filter(|word| larder_store::parse_integer(word).is_some()).count();
    match (what, arguments.count(), numbers) {
        (Some(b"reassign"), 2, 2) => b"CLIENT_ERROR slab reassignment disabled\r\n",
        (Some(b"reassign"), 2, _) => ErrorReply::BadCommandLine.line(),
        (Some(b"automove"), 1, 0) => ErrorReply::BadCommandLine.line(),
        _ => ErrorReply::UnknownCommand.line(),
    }
}
