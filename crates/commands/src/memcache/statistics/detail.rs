//! `stats detail`: requests counted by what their keys have before a colon.

use larder_engine::Switch;
use memcache_parser::reply::Sink;

use super::super::turn::Turn;
use super::Form;

impl Turn<'_> {
    /// Switches the counting on or off, or says what was counted.
    pub(super) fn detail(&mut self, what: Option<&[u8]>, form: Form) {
        if !self.settings.memcached_dump {
            return self.refuse_statistics(form, b"CLIENT_ERROR stats detail not allowed\r\n");
        }
        let is = |word: &str| what.is_some_and(|what| word.as_bytes().starts_with(what));
        if is("on") || is("off") {
            self.node.memcache.detail.switch(if is("on") { Switch::On } else { Switch::Off });
            match form {
                Form::Text => self.output.put(b"OK\r\n"),
                Form::Binary(_) => self.end_of_statistics(form),
            }
        } else if is("dump") {
            let dump = self.detail_dump();
            match form {
                Form::Text => self.output.put(&dump),
                Form::Binary(_) => {
                    self.stat(form, "detailed", String::from_utf8_lossy(&dump));
                    self.end_of_statistics(form);
                }
            }
        } else {
            self.refuse_statistics(form, b"CLIENT_ERROR usage: stats detail on|off|dump\r\n");
        }
    }

    fn detail_dump(&self) -> Vec<u8> {
        let mut dump = Vec::new();
        for (prefix, counts) in self.node.memcache.detail.counts() {
            dump.extend_from_slice(b"PREFIX ");
            dump.extend_from_slice(&prefix);
            let larder_engine::PrefixCounts { gets, hits, sets, deletes } = counts;
            dump.extend_from_slice(format!(" get {gets} hit {hits} set {sets} del {deletes}\r\n").as_bytes());
        }
        dump.extend_from_slice(b"END\r\n");
        dump
    }
}
