//! What the kernel says of a process and of the machine: CPU time and memory, read from `/proc`.
//!
//! CPU time per command comes from the scheduler's own run time (nanoseconds, summed over threads); the
//! tick-based user and system times (10 ms steps) only say how that time divides. A thread that ended takes its
//! scheduler time along, so servers must not end threads during a measurement; none of the peers does.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// CPU time a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CpuTime {
    /// The scheduler's run time, all threads.
    pub(crate) run: Duration,
    /// In user mode, by ticks.
    pub(crate) user: Duration,
    /// In the kernel, by ticks.
    pub(crate) system: Duration,
}

impl CpuTime {
    /// What process `pid` has used up to now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        let (user, system) = ticks(&stat, 11).context("/proc/PID/stat lacks its time fields")?;
        let mut run = Duration::ZERO;
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread that ends between the listing and the read is none we can account for.
            let Ok(line) = fs::read_to_string(entry?.path().join("schedstat")) else { continue };
            let nanoseconds = line.split(' ').next().and_then(|field| field.parse().ok());
            run += Duration::from_nanos(nanoseconds.context("schedstat holds no number")?);
        }
        ensure!(!run.is_zero(), "this kernel keeps no scheduler statistics (/proc/PID/schedstat is empty)");
        Ok(Self { run, user, system })
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            run: self.run.saturating_sub(earlier.run),
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// CPU time of the calling thread.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// CPU time of the children that have ended and been waited for.
pub(crate) fn children_time() -> Result<Duration> {
    let (user, system) = ticks(&read("/proc/self/stat")?, 13).context("/proc/self/stat is short")?;
    Ok(user + system)
}

/// CPU time the whole machine has spent on anything, the hypervisor's theft included.
pub(crate) fn machine_time() -> Result<Duration> {
    busy_ticks(&read("/proc/stat")?).map(from_ticks).context("/proc/stat has no cpu line")
}

/// Memory a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident set size.
    pub(crate) rss_bytes: u64,
    /// Proportional set size: pages shared with others counted in part.
    pub(crate) pss_bytes: u64,
}

impl Memory {
    /// What process `pid` holds now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let rollup = read(&format!("/proc/{pid}/smaps_rollup"))?;
        let field = |name| kibibytes(&rollup, name).with_context(|| format!("smaps_rollup has no {name}"));
        Ok(Self { rss_bytes: field("Rss:")? * 1024, pss_bytes: field("Pss:")? * 1024 })
    }
}

/// Binds the calling thread, and the threads it will start, to one CPU.
pub(crate) fn pin_to_cpu(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("CPU {cpu} cannot be used"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

/// Two neighbouring tick counters of a stat line, counted from the state field, which follows the name.
fn ticks(stat: &str, first: usize) -> Option<(Duration, Duration)> {
    let after_name = &stat[stat.rfind(')')? + 2..];
    let mut fields = after_name.split(' ').skip(first);
    let mut next = || fields.next()?.parse().ok().map(from_ticks);
    Some((next()?, next()?))
}

/// Linux fixes the tick at 10 ms wherever it shows it to programs.
fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(10 * ticks)
}

/// user, nice, system, irq, softirq and steal of the first line of /proc/stat: all but idle and iowait.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some(fields.get(0..3)?.iter().sum::<u64>() + fields.get(5..8)?.iter().sum::<u64>())
}

fn kibibytes(rollup: &str, name: &str) -> Option<u64> {
    rollup.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "12 (odd) name) S 1 2 3 4 5 6 7 8 9 10 150 25 7 8 20 0";
        let time = |milliseconds| Duration::from_millis(milliseconds);
        assert_eq!(ticks(stat, 11), Some((time(1500), time(250))));
        assert_eq!(ticks(stat, 13), Some((time(70), time(80))));
        assert_eq!(ticks("12 (short) S 1 2", 11), None);
    }

    #[test]
    fn busy_time_leaves_out_idle_and_waiting() {
        let stat = "cpu  1 2 4 1000 2000 8 16 32 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy_ticks(stat), Some(63));
    }

    #[test]
    fn rollup_fields_are_found_by_their_whole_name() {
        let rollup =
            "Rss:                4096 kB\nPss_Dirty:             1 kB\nPss:                2048 kB\n";
        assert_eq!(kibibytes(rollup, "Pss:"), Some(2048));
        assert_eq!(kibibytes(rollup, "Swap:"), None);
    }

    #[test]
    fn our_own_process_can_be_read() {
        let pid = std::process::id();
        let before = CpuTime::of(pid).unwrap();
        let until = thread_time() + Duration::from_millis(30);
        while thread_time() < until {}
        let used = CpuTime::of(pid).unwrap().since(before);
        assert!(used.run >= Duration::from_millis(25), "{used:?}");
        let memory = Memory::of(pid).unwrap();
        assert!(memory.rss_bytes >= memory.pss_bytes && memory.pss_bytes > 0);
    }
}
