//! From settings to a serving process, and back.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use larder_commands::command_table;
use larder_config::{Settings, Use};
use larder_engine::{Identity, Node};
use larder_store::{Garbage, Keyspace};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::driver::ring::Ring;
use crate::host::Process;
use crate::listener::{self, Dealer};
use crate::log::Log;
use crate::{auth_file, memory, open_files, options, worker};

/// How often the offset between the steady clock and the time of day is renewed, and slow upkeep is done.
const UPKEEP: Duration = Duration::from_millis(100);

/// Serves until a signal or SHUTDOWN ends it.
pub(crate) fn serve(settings: Settings, config_file: String) -> io::Result<()> {
    // Before there is a log, only standard error can say why there is none.
    let log = Log::start(&settings).inspect_err(|error| options::complain(&error.to_string()))?;
    choose_pages(&settings)?;
    let settings = with_room_for_clients(settings);
    let seed = random_u64()?;
    let (keyspace, garbage) = Keyspace::new(settings.databases as usize, seed);
    free_in_background(garbage)?;
    let workers = worker_count(&settings);
    let rings = rings(settings.io_uring, workers)?;
    let (process, stopped) = Process::new(&settings, log);
    let process = Arc::new(process);
    let multiplexing_api = if rings.is_empty() { "epoll" } else { "io_uring" };
    let identity = identity(&process, config_file, multiplexing_api)?;
    let node = Arc::new(Node::new(
        keyspace,
        command_table(),
        settings.clone(),
        identity,
        workers,
        Box::new(Arc::clone(&process)),
    ));
    auth_file::read(&settings, &node)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut senders, mut threads) = (Vec::new(), Vec::new());
    let mut rings = rings.into_iter();
    for index in 0..workers {
        let (sender, thread) = worker::start(Arc::clone(&node), index, random_u64()?, rings.next())?;
        senders.push(sender);
        threads.push(thread);
    }
    let dealer = Dealer::new(Arc::clone(&node), senders);
    runtime.block_on(run(&settings, dealer, &process, stopped))?;
    tracing::info!("User requested shutdown, leaving");
    for thread in threads {
        // A worker's panic has ended the process already.
        let _ = thread.join();
    }
    if !settings.unixsocket.is_empty() {
        let _ = std::fs::remove_file(&settings.unixsocket);
    }
    tracing::info!("Larder is now ready to exit, bye bye...");
    Ok(())
}

/// Accepts connections until the process is to end. Dropping the dealer ends the workers.
async fn run(
    settings: &Settings,
    dealer: Dealer,
    process: &Process,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    // Before anybody is told that the server is ready, and may send one.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    let listeners = listener::bind(settings)?;
    if listeners.is_empty() {
        return Err(io::Error::other("Configured to not listen anywhere, exiting."));
    }
    banner(settings, &dealer);
    dealer.node.note_startup_memory();
    let accepting = async {
        let mut tasks = Vec::new();
        for listener in &listeners {
            tasks.push(Box::pin(dealer.accept(listener)));
        }
        join_all(tasks).await;
    };
    let upkeep = async {
        loop {
            process.follow_clock();
            dealer.node.disconnect_idle();
            dealer.node.sample_rates();
            tokio::time::sleep(UPKEEP).await;
        }
    };
    let rereading = async {
        while hang_up.recv().await.is_some() {
            match auth_file::read(settings, &dealer.node) {
                Ok(()) => tracing::info!("Received SIGHUP"),
                Err(error) => tracing::warn!("{error}; its users stay as they were"),
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = rereading => {}
        () = upkeep => {}
        _ = stopped.wait_for(|stop| *stop) => {}
        _ = terminate.recv() => tracing::info!("Received SIGTERM scheduling shutdown..."),
        _ = interrupt.recv() => tracing::info!("Received SIGINT scheduling shutdown..."),
    }
    Ok(())
}

/// Waits for all of some futures at once.
async fn join_all<F: Future<Output = ()> + Unpin>(mut futures: Vec<F>) {
    std::future::poll_fn(|task| {
        futures.retain_mut(|future| std::pin::Pin::new(future).poll(task).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

fn banner(settings: &Settings, dealer: &Dealer) {
    let (workers, multiplexing_api) = (dealer.workers.len(), dealer.node.identity.multiplexing_api);
    tracing::info!("Larder {} starting, pid {}", env!("CARGO_PKG_VERSION"), std::process::id());
    tracing::info!("Server initialized: {workers} workers, {} databases", settings.databases);
    tracing::info!("Serving clients by {multiplexing_api}");
    if settings.memcached_port != 0 {
        tracing::info!("Serving memcached on port {}", settings.memcached_port);
    }
    if !settings.unixsocket.is_empty() {
        tracing::info!("Serving RESP on {}", settings.unixsocket);
    }
    match settings.port {
        0 => tracing::info!("Ready to accept connections"),
        port => tracing::info!("Ready to accept connections tcp on port {port}"),
    }
}

fn choose_pages(settings: &Settings) -> io::Result<()> {
    if !settings.disable_thp {
        return memory::use_huge_pages();
    }
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!("Huge pages cannot be disabled: {error}");
    }
    Ok(())
}

/// Frees what takes long on a thread of its own.
fn free_in_background(garbage: Receiver<Garbage>) -> io::Result<()> {
    thread::Builder::new().name("free".to_owned()).spawn(move || garbage.into_iter().for_each(drop))?;
    Ok(())
}

/// As Redis does: where the system does not permit as many files, fewer clients are served.
fn with_room_for_clients(settings: Settings) -> Settings {
    match open_files::make_room(settings.maxclients) {
        Ok(()) => settings,
        Err(room) => {
            let maxclients = u32::try_from(room.max(1)).unwrap_or(u32::MAX);
            tracing::warn!("The system permits too few open files: maxclients is {maxclients}");
            Settings { maxclients, ..settings }
        }
    }
}

fn worker_count(settings: &Settings) -> usize {
    match settings.worker_threads as usize {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
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

fn identity(process: &Process, config_file: String, multiplexing_api: &'static str) -> io::Result<Identity> {
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
        config_file: if config_file.is_empty() {
            config_file
        } else {
            path(std::fs::canonicalize(config_file))
        },
        multiplexing_api,
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
