//! Reading the log at the start.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use larder_engine::{Node, Replay};
use larder_persist::log::{self, Item, Opened, Reader};

use super::Files;
use super::files::told;
use crate::replacement::truncate;
use crate::snapshot::{self, Counted, Pace};

/// What comes next in the tale of a log that is to be read: nothing else is to be in the way of the data.
const ADVICE: &str = "make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>";

/// Reads what is on disk into a node that serves nobody yet: the append log where there is to be one, otherwise the snapshot. Returns the
/// files of the log, if they have all that the node has.
///
/// Without a log to read, the snapshot is read even if there is to be a log: nobody who turns the log on loses what he has.
///
/// # Errors
/// It cannot be read to its end: the process is not to begin with a part of what it had.
pub(crate) fn load(node: &Arc<Node>) -> io::Result<Option<Files>> {
    let settings = node.settings();
    if !settings.appendonly {
        snapshot::load(node)?;
        return Ok(None);
    }
    let mut files = Files::open(&settings)?;
    files.remove_rests();
    if files.is_empty() {
        snapshot::load(node)?;
        return Ok(None);
    }
    let begun = node.host.time().nanos;
    node.loading.expect(files.bytes());
    let mut replay = Replay::new(node);
    let all = files.to_load();
    for (number, path) in all.iter().enumerate() {
        let tail =
            if number + 1 == all.len() && settings.aof_load_truncated { Tail::Cut } else { Tail::Whole };
        read(node, &mut replay, path, tail)?;
    }
    let seconds = (node.host.time().nanos - begun) as f64 / 1e9;
    tracing::info!("DB loaded from append only file: {seconds:.3} seconds");
    files.go_on()?;
    let bytes = files.bytes();
    node.append_log.change_report(|report| (report.bytes, report.base_bytes) = (bytes, bytes));
    Ok(Some(files))
}

/// How a file may end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// As it was written.
    Whole,
    /// Amid a command, which is then cut off.
    Cut,
}

fn read(node: &Arc<Node>, replay: &mut Replay, path: &Path, tail: Tail) -> io::Result<()> {
    let file = File::open(path).map_err(|error| told(path, &error))?;
    let file = Counted::new(node, file);
    let mut reader = match log::open(file).map_err(|error| told(path, &error))? {
        Opened::Commands(unread) => Reader::new(Box::new(unread) as Box<dyn Read>),
        Opened::Snapshot(unread) => {
            let (rest, offset) = snapshot::load_base(node, unread, path)?;
            Reader::after(offset, Box::new(rest) as Box<dyn Read>)
        }
    };
    let mut pace = Pace::new(node.settings().key_load_delay);
    loop {
        match reader.next_item() {
            Ok(None) => return Ok(()),
            Ok(Some(Item::Command(command))) => {
                thread::sleep(pace.after_key());
                replay.execute(command.request).map_err(|name| {
                    io::Error::other(format!(
                        "Unknown command '{name}' reading the append only file {}",
                        path.display()
                    ))
                })?;
            }
            Ok(Some(Item::Annotation(text))) => replay.annotate(text),
            Ok(Some(Item::Timestamp(_))) => {}
            Err(error) if error.fault.is_unexpected_end() => {
                return end_early(path, reader.intact_up_to(), tail);
            }
            Err(error) => {
                return Err(io::Error::other(format!(
                    "Bad file format reading the append only file {} at byte {}: {}. {ADVICE}",
                    path.display(),
                    error.offset,
                    error.fault
                )));
            }
        }
    }
}

/// A file that breaks off is cut behind what is whole of it, where that is permitted.
fn end_early(path: &Path, intact: u64, tail: Tail) -> io::Result<()> {
    if tail == Tail::Whole {
        return Err(io::Error::other(format!(
            "Unexpected end of file reading the append only file {}. You can: 1) {ADVICE}. 2) Alternatively you can set \
             the 'aof-load-truncated' configuration option to yes and restart the server, if it is the last file.",
            path.display()
        )));
    }
    tracing::warn!("!!! Warning: short read while loading the AOF file {}!!!", path.display());
    tracing::warn!(
        "AOF loaded anyway because aof-load-truncated is enabled: truncating it to {intact} bytes"
    );
    truncate(path, intact).map_err(|error| told(path, &error))
}
