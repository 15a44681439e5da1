//! Whether concurrent requests take effect one at a time.
//!
//! [`check`] decides for a recorded [`History`], by the search of Wing and Gong with the states seen remembered: is there an order
//! of the operations that agrees with every client's own order and with real time, and in which each reply is what a sequential
//! model answers? `record` has several workers of one node, each on a thread of its own, make such histories.

mod model;
mod record;

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

pub use model::{Request, Values};
pub use record::{Execute, Recorder, execute_whole, record};

use crate::script::reply_lines;
use crate::value::Value;

/// What the operations should amount to, one after the other.
pub trait Model: Clone + Eq + Hash {
    /// A request.
    type Request;

    /// Carries a request out and answers it.
    fn apply(&mut self, request: &Self::Request) -> Value;
}

/// A request with its reply, and when it was sent and answered.
#[derive(Clone, Debug)]
pub struct Operation<R> {
    /// The moment before it was sent; no two moments of a history are equal, except those of a pipeline.
    pub called: u64,
    /// The moment after it was answered.
    pub returned: u64,
    /// The request.
    pub request: R,
    /// Its reply.
    pub reply: Value,
}

/// For each client, its operations in order.
pub type History<R> = Vec<Vec<Operation<R>>>;

/// A history that no order explains.
#[derive(Clone, Debug)]
pub struct NotLinearizable {
    /// The most operations, by client, that an order could explain.
    pub explained: Vec<usize>,
}

/// How far each client's operations are ordered, and the state after them.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Stage<M> {
    done: Vec<u8>,
    model: M,
}

/// Looks for an order of the operations that explains every reply.
///
/// # Errors
/// There is none.
///
/// # Panics
/// A client has more than 255 operations.
pub fn check<M: Model>(initial: M, history: &History<M::Request>) -> Result<(), NotLinearizable> {
    assert!(history.iter().all(|operations| operations.len() <= usize::from(u8::MAX)), "too long to check");
    let first = Stage { done: vec![0; history.len()], model: initial };
    let mut explained = first.done.clone();
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(stage) = open.pop() {
        if sum(&stage.done) > sum(&explained) {
            explained.clone_from(&stage.done);
        }
        let next = |client: usize| history[client].get(usize::from(stage.done[client]));
        let waiting = (0..history.len()).filter_map(next);
        let Some(first_return) = waiting.map(|operation| operation.returned).min() else { return Ok(()) };
        for client in 0..history.len() {
            // What was called only after another had returned cannot come before it.
            let Some(operation) = next(client).filter(|next| next.called <= first_return) else { continue };
            let mut after = stage.clone();
            if after.model.apply(&operation.request) == operation.reply {
                after.done[client] += 1;
                if seen.insert(after.clone()) {
                    open.push(after);
                }
            }
        }
    }
    Err(NotLinearizable { explained: explained.into_iter().map(usize::from).collect() })
}

/// How many operations ran at the same time as one of another client: what a run's worth depends on.
#[must_use]
pub fn overlapping<R>(history: &History<R>) -> usize {
    let overlaps = |client: usize, one: &Operation<R>| {
        let others = history.iter().enumerate().filter(|(other, _)| *other != client);
        let mut others = others.flat_map(|(_, operations)| operations);
        others.any(|other| other.called < one.returned && one.called < other.returned)
    };
    let clients = history.iter().enumerate();
    clients.map(|(client, own)| own.iter().filter(|one| overlaps(client, one)).count()).sum()
}

fn sum(done: &[u8]) -> usize {
    done.iter().copied().map(usize::from).sum()
}

impl NotLinearizable {
    /// The history around the place where no operation fits, for people.
    #[must_use]
    pub fn describe<R: fmt::Display>(&self, history: &History<R>) -> String {
        let mut text =
            String::from("no order explains these replies (called, returned, client; * = not explained)");
        let mut lines = Vec::new();
        for (client, operations) in history.iter().enumerate() {
            for (number, operation) in operations.iter().enumerate() {
                let mark = if number < self.explained[client] { ' ' } else { '*' };
                let reply = reply_lines(&operation.reply).join(" ");
                let (called, returned) = (operation.called, operation.returned);
                let line = format!(
                    "\n{mark} {called:4} {returned:4}  client {client}: {} -> {reply}",
                    operation.request
                );
                lines.push((called, number, line));
            }
        }
        lines.sort();
        text.extend(lines.into_iter().map(|(.., line)| line));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(called: u64, returned: u64, request: Request, reply: Value) -> Operation<Request> {
        Operation { called, returned, request, reply }
    }

    fn set(called: u64, returned: u64, value: &str) -> Operation<Request> {
        operation(called, returned, Request::Set(0, value.into()), Value::Simple(b"OK".into()))
    }

    fn get(called: u64, returned: u64, value: Option<&str>) -> Operation<Request> {
        let reply = value.map_or(Value::Null, |value| Value::Bulk(value.into()));
        operation(called, returned, Request::Get(0), reply)
    }

    fn increment(called: u64, returned: u64, reply: i64) -> Operation<Request> {
        operation(called, returned, Request::Incr(0), Value::Integer(reply))
    }

    #[track_caller]
    fn assert_linearizable(history: History<Request>, expected: bool) {
        assert_eq!(check(Values::default(), &history).is_ok(), expected, "{history:?}");
    }

    #[test]
    fn one_client_must_see_what_it_wrote() {
        assert_linearizable(vec![vec![set(0, 1, "a"), get(2, 3, Some("a"))]], true);
        assert_linearizable(vec![vec![set(0, 1, "a"), get(2, 3, None)]], false);
    }

    #[test]
    fn overlapping_operations_may_come_in_either_order() {
        assert_linearizable(vec![vec![set(0, 3, "a")], vec![get(1, 2, None)]], true);
        assert_linearizable(vec![vec![set(0, 3, "a")], vec![get(1, 2, Some("a"))]], true);
        assert_linearizable(vec![vec![set(0, 3, "a")], vec![get(1, 2, Some("b"))]], false);
    }

    #[test]
    fn a_read_after_the_write_returned_must_see_it() {
        assert_linearizable(vec![vec![set(0, 1, "a")], vec![get(2, 3, None)]], false);
        assert_linearizable(vec![vec![set(0, 1, "a")], vec![get(2, 3, Some("a"))]], true);
    }

    #[test]
    fn a_value_that_was_seen_cannot_be_unseen() {
        let reads = vec![get(1, 2, Some("a")), get(3, 4, None)];
        assert_linearizable(vec![vec![set(0, 9, "a")], reads], false);
    }

    #[test]
    fn a_lost_update_is_found() {
        assert_linearizable(vec![vec![increment(0, 3, 1)], vec![increment(1, 2, 2)]], true);
        assert_linearizable(vec![vec![increment(0, 3, 1)], vec![increment(1, 2, 1)]], false);
    }

    #[test]
    fn a_torn_read_is_found() {
        let both = |value: &str| vec![(0, value.into()), (1, value.into())];
        let write = operation(0, 3, Request::MSet(both("a")), Value::Simple(b"OK".into()));
        let torn = Value::Array(vec![Value::Bulk(b"a".into()), Value::Null]);
        let read = operation(1, 2, Request::MGet(vec![0, 1]), torn);
        assert_linearizable(vec![vec![write], vec![read]], false);
    }

    #[test]
    fn what_cannot_be_explained_is_shown() {
        let history = vec![vec![set(0, 1, "a")], vec![get(2, 3, None)]];
        let error = check(Values::default(), &history).expect_err("the read is stale");
        let text = error.describe(&history);
        assert!(text.contains("\n*    2    3  client 1: GET k0 -> nil"), "{text}");
        assert!(text.contains("\n     0    1  client 0: SET k0 a -> +OK"), "{text}");
    }
}
