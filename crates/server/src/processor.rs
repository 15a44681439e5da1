//! Processor time, as the kernel counts it.

use std::fs;

/// Used by the whole process, in seconds.
pub(crate) fn process_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// The same in system mode and in user mode.
pub(crate) fn process_seconds_by_mode() -> (f64, f64) {
    divided(process_seconds(), &read("/proc/self/stat"))
}

/// The same of the main thread alone.
pub(crate) fn main_thread_seconds() -> (f64, f64) {
    // Its number is the process's.
    let folder = format!("/proc/self/task/{}", std::process::id());
    let stat = read(&format!("{folder}/stat"));
    divided(seconds(&read(&format!("{folder}/schedstat")), &stat), &stat)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// An exact sum, divided into system and user mode as a file `stat` tells, which counts in hundredths of a second.
fn divided(sum: f64, stat: &str) -> (f64, f64) {
    let (user, system) = ticks(stat);
    let system = if system > 0.0 { sum * system / (system + user) } else { 0.0 };
    (system, sum - system)
}

/// Used by each of the threads with this name and a number behind it, in the order of the numbers.
pub(crate) fn thread_seconds(name: &str) -> Vec<f64> {
    let mut threads: Vec<(usize, f64)> = Vec::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let number = read("comm").trim().strip_prefix(name).and_then(|number| number.parse().ok());
        if let Some(number) = number {
            threads.push((number, seconds(&read("schedstat"), &read("stat"))));
        }
    }
    threads.sort_by_key(|(number, _)| *number);
    threads.into_iter().map(|(_, seconds)| seconds).collect()
}

/// `schedstat` begins with nanoseconds, but not every kernel has it; `stat` counts in hundredths of a second.
fn seconds(schedstat: &str, stat: &str) -> f64 {
    match schedstat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()) {
        Some(nanos) => nanos / 1e9,
        None => {
            let (user, system) = ticks(stat);
            (user + system) / rustix::param::clock_ticks_per_second() as f64
        }
    }
}

/// The ticks in user and in system mode of a file `stat`.
fn ticks(stat: &str) -> (f64, f64) {
    // The name in parentheses may hold anything; the fields count from behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut ticks = fields.split_whitespace().skip(11).map(|ticks| ticks.parse().unwrap_or(0.0));
    (ticks.next().unwrap_or(0.0), ticks.next().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_understood() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 1 0 9 9 9";
        assert_eq!(ticks(stat), (250.0, 50.0));
        assert_eq!(seconds("1500000000 7 3\n", stat), 1.5);
        assert_eq!(divided(6.0, stat), (1.0, 5.0));
        assert_eq!(divided(6.0, ""), (0.0, 6.0));
        assert_eq!(seconds("", stat), 300.0 / rustix::param::clock_ticks_per_second() as f64);
    }

    #[test]
    fn both_modes_together_are_all() {
        let before = process_seconds();
        let (system, user) = process_seconds_by_mode();
        assert!(before > 0.0 && (before..=process_seconds()).contains(&(system + user)));
    }

    #[test]
    fn threads_are_found_by_name_and_number() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Arc::new(parking_lot::Mutex::new(held));
        let threads: Vec<_> = (0..12)
            .map(|number| {
                let held = std::sync::Arc::clone(&held);
                let waits = move || assert!(held.lock().recv().is_err(), "nothing is sent");
                std::thread::Builder::new().name(format!("numbered-{number}")).spawn(waits).expect("a thread")
            })
            .collect();
        // A thread gives itself its name.
        while thread_seconds("numbered-").len() < threads.len() {
            std::thread::yield_now();
        }
        assert_eq!(thread_seconds("no such thread"), Vec::<f64>::new());
        drop(release);
        threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    }
}
