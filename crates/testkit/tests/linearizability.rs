//! Short concurrent histories on several workers, each checked for an order that explains every reply.
//!
//! More of them: `LINEAR_HISTORIES=100000 cargo test --profile fast -p larder-testkit --test linearizability`.

use larder_engine::Worker;
use larder_testkit::linear::{Execute, Recorder, Request, Values, check, execute_whole, overlapping, record};
use larder_testkit::{Client, Value, number};

/// Checks histories up to the first that no order explains, which is the error; otherwise says how many operations overlapped.
fn check_all(commands: &[&str], histories: usize, execute: Execute) -> Result<usize, String> {
    let mut result = Ok(0);
    record(Recorder { commands, histories, seed: 1, execute }, |number, history| {
        match (check(Values::default(), &history), &mut result) {
            (Ok(()), Ok(overlapped)) => *overlapped += overlapping(&history),
            (Ok(()), Err(_)) => {}
            (Err(error), result) => *result = Err(format!("history {number}: {}", error.describe(&history))),
        }
        result.is_ok()
    });
    result
}

#[test]
fn requests_take_effect_one_at_a_time() {
    let histories = number("LINEAR_HISTORIES", 2000) as usize;
    match check_all(Request::COMMANDS, histories, execute_whole) {
        Ok(overlapped) => {
            println!("{histories} histories, {overlapped} operations overlapped");
            // How often depends on the machine and what else it does; that they did at all does not, unless it has one core.
            let alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
            assert!(alone || overlapped > 0, "the threads never met: nothing was tried");
        }
        Err(text) => panic!("{text}"),
    }
}

/// Sets in two steps, as a client would that looks first: between them another may be at work.
fn set_if_absent_in_two_steps(
    client: &mut Client,
    worker: &mut Worker,
    requests: &[Request],
    prefix: &str,
) -> Vec<Value> {
    let mut replies = Vec::new();
    for request in requests {
        let Request::SetNx(key, value) = request else {
            replies.extend(execute_whole(client, worker, std::slice::from_ref(request), prefix));
            continue;
        };
        let absent = execute_whole(client, worker, &[Request::Get(*key)], prefix) == [Value::Null];
        std::thread::yield_now();
        if absent {
            execute_whole(client, worker, &[Request::Set(*key, value.clone())], prefix);
        }
        replies.push(Value::Integer(i64::from(absent)));
    }
    replies
}

#[test]
fn requests_that_take_effect_in_two_steps_are_found_out() {
    let result = check_all(&["get", "setnx"], 2000, set_if_absent_in_two_steps);
    assert!(result.is_err(), "no history showed two clients that both found the key absent");
}
