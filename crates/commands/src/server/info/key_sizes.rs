//! The section keysizes, as in Redis 8: how many values there are of each size, in powers of two.
//!
//! Counting along with every write would touch one more line of memory each time. So all keys are looked at when somebody asks for
//! the section by its name, in pieces between which others have their turn.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use larder_store::{DbIndex, Type};

use super::{Report, write};
use crate::prelude::*;
use crate::server::survey::Survey;

pub(super) const TITLE: &str = "Keysizes";

/// Sizes that have a count of their own: 0, and each power of two up to the largest string.
const CLASSES: usize = 64;

/// How many values of each type and class a database has.
#[derive(Default)]
pub(super) struct KeySizes(BTreeMap<(u32, u8), Vec<u64>>);

/// What the sizes of a type are called.
fn measure(of: Type) -> &'static str {
    match of {
        Type::String => "strings_sizes",
        Type::List => "lists_items",
        Type::Set => "sets_items",
        Type::SortedSet => "zsets_items",
        Type::Hash => "hashes_items",
        Type::Stream => "streams_items",
    }
}

impl KeySizes {
    fn count(&mut self, db: DbIndex, of: Type, size: usize) {
        let class = size.checked_ilog2().map_or(0, |power| power as usize + 1);
        self.0.entry((db.0, of as u8)).or_insert_with(|| vec![0; CLASSES])[class] += 1;
    }

    pub(super) fn report(&self, report: &mut Report) {
        for ((db, of), counts) in &self.0 {
            let measure = measure(Type::ALL[usize::from(*of)]);
            let classes = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let classes: Vec<String> =
                classes.map(|(class, count)| format!("{}={count}", smallest(class))).collect();
            report.line(format_args!("db{db}_distrib_{measure}:{}", classes.join(",")));
        }
    }
}

/// Looks at all keys, and then writes the report.
pub(super) fn survey(cx: &mut Context<'_>) -> CommandResult {
    let (mut survey, mut sizes) = (Survey::new(), KeySizes::default());
    let mut step = move |cx: &mut Context<'_>| {
        let progress = survey.advance(cx, |db, entry| sizes.count(db, entry.value_type(), entry.size()));
        if progress.is_break() {
            write(cx, &sizes);
        }
        progress
    };
    match step(cx) {
        ControlFlow::Break(()) => Ok(Outcome::Reply),
        ControlFlow::Continue(()) => Ok(Outcome::in_steps(move |cx| Ok(step(cx)))),
    }
}

/// The smallest size of a class, as it is shown: 512, 1K, 2K.
fn smallest(class: usize) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    match class.checked_sub(1) {
        None => "0".to_owned(),
        Some(power) => format!("{}{}", 1_u64 << (power % 10), UNITS[power / 10]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counted_by_their_power_of_two() {
        let mut sizes = KeySizes::default();
        for size in [0, 1, 2, 3, 511, 512, 1023, 1024, 5000, 1 << 29] {
            sizes.count(DbIndex(0), Type::String, size);
        }
        sizes.count(DbIndex(7), Type::String, 4);
        sizes.count(DbIndex(7), Type::Hash, 70);
        let mut report = Report::default();
        sizes.report(&mut report);
        let expected = "db0_distrib_strings_sizes:0=1,1=1,2=2,256=1,512=2,1K=1,4K=1,512M=1\r\n\
                        db7_distrib_strings_sizes:4=1\r\n\
                        db7_distrib_hashes_items:64=1\r\n";
        assert_eq!(report.text, expected);
    }
}
