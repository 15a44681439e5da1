//! `load` from end to end, on tiny data, against the redis-server that is installed.
//!
//! Without one on PATH, or with a single CPU, there is nothing to drive and the tests say so.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long something may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn Error>>;

/// Whether the comparison can run here.
fn can_run() -> bool {
    let has_redis = Command::new("redis-server").arg("--version").output().is_ok();
    let has_cpus = std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1);
    if !(has_redis && has_cpus) {
        let _ = writeln!(std::io::stderr(), "skipped: redis-server and two CPUs are needed");
    }
    has_redis && has_cpus
}

fn load(arguments: &[&str], out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command
        .args(arguments)
        .args(["--only", "redis", "--light-only", "--out"])
        .arg(out)
        .stderr(Stdio::piped());
    command
}

/// Process ids of the children of process `parent`.
fn children(parent: u32) -> Result<Vec<u32>, Box<dyn Error>> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    Ok(list.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

#[test]
fn a_quick_run_reports_what_it_measured() -> Outcome {
    if !can_run() {
        return Ok(());
    }
    let out = tempfile::tempdir()?;
    let ended = load(&["--quick", "get-set", "memory"], out.path()).output()?;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));

    let results: Value = serde_json::from_slice(&fs::read(out.path().join("results.json"))?)?;
    let cells = results["cpu"].as_array().ok_or("no cells")?;
    assert_eq!(cells.len(), 2, "two rounds of one work on one server");
    for cell in cells {
        let operations = cell["operations"].as_u64().ok_or("no operations")?;
        let cpu_seconds = cell["server_run_seconds"].as_f64().ok_or("no CPU time")?;
        // What they amount to is the machine's affair.
        assert!(operations > 0 && cpu_seconds > 0.0, "{operations} operations in {cpu_seconds} s");
        assert!(cell["latency"]["p50_us"].as_f64().ok_or("no latency")? > 0.0);
    }
    let memory = results["memory"].as_array().ok_or("no memory")?;
    assert_eq!(memory.len(), 4, "four kinds of keys");

    let report = fs::read_to_string(out.path().join("report.md"))?;
    assert!(report.contains("### get-set\n") && report.contains("| redis | "), "{report}");
    assert!(!report.contains("Not measured"), "{report}");
    assert!(fs::read_to_string(out.path().join("cpu.svg"))?.contains("redis"));
    Ok(())
}

#[test]
fn an_interrupted_run_keeps_its_results_and_leaves_no_server() -> Outcome {
    if !can_run() {
        return Ok(());
    }
    let out = tempfile::tempdir()?;
    let mut run = load(&["--seconds", "60", "--scale", "0.01", "get-set"], out.path()).spawn()?;
    let server = wait_for_child(&mut run)?;
    sleep(Duration::from_millis(300));
    kill_process(Pid::from_child(&run), Signal::INT)?;
    let status = run.wait()?;
    assert!(!status.success(), "an interrupted run is no success");
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "server {server} was left behind");
    assert!(out.path().join("results.json").exists());
    Ok(())
}

#[test]
fn a_killed_run_leaves_no_server_either() -> Outcome {
    if !can_run() {
        return Ok(());
    }
    let out = tempfile::tempdir()?;
    let mut run = load(&["--seconds", "60", "--scale", "0.01", "get-set"], out.path()).spawn()?;
    let server = wait_for_child(&mut run)?;
    run.kill()?;
    run.wait()?;
    let deadline = Instant::now() + PATIENCE;
    while is_running(server) && Instant::now() < deadline {
        sleep(Duration::from_millis(10));
    }
    assert!(!is_running(server), "server {server} was left behind");
    Ok(())
}

/// Whether process `pid` is there and not merely waiting to be collected.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with('Z'))
}

/// The one server that a run has started, once it is a server and no longer the programs that wrap it.
fn wait_for_child(run: &mut Child) -> Result<u32, Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for child in children(run.id())? {
            if fs::read_to_string(format!("/proc/{child}/comm"))
                .is_ok_and(|name| name.starts_with("redis-server"))
            {
                return Ok(child);
            }
        }
        if run.try_wait()?.is_some() {
            return Err("the run ended by itself".into());
        }
        sleep(Duration::from_millis(10));
    }
    Err("no server was started".into())
}
