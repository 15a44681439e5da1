//! io_uring for stream sockets, as an interface that nothing unsafe can be done with.
//!
//! What the kernel may still read from or write to belongs to the ring, and nobody else can reach it. The bytes of a send are
//! moved in with [`Ring::send`] and come back with its completion. The buffers of receives are lent to the kernel, which picks one
//! only when bytes have come; it is reached through the one [`Received`] that its completion yields, and lent again when that is
//! given back. Sockets are closed when nothing is under way on them any more, and the ring is drained before memory is freed.

#![expect(unsafe_code, reason = "the kernel is told where memory is; see each block")]

mod buffers;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{Ordering, fence};

use io_uring::types::{CancelBuilder, Fd};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use larder_resp::Output;
use rustix::event::{EventfdFlags, eventfd};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) use self::buffers::Received;
use self::buffers::{BUFFERS, Buffers};

/// Submissions handed to the kernel at once; more of them wait for the next time.
const SUBMISSIONS: u32 = 512;
/// Completions that may wait; the kernel keeps more by itself.
const COMPLETIONS: u32 = 4096;
/// The one group of buffers.
const GROUP: u16 = 0;
/// Slices handed to one sendmsg.
const SLICES_MAX: usize = 64;

/// Names a socket from [`Ring::add`] to [`Ring::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u32);

impl Key {
    /// For tables beside the ring's; keys are small, and used again.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What has happened on a socket.
#[derive(Debug)]
pub(super) enum Event {
    /// Bytes have come.
    Received(Key, Received),
    /// Nothing more will come until it is asked for again.
    Ended(Key, End),
    /// A send is over: so many bytes of its output were sent, and cut off from it.
    Sent(Key, Output, io::Result<usize>),
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other side has ended the stream, or it broke.
    Eof,
    /// There was no buffer left, the kernel wants to be asked again, or the receive was stopped.
    Interrupted,
}

/// See the module's documentation.
pub(crate) struct Ring {
    uring: IoUring,
    buffers: Buffers,
    sockets: Vec<Option<Socket>>,
    free: Vec<Key>,
    /// Messages not in use.
    #[expect(clippy::vec_box, reason = "one in use lies where the kernel was told")]
    messages: Vec<Box<Message>>,
    /// Submissions that found the queue full.
    backlog: VecDeque<squeue::Entry>,
    /// Operations that have begun and not ended.
    in_flight: usize,
}

struct Socket {
    descriptor: OwnedFd,
    receiving: bool,
    sending: Option<Sending>,
    removed: bool,
}

/// What a send under way reads from.
struct Sending {
    output: Output,
    /// Where the parts of the output are, if there are several.
    message: Option<Box<Message>>,
}

/// The argument of sendmsg.
struct Message {
    header: libc::msghdr,
    slices: [libc::iovec; SLICES_MAX],
}

// SAFETY: the pointers lead to the message's own slices and to the bytes of the output beside which it is kept, both on the heap;
// nothing of that belongs to a thread.
unsafe impl Send for Message {}

/// What a completion is about; part of its `user_data`.
const RECEIVE: u64 = 0;
const SEND: u64 = 1;
const CANCEL: u64 = 2;

fn user_data(key: Key, kind: u64) -> u64 {
    u64::from(key.0) << 2 | kind
}

impl Ring {
    /// A ring that does nothing before it is [enabled](Ring::enable).
    pub(crate) fn new() -> io::Result<Ring> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_r_disabled()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let buffers = Buffers::new();
        let address = buffers.table_address();
        // SAFETY: the table has as many entries as said and stays where it is until the ring is gone, which is dropped first.
        unsafe { uring.submitter().register_buf_ring_with_flags(address, BUFFERS as u16, GROUP, 0) }?;
        let (sockets, free, messages, backlog) = (Vec::new(), Vec::new(), Vec::new(), VecDeque::new());
        Ok(Ring { uring, buffers, sockets, free, messages, backlog, in_flight: 0 })
    }

    /// Says why rings that do what is needed cannot be had here, by trying.
    pub(crate) fn probe() -> io::Result<()> {
        let mut ring = Ring::new()?;
        ring.enable()?;
        let (near, far) = UnixStream::pair()?;
        let key = ring.add(near.into());
        ring.receive(key);
        io::Write::write_all(&mut &far, b"x")?;
        // The receive is answered where it is submitted, as the byte has come already.
        ring.enter()?;
        match ring.next_event() {
            Some(Event::Received(_, received)) => {
                let more = ring.is_receiving(key);
                ring.give_back(received);
                if more {
                    Ok(())
                } else {
                    Err(io::Error::new(ErrorKind::Unsupported, "no multishot receive"))
                }
            }
            other => Err(io::Error::new(ErrorKind::Unsupported, format!("a receive ends with {other:?}"))),
        }
    }

    /// Binds the ring to the calling thread, which alone may use it from now on.
    pub(super) fn enable(&mut self) -> io::Result<()> {
        self.uring.submitter().register_enable_rings()
    }

    /// Something that becomes ready when something has happened since [`Ring::may_sleep`] said yes, on the calling thread's event
    /// loop. The ring's own descriptor would not do: with deferred work it becomes readable only by what the thread itself collects.
    pub(super) fn bell(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        self.uring.submitter().register_eventfd(bell.as_raw_fd())?;
        // SAFETY: an owned descriptor stays open, and the same, for as long as it lives.
        Ok(unsafe { AsyncFd::register_with_interest(bell, Interest::READABLE) }?)
    }

    /// Has the bell rung from now on, and says whether nothing has happened before.
    pub(super) fn may_sleep(&mut self) -> io::Result<bool> {
        self.uring.completion().enable_eventfd();
        // Either the kernel sees that the bell is to be rung, or what it has added before is seen here.
        fence(Ordering::SeqCst);
        if !cfg!(target_arch = "x86_64") {
            // Elsewhere the flag may be set late; the kernel itself knows.
            self.enter()?;
        }
        Ok(!self.has_work() && self.uring.completion().is_empty())
    }

    /// Has the bell rung no more: whoever is awake looks without being told.
    pub(super) fn stay_awake(&mut self) {
        self.uring.completion().disable_eventfd();
    }

    /// Takes over a socket, which must not be in non-blocking mode: that would make operations fail instead of wait.
    pub(super) fn add(&mut self, descriptor: OwnedFd) -> Key {
        let socket = Some(Socket { descriptor, receiving: false, sending: None, removed: false });
        if let Some(key) = self.free.pop() {
            self.sockets[key.index()] = socket;
            return key;
        }
        let key = Key(u32::try_from(self.sockets.len()).expect("there are fewer files than that"));
        self.sockets.push(socket);
        key
    }

    /// Ends all that is under way on a socket and then closes it. The key means nothing from now on.
    pub(super) fn remove(&mut self, key: Key) {
        let Some(socket) = &mut self.sockets[key.index()] else { return };
        socket.removed = true;
        if socket.sending.is_some() {
            self.cancel(user_data(key, SEND));
        }
        self.stop_receiving(key);
        self.close_if_done(key);
    }

    /// Asks for all that comes, until [`Event::Ended`].
    pub(super) fn receive(&mut self, key: Key) {
        let Some(socket) = &mut self.sockets[key.index()] else { return };
        if !socket.receiving && !socket.removed {
            socket.receiving = true;
            let receive = opcode::RecvMulti::new(Fd(socket.descriptor.as_raw_fd()), GROUP).build();
            self.push(receive.user_data(user_data(key, RECEIVE)));
        }
    }

    pub(super) fn is_receiving(&self, key: Key) -> bool {
        self.sockets[key.index()].as_ref().is_some_and(|socket| socket.receiving)
    }

    /// Asks for no more; what has come already still arrives before [`Event::Ended`].
    pub(super) fn stop_receiving(&mut self, key: Key) {
        if self.is_receiving(key) {
            self.cancel(user_data(key, RECEIVE));
        }
    }

    /// Sends an output, as far as that goes without a pause once the socket takes something.
    ///
    /// # Panics
    /// If another is being sent on this socket.
    pub(super) fn send(&mut self, key: Key, output: Output) {
        let Some(socket) = &mut self.sockets[key.index()] else { return };
        assert!(socket.sending.is_none(), "one send at a time");
        let descriptor = Fd(socket.descriptor.as_raw_fd());
        let (entry, message) = match output.contiguous() {
            Some(bytes) => {
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX / 2);
                let send = opcode::Send::new(descriptor, bytes.as_ptr(), len);
                (send.flags(libc::MSG_NOSIGNAL).build(), None)
            }
            None => {
                let mut message = self.messages.pop().unwrap_or_else(Message::new);
                message.point_at(&output);
                let send = opcode::SendMsg::new(descriptor, &raw const message.header);
                (send.flags(libc::MSG_NOSIGNAL as u32).build(), Some(message))
            }
        };
        // The bytes are on the heap, so they stay where they are while the output moves.
        socket.sending = Some(Sending { output, message });
        self.push(entry.user_data(user_data(key, SEND)));
    }

    /// Whether [`Ring::enter`] has something to hand over or to collect. The kernel collects only so much at a time, and does not
    /// make the ring readable once more for the rest.
    pub(super) fn has_work(&mut self) -> bool {
        let submission = self.uring.submission();
        !submission.is_empty() || submission.taskrun() || submission.cq_overflow() || !self.backlog.is_empty()
    }

    /// Hands all that was asked for to the kernel and lets it collect what has happened.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        loop {
            while let Some(entry) = self.backlog.pop_front() {
                if !self.try_push(&entry) {
                    self.backlog.push_front(entry);
                    break;
                }
            }
            self.enter_kernel(0)?;
            if self.backlog.is_empty() || self.uring.submission().is_full() {
                return Ok(());
            }
        }
    }

    /// What has happened next.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        loop {
            let completion = self.uring.completion().next()?;
            let (key, kind) = (Key((completion.user_data() >> 2) as u32), completion.user_data() & 3);
            let more = cqueue::more(completion.flags());
            self.in_flight -= usize::from(!more);
            let event = match kind {
                RECEIVE => self.received(key, completion.result(), completion.flags(), more),
                SEND => self.sent(key, completion.result()),
                _ => None,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    /// The bytes that have come.
    pub(super) fn bytes(&mut self, received: &Received) -> &mut [u8] {
        self.buffers.bytes(received)
    }

    /// Lends a buffer to the kernel again.
    pub(super) fn give_back(&mut self, received: Received) {
        self.buffers.give_back(received);
    }

    fn received(&mut self, key: Key, result: i32, flags: u32, more: bool) -> Option<Event> {
        let len = usize::try_from(result).unwrap_or(0);
        // The kernel says that this buffer is no longer its own: from here on there is one `Received` of it.
        let received = cqueue::buffer_select(flags).map(|id| Received { id, len });
        let socket = self.sockets[key.index()].as_mut()?;
        socket.receiving = more;
        let removed = socket.removed;
        if !more {
            self.close_if_done(key);
        }
        match received {
            Some(received) if len > 0 && !removed => return Some(Event::Received(key, received)),
            Some(received) => self.give_back(received),
            None => {}
        }
        if removed || more {
            return None;
        }
        let again = [libc::ENOBUFS, libc::ECANCELED, libc::EINTR, libc::EAGAIN].contains(&-result);
        Some(Event::Ended(key, if again { End::Interrupted } else { End::Eof }))
    }

    fn sent(&mut self, key: Key, result: i32) -> Option<Event> {
        let socket = self.sockets[key.index()].as_mut()?;
        let Sending { mut output, message } = socket.sending.take()?;
        let removed = socket.removed;
        if let Some(message) = message
            && self.messages.len() < SUBMISSIONS as usize
        {
            self.messages.push(message);
        }
        if removed {
            self.close_if_done(key);
            return None;
        }
        let sent = match usize::try_from(result) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(len) => {
                output.consume(len);
                Ok(len)
            }
            Err(_) if [libc::EINTR, libc::EAGAIN].contains(&-result) => Ok(0),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        };
        Some(Event::Sent(key, output, sent))
    }

    /// Closes a socket that was removed once nothing is under way on it.
    fn close_if_done(&mut self, key: Key) {
        let entry = &mut self.sockets[key.index()];
        if let Some(socket) = entry
            && socket.removed
            && !socket.receiving
            && socket.sending.is_none()
        {
            *entry = None;
            self.free.push(key);
        }
    }

    fn cancel(&mut self, user_data: u64) {
        self.push(opcode::AsyncCancel2::new(CancelBuilder::user_data(user_data)).build().user_data(CANCEL));
    }

    fn push(&mut self, entry: squeue::Entry) {
        self.in_flight += 1;
        if !self.backlog.is_empty() || !self.try_push(&entry) {
            self.backlog.push_back(entry);
        }
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: what an entry points at is a send's output and message, which are kept until its completion has come (or for
        // ever, see `drop`); receives write only into buffers that are lent, and cancels point at nothing.
        unsafe { self.uring.submission().push(entry) }.is_ok()
    }

    fn enter_kernel(&mut self, completions_min: u32) -> io::Result<()> {
        let queued = self.uring.submission().len() as u32;
        let flags = EnterFlags::GETEVENTS.bits();
        // SAFETY: no argument is passed, and what is submitted has been promised when it was pushed.
        Ring::judge(unsafe { self.uring.submitter().enter::<()>(queued, completions_min, flags, None) })
    }

    /// Tells failures from entering the kernel in vain: interrupted, with the time over, or to be tried again once completions are
    /// taken or there is memory.
    fn judge(entered: io::Result<usize>) -> io::Result<()> {
        const IN_VAIN: [i32; 4] = [libc::EINTR, libc::ETIME, libc::EAGAIN, libc::EBUSY];
        match entered {
            Err(error) if !error.raw_os_error().is_some_and(|number| IN_VAIN.contains(&number)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends all that is under way and waits until the kernel is done with it.
    fn drain(&mut self) -> io::Result<()> {
        for socket in self.sockets.iter_mut().flatten() {
            // Both ends of it, so that nothing can wait for the client; a socket that is gone already has no need of it.
            let _ = SockRef::from(&socket.descriptor).shutdown(std::net::Shutdown::Both);
        }
        if self.in_flight > 0 {
            self.push(opcode::AsyncCancel2::new(CancelBuilder::any().all()).build().user_data(CANCEL));
        }
        while self.in_flight > 0 {
            self.enter()?;
            self.enter_kernel(1)?;
            while let Some(event) = self.next_event() {
                if let Event::Received(_, received) = event {
                    self.give_back(received);
                }
            }
        }
        self.uring.submitter().unregister_buf_ring(GROUP)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.drain().is_err() {
            // The kernel may still use it.
            std::mem::forget(std::mem::take(&mut self.sockets));
            self.buffers.leak();
        }
    }
}

impl Message {
    fn new() -> Box<Message> {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Box::new(Message {
            header: libc::msghdr {
                msg_name: std::ptr::null_mut(),
                msg_namelen: 0,
                msg_iov: std::ptr::null_mut(),
                msg_iovlen: 0,
                msg_control: std::ptr::null_mut(),
                msg_controllen: 0,
                msg_flags: 0,
            },
            slices: [empty; SLICES_MAX],
        })
    }

    fn point_at(&mut self, output: &Output) {
        let mut slices = [io::IoSlice::new(&[]); SLICES_MAX];
        let filled = output.fill_slices(&mut slices);
        for (target, slice) in self.slices.iter_mut().zip(&slices[..filled]) {
            *target = libc::iovec { iov_base: slice.as_ptr().cast_mut().cast(), iov_len: slice.len() };
        }
        self.header.msg_iov = self.slices.as_mut_ptr();
        self.header.msg_iovlen = filled;
    }
}

#[cfg(test)]
mod tests;
