//! The page and the example file that are generated from the table.

use std::fmt::Write;

use crate::directive::{Directive, Effect, Kind, Live, Unit};
use crate::table::DIRECTIVES;
use crate::value;
use crate::words;

/// `docs/config.md`.
pub fn render_markdown() -> String {
    let mut page = String::from(MARKDOWN_HEAD);
    page += "\n## Lines that are no settings\n\n| Line | Meaning |\n| --- | --- |\n";
    for (line, meaning) in OTHER_LINES {
        let _ = writeln!(page, "| `{line}` | {meaning} |");
    }
    for group in DIRECTIVES.chunk_by(|one, next| one.group == next.group) {
        page += &format!("\n## {}\n\n", group[0].group);
        page += "| Directive | Values | Default | CONFIG SET | Effect | Meaning |\n| --- | --- | --- | --- | --- | --- |\n";
        for row in group {
            page += &markdown_row(row);
        }
    }
    page
}

/// `config/larder.conf`: every directive with its default.
pub fn render_example() -> String {
    let mut file = String::from(EXAMPLE_HEAD);
    for group in DIRECTIVES.chunk_by(|one, next| one.group == next.group) {
        let _ = writeln!(file, "\n################ {} ################", group[0].group.to_uppercase());
        for row in group {
            let _ = write!(file, "\n# {}\n# Values: {}.", row.summary(), values(&row.kind));
            file += match row.live {
                Live::Immutable => " Fixed while the node runs.",
                Live::Live => " CONFIG SET changes it.",
                Live::Protected => " CONFIG SET changes it where enable-protected-configs allows.",
            };
            file += if row.effect == Effect::Works { "\n" } else { " No effect yet.\n" };
            let _ = writeln!(file, "{}", example_line(row));
        }
    }
    file
}

const MARKDOWN_HEAD: &str = "\
# Configuration

Generated from the table in `crates/config/src/table.rs`; `UPDATE=1 cargo test -p larder-config` writes it anew.

Directives are read from a file in redis.conf syntax, then from the command line (`larder larder.conf --port 7000 \
--save ''`), and changed by CONFIG SET; CONFIG REWRITE puts what is in force into the file. `-` before or after the options reads \
more lines from the standard input. `--check-config` at either end of the command line has everything read and reported, and nothing \
opened. Under the names redis-server and valkey-server (a link to the binary will do) `memcached-port` is 0 unless set; under the name \
memcached the command line is memcached's, and `port` is 0.

The server's log names the directives that are set without effect. What would be missed if it were passed over is refused instead: \
clusters, TLS, a primary to follow, users other than the default one, modules.

Amounts of memory may carry a unit: `k`, `m`, `g` count in thousands, `kb`, \
`mb`, `gb` in 1,024s; CONFIG GET prints bytes. A directive whose effect is *kept* is read, checked and reported, so \
that files and clients written for Redis work, and changes nothing yet; what is *hidden* is so too, and no pattern of \
CONFIG GET finds it.
";

/// What a file or the command line may say beside directives; CONFIG GET does not know it.
const OTHER_LINES: &[(&str, &str)] = &[
    (
        "include PATH",
        "Reads the files of that name here, in the order of their names if it has wildcards; no file that matches is no mistake.",
    ),
    (
        "rename-command NAME NEW",
        "Clients find the command under the new name only, or under none when that is empty (`\"\"`).",
    ),
    (
        "user default RULE ...",
        "The default user may do everything: rules that say so are accepted, `>password` and `nopass` change `requirepass`. \
         Other rules and other users are refused until there are users.",
    ),
    ("loadmodule PATH", "Refused: modules cannot be loaded."),
    (
        "list-max-ziplist-entries`, `list-max-ziplist-value`, `lua-replicate-commands",
        "Passed over, as Redis does.",
    ),
];

const EXAMPLE_HEAD: &str = "\
# Every directive with its default; see docs/config.md. A line that begins with # is a comment. A value with blanks
# is put in quotes. A later line overrides an earlier one, and the command line overrides the file. Amounts of memory
# may carry a unit: 1k is 1,000 bytes, 1kb 1,024; so with m, mb, g and gb. Other files are read where `include PATH`
# stands.
";

fn markdown_row(row: &Directive) -> String {
    let mut names = format!("`{}`", row.name);
    for alias in row.aliases {
        let _ = write!(names, ", also `{alias}`");
    }
    let default = if row.default.is_empty() { "empty".to_owned() } else { format!("`{}`", row.default) };
    let live = match row.live {
        Live::Immutable => "no",
        Live::Live => "yes",
        Live::Protected => "protected",
    };
    let effect = match row.effect {
        Effect::Works => "works",
        Effect::Kept => "kept",
        Effect::Hidden => "hidden",
    };
    format!("| {names} | {} | {default} | {live} | {effect} | {} |\n", values(&row.kind), row.summary())
}

/// What a directive takes, in words.
fn values(kind: &Kind) -> String {
    match *kind {
        Kind::YesNo => "yes or no".to_owned(),
        Kind::Integer { min, max, unit } => {
            let unit = match unit {
                Unit::Plain => "integer",
                Unit::Minutes => "minutes",
                Unit::Seconds => "seconds",
                Unit::Milliseconds => "milliseconds",
                Unit::Microseconds => "microseconds",
            };
            format!("{unit} from {min} to {max}")
        }
        Kind::Memory { min: 0, max: u64::MAX } => "memory".to_owned(),
        Kind::Memory { min, max } => format!("memory from {min} to {max}"),
        Kind::MemoryOrPercent => "memory, or a percentage of maxmemory".to_owned(),
        Kind::Octal { max } => format!("octal from 0 to {max:o}"),
        Kind::Choice(names) => names.join(", "),
        Kind::Flags(names) => format!("any of {}", names.join(", ")),
        Kind::Scores => "three integers from -2000 to 2000".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Words { most, .. } => format!("up to {most} words"),
        Kind::Percentiles => "numbers from 0 to 100".to_owned(),
        Kind::SavePoints => "pairs of seconds and changes".to_owned(),
        Kind::OutputBufferLimits => "class, hard limit, soft limit, soft seconds; and so on".to_owned(),
        Kind::Events => "letters".to_owned(),
    }
}

/// The line that sets a directive to its default; words are quoted where they must be.
fn example_line(row: &Directive) -> String {
    let words = if row.kind.takes_words() && !row.default.is_empty() {
        value::words(row.default)
    } else {
        vec![row.default]
    };
    let mut line = row.name.to_owned();
    for word in words {
        let _ = write!(line, " {}", words::plain_or_quoted(word));
    }
    line
}
