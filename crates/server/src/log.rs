//! The log: where it is written, and how much of it, which CONFIG SET may change at any time.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Mutex;

use larder_config::{LogLevel, Settings};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::options::reason;

/// The running log.
pub(crate) struct Log {
    level: reload::Handle<LevelFilter, Registry>,
}

impl Log {
    /// Begins to write the log, to the file that the settings name or to standard output.
    pub(crate) fn start(settings: &Settings) -> io::Result<Log> {
        let writer = match settings.logfile.as_str() {
            "" => BoxMakeWriter::new(io::stdout),
            path => BoxMakeWriter::new(Mutex::new(open(path)?)),
        };
        let (filter, level) = reload::Layer::new(filter(settings.loglevel));
        let lines = tracing_subscriber::fmt::layer().with_target(false).with_ansi(false).with_writer(writer);
        tracing_subscriber::registry().with(filter).with(lines).init();
        Ok(Log { level })
    }

    /// Writes as much as a level asks for from now on.
    pub(crate) fn set_level(&self, level: LogLevel) {
        // It fails only when there is no log any more.
        let _ = self.level.reload(filter(level));
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

fn open(path: &str) -> io::Result<File> {
    File::options().create(true).append(true).open(path).map_err(|error| {
        let text =
            format!("{}\nCan't open the log file {path}: {}", larder_config::fatal_title(), reason(&error));
        io::Error::new(error.kind(), text)
    })
}

/// Redis's levels: what one wants to know in production is our `info`.
fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    }
}
