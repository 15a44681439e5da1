//! The log: where it is written, how, and how much of it. CONFIG SET may change the latter two at any time.

mod line;
mod logo;

use std::ffi::CString;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Zoned;
use larder_config::{LogLevel, Settings};
use parking_lot::RwLock;
use syslog_tracing::{Facility, Options, Syslog};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter as _;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use self::line::{Style, line};
use crate::options::reason;

/// The running log.
pub(crate) struct Log {
    level: reload::Handle<LevelFilter, Registry>,
    style: Arc<RwLock<Style>>,
    sink: Sink,
}

impl Log {
    /// Begins to write the log, to the file that the settings name or to standard output. The file is found from where the
    /// process is now.
    pub(crate) fn start(settings: &Settings) -> io::Result<Log> {
        let sink = Sink::new(&settings.logfile)?;
        let style = Arc::new(RwLock::new(style(settings)));
        let (filter, level) = reload::Layer::new(filter(settings.loglevel));
        let lines = Lines { style: Arc::clone(&style), sink: sink.clone(), syslog: syslog(settings) };
        tracing_subscriber::registry().with(filter).with(lines).init();
        Ok(Log { level, style, sink })
    }

    /// Takes over what CONFIG SET may change.
    pub(crate) fn follow(&self, settings: &Settings) {
        // It fails only when there is no log any more.
        let _ = self.level.reload(filter(settings.loglevel));
        *self.style.write() = style(settings);
    }

    /// Greets whoever looks at the log, where that is a person.
    pub(crate) fn greet(&self, settings: &Settings, multiplexing_api: &str, workers: usize) {
        let watched = matches!(self.sink, Sink::Output) && io::stdout().is_terminal();
        if (watched || settings.always_show_logo)
            && !matches!(settings.loglevel, LogLevel::Warning | LogLevel::Nothing)
        {
            self.sink.write(&logo::logo(settings, multiplexing_api, workers));
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

fn style(settings: &Settings) -> Style {
    Style { format: settings.log_format, timestamps: settings.log_timestamp_format }
}

/// Where lines go.
#[derive(Clone, Debug)]
enum Sink {
    Output,
    File(PathBuf),
}

impl Sink {
    fn new(logfile: &str) -> io::Result<Sink> {
        if logfile.is_empty() {
            return Ok(Sink::Output);
        }
        // CONFIG SET dir is not to take the log elsewhere.
        let path = std::path::absolute(logfile)?;
        let opened = append(&path);
        opened.map(|_| Sink::File(path)).map_err(|error| {
            let title = larder_config::fatal_title();
            io::Error::new(
                error.kind(),
                format!("{title}\nCan't open the log file {logfile}: {}", reason(&error)),
            )
        })
    }

    /// A file is opened for each line, as Redis does, so that it may be moved away or removed without a word to the server. A
    /// line that cannot be written is lost: there is nobody to tell.
    fn write(&self, line: &str) {
        let _ = match self {
            Sink::Output => io::stdout().lock().write_all(line.as_bytes()),
            Sink::File(path) => append(path).and_then(|mut file| file.write_all(line.as_bytes())),
        };
    }
}

fn append(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// Writes a line for each event.
struct Lines {
    style: Arc<RwLock<Style>>,
    sink: Sink,
    syslog: Option<Syslog>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let (message, metadata) = (message.0, event.metadata());
        // The number of the process is asked for each time: daemonize changes it.
        let process = std::process::id();
        self.sink.write(&line(*self.style.read(), process, &Zoned::now(), *metadata.level(), &message));
        if let Some(syslog) = &self.syslog {
            let _ = syslog.make_writer_for(metadata).write_all(message.as_bytes());
        }
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

fn syslog(settings: &Settings) -> Option<Syslog> {
    if !settings.syslog_enabled {
        return None;
    }
    let facility = match settings.syslog_facility {
        "local0" => Facility::Local0,
        "local1" => Facility::Local1,
        "local2" => Facility::Local2,
        "local3" => Facility::Local3,
        "local4" => Facility::Local4,
        "local5" => Facility::Local5,
        "local6" => Facility::Local6,
        "local7" => Facility::Local7,
        _ => Facility::User,
    };
    // A text with a zero byte, which a configuration file cannot hold, would be no name.
    let identity = CString::new(settings.syslog_ident.as_str()).unwrap_or_default();
    Syslog::new(identity, Options::LOG_PID | Options::LOG_NDELAY | Options::LOG_NOWAIT, facility)
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
