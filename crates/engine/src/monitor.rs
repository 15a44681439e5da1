//! MONITOR: a line for each command, to everybody who asked for it.
//!
//! While nobody monitors, a worker looks at one counter a batch. Otherwise the worker that has executed a command writes the line
//! once, and puts it into the inbox of each monitor, whose own worker is woken to send it.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use crate::args::Args;
use crate::client::{Client, SharedClient};
use crate::inbox::Letter;
use crate::sync::{AtomicUsize, Mutex, Ordering};
use crate::table::Row;

/// The clients that monitor.
#[derive(Debug, Default)]
pub struct Monitors {
    count: AtomicUsize,
    clients: Mutex<Vec<Arc<SharedClient>>>,
}

impl Monitors {
    /// Whether there are any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Sends a client the lines from now on. Once is enough.
    pub fn add(&self, client: &Arc<SharedClient>) {
        let mut clients = self.clients.lock();
        if clients.iter().all(|monitor| monitor.id != client.id) {
            clients.push(Arc::clone(client));
            client.monitors.store(true, Ordering::Relaxed);
        }
        self.count.store(clients.len(), Ordering::Release);
    }

    /// Sends a client no more of them.
    pub fn remove(&self, client: &SharedClient) {
        if client.monitors.swap(false, Ordering::Relaxed) {
            let mut clients = self.clients.lock();
            clients.retain(|monitor| monitor.id != client.id);
            self.count.store(clients.len(), Ordering::Release);
        }
    }

    /// Sends a line to all.
    pub(crate) fn send(&self, line: Vec<u8>) {
        let line = Bytes::from(line);
        self.clients.lock().iter().for_each(|monitor| monitor.deliver(Letter::Plain(line.clone())));
    }
}

/// The line of a command: the time in microseconds since 1970, the database as the command left it, who sent it, and the arguments in quotes.
pub(crate) fn line(micros: i64, client: &Client, row: Row, args: Args<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(64 + args.iter().map(|argument| argument.len() + 3).sum::<usize>());
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let address = client.shared.shown_address();
    let address: &dyn std::fmt::Display = if client.script { &"lua" } else { &address };
    // Appending to memory does not fail.
    let _ = write!(line, "+{seconds}.{micros:06} [{} {address}]", client.db.0);
    for index in 0..args.len() {
        line.push(b' ');
        quote(&mut line, row.shown(args, index));
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// Appends bytes in double quotes, on one line, so that they can be told from the text.
fn quote(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b'"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', *byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x07 => line.extend_from_slice(b"\\a"),
            0x08 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(*byte),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quoted_bytes_stay_on_one_line() {
        let mut line = Vec::new();
        quote(&mut line, b"a \"b\" \\ \n\r\t\x07\x08\x00\xff~");
        assert_eq!(line, br#""a \"b\" \\ \n\r\t\a\b\x00\xff~""#);
    }
}
