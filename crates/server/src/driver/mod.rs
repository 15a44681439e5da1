//! Drivers of connections: they read, let the state machine work, and write.
//!
//! There are two, and a process uses one of them: [epoll], which every Linux permits, and [uring], which costs less where the
//! kernel offers what it needs. Both keep the same rules, most of which are in the [session]: an idle connection holds no
//! buffer; nothing more is executed for a client before it has taken what it was answered; what all ready connections have sent
//! is read before any of it is executed, so that the memory latencies of different clients overlap.

pub(crate) mod epoll;
pub(crate) mod ring;
mod session;
pub(crate) mod uring;
mod wave;

use larder_engine::{Served, SharedClient, Worker};
use larder_resp::Output;

/// A protocol's state machine.
pub(crate) trait Conversation {
    /// Notes the keys of input that is a single request; see `larder_engine::Connection::look_ahead`.
    fn look_ahead(&self, worker: &mut Worker, input: &mut [u8]);
    /// Works on input; see `larder_engine::Connection::serve`.
    fn serve(&mut self, worker: &mut Worker, input: &mut [u8], output: &mut Output) -> (usize, Served);
    /// What other clients may see of this one.
    fn shared(&self) -> &SharedClient;
}
