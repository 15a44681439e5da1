//! From settings to a serving process, and back.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use larder_config::{Settings, Use};
use larder_engine::{CommandTable, Identity, Node};
use larder_store::{Garbage, Keyspace};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use crate::acceptor::{self, Acceptor};
use crate::driver::ring::Ring;
use crate::host::{self, Process};
use crate::http::{self, Watched};
use crate::listener::Dealer;
use crate::log::Log;
use crate::memory::{self, Pages};
use crate::options::{self, Start};
use crate::signals::Signals;
use crate::supervision::{Supervision, become_user};
use crate::worker::NewConnection;
use crate::{append_log, auth_file, background, bind, crash, open_files, snapshot, worker};

/// How often the offset between the steady clock and the time of day is renewed, and slow upkeep is done.
const UPKEEP: Duration = Duration::from_millis(100);
/// How often the log is told how far loading is, in milliseconds.
const LOADING_LINE: i64 = 5000;

/// Serves until a signal or SHUTDOWN ends it.
pub(crate) fn serve(mut start: Start) -> io::Result<()> {
    // Before there is a log, only standard error can say why there is none.
    let log = begin_log(&mut start).inspect_err(|error| options::complain(&error.to_string()))?;
    // While there is one thread.
    let supervision = Supervision::begin(&start.settings).map_err(io::Error::other)?;
    supervision.write_pid_file();
    let served = serve_supervised(start, log, &supervision);
    supervision.end();
    served.inspect(|()| tracing::warn!("Larder is now ready to exit, bye bye..."))
}

/// Becomes another user if that is wanted, enters the directory that is to be worked in, and begins the log.
fn begin_log(start: &mut Start) -> io::Result<Log> {
    if let Some(user) = &start.user {
        become_user(user).map_err(io::Error::other)?;
    }
    let settings = &mut start.settings;
    settings.dir = host::enter(&settings.dir).map_err(io::Error::other)?;
    let log = Log::start(settings)?;
    crash::follow(settings);
    crash::report_panics();
    Ok(log)
}

fn serve_supervised(start: Start, log: Log, supervision: &Supervision) -> io::Result<()> {
    let Start { settings, unsaid, config_file, commands, .. } = start;
    memory::use_pages(if settings.disable_thp { Pages::Small } else { Pages::Huge })?;
    let settings = with_room_for_clients(settings);
    let rings = rings(settings.io_uring, worker::count(&settings))?;
    let (mover, moves) = acceptor::mover();
    let (process, stopped) = Process::new(&settings, log, mover);
    let process = Arc::new(process);
    let multiplexing_api = if rings.is_empty() { "epoll" } else { "io_uring" };
    let identity = identity(&process, config_file, unsaid, multiplexing_api, supervision.name())?;
    let node = node(&settings, commands, identity, Arc::clone(&process))?;
    auth_file::read(&settings, &node)?;
    node.note_startup_memory();
    // Before there is anybody who could ask for keys.
    node.loading.begin(node.host.time().now);
    let (workers, threads) = start_workers(&node, rings)?;
    let watched = Watched::new(Arc::clone(&node));
    http::start(bind::http(&settings)?, Arc::clone(&watched))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ended, log) = runtime.block_on(async {
        // Before anybody is told that the server is ready, and may send one.
        let mut signals = Signals::listen()?;
        let acceptor = Acceptor::bind(&settings, Dealer::new(Arc::clone(&node), workers), moves)?;
        greet(&process, &settings, acceptor.dealer());
        let ready = || {
            announce(&settings);
            watched.ready();
            supervision.ready();
        };
        let log = run(acceptor, &process, stopped, &mut signals, ready).await?;
        tracing::info!("User requested shutdown...");
        watched.stopping();
        supervision.stopping();
        Ok::<_, io::Error>((end(threads, &mut signals).await?, log))
    })?;
    if let Some(log) = log {
        log.finish();
    }
    if ended == Ended::Insisted {
        tracing::warn!("You insist... exiting now.");
        std::process::exit(1);
    }
    snapshot::give_up(&node);
    for path in
        [&settings.unixsocket, &settings.memcached_unixsocket].into_iter().filter(|path| !path.is_empty())
    {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn node(
    settings: &Settings,
    commands: CommandTable,
    identity: Identity,
    process: Arc<Process>,
) -> io::Result<Arc<Node>> {
    let (keyspace, garbage) = Keyspace::new(settings.databases as usize, random_u64()?);
    free_in_background(garbage)?;
    let workers = worker::count(settings);
    let node = Node::new(keyspace, commands, settings.clone(), identity, workers, Box::new(process));
    Ok(Arc::new(node))
}

/// Where a worker is handed its connections.
type Entrance = UnboundedSender<NewConnection>;

/// A thread for each worker, with its ring if there are any.
fn start_workers(node: &Arc<Node>, rings: Vec<Ring>) -> io::Result<(Vec<Entrance>, Vec<JoinHandle<()>>)> {
    let (mut senders, mut threads, mut rings) = (Vec::new(), Vec::new(), rings.into_iter());
    for index in 0..node.workers() {
        let (sender, thread) = worker::start(Arc::clone(node), index, random_u64()?, rings.next())?;
        senders.push(sender);
        threads.push(thread);
    }
    Ok((senders, threads))
}

/// Reads what is on disk, and begins to write: the one place in which a process comes to its keys. Clients are told meanwhile that it
/// does.
fn load(node: &Arc<Node>) -> io::Result<Arc<append_log::Log>> {
    let files = append_log::load(node)?;
    let begins_log = node.settings().appendonly && files.is_none();
    let log = append_log::Log::start(node, files)?;
    snapshot::start(node, &log)?;
    if begins_log {
        log.begin()?;
    }
    node.loading.end();
    Ok(log)
}

/// Loads on a thread of its own, which is not waited for when the process is to end first. Tells the log how far it is.
async fn loaded(node: &Arc<Node>, process: &Process) -> io::Result<Arc<append_log::Log>> {
    let (sender, mut receiver) = oneshot::channel();
    let loading = Arc::clone(node);
    background::spawn("load", move || {
        // Nobody waits for it when the process ends.
        let _ = sender.send(load(&loading));
    })?;
    let mut next_line = LOADING_LINE;
    loop {
        tokio::select! {
            loaded = &mut receiver => return loaded.map_err(io::Error::other)?,
            () = tokio::time::sleep(UPKEEP) => process.follow_clock(),
        }
        let now = node.host.time().now;
        let Some(report) = node.loading.report(now) else { continue };
        if now.saturating_millis_since(report.began_at) >= next_line {
            next_line += LOADING_LINE;
            let (percent, mib, eta) = (report.percent, report.loaded_bytes >> 20, report.eta_seconds);
            tracing::info!("Loading: {percent:.2} percent, {mib} MiB read, about {eta} seconds left");
        }
    }
}

/// Accepts connections until the process is to end; calls `ready` when keys are served. Returns the append log, if it came so far.
/// Dropping the dealer, which goes with the acceptor, ends the workers.
async fn run(
    acceptor: Acceptor,
    process: &Process,
    mut stopped: watch::Receiver<bool>,
    signals: &mut Signals,
    ready: impl FnOnce(),
) -> io::Result<Option<Arc<append_log::Log>>> {
    let mut log = None;
    let node = Arc::clone(&acceptor.dealer().node);
    let serve = async {
        log = Some(loaded(&node, process).await?);
        ready();
        Ok::<Infallible, io::Error>(upkeep(&node, process).await)
    };
    tokio::select! {
        () = acceptor.run() => {}
        failed = serve => match failed? {},
        () = end_by_signal(&node, signals) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    Ok(log)
}

/// Does what is to be done regularly.
async fn upkeep(node: &Node, process: &Process) -> Infallible {
    loop {
        process.follow_clock();
        if !node.upkeep_paused.load(Ordering::Relaxed) {
            node.disconnect_idle();
            node.sample_rates();
            node.follow_fragmentation();
            node.ask_for_due_snapshot();
            node.ask_for_due_rewrite();
        }
        tokio::time::sleep(UPKEEP).await;
    }
}

/// Waits for a signal by which the process ends: one that asks for it when the last snapshot cannot be made is not heeded.
async fn end_by_signal(node: &Node, signals: &mut Signals) {
    loop {
        signals.next(|| auth_file::read_again(node)).await;
        let ends = tokio::select! {
            is_made = snapshot::make_last(node) => is_made,
            // Who does not want to wait, as below.
            () = signals.insist() => true,
        };
        if ends {
            return;
        }
        tracing::warn!(
            "SIGTERM received but errors trying to shut down the server, check the logs for more information"
        );
    }
}

/// How the workers ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// When they were done.
    Orderly,
    /// Not at all: somebody did not want to wait.
    Insisted,
}

/// Waits for the workers to come to their end, unless somebody insists on an end at once.
async fn end(threads: Vec<JoinHandle<()>>, signals: &mut Signals) -> io::Result<Ended> {
    let all = tokio::task::spawn_blocking(|| {
        for thread in threads {
            // A worker's panic has ended the process already.
            let _ = thread.join();
        }
    });
    tokio::select! {
        ended = all => ended.map(|()| Ended::Orderly).map_err(io::Error::other),
        () = signals.insist() => Ok(Ended::Insisted),
    }
}

/// What is worth knowing at the start. Tools wait for some of these lines, which are Redis's.
fn greet(process: &Process, settings: &Settings, dealer: &Dealer) {
    let (workers, multiplexing_api) = (dealer.workers.len(), dealer.node.identity.multiplexing_api);
    tracing::info!("Larder {} starting, PID: {}", env!("CARGO_PKG_VERSION"), std::process::id());
    tracing::info!(
        "Serving clients by {multiplexing_api}, {workers} workers, {} databases",
        settings.databases
    );
    process.log().greet(settings, multiplexing_api, workers);
    tracing::info!("Running mode=standalone, port={}.", settings.port);
    options::warn_of_no_effect(settings);
    bind::check_backlog(settings);
    tracing::info!("Server initialized");
}

/// Says that clients are served.
fn announce(settings: &Settings) {
    for (served, name) in [
        (settings.port != 0, "tcp"),
        (!settings.unixsocket.is_empty(), "unix"),
        (settings.memcached_port != 0, "memcached"),
        (!settings.memcached_unixsocket.is_empty(), "memcached, unix"),
    ] {
        if served {
            tracing::info!("Ready to accept connections {name}");
        }
    }
}

/// Frees what takes long on a thread of its own.
fn free_in_background(garbage: Receiver<Garbage>) -> io::Result<()> {
    background::spawn("free", move || garbage.into_iter().for_each(drop)).map(drop)
}

/// As Redis does: where the system does not permit as many files, fewer clients are served.
fn with_room_for_clients(settings: Settings) -> Settings {
    match open_files::make_room(settings.maxclients, worker::count(&settings)) {
        Ok(()) => settings,
        Err(room) => {
            let maxclients = u32::try_from(room.max(1)).unwrap_or(u32::MAX);
            tracing::warn!("The system permits too few open files: maxclients is {maxclients}");
            Settings { maxclients, ..settings }
        }
    }
}

/// A ring for each worker, or none when epoll is to be used.
fn rings(wanted: Use, workers: usize) -> io::Result<Vec<Ring>> {
    if wanted == Use::No {
        return Ok(Vec::new());
    }
    match Ring::probe().and_then(|()| (0..workers).map(|_| Ring::new()).collect()) {
        Ok(rings) => Ok(rings),
        Err(error) if wanted == Use::Yes => {
            let text = format!("io_uring is not to be had here, and 'io-uring yes' asks for it: {error}");
            Err(io::Error::new(error.kind(), text))
        }
        Err(error) => {
            tracing::info!("io_uring is not to be had here ({error}): clients are served by epoll");
            Ok(Vec::new())
        }
    }
}

fn identity(
    process: &Process,
    config_file: String,
    unsaid: Settings,
    multiplexing_api: &'static str,
    supervised: &'static str,
) -> io::Result<Identity> {
    let mut id = [0; 20];
    fill_random(&mut id)?;
    let path = |path: io::Result<std::path::PathBuf>| {
        path.map(|path| path.display().to_string()).unwrap_or_default()
    };
    Ok(Identity {
        run_id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
        started_at: larder_engine::Host::time(process).now,
        process_id: std::process::id(),
        executable: path(std::env::current_exe()),
        config_file,
        unsaid,
        multiplexing_api,
        supervised,
    })
}

fn random_u64() -> io::Result<u64> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[test]
    fn a_second_sigint_does_not_wait_for_a_worker() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (release, held) = std::sync::mpsc::channel::<()>();
        let worker = thread::spawn(move || assert!(held.recv().is_err(), "nothing is sent"));
        let ended = runtime.block_on(async {
            let mut signals = Signals::listen()?;
            kill_process(getpid(), Signal::INT)?;
            end(vec![worker], &mut signals).await
        });
        assert_eq!(ended.expect("signals"), Ended::Insisted);
        drop(release);
    }

    #[test]
    fn workers_end_when_they_are_done() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ended =
            runtime.block_on(async { end(vec![thread::spawn(|| {})], &mut Signals::listen()?).await });
        // The other test's signal reaches every listener of the process.
        assert!(ended.is_ok());
    }
}
