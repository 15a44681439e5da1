//! A connection apart from its socket: the conversation, input that is kept, and the limits on both directions.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_config::OutputBufferLimit;
use larder_engine::{CachingState, Served, Waiting, WaitsFor};
use larder_resp::Output;
use larder_store::UnixMillis;

use super::Conversation;
use crate::worker::Local;

/// A connection's own read buffer grows by at least so much.
const TAIL_GROWTH_MIN: usize = 16 * 1024;
/// ... and by at most as much as has come: what the request declares takes no memory. More than this is given back after a request.
const TAIL_KEPT_MAX: usize = 1 << 20;

/// Input that is kept while none may be executed; with more, no more is received.
pub(super) const KEPT_MAX: usize = 64 * 1024;

/// The longest time for which a timer is set.
const LATEST: Duration = Duration::from_secs(3600);

/// See the module's documentation.
pub(super) struct Session {
    pub(super) conversation: Box<dyn Conversation>,
    /// Input that was read and not consumed.
    tail: Vec<u8>,
    /// Where in it a long string ends that has not come to its end.
    string_end: usize,
    /// How long it may still leave so much unread.
    grace: Grace,
    /// Replies that wait until what they tell of is on disk.
    withheld: Option<Withheld>,
}

/// See [`Session::withhold`].
struct Withheld {
    output: Output,
    /// What must be on disk.
    until: u64,
    /// What comes after that.
    then: Served,
}

impl Session {
    pub(super) fn new(conversation: Box<dyn Conversation>) -> Session {
        Session { conversation, tail: Vec::new(), string_end: 0, grace: Grace::default(), withheld: None }
    }

    /// How many bytes are kept until more comes.
    pub(super) fn kept(&self) -> usize {
        self.tail.len()
    }

    /// Tells others how much of a request is kept until its end comes. Clients are disconnected if all together take too much then,
    /// possibly this one.
    pub(super) fn note_kept(&self, local: &Local) {
        self.conversation.shared().note_input(self.tail.len(), self.tail.capacity());
        if !self.tail.is_empty() {
            local.stats().input_peak.raise(self.tail.len());
        }
        local.node.evict_clients();
    }

    /// Tells others how much of its replies the client has not taken, and judges it by all that it leaves unread; see [`Grace::judge`].
    /// To be called when that changes, and when others have sent it more than they like.
    pub(super) fn judge(&mut self, local: &Local, unsent: usize) -> io::Result<Option<Instant>> {
        let shared = self.conversation.shared();
        shared.note_output(unsent);
        let unread = shared.unread_besides(unsent);
        local.stats().output_peak.raise(unread as usize);
        let mut worker = local.worker.borrow_mut();
        worker.refresh();
        let limits = worker.settings().client_output_buffer_limit;
        drop(worker);
        let limit = if shared.is_subscriber() { limits.pubsub } else { limits.normal };
        let until = self.grace.judge(unread, &limit).inspect_err(|_| shared.exceed())?;
        // Who goes because of his own limit takes nobody's room.
        local.node.evict_clients();
        Ok(until)
    }

    /// Whether the client is to be judged again even if it has taken everything.
    pub(super) fn is_in_grace(&self) -> bool {
        self.grace.until.is_some()
    }

    /// A client amid a long request or reply is not idle.
    pub(super) fn note_active(&self, local: &Local) {
        self.conversation.shared().note_active(local.worker.borrow().node.host.time().now);
    }

    pub(super) fn count_input(&self, local: &Local, bytes: usize) {
        local.stats().input_bytes.add(bytes as u64);
        local.stats().reads.add(1);
        self.conversation.shared().count_input(bytes);
    }

    pub(super) fn count_sent(&self, local: &Local, bytes: usize) {
        local.stats().output_bytes.add(bytes as u64);
        local.stats().writes.add(1);
        self.conversation.shared().count_sent(bytes);
    }

    /// Whether others send it something from time to time.
    pub(super) fn listens(&self) -> bool {
        let shared = self.conversation.shared();
        shared.is_monitor() || shared.is_subscriber() || shared.caching.has(CachingState::ON)
    }

    /// Whether a request of it waits for others.
    pub(super) fn is_waiting(&self) -> bool {
        self.conversation.shared().waiting() != Waiting::No
    }

    /// Looks ahead at input that will be served soon.
    pub(super) fn look_ahead(&self, local: &Local, input: &mut [u8]) {
        self.conversation.look_ahead(&mut local.worker.borrow_mut(), input);
    }

    /// An error when the client has sent more in one request, or ahead of a request's end, than it may.
    pub(super) fn judge_kept(&self, local: &Local) -> io::Result<()> {
        if self.tail.len() as u64 > local.worker.borrow().settings().client_query_buffer_limit {
            local.stats().input_limit_exceeded.add(1);
            return Err(ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }

    /// The kept input, with room for so many bytes that have come or are known to be needed. A long string gets no more room than it
    /// needs; where strings are short, nobody knows how many follow.
    pub(super) fn tail_with_room(&mut self, needed: usize, arrived: usize) -> &mut Vec<u8> {
        let len = self.tail.len();
        if needed >= TAIL_GROWTH_MIN {
            self.string_end = self.string_end.max(len + needed);
        }
        if self.tail.capacity() - len < needed.max(arrived) {
            let within_string = len + needed <= self.string_end;
            let growth = if within_string {
                needed.min(len.max(TAIL_GROWTH_MIN))
            } else {
                TAIL_GROWTH_MIN.max(len / 2)
            };
            self.tail.reserve_exact(growth.max(arrived));
        }
        &mut self.tail
    }

    /// Serves input that came when none was kept, where it lies, and keeps what is not consumed.
    pub(super) fn serve(&mut self, local: &Local, input: &mut [u8], output: &mut Output) -> Served {
        let (consumed, served) = self.conversation.serve(&mut local.worker.borrow_mut(), input, output);
        self.tail.extend_from_slice(&input[consumed..]);
        self.note_kept(local);
        self.withhold(local, served, output)
    }

    /// Serves what was kept, unless the client is one that goes because of it.
    pub(super) fn serve_tail(&mut self, local: &Local, output: &mut Output) -> Served {
        if let Some(withheld) = self.withheld.take() {
            return self.release(local, withheld, output);
        }
        self.note_kept(local);
        if self.conversation.shared().is_ended() {
            return Served::Close;
        }
        let mut tail = std::mem::take(&mut self.tail);
        let (consumed, served) = self.conversation.serve(&mut local.worker.borrow_mut(), &mut tail, output);
        if consumed > 0 {
            self.string_end = 0;
        }
        if consumed < tail.len() {
            tail.drain(..consumed);
            if tail.capacity() > TAIL_KEPT_MAX.max(4 * tail.len()) {
                // The beginning of the next request does not keep the memory of a large one.
                tail.shrink_to_fit();
            }
            self.tail = tail;
        }
        self.note_kept(local);
        self.withhold(local, served, output)
    }

    /// Keeps replies back until what they tell of is on disk, where that is demanded (`appendfsync always`): reads, too, may have seen
    /// what others have just written.
    #[inline]
    fn withhold(&mut self, local: &Local, served: Served, output: &mut Output) -> Served {
        match local.node.append_log.unsynced() {
            Some(until) if !output.is_empty() => {
                self.wait_for_disk(local, Withheld { output: output.take(), until, then: served })
            }
            _ => served,
        }
    }

    /// Sends replies that were kept back, if their time has come.
    fn release(&mut self, local: &Local, withheld: Withheld, output: &mut Output) -> Served {
        if !local.node.append_log.lets_reply(withheld.until) {
            return self.wait_for_disk(local, withheld);
        }
        output.append(withheld.output);
        match withheld.then {
            // Something may have come meanwhile.
            Served::NeedInput(_) if !self.tail.is_empty() => Served::Again,
            then => then,
        }
    }

    #[cold]
    fn wait_for_disk(&mut self, local: &Local, withheld: Withheld) -> Served {
        let id = self.conversation.shared().id;
        let client = local.node.clients.get(&id).map(|client| Arc::clone(&client));
        let until = withheld.until;
        self.withheld = Some(withheld);
        if let Some(client) = client {
            local.node.append_log.wait_for(until, WaitsFor::Reply, &client);
        }
        let now = local.worker.borrow().node.host.time().now;
        Served::At(now.saturating_add(LATEST.as_millis() as i64))
    }
}

/// How long a client may still leave so much unread. Reading a little now and then does not put its end off.
#[derive(Debug, Default)]
struct Grace {
    until: Option<Instant>,
}

impl Grace {
    /// Judges a client that has so many bytes unread: an error when that is too much, or has been for too long; otherwise
    /// until when it may stay like this, if that has an end.
    fn judge(&mut self, unread: u64, limit: &OutputBufferLimit) -> io::Result<Option<Instant>> {
        if limit.hard_bytes > 0 && unread > limit.hard_bytes {
            return Err(ErrorKind::OutOfMemory.into());
        }
        if limit.soft_bytes == 0 || unread <= limit.soft_bytes {
            self.until = None;
            return Ok(None);
        }
        let now = Instant::now();
        let grace = Duration::from_secs(u64::from(limit.soft_seconds));
        let until = *self.until.get_or_insert(now + grace);
        if now >= until { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(until)) }
    }
}

/// How long it is until a time of day.
pub(super) fn until(local: &Local, at: UnixMillis) -> Duration {
    let now = local.worker.borrow().node.host.time().now;
    // Whatever is later is asked again after an hour: moments far away cannot be told to the system.
    Duration::from_millis(u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0)).min(LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_is_given_once() {
        let limit = OutputBufferLimit { hard_bytes: 100, soft_bytes: 10, soft_seconds: 3600 };
        let mut grace = Grace::default();
        assert_eq!(grace.judge(10, &limit).unwrap(), None);
        let until = grace.judge(11, &limit).unwrap();
        assert!(until.is_some());
        assert_eq!(grace.judge(100, &limit).unwrap(), until, "reading a little puts nothing off");
        assert_eq!(grace.judge(101, &limit).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(grace.judge(0, &limit).unwrap(), None);
        let at_once = OutputBufferLimit { soft_seconds: 0, ..limit };
        assert_eq!(grace.judge(11, &at_once).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(grace.judge(u64::MAX, &OutputBufferLimit::default()).unwrap(), None);
    }
}
