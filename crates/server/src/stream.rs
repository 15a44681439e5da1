//! A client's socket: TCP or unix.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket registered with the worker's event loop.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Over IPv4 or IPv6.
    Tcp(TcpStream),
    /// Over a socket file.
    Unix(UnixStream),
}

/// The same on its way from the acceptor to a worker.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// Over IPv4 or IPv6.
    Tcp(std::net::TcpStream),
    /// Over a socket file.
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Registers the socket with the event loop of the calling thread.
    pub(crate) fn register(self) -> io::Result<Stream> {
        match self {
            Accepted::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            Accepted::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }

    /// The bare socket, on which operations wait.
    pub(crate) fn into_blocking(self) -> io::Result<OwnedFd> {
        match self {
            Accepted::Tcp(stream) => stream.set_nonblocking(false).map(|()| stream.into()),
            Accepted::Unix(stream) => stream.set_nonblocking(false).map(|()| stream.into()),
        }
    }
}

impl Stream {
    /// The socket's number in the process.
    pub(crate) fn descriptor(&self) -> i32 {
        match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// Sends as much as the socket takes at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_write(bytes),
            Stream::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Sends as much as the socket takes at once, from several places.
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_write_vectored(slices),
            Stream::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Appends what there is to read at once, up to the room that the vector has.
    pub(crate) fn try_read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.try_read_buf(into),
            Stream::Unix(stream) => stream.try_read_buf(into),
        }
    }

    /// Whether there is something to read; if not, the task is woken when there is.
    pub(crate) fn poll_read_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => stream.poll_read_ready(task),
            Stream::Unix(stream) => stream.poll_read_ready(task),
        }
    }

    /// Whether the socket takes bytes; if not, the task is woken when it does.
    pub(crate) fn poll_write_ready(&self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => stream.poll_write_ready(task),
            Stream::Unix(stream) => stream.poll_write_ready(task),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}
