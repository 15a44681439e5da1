//! Elements of collections as replies.

use larder_resp::Reply;
use larder_store::{BLOCK_MIN_BYTES, Element};

use crate::string::shared;

/// Writes an element. A large one is sent from where it is, after the stripe is unlocked.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply<'_>, element: Element<'_>) {
    match element {
        Element::Int(number) => reply.bulk_integer(number),
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Block(block) if block.len() < BLOCK_MIN_BYTES => reply.bulk(block),
        Element::Block(block) => reply.block(shared(block)),
    }
}

/// Writes an element, or null.
#[inline]
pub(crate) fn reply_found(reply: &mut Reply<'_>, found: Option<Element<'_>>) {
    match found {
        Some(element) => reply_element(reply, element),
        None => reply.null(),
    }
}

/// Writes so many nulls: the elements of what does not exist.
pub(crate) fn reply_nulls(reply: &mut Reply<'_>, len: usize) {
    reply.array(len);
    (0..len).for_each(|_| reply.null());
}
