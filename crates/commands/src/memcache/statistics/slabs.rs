//! `stats items` and `stats slabs`: all items are in one class.

use super::super::turn::{DB, Turn};
use super::{Form, ONLY_CLASS};
use larder_engine::StripeTotals;

/// What `stats items` says of a class and does not happen here.
const NEVER: [&str; 8] = [
    "outofmemory",
    "tailrepairs",
    "lrutail_reflocked",
    "moves_to_cold",
    "moves_to_warm",
    "moves_within_lru",
    "direct_reclaims",
    "hits_to_temp",
];

impl Turn<'_> {
    /// As memcached, says nothing of a class without items.
    pub(super) fn items(&mut self, form: Form) {
        let number = self.node.keyspace.len(DB);
        if number == 0 {
            return;
        }
        let StripeTotals { evicted, expired: reclaimed, .. } = self.node.stripe_totals(self.moment);
        for (name, value) in [("number", number as u64), ("evicted", evicted), ("reclaimed", reclaimed)] {
            self.stat(form, &format!("items:{ONLY_CLASS}:{name}"), value);
        }
        for name in NEVER {
            self.stat(form, &format!("items:{ONLY_CLASS}:{name}"), 0);
        }
    }

    pub(super) fn slabs(&mut self, form: Form) {
        let number = self.node.keyspace.len(DB);
        if number > 0 {
            let sum = |counter: fn(&larder_engine::MemcacheStats) -> u64| {
                self.node.sum(|worker| counter(&worker.memcache))
            };
            let counters = [
                ("used_chunks", number as u64),
                ("get_hits", sum(|stats| stats.get_hits.value())),
                ("cmd_set", sum(|stats| stats.cmd_set.value())),
                ("delete_hits", sum(|stats| stats.delete_hits.value())),
                ("incr_hits", sum(|stats| stats.incr_hits.value())),
                ("decr_hits", sum(|stats| stats.decr_hits.value())),
                ("cas_hits", sum(|stats| stats.cas_hits.value())),
                ("cas_badval", sum(|stats| stats.cas_badval.value())),
                ("touch_hits", sum(|stats| stats.touch_hits.value())),
            ];
            for (name, value) in counters {
                self.stat(form, &format!("{ONLY_CLASS}:{name}"), value);
            }
        }
        self.stat(form, "active_slabs", u32::from(number > 0));
        self.stat(form, "total_malloced", self.node.host.used_memory());
    }
}
