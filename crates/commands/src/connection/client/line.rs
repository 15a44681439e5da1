//! The line that describes a client in CLIENT LIST and CLIENT INFO.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use larder_engine::{ClientLine, SharedClient};

use crate::prelude::*;

/// Appends the line of a client.
pub(super) fn append(text: &mut String, cx: &Context<'_>, client: &SharedClient) {
    let mut line = ClientLine::new(&cx.node.table, client, cx.now());
    line.db = database(cx, client);
    line.own_arguments = (client.id == cx.client.id()).then(|| cx.args.iter().map(<[u8]>::len).sum());
    // Appending to memory does not fail.
    let _ = write!(text, "{line}");
}

/// The database it works in. Others see what it was after a batch; the client itself, what it is.
pub(super) fn database(cx: &Context<'_>, client: &SharedClient) -> u32 {
    if client.id == cx.client.id() { cx.client.db.0 } else { client.db.load(Ordering::Relaxed) }
}
