//! `stats conns`: who is connected.

use std::sync::atomic::Ordering;

use super::super::turn::Turn;
use super::Form;

impl Turn<'_> {
    /// The clients of both protocols. memcached numbers them by their sockets, too, and lists its listening ones.
    pub(super) fn connections(&mut self, form: Form) {
        let node = self.node;
        let mut clients: Vec<_> = node.clients.iter().map(|client| client.clone()).collect();
        clients.sort_by_key(|client| client.descriptor);
        for client in clients {
            let number = client.descriptor;
            let idle_seconds = self.now().saturating_millis_since(client.active_at()) / 1000;
            let waits = client.query_bytes.load(Ordering::Relaxed) > 0;
            let state = match (client.id == self.client.id, waits) {
                (true, _) => "conn_parse_cmd",
                (false, true) => "conn_nread",
                (false, false) => "conn_read",
            };
            self.stat(form, &format!("{number}:addr"), address(&client.address));
            self.stat(form, &format!("{number}:listen_addr"), address(&client.local_address));
            self.stat(form, &format!("{number}:state"), state);
            self.stat(form, &format!("{number}:secs_since_last_cmd"), idle_seconds.max(0));
        }
    }
}

/// An address as memcached writes it. That of a Unix socket has a port of 0 behind its path.
fn address(address: &str) -> String {
    match address.as_bytes().first() {
        Some(b'/') => format!("unix:{}", address.strip_suffix(":0").unwrap_or(address)),
        Some(b'[') => format!("tcp6:{address}"),
        _ => format!("tcp:{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_they_are() {
        assert_eq!(address("127.0.0.1:80"), "tcp:127.0.0.1:80");
        assert_eq!(address("[::1]:80"), "tcp6:[::1]:80");
        assert_eq!(address("/tmp/larder:0"), "unix:/tmp/larder");
    }
}
