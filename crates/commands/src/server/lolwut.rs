//! LOLWUT: a picture, and the version. It serves no purpose.

use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[LOLWUT];

const LOLWUT: Command = Command {
    name: "lolwut",
    syntax: "[VERSION version]",
    summary: "Shows what stands in the larder, and the version of the server.",
    group: Group::Server,
    since: "5.0.0",
    arity: Arity::AtLeast(1),
    flags: Flags::READONLY.and(Flags::FAST),
    acl: &["read"],
    run: lolwut,
    ..Command::PLAIN
};

const SHELVES: usize = 3;
const JARS: usize = 8;

fn lolwut(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() >= 3 && is_word(cx.args.at(1), "version") {
        cx.args.integer(2)?;
    }
    let mut picture = String::new();
    for _ in 0..SHELVES {
        let jars: Vec<Jar> =
            (0..JARS).map(|_| JAR_KINDS[cx.random.next_u64() as usize % JAR_KINDS.len()]).collect();
        for line in 0..3 {
            for jar in &jars {
                picture.push_str(jar[line]);
            }
            picture.push('\n');
        }
        picture.push_str(&"=".repeat(JARS * JAR_KINDS[0][0].len()));
        picture.push('\n');
    }
    let text = format!("{picture}\nLarder ver. {}\n", env!("CARGO_PKG_VERSION"));
    cx.reply.verbatim(*b"txt", text.as_bytes());
    Ok(Outcome::Reply)
}

/// What stands on a shelf, in three lines of the same width.
type Jar = [&'static str; 3];

const JAR_KINDS: [Jar; 5] = [
    ["  ___   ", " |~~~|  ", " |###|  "],
    ["  ___   ", " |   |  ", " |_o_|  "],
    ["   _    ", "  / \\   ", " (___)  "],
    ["        ", "  .-.   ", " (   )  "],
    ["        ", "        ", "        "],
];
