//! Requests that concern the server: `flush_all`, and those that reach into parts of memcached that are not here.

use std::sync::atomic::Ordering;

use larder_config::Settings;
use larder_engine::Switch;
use memcache_parser::reply::{Sink, Status};
use memcache_parser::{ErrorReply, Other, OtherVerb, ReplyMode, Tokens};

use super::dump::{Dump, Format};
use super::item::Lifetime;
use super::statistics::{CLASSES, ONLY_CLASS, number};
use super::turn::{Ended, Turn};
use super::watch::Watching;

/// The memcached whose protocol this is: clients decide by it what they may send.
pub const VERSION: &str = "1.6.45";

/// More than this many megabytes of memory is taken for a mistake, as in memcached.
const MEMLIMIT_MEGABYTES_MAX: u32 = 1_000_000_000;
/// The longest pause that memcached's crawler makes after an item.
const CRAWLER_SLEEP_MICROS_MAX: u32 = 1_000_000;

/// The directive memcached-flush-all does not permit it.
pub(super) struct FlushRefused;

impl Turn<'_> {
    /// Empties the database, now or at a time; another time said before is forgotten. A date that has passed means now, because
    /// an entry does not know when it was stored.
    pub(super) fn flush_all(&self, delay: i64) -> Result<(), FlushRefused> {
        self.stats().cmd_flush.add(1);
        if !self.settings.memcached_flush_all {
            return Err(FlushRefused);
        }
        let at = match Lifetime::of(delay.max(0), self.now()) {
            Lifetime::Until(at) => at,
            Lifetime::Over => None,
        };
        self.node.flush_timer.set(at);
        if at.is_none() {
            self.node.flush_zero(self.running, self.stats, self.moment);
        }
        Ok(())
    }

    /// Answers a request to tune or look into the server: as a memcached does in which that is switched off, where this server has
    /// no such part and memcached has a switch.
    #[cold]
    pub(super) fn other(&mut self, other: &Other<'_>) -> Ended {
        self.executed += 1;
        let line: &[u8] = match other.verb {
            OtherVerb::CacheMemlimit => self.cache_memlimit(other.arguments),
            OtherVerb::LruCrawler => match self.lru_crawler(other.arguments) {
                Crawl::Line(line) => line,
                Crawl::Dump(dump) => {
                    self.status(Status::Ok, ReplyMode::Send);
                    return Ended::Dump(dump);
                }
            },
            OtherVerb::Shutdown => match self.shutdown(other.arguments) {
                Some(line) => line,
                None => return Ended::Close,
            },
            OtherVerb::Slabs => slabs(other.arguments),
            OtherVerb::Watch => {
                let (line, watching) = self.watch(other.arguments);
                self.output.put(line);
                return if watching == Watching::Yes { Ended::Watch } else { Ended::Done };
            }
            _ => ErrorReply::UnknownCommand.line(),
        };
        if other.reply == ReplyMode::Send {
            self.output.put(line);
        }
        Ended::Done
    }

    /// Sets the directive maxmemory to so many megabytes.
    fn cache_memlimit(&self, mut arguments: Tokens<'_>) -> &'static [u8] {
        match arguments.next().and_then(number) {
            None => ErrorReply::UnknownCommand.line(),
            Some(..8) => b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n",
            Some(megabytes) if megabytes > MEMLIMIT_MEGABYTES_MAX => {
                b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
            }
            Some(megabytes) => {
                let maxmemory = u64::from(megabytes) << 20;
                let changed: Result<(), String> =
                    self.node.change_settings(|settings| Ok(Settings { maxmemory, ..settings.clone() }));
                match changed {
                    Ok(()) => Status::Ok.line(),
                    Err(_) => b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n",
                }
            }
        }
    }

    /// Ends the server if that is allowed; otherwise says why not.
    fn shutdown(&self, mut arguments: Tokens<'_>) -> Option<&'static [u8]> {
        if !self.settings.memcached_shutdown {
            return Some(b"SERVER_ERROR: shutdown not enabled\r\n");
        }
        match (arguments.next(), arguments.next()) {
            (None, _) | (Some(b"graceful"), None) => {
                self.node.host.shut_down();
                None
            }
            _ => Some(b"CLIENT_ERROR invalid shutdown mode\r\n"),
        }
    }

    /// What becomes of a request to memcached's search for expired items. Here they go by themselves, in time; so there is nothing
    /// to search, and how fast it would be is only noted. What is left is that it dumps.
    fn lru_crawler(&self, mut arguments: Tokens<'_>) -> Crawl {
        let crawler = &self.node.memcache.crawler;
        let line = match (arguments.next(), arguments.next(), arguments.next()) {
            (Some(b"enable"), None, _) if crawler.switch(Switch::On) => Status::Ok.line(),
            (Some(b"enable"), None, _) => b"ERROR failed to start lru crawler thread\r\n",
            (Some(b"disable"), None, _) => {
                crawler.switch(Switch::Off);
                Status::Ok.line()
            }
            (Some(b"crawl" | b"metadump" | b"mgdump"), Some(_), None) if !crawler.is_on() => {
                b"CLIENT_ERROR lru crawler disabled\r\n"
            }
            (Some(b"metadump"), Some(_), None) if !self.settings.memcached_dump => {
                b"ERROR metadump not allowed\r\n"
            }
            (Some(b"mgdump"), Some(_), None) if !self.settings.memcached_dump => {
                b"ERROR key dump not allowed\r\n"
            }
            (Some(what @ (b"crawl" | b"metadump" | b"mgdump")), Some(classes), None) => {
                return crawl(what, classes);
            }
            (Some(b"sleep"), Some(micros), None) => match number(micros) {
                None => ErrorReply::BadCommandLine.line(),
                Some(micros) if micros > CRAWLER_SLEEP_MICROS_MAX => {
                    b"CLIENT_ERROR sleep must be one second or less\r\n"
                }
                Some(micros) => {
                    crawler.sleep_micros.store(micros, Ordering::Relaxed);
                    Status::Ok.line()
                }
            },
            (Some(b"tocrawl"), Some(items), None) => match number(items) {
                None => ErrorReply::BadCommandLine.line(),
                Some(items) => {
                    crawler.items_max.store(items, Ordering::Relaxed);
                    Status::Ok.line()
                }
            },
            _ => ErrorReply::UnknownCommand.line(),
        };
        Crawl::Line(line)
    }
}

/// What comes of a request to the crawler.
enum Crawl {
    Line(&'static [u8]),
    Dump(Dump),
}

/// Begins to walk through classes of items, of which there is one.
fn crawl(what: &[u8], classes: &[u8]) -> Crawl {
    let is_class = |word: &[u8]| number(word).is_some_and(|class| (1..CLASSES).contains(&class));
    let is_all = matches!(classes, b"all" | b"hash");
    if !is_all && !classes.split(|byte| *byte == b',').all(is_class) {
        return Crawl::Line(b"BADCLASS invalid class id\r\n");
    }
    let is_ours = |word: &[u8]| number(word) == Some(ONLY_CLASS);
    let lines_max = (!is_all && !classes.split(|byte| *byte == b',').any(is_ours)).then_some(0);
    match what {
        b"metadump" => Crawl::Dump(Dump::new(Format::Metadump, lines_max)),
        b"mgdump" => Crawl::Dump(Dump::new(Format::Mgdump, lines_max)),
        _ => Crawl::Line(Status::Ok.line()),
    }
}

fn slabs(mut arguments: Tokens<'_>) -> &'static [u8] {
    let what = arguments.next();
    let numbers = arguments.filter(|word| larder_store::parse_integer(word).is_some()).count();
    match (what, arguments.count(), numbers) {
        (Some(b"reassign"), 2, 2) => b"CLIENT_ERROR slab reassignment disabled\r\n",
        (Some(b"reassign"), 2, _) => ErrorReply::BadCommandLine.line(),
        (Some(b"automove"), 1, 0) => ErrorReply::BadCommandLine.line(),
        // It is off, and there is nothing to be moved.
        (Some(b"automove"), 1, 1) if arguments.as_bytes().trim_ascii() == b"0" => Status::Ok.line(),
        _ => ErrorReply::UnknownCommand.line(),
    }
}
