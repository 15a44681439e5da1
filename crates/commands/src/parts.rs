//! Replies of many elements, written in parts, so that neither their memory nor their time is anybody else's trouble.
//!
//! A handler takes a view of the collection, lets go of its stripe, writes the header of the reply and then calls [`reply_in_parts`]. A
//! part is sent, and other clients have their turn, before the next one is written; so a reply of any size takes the memory of
//! a part, whatever the client's pace.

use std::ops::ControlFlow;

use larder_resp::Reply;

use crate::prelude::*;

/// Bytes of reply after which a part is sent.
const PART_BYTES: usize = 64 * 1024;
/// Time after which others have their turn, in nanoseconds.
const PART_NANOS: u64 = 500_000;

/// A collection of more elements than this is read through a view, after its stripe is unlocked.
pub(crate) const AT_ONCE_MAX: usize = 256;

/// Replies by calling `write`, which writes a few elements (tens of microseconds at most) and says whether there are more.
pub(crate) fn reply_in_parts(
    cx: &mut Context<'_>,
    mut write: impl FnMut(&mut Reply<'_>) -> ControlFlow<()> + Send + 'static,
) -> CommandResult {
    let (begun, mut end) = (cx.reply.out.len(), None);
    while write(&mut cx.reply).is_continue() {
        let nanos = cx.node.host.time().nanos;
        if nanos >= *end.get_or_insert(nanos + PART_NANOS) || cx.reply.out.len() - begun >= PART_BYTES {
            let mut write = Some(write);
            return Ok(Outcome::replying(move |cx| {
                let write = write.take().expect("a reply in parts does not fail, so it is not tried again");
                reply_in_parts(cx, write)
            }));
        }
    }
    Ok(Outcome::Reply)
}
