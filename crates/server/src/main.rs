//! The `larder` binary: reads the configuration, starts the workers and the listeners, and ends in an orderly way.

mod acceptor;
mod append_log;
mod auth_file;
mod background;
mod bind;
mod check;
mod crash;
mod driver;
mod host;
mod http;
mod listener;
mod log;
mod memory;
mod oom_score;
mod open_files;
mod options;
mod processor;
mod replacement;
mod signals;
mod snapshot;
mod start;
mod stream;
mod supervision;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    match options::read(std::env::args_os()) {
        Ok(options::Wanted::Serve(start)) => match start::serve(*start) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
        },
        Ok(options::Wanted::Text(text)) => {
            options::print(&text);
            ExitCode::SUCCESS
        }
        Ok(options::Wanted::Check(call)) => call.run(),
        Err(text) => {
            options::complain(&text);
            ExitCode::FAILURE
        }
    }
}
