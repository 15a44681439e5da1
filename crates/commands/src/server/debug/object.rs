//! DEBUG OBJECT: how a value is held.

use larder_store::Touch;

use crate::generic::compression;
use crate::prelude::*;

pub(super) fn object(cx: &mut Context<'_>) -> CommandResult {
    let fast = cx.args.find(3).is_some_and(|word| is_word(word, "fast"));
    let key = cx.node.keyspace.key(cx.args.at(2));
    let stripe = cx.node.keyspace.try_lock(key.position.stripe(), cx.moment);
    let mut stripe = stripe.ok_or(CommandError::Contended)?;
    let entry = stripe.find(cx.client.db, key, Touch::No).ok_or(CommandError::NoSuchKey)?;
    let length = if fast {
        String::new()
    } else {
        let bytes = larder_persist::serialized_len(&entry, compression(cx.settings));
        format!(" serializedlength:{bytes}")
    };
    cx.reply.simple(&format!(
        "Value at:{:p} refcount:1 encoding:{}{length} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        entry.encoding_name(),
        entry.access(),
        cx.moment.policy.idle_seconds(entry.access(), cx.now()),
    ));
    Ok(Outcome::Reply)
}
