//! A folder of scripts, run on every peer there is.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use larder_resp::Protocol;

use super::parse::{Script, ScriptError};
use super::run::{Failure, run};
use crate::peer::{InProcess, Peer, PeerError};
use crate::redis::RedisServer;

/// redis-servers run side by side: scripts that let time pass sleep there.
const SERVERS: usize = 4;

/// What running a folder of scripts amounted to.
#[derive(Debug, Default)]
pub struct Report {
    /// Scripts run.
    pub scripts: usize,
    /// Requests sent, over both protocols.
    pub requests: usize,
    /// What went wrong.
    pub failures: Vec<String>,
    /// Scripts rewritten.
    pub rewritten: Vec<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} scripts, {} requests, {} failures", self.scripts, self.requests, self.failures.len())?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n{failure}"))?;
        self.rewritten.iter().try_for_each(|path| write!(f, "\nrewritten: {}", path.display()))
    }
}

impl Report {
    /// The report of a run without failures.
    ///
    /// # Panics
    /// There are failures, or nothing was run.
    pub fn expect_success(self) -> Report {
        assert!(self.failures.is_empty(), "{self}");
        assert!(self.scripts > 0, "no script was run");
        self
    }
}

/// Runs every script of a folder on a node in process. With `REWRITE=1` in the environment what comes back is written into the
/// scripts; `SCRIPT=part-of-a-path` runs some of them only.
///
/// # Errors
/// The folder cannot be read.
pub fn check_in_process(folder: &Path) -> Result<Report, ScriptError> {
    let rewrites = wants_rewriting("1");
    let mut report = Report::default();
    for path in scripts_in(folder)?.into_iter().filter(|path| is_selected(path)) {
        check(&path, &mut InProcess::default(), rewrites, &mut report);
    }
    Ok(report)
}

/// Runs every script of a folder on redis-server; `None` when it is not installed. With `REWRITE=redis` what comes back is
/// written into the scripts.
///
/// # Errors
/// The folder cannot be read, or redis-server does not start.
pub fn check_redis(folder: &Path) -> Result<Option<Report>, Box<dyn std::error::Error + Send + Sync>> {
    let rewrites = wants_rewriting("redis");
    let scripts: Vec<PathBuf> = scripts_in(folder)?.into_iter().filter(|path| is_selected(path)).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Option<Report>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(mut server) = RedisServer::start()? else { return Ok(None) };
        let mut report = Report::default();
        while let Some(path) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(path, &mut server, rewrites, &mut report);
        }
        Ok(Some(report))
    };
    let reports: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..SERVERS.min(scripts.len())).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(PeerError("a panic".to_owned()).into())))
            .collect()
    });
    let mut total: Option<Report> = None;
    for report in reports {
        let Some(report) = report? else { return Ok(None) };
        total = Some(total.unwrap_or_default().and(report));
    }
    Ok(total)
}

/// The scripts of a folder: `<folder>/<family>/<command>.txt`, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn scripts_in(folder: &Path) -> Result<Vec<PathBuf>, ScriptError> {
    let mut scripts = Vec::new();
    for family in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        scripts.extend(
            entries(&family)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "txt")),
        );
    }
    scripts.sort();
    Ok(scripts)
}

/// Reads a script.
pub(super) fn read(path: &Path) -> Result<Script, ScriptError> {
    Script::parse(path, &fs::read_to_string(path).map_err(|error| unreadable(path, &error))?)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ScriptError> {
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(|error| unreadable(folder, &error))).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> ScriptError {
    ScriptError { place: path.display().to_string(), problem: error.to_string() }
}

fn wants_rewriting(by: &str) -> bool {
    std::env::var("REWRITE").is_ok_and(|value| value == by)
}

fn is_selected(path: &Path) -> bool {
    std::env::var("SCRIPT").map_or(true, |part| path.to_string_lossy().contains(&part))
}

/// Runs one script in both protocols; RESP3 first, because replies are written as it has them.
fn check(path: &Path, peer: &mut dyn Peer, rewrites: bool, report: &mut Report) {
    report.scripts += 1;
    for protocol in [Protocol::Resp3, Protocol::Resp2] {
        if let Err(error) = check_in(protocol, path, peer, rewrites, report) {
            // Others can still be read.
            report.failures.push(error.to_string());
            return;
        }
    }
}

fn check_in(
    protocol: Protocol,
    path: &Path,
    peer: &mut dyn Peer,
    rewrites: bool,
    report: &mut Report,
) -> Result<(), ScriptError> {
    let script = read(path)?;
    let mut progress = run(&script, peer, protocol);
    report.requests += progress.requests;
    if rewrites && rewrite(&script, protocol, &mut progress.failures)? {
        report.rewritten.push(path.to_owned());
    }
    report.failures.extend(progress.failures.iter().map(ToString::to_string));
    Ok(())
}

/// Puts what came back in place of what was expected, and says whether anything was. In RESP2 only where RESP3 does not run.
fn rewrite(script: &Script, protocol: Protocol, failures: &mut Vec<Failure>) -> Result<bool, ScriptError> {
    let mut lines = script.lines.clone();
    let is_of_resp2 = |place: usize| {
        let mut steps = script.steps.iter().rev();
        steps.find(|step| step.line <= place).is_some_and(|step| step.condition.protocol.is_some())
    };
    let before = failures.len();
    failures.reverse();
    failures.retain_mut(|failure| match failure.correction.take() {
        Some((place, replies)) if protocol == Protocol::Resp3 || is_of_resp2(place.start) => {
            lines.splice(place, replies);
            false
        }
        _ => true,
    });
    failures.reverse();
    let any = failures.len() < before;
    if any {
        let text = lines.join("\n") + "\n";
        fs::write(&script.path, text).map_err(|error| unreadable(&script.path, &error))?;
    }
    Ok(any)
}

impl Report {
    fn and(mut self, other: Report) -> Report {
        self.scripts += other.scripts;
        self.requests += other.requests;
        self.failures.extend(other.failures);
        self.rewritten.extend(other.rewritten);
        self
    }
}
