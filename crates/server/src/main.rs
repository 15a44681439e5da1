//! The `larder` binary: reads the configuration, starts the workers and the listeners, and ends in an orderly way.

mod auth_file;
mod driver;
mod host;
mod listener;
mod log;
mod memory;
mod open_files;
mod options;
mod start;
mod stream;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    match options::settings(std::env::args().skip(1)) {
        Ok(options::Wanted::Serve(settings, config_file)) => match start::serve(*settings, config_file) {
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
        Err(text) => {
            options::complain(&text);
            ExitCode::FAILURE
        }
    }
}
