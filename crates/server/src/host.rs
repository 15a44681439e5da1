//! What the engine asks of the process: clocks, memory, the end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use larder_config::Settings;
use larder_engine::{Host, Time};
use larder_store::UnixMillis;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::log::Log;
use crate::{memory, open_files};

/// The process, as the engine sees it.
#[derive(Debug)]
pub(crate) struct Process {
    started: Instant,
    /// Milliseconds since 1970 at `started`, moved when the system's clock is set.
    epoch_millis: AtomicI64,
    stop: watch::Sender<bool>,
    log: Log,
    /// The directory of the settings in force.
    dir: Mutex<String>,
}

impl Process {
    /// The process, and the word that it is to end.
    pub(crate) fn new(settings: &Settings, log: Log) -> (Process, watch::Receiver<bool>) {
        let (stop, stopped) = watch::channel(false);
        let process = Process {
            started: Instant::now(),
            epoch_millis: AtomicI64::new(0),
            stop,
            log,
            dir: Mutex::new(settings.dir.clone()),
        };
        process.follow_clock();
        (process, stopped)
    }

    /// Follows the system's clock: one reading of the steady clock serves for both, so the offset is renewed now and then.
    pub(crate) fn follow_clock(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as i64;
        self.epoch_millis.store(now - self.started.elapsed().as_millis() as i64, Ordering::Relaxed);
    }
}

impl Host for Process {
    fn time(&self) -> Time {
        let elapsed = self.started.elapsed();
        let now = UnixMillis(self.epoch_millis.load(Ordering::Relaxed) + elapsed.as_millis() as i64);
        Time { now, nanos: elapsed.as_nanos() as u64 }
    }

    fn unix_micros(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    fn shut_down(&self) {
        self.stop.send_replace(true);
    }

    fn apply(&self, settings: &Settings) -> Result<(), String> {
        let mut dir = self.dir.lock();
        if *dir != settings.dir {
            let found = std::fs::read_dir(&settings.dir).map_err(|error| refused("dir", reason(&error)))?;
            drop(found);
        }
        open_files::make_room(settings.maxclients).map_err(|room| {
            let text = format!(
                "The operating system is not able to handle the specified number of clients, try with {room}"
            );
            refused("maxclients", text)
        })?;
        self.log.set_level(settings.loglevel);
        dir.clone_from(&settings.dir);
        Ok(())
    }

    fn used_memory(&self) -> u64 {
        memory::used()
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
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        cpu_seconds("/proc/self/stat", spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9)
    }

    fn main_thread_cpu_seconds(&self) -> (f64, f64) {
        // Its number is the process's.
        let folder = format!("/proc/self/task/{}", std::process::id());
        let schedule = std::fs::read_to_string(format!("{folder}/schedstat")).unwrap_or_default();
        let nanos: f64 = schedule.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0.0);
        cpu_seconds(&format!("{folder}/stat"), nanos / 1e9)
    }

    fn purge_memory(&self) {
        memory::purge();
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
}

/// Processor time, system and user: the exact sum, in parts as a file of the kernel's tells them, in hundredths of a second.
fn cpu_seconds(path: &str, sum: f64) -> (f64, f64) {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    // The name in parentheses may hold anything; the fields count from behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut ticks = fields.split_whitespace().skip(11).map(|ticks| ticks.parse().unwrap_or(0.0));
    let (user, system): (f64, f64) = (ticks.next().unwrap_or(0.0), ticks.next().unwrap_or(0.0));
    let system = if system > 0.0 { sum * system / (system + user) } else { 0.0 };
    (system, sum - system)
}

/// What CONFIG SET says of a setting that the system does not permit.
fn refused(name: &str, reason: impl std::fmt::Display) -> String {
    format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

/// The system's own words, without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
