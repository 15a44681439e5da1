//! What the engine asks of the process: clocks, memory, the end.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use larder_config::{OomScoreAdj, Settings};
use larder_engine::{Host, Time};
use larder_store::UnixMillis;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::acceptor::Mover;
use crate::bind::Addresses;
use crate::log::Log;
use crate::oom_score::OomScore;
use crate::options::{self, reason};
use crate::replacement::{directory_of, replace};
use crate::{crash, memory, open_files, processor, worker};

/// The process, as the engine sees it.
#[derive(Debug)]
pub(crate) struct Process {
    started: Instant,
    /// Milliseconds since 1970 at `started`, moved when the system's clock is set.
    epoch_millis: AtomicI64,
    stop: watch::Sender<bool>,
    log: Log,
    oom_score: OomScore,
    mover: Mover,
    /// What of the settings in force reaches outside.
    applied: Mutex<Applied>,
}

/// Settings on which the system has its say.
#[derive(Debug)]
struct Applied {
    dir: String,
    oom_score: (OomScoreAdj, [i16; 3]),
    addresses: Addresses,
    port: u16,
    /// What is set and changes nothing: named in the log when it becomes something else.
    without_effect: Option<String>,
}

impl Applied {
    fn of(settings: &Settings) -> Applied {
        Applied {
            dir: settings.dir.clone(),
            oom_score: (settings.oom_score_adj, settings.oom_score_adj_values),
            addresses: Addresses::of(settings),
            port: settings.port,
            without_effect: options::without_effect(settings),
        }
    }
}

/// The system's time, since 1970.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

impl Process {
    /// The process, and the word that it is to end.
    pub(crate) fn new(settings: &Settings, log: Log, mover: Mover) -> (Process, watch::Receiver<bool>) {
        let (stop, stopped) = watch::channel(false);
        let process = Process {
            started: Instant::now(),
            epoch_millis: AtomicI64::new(0),
            stop,
            log,
            oom_score: OomScore::default(),
            mover,
            applied: Mutex::new(Applied::of(settings)),
        };
        if let Err(error) = process.oom_score.set(settings.oom_score_adj, settings.oom_score_adj_values) {
            tracing::warn!("The score for when memory is short cannot be adjusted: {error}");
        }
        process.follow_clock();
        (process, stopped)
    }

    /// Follows the system's clock: one reading of the steady clock serves for both, so the offset is renewed now and then.
    pub(crate) fn follow_clock(&self) {
        let now = since_epoch().as_millis() as i64;
        self.epoch_millis.store(now - self.started.elapsed().as_millis() as i64, Ordering::Relaxed);
    }

    /// The log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Takes over what differs. Addresses come last, because moving to them undoes itself when it fails.
    fn follow(&self, applied: &Applied, settings: &mut Settings) -> Result<(), String> {
        if settings.dir != applied.dir {
            settings.dir = enter(&settings.dir).map_err(|reason| refused("dir", reason))?;
        }
        let (mode, values) = (settings.oom_score_adj, settings.oom_score_adj_values);
        if (mode, values) != applied.oom_score {
            self.oom_score.set(mode, values).map_err(|error| {
                tracing::warn!("The score for when memory is short cannot be adjusted: {error}");
                refused(
                    "oom-score-adj",
                    "Failed to apply new oom_score_adj configuration, check server logs.",
                )
            })?;
        }
        let addresses = Addresses::of(settings);
        if addresses != applied.addresses {
            let (name, reason) = if settings.port != applied.port {
                ("port", "Unable to listen on this port. Check server logs.")
            } else if settings.bind != applied.addresses.hosts {
                ("bind", "Failed to bind to specified addresses.")
            } else {
                ("memcached-port", "Unable to listen on this port. Check server logs.")
            };
            self.mover.listen(addresses).map_err(|_| refused(name, reason))?;
        }
        Ok(())
    }
}

impl Host for Process {
    fn time(&self) -> Time {
        let elapsed = self.started.elapsed();
        let now = UnixMillis(self.epoch_millis.load(Ordering::Relaxed) + elapsed.as_millis() as i64);
        Time { now, nanos: elapsed.as_nanos() as u64 }
    }

    fn unix_micros(&self) -> i64 {
        i64::try_from(since_epoch().as_micros()).unwrap_or(i64::MAX)
    }

    fn shut_down(&self) {
        self.stop.send_replace(true);
    }

    fn apply(&self, settings: &mut Settings) -> Result<(), String> {
        open_files::make_room(settings.maxclients, worker::count(settings)).map_err(|room| {
            let text = format!(
                "The operating system is not able to handle the specified number of clients, try with {room}"
            );
            refused("maxclients", text)
        })?;
        let mut applied = self.applied.lock();
        if let Err(refusal) = self.follow(&applied, settings) {
            // The way back was gone before.
            let _ = enter(&applied.dir);
            let _ = self.oom_score.set(applied.oom_score.0, applied.oom_score.1);
            return Err(refusal);
        }
        let before = std::mem::replace(&mut *applied, Applied::of(settings));
        if before.without_effect != applied.without_effect {
            options::warn_of_no_effect(settings);
        }
        self.log.follow(settings);
        crash::follow(settings);
        Ok(())
    }

    fn rewrite_file(&self, path: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), String> {
        rewrite(Path::new(path), change).map_err(|error| reason(&error))
    }

    fn used_memory(&self) -> u64 {
        memory::used()
    }

    fn used_memory_now(&self) -> u64 {
        memory::used_now()
    }

    fn peak_memory(&self) -> u64 {
        memory::peak()
    }

    fn resident_memory(&self) -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        pages * rustix::param::page_size() as u64
    }

    fn cpu_seconds(&self) -> (f64, f64) {
        processor::process_seconds_by_mode()
    }

    fn cpu_seconds_in_all(&self) -> f64 {
        processor::process_seconds()
    }

    fn worker_cpu_seconds(&self) -> Vec<f64> {
        processor::thread_seconds(worker::THREAD_NAME)
    }

    fn main_thread_cpu_seconds(&self) -> (f64, f64) {
        processor::main_thread_seconds()
    }

    fn purge_memory(&self) {
        memory::purge();
    }

    fn give_back_memory(&self, spans: usize) -> usize {
        memory::give_back_spans(spans)
    }

    fn machine_memory(&self) -> u64 {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    fn system(&self) -> String {
        let name = rustix::system::uname();
        let parts = [name.sysname(), name.release(), name.machine()];
        parts.map(std::ffi::CStr::to_string_lossy).join(" ")
    }

    fn log(&self, line: &str) {
        tracing::warn!("{line}");
    }

    fn notice(&self, line: &str) {
        tracing::info!("{line}");
    }

    fn sleep_until(&self, until: UnixMillis) {
        let millis = until.0.saturating_sub(self.time().now.0);
        std::thread::sleep(Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
    }
}

/// What CONFIG SET says of a setting that the system does not permit.
fn refused(name: &str, reason: impl std::fmt::Display) -> String {
    format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

/// Makes a directory the one in which relative paths begin, and returns its absolute path; or says why not.
pub(crate) fn enter(dir: &str) -> Result<String, String> {
    std::env::set_current_dir(dir).map_err(|error| reason(&error))?;
    let entered = std::env::current_dir().map_err(|error| reason(&error))?;
    Ok(entered.display().to_string())
}

/// The new file is written beside the old one, with its permissions, and takes its name when it is on disk. A file that is not
/// there counts as empty.
fn rewrite(path: &Path, change: &dyn Fn(&[u8]) -> Vec<u8>) -> io::Result<()> {
    let (old, permissions) = match fs::read(path) {
        Ok(bytes) => (bytes, Some(fs::metadata(path)?.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => return Err(error),
    };
    let mut file =
        tempfile::Builder::new().prefix(".larder-").suffix(".conf").tempfile_in(directory_of(path))?;
    file.write_all(&change(&old))?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    replace(path, file)
}
