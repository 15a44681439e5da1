//! What requests stand as in the append log where that is not what was sent.

use crate::prelude::*;

/// The columns of a row whose strings are logged as values, unless the request is one of a name, a key and a value.
pub(crate) fn by_value_unless_plain(args: Args<'_>) -> Logged {
    if args.len() == 3 { Logged::AsSent } else { Logged::ByValue }
}

/// Whether a request has the option EX or PX among its options from an index on.
pub(crate) fn has_time_to_live(args: Args<'_>, from: usize) -> bool {
    args.from(from).any(|word| is_word(word, "ex") || is_word(word, "px"))
}

/// Logs a request with its times to live given as when they end.
pub(crate) fn log_with_deadline(
    db: &mut Locked<'_>,
    args: Args<'_>,
    options: std::ops::Range<usize>,
    deadline: Option<UnixMillis>,
) {
    let Some(UnixMillis(at)) = deadline.filter(|_| db.is_logged()) else { return };
    let at = at.to_string();
    let mut words = Vec::with_capacity(args.len());
    let mut index = 0;
    while index < args.len() {
        let word = args.at(index);
        if options.contains(&index) && crate::expiry::option(word).is_some() {
            words.extend([&b"PXAT"[..], at.as_bytes()]);
            index += 2;
        } else {
            words.push(word);
            index += 1;
        }
    }
    db.log_as(&words);
}
