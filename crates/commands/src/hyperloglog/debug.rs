//! PFDEBUG and PFSELFTEST: looking into a HyperLogLog.

use super::sketch::Sketch;
use super::{REGISTERS, find};
use crate::prelude::*;

pub(super) const COMMANDS: &[Command] = &[PFDEBUG, PFSELFTEST];

const PFDEBUG: Command = Command {
    name: "pfdebug",
    syntax: "subcommand key",
    summary: "Looks into a HyperLogLog.",
    group: Group::HyperLogLog,
    since: "2.8.9",
    complexity: "O(1): the number of registers is fixed",
    arity: Arity::Exactly(3),
    keys: &[KeySpec::at(2, Access::READ_AND_CACHE)],
    flags: Flags::WRITE.and(Flags::DENY_OOM).and(Flags::ADMIN).and(Flags::SYSTEM),
    run: pfdebug,
    ..Command::PLAIN
};

const PFSELFTEST: Command = Command {
    name: "pfselftest",
    syntax: "",
    summary: "Tests registers and estimates of HyperLogLogs.",
    group: Group::HyperLogLog,
    since: "2.8.9",
    complexity: "O(1): the number of elements is fixed",
    arity: Arity::Exactly(1),
    flags: Flags::ADMIN.and(Flags::SYSTEM),
    run: pfselftest,
    ..Command::PLAIN
};

fn pfdebug(cx: &mut Context<'_>) -> CommandResult {
    let mut db = cx.lock()?;
    let key = cx.key(0);
    let word = cx.args.at(1);
    let missing = CommandError::line("ERR The specified key does not exist");
    let mut sketch = find(&mut db, key)?.ok_or(missing)?;
    if is_word(word, "getreg") {
        sketch.make_dense()?;
        db.put_value(key, NewValue::raw(&sketch.bytes()), Event::UNTOLD);
        cx.reply.array(REGISTERS);
        sketch.registers()?.iter().for_each(|count| cx.reply.integer(i64::from(*count)));
    } else if is_word(word, "decode") {
        if sketch.is_dense() {
            return Err(CommandError::line("ERR HLL encoding is not sparse"));
        }
        cx.reply.bulk(decoded(&sketch)?.as_bytes());
    } else if is_word(word, "encoding") {
        cx.reply.simple(if sketch.is_dense() { "dense" } else { "sparse" });
    } else if is_word(word, "todense") {
        let converts = !sketch.is_dense();
        if converts {
            sketch.make_dense()?;
            db.put_value(key, NewValue::raw(&sketch.bytes()), Event::UNTOLD);
        }
        cx.reply.integer(i64::from(converts));
    } else {
        let line = format!("ERR Unknown PFDEBUG subcommand '{}'", String::from_utf8_lossy(word));
        return Err(CommandError::Line(line.into()));
    }
    Ok(Outcome::Reply)
}

/// The runs of a sparse one in letters: z and Z for zeros in one and two bytes, v for a count.
fn decoded(sketch: &Sketch) -> Result<String, CommandError> {
    let mut runs = Vec::new();
    sketch.each_run(|_, run| {
        runs.push(match run.count {
            0 if run.len > 64 => format!("Z:{}", run.len),
            0 => format!("z:{}", run.len),
            count => format!("v:{count},{}", run.len),
        });
    })?;
    Ok(runs.join(" "))
}

/// Adds numbers and compares estimates with what they are estimates of, sparse and dense.
fn pfselftest(cx: &mut Context<'_>) -> CommandResult {
    const ELEMENTS: u32 = 20_000;
    const SPARSE_BYTES_MAX: usize = 3000;
    let (mut sparse, mut dense) = (Sketch::default(), Sketch::default());
    dense.make_dense()?;
    for added in 1..=ELEMENTS {
        let element = added.to_le_bytes();
        sparse.add(&element, SPARSE_BYTES_MAX)?;
        dense.add(&element, 0)?;
        if !added.is_power_of_two() && added != ELEMENTS {
            continue;
        }
        let estimates = (sparse.estimate()?, dense.estimate()?);
        // Four times the standard error, and some for the smallest numbers.
        let tolerance = f64::from(added) * 4.0 * 1.04 / (REGISTERS as f64).sqrt() + 2.0;
        if estimates.0 != estimates.1 || (estimates.0 as f64 - f64::from(added)).abs() > tolerance {
            let line =
                format!("TESTFAILED {added} elements are estimated as {} and {}", estimates.0, estimates.1);
            return Err(CommandError::Line(line.into()));
        }
    }
    cx.reply.ok();
    Ok(Outcome::Reply)
}
