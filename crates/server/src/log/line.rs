//! What a line of the log looks like.

use jiff::Zoned;
use larder_config::{LogFormat, LogTimestampFormat};
use tracing::Level;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) format: LogFormat,
    pub(super) timestamps: LogTimestampFormat,
}

/// The line of a message, with its end.
pub(super) fn line(style: Style, process: u32, now: &Zoned, level: Level, message: &str) -> String {
    let time = timestamp(style.timestamps, now);
    let level = Shown::of(level);
    match style.format {
        LogFormat::Legacy => format!("{process}:M {time} {} {message}\n", level.sign()),
        LogFormat::Logfmt => {
            let message = message.replace('"', "'").replace(['\n', '\r'], " ");
            format!(
                "pid={process} role=primary timestamp=\"{time}\" level={} message=\"{message}\"\n",
                level.name()
            )
        }
        LogFormat::Json => {
            let line = serde_json::json!({
                "pid": process,
                "role": "primary",
                "timestamp": time,
                "level": level.name(),
                "message": message,
            });
            format!("{line}\n")
        }
    }
}

fn timestamp(format: LogTimestampFormat, now: &Zoned) -> String {
    match format {
        LogTimestampFormat::Legacy => now.strftime("%d %b %Y %H:%M:%S.%3f").to_string(),
        LogTimestampFormat::Iso8601 => now.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string(),
        LogTimestampFormat::Milliseconds => now.timestamp().as_millisecond().to_string(),
    }
}

/// Redis's four levels.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Debug,
    Verbose,
    Notice,
    Warning,
}

impl Shown {
    /// What one wants to know in production is our `info`.
    fn of(level: Level) -> Shown {
        match level {
            Level::TRACE => Shown::Debug,
            Level::DEBUG => Shown::Verbose,
            Level::INFO => Shown::Notice,
            Level::WARN | Level::ERROR => Shown::Warning,
        }
    }

    fn sign(self) -> char {
        match self {
            Shown::Debug => '.',
            Shown::Verbose => '-',
            Shown::Notice => '*',
            Shown::Warning => '#',
        }
    }

    /// In the formats for machines `verbose` goes by the name of `info`, as in Valkey.
    fn name(self) -> &'static str {
        match self {
            Shown::Debug => "debug",
            Shown::Verbose => "info",
            Shown::Notice => "notice",
            Shown::Warning => "warning",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: LogFormat, timestamps: LogTimestampFormat, level: Level, message: &str) -> String {
        let now: Zoned = "2026-03-01T07:05:09.042+01:00[+01:00]".parse().expect("a time");
        line(Style { format, timestamps }, 7, &now, level, message)
    }

    #[test]
    fn lines_are_those_of_redis() {
        for (level, sign) in [
            (Level::TRACE, '.'),
            (Level::DEBUG, '-'),
            (Level::INFO, '*'),
            (Level::WARN, '#'),
            (Level::ERROR, '#'),
        ] {
            let line = written(LogFormat::Legacy, LogTimestampFormat::Legacy, level, "Say \"no\"\n more");
            assert_eq!(line, format!("7:M 01 Mar 2026 07:05:09.042 {sign} Say \"no\"\n more\n"));
        }
    }

    #[test]
    fn machines_read_one_line_a_message() {
        let logfmt =
            written(LogFormat::Logfmt, LogTimestampFormat::Iso8601, Level::DEBUG, "Say \"no\"\r\n more");
        assert_eq!(
            logfmt,
            "pid=7 role=primary timestamp=\"2026-03-01T07:05:09.042+01:00\" level=info message=\"Say 'no'   more\"\n"
        );
        let json =
            written(LogFormat::Json, LogTimestampFormat::Milliseconds, Level::WARN, "Say \"no\"\n more");
        assert_eq!(json.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["message"], "Say \"no\"\n more");
        assert_eq!((&read["pid"], &read["level"]), (&7.into(), &"warning".into()));
        assert_eq!(read["timestamp"], "1772345109042");
    }
}
