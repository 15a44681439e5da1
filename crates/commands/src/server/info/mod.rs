//! INFO: the state of the server as text, in sections.

use std::fmt::{Display, Write as _};

use self::key_sizes::KeySizes;
use crate::prelude::*;

mod key_sizes;
mod keyspace;
mod memory;
mod server;
mod stats;

pub(super) const COMMANDS: &[Command] = &[INFO];

const INFO: Command = Command {
    name: "info",
    syntax: "[section [section ...]]",
    summary: "Describes the server and what it does, section by section.",
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(1), with the section keysizes O(N) where N is the number of keys",
    arity: Arity::AtLeast(1),
    scope: Scope::EachStripe,
    flags: Flags::LOADING.and(Flags::STALE),
    acl: &["dangerous"],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    history: &[("7.0.0", "Takes several sections.")],
    run: info,
    ..Command::PLAIN
};

/// One section: a row of the table below.
struct Section {
    title: &'static str,
    shown: Shown,
    write: fn(&mut Report, &Context<'_>, &KeySizes),
}

/// When a section is shown without being asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// By a plain INFO.
    Always,
    /// By `all` and `everything`.
    InAll,
    /// Never, for it looks at every key.
    Never,
}

/// All sections in the order in which they are shown. A section's name is its title in lower case.
const SECTIONS: &[Section] = &[
    Section { title: "Server", shown: Shown::Always, write: |report, cx, _| server::server(report, cx) },
    Section { title: "Clients", shown: Shown::Always, write: |report, cx, _| server::clients(report, cx) },
    Section { title: "Memory", shown: Shown::Always, write: |report, cx, _| memory::memory(report, cx) },
    Section {
        title: "Persistence",
        shown: Shown::Always,
        write: |report, cx, _| memory::persistence(report, cx),
    },
    Section { title: "Stats", shown: Shown::Always, write: |report, cx, _| stats::stats(report, cx) },
    Section {
        title: "Replication",
        shown: Shown::Always,
        write: |report, cx, _| server::replication(report, cx),
    },
    Section { title: "CPU", shown: Shown::Always, write: |report, cx, _| server::cpu(report, cx) },
    // There are no modules, so there is nothing to say of them.
    Section { title: "Modules", shown: Shown::Always, write: |_, _, _| {} },
    Section {
        title: "Commandstats",
        shown: Shown::InAll,
        write: |report, cx, _| stats::commands(report, cx),
    },
    Section { title: "Errorstats", shown: Shown::Always, write: |report, cx, _| stats::errors(report, cx) },
    Section {
        title: "Latencystats",
        shown: Shown::InAll,
        write: |report, cx, _| stats::latencies(report, cx),
    },
    Section { title: "Cluster", shown: Shown::Always, write: |report, cx, _| server::cluster(report, cx) },
    Section {
        title: "Keyspace",
        shown: Shown::Always,
        write: |report, cx, _| keyspace::keyspace(report, cx),
    },
    Section { title: key_sizes::TITLE, shown: Shown::Never, write: |report, _, sizes| sizes.report(report) },
];

fn info(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.from(1).any(|name| is_word(name, key_sizes::TITLE)) {
        return key_sizes::survey(cx);
    }
    write(cx, &KeySizes::default());
    Ok(Outcome::Reply)
}

fn write(cx: &mut Context<'_>, sizes: &KeySizes) {
    let mut report = Report::default();
    for section in SECTIONS.iter().filter(|section| section.is_wanted(cx.args)) {
        report.begin(section.title);
        (section.write)(&mut report, cx, sizes);
    }
    cx.reply.verbatim(*b"txt", report.text.as_bytes());
}

impl Section {
    fn is_wanted(&self, args: Args<'_>) -> bool {
        args.len() == 1 && self.shown == Shown::Always
            || args.from(1).any(|name| {
                is_word(name, self.title)
                    || self.title == "Modules" && is_word(name, "module_list")
                    || (is_word(name, "all") || is_word(name, "everything")) && self.shown != Shown::Never
                    || is_word(name, "default") && self.shown == Shown::Always
            })
    }
}

/// The text as it grows.
#[derive(Debug, Default)]
struct Report {
    text: String,
}

impl Report {
    fn begin(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.line(format_args!("# {title}"));
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name}:{value}"));
    }

    /// Fields of one value, which is true of what does not exist here.
    fn fields(&mut self, names: &[&str], value: impl Display) {
        for name in names {
            self.field(name, &value);
        }
    }

    /// A number of bytes, and once more for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.line(format_args!("{name}_human:{}", human(bytes)));
    }

    fn line(&mut self, line: impl Display) {
        // Appending to memory does not fail.
        let _ = write!(self.text, "{line}\r\n");
    }
}

/// Bytes in the largest unit of which there is at least one.
fn human(bytes: u64) -> String {
    const UNITS: [(&str, u32); 5] = [("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)];
    match UNITS.iter().find(|(_, power)| bytes >> power > 0) {
        Some((unit, power)) => format!("{:.2}{unit}", bytes as f64 / f64::from(*power).exp2()),
        None => format!("{bytes}B"),
    }
}

/// A quotient, 0 when there is nothing to divide by.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_for_people_have_two_decimals() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (990_760, "967.54K"),
            (1 << 20, "1.00M"),
            (25_276_502_016, "23.54G"),
            (3 << 40, "3.00T"),
            (u64::MAX, "16384.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
