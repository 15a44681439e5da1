//! HTTP for whoever watches the server: `/metrics`, `/healthz`, `/readyz`.
//!
//! It has a thread and a runtime of its own, so that neither a slow scrape nor a flood of requests takes anything from a worker
//! but its processor. A stranger can hold no more than some connections, each with one small request, for some minutes.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use larder_engine::Node;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::listener::PAUSE_AFTER_ERROR;

/// Connections served at once; others wait in the backlog, but for one of each listener.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request with its headers.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to send a request, from the end of the one before.
const REQUEST_TIME: Duration = Duration::from_secs(90);
/// How long a connection may last: whoever does not read its answers is rid of then.
const CONNECTION_TIME: Duration = Duration::from_secs(300);

/// What is answered from.
pub(crate) struct Watched {
    node: Arc<Node>,
    /// Whether clients are served.
    ready: AtomicBool,
}

impl Watched {
    pub(crate) fn new(node: Arc<Node>) -> Arc<Watched> {
        Arc::new(Watched { node, ready: AtomicBool::new(false) })
    }

    /// Says that clients are served.
    pub(crate) fn ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Says that clients are not served any more.
    pub(crate) fn stopping(&self) {
        self.ready.store(false, Ordering::Release);
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
            refused.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("a header's value"));
            return refused;
        }
        match request.uri().path() {
            "/metrics" => {
                let mut metrics = text(StatusCode::OK, larder_metrics::render(&self.node));
                let kind = larder_metrics::CONTENT_TYPE.parse().expect("a header's value");
                metrics.headers_mut().insert(CONTENT_TYPE, kind);
                metrics
            }
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.ready.load(Ordering::Acquire) => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            "/" => text(StatusCode::OK, "Larder answers /metrics, /healthz and /readyz\n"),
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }
}

/// Begins to answer on these sockets, if there are any.
pub(crate) fn start(sockets: Vec<TcpListener>, watched: Arc<Watched>) -> io::Result<()> {
    if sockets.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    thread::Builder::new().name("http".to_owned()).spawn(move || {
        LocalSet::new().block_on(&runtime, async {
            let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
            let all = sockets
                .into_iter()
                .map(|socket| spawn_local(accept(socket, Arc::clone(&seats), Arc::clone(&watched))));
            for accepting in all.collect::<Vec<_>>() {
                if let Ok(Err(error)) = accepting.await {
                    tracing::warn!("Serving HTTP: {error}");
                }
            }
        });
    })?;
    Ok(())
}

/// Accepts for as long as the process lives. A seat is taken for a connection that is there: a listener at which nobody calls holds
/// none.
async fn accept(socket: TcpListener, seats: Arc<Semaphore>, watched: Arc<Watched>) -> io::Result<Infallible> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
                let watched = Arc::clone(&watched);
                spawn_local(async move {
                    // Whatever went wrong went wrong for that client alone.
                    let _ = timeout(CONNECTION_TIME, converse(stream, &watched)).await;
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!("Accepting HTTP connection: {error}");
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, watched: &Watched) -> hyper::Result<()> {
    let service = service_fn(async |request| Ok::<_, Infallible>(watched.answer(&request)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(CACHE_CONTROL, "no-store")
        .body(Full::new(text.into()))
        .expect("the parts are those of a response")
}
