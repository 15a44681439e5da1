//! `stats settings`.

use std::sync::atomic::Ordering;

use larder_config::MaxmemoryPolicy;

use super::super::authentication::wants_password;
use super::super::turn::Turn;
use super::{Form, Line};

/// What is said, and how it is found out. In memcached's order.
const SETTINGS: &[Line] = &[
    ("maxbytes", |turn| turn.settings.maxmemory.to_string()),
    ("maxconns", |turn| turn.settings.maxclients.to_string()),
    ("tcpport", |turn| turn.settings.memcached_port.to_string()),
    ("udpport", |_| "0".to_owned()),
    ("inter", |turn| turn.settings.bind.join(",")),
    ("evictions", |turn| on(turn.settings.maxmemory_policy != MaxmemoryPolicy::Noeviction)),
    ("domain_socket", |turn| match turn.settings.memcached_unixsocket.as_str() {
        "" => "NULL".to_owned(),
        path => path.to_owned(),
    }),
    ("shutdown_command", |turn| yes(turn.settings.memcached_shutdown)),
    ("num_threads", |turn| turn.node.workers().to_string()),
    ("stat_key_prefix", |_| ":".to_owned()),
    ("detail_enabled", |turn| yes(turn.node.memcache.detail.is_on())),
    ("cas_enabled", |_| yes(true)),
    ("tcp_backlog", |turn| turn.settings.tcp_backlog.to_string()),
    ("binding_protocol", |turn| {
        if turn.settings.memcached_sasl { "binary" } else { "auto-negotiate" }.to_owned()
    }),
    ("auth_enabled_sasl", |turn| yes(wants_password(turn.settings))),
    ("auth_enabled_ascii", |turn| {
        let auth_file = &turn.settings.memcached_auth_file;
        match (wants_password(turn.settings) && !turn.settings.memcached_sasl, auth_file.is_empty()) {
            (false, _) => yes(false),
            (true, true) => yes(true),
            (true, false) => auth_file.clone(),
        }
    }),
    ("item_size_max", |turn| turn.settings.memcached_item_size_max.to_string()),
    ("maxconns_fast", |_| yes(true)),
    ("slab_reassign", |_| yes(false)),
    ("slab_automove", |_| "0".to_owned()),
    ("lru_crawler", |turn| yes(turn.node.memcache.crawler.is_on())),
    ("lru_crawler_sleep", |turn| turn.node.memcache.crawler.sleep_micros.load(Ordering::Relaxed).to_string()),
    ("lru_crawler_tocrawl", |turn| turn.node.memcache.crawler.items_max.load(Ordering::Relaxed).to_string()),
    ("flush_enabled", |turn| yes(turn.settings.memcached_flush_all)),
    ("dump_enabled", |turn| yes(turn.settings.memcached_dump)),
    ("lru_maintainer_thread", |_| yes(false)),
    ("lru_segmented", |_| yes(false)),
    ("idle_timeout", |turn| turn.settings.timeout.to_string()),
    ("track_sizes", |_| yes(false)),
    ("client_flags_size", |_| size_of::<u32>().to_string()),
];

impl Turn<'_> {
    pub(super) fn settings_report(&mut self, form: Form) {
        for (name, value) in SETTINGS {
            let value = value(self);
            self.stat(form, name, value);
        }
    }
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn on(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}
