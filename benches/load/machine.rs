//! A description of the machine, for the head of a report.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// What a reader needs to know to judge a figure.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Machine {
    /// When the run began, UTC.
    pub(crate) started_at: String,
    /// The CPU's name.
    pub(crate) cpu: String,
    /// CPUs that can be used.
    pub(crate) cpus: usize,
    /// Last-level cache, as the kernel states it.
    pub(crate) cache: String,
    /// Memory.
    pub(crate) memory_mebibytes: u64,
    /// Whether a hypervisor is underneath.
    pub(crate) virtual_machine: bool,
    /// Kernel and its version.
    pub(crate) kernel: String,
    /// Load average when the run began: anything above a few hundredths disturbs it.
    pub(crate) load_average: String,
    /// TCP congestion control, transparent huge pages and clock source, which differ between machines.
    pub(crate) settings: String,
    /// The compilers found: Rust's built this program and Larder, C's most likely the peers.
    pub(crate) compilers: Vec<String>,
}

impl Machine {
    /// Describes this machine; what it does not tell stays empty.
    pub(crate) fn describe() -> Self {
        let cpuinfo = text("/proc/cpuinfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let kernel = rustix::system::uname();
        let release =
            [kernel.sysname(), kernel.release(), kernel.machine()].map(std::ffi::CStr::to_string_lossy);
        let total = text("/proc/meminfo").split_whitespace().nth(1).and_then(|number| number.parse().ok());
        Self {
            started_at: output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
            cpu: field("model name"),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            cache: text("/sys/devices/system/cpu/cpu0/cache/index3/size"),
            memory_mebibytes: total.unwrap_or(0_u64) / 1024,
            virtual_machine: cpuinfo.contains(" hypervisor"),
            kernel: release.join(" "),
            load_average: text("/proc/loadavg"),
            settings: format!(
                "congestion control {}, huge pages {}, clock source {}",
                text("/proc/sys/net/ipv4/tcp_congestion_control"),
                text("/sys/kernel/mm/transparent_hugepage/enabled"),
                text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            ),
            compilers: [output("rustc", &["--version"]), output("cc", &["--version"])]
                .into_iter()
                .filter(|version| !version.is_empty())
                .collect(),
        }
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The first line a program prints, or nothing.
fn output(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return String::new() };
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_its_cpu_and_kernel() {
        let machine = Machine::describe();
        assert!(machine.cpus > 0 && machine.memory_mebibytes > 0);
        assert!(machine.kernel.starts_with("Linux "), "{}", machine.kernel);
        assert_eq!(machine.started_at.len(), "2000-01-01T00:00:00Z".len(), "{}", machine.started_at);
    }
}
