//! MEMORY STATS: where memory goes, in figures.

use larder_resp::Reply;

use super::Figures;
use crate::prelude::*;

/// What a field holds.
enum Field {
    Bytes(u64),
    Difference(i64),
    Double(f64),
}

pub(super) fn stats(cx: &mut Context<'_>) -> CommandResult {
    let figures = Figures::of(cx);
    let keys: usize = (0..cx.node.keyspace.databases() as u32)
        .map(|db| cx.node.keyspace.len(larder_store::DbIndex(db)))
        .sum();
    let (before, after) = (before_databases(&figures), after_databases(&figures, keys as u64));
    cx.reply.map(before.len() + figures.tables.len() + after.len());
    before.iter().for_each(|field| write(&mut cx.reply, field));
    for (db, bytes) in &figures.tables {
        cx.reply.bulk(format!("db.{}", db.0).as_bytes());
        cx.reply.map(2);
        // The time index is a part of the table.
        write(&mut cx.reply, &("overhead.hashtable.main", Field::Bytes(*bytes)));
        write(&mut cx.reply, &("overhead.hashtable.expires", Field::Bytes(0)));
    }
    after.iter().for_each(|field| write(&mut cx.reply, field));
    Ok(Outcome::Reply)
}

fn before_databases(figures: &Figures) -> Vec<(&'static str, Field)> {
    vec![
        ("peak.allocated", Field::Bytes(figures.peak)),
        ("total.allocated", Field::Bytes(figures.used)),
        ("startup.allocated", Field::Bytes(figures.startup)),
        ("replication.backlog", Field::Bytes(0)),
        ("clients.slaves", Field::Bytes(0)),
        ("clients.normal", Field::Bytes(figures.clients)),
        ("cluster.links", Field::Bytes(0)),
        ("aof.buffer", Field::Bytes(0)),
    ]
}

fn after_databases(figures: &Figures, keys: u64) -> Vec<(&'static str, Field)> {
    let (used, resident) = (figures.used, figures.resident);
    let percent = |part: u64, whole: u64| 100.0 * quotient(part, whole);
    let beyond = resident as i64 - used as i64;
    vec![
        ("lua.caches", Field::Bytes(0)),
        ("functions.caches", Field::Bytes(0)),
        ("overhead.db.hashtable.lut", Field::Bytes(figures.table_bytes())),
        ("overhead.db.hashtable.rehashing", Field::Bytes(0)),
        ("db.dict.rehashing.count", Field::Bytes(0)),
        ("overhead.total", Field::Bytes(figures.overhead())),
        ("keys.count", Field::Bytes(keys)),
        ("keys.bytes-per-key", Field::Bytes(figures.net().checked_div(keys).unwrap_or(0))),
        ("dataset.bytes", Field::Bytes(figures.dataset())),
        ("dataset.percentage", Field::Double(percent(figures.dataset(), figures.net()))),
        ("peak.percentage", Field::Double(percent(used, figures.peak))),
        ("allocator.allocated", Field::Bytes(used)),
        ("allocator.active", Field::Bytes(resident)),
        ("allocator.resident", Field::Bytes(resident)),
        ("allocator.muzzy", Field::Bytes(0)),
        ("allocator-fragmentation.ratio", Field::Double(quotient(resident, used))),
        ("allocator-fragmentation.bytes", Field::Difference(beyond)),
        ("allocator-rss.ratio", Field::Double(1.0)),
        ("allocator-rss.bytes", Field::Bytes(0)),
        ("rss-overhead.ratio", Field::Double(1.0)),
        ("rss-overhead.bytes", Field::Bytes(0)),
        ("fragmentation", Field::Double(quotient(resident, used))),
        ("fragmentation.bytes", Field::Difference(beyond)),
    ]
}

fn write(reply: &mut Reply<'_>, (name, field): &(&str, Field)) {
    reply.bulk(name.as_bytes());
    match field {
        Field::Bytes(bytes) => reply.unsigned(*bytes),
        Field::Difference(bytes) => reply.integer(*bytes),
        Field::Double(number) => reply.double(*number),
    }
}

/// 0 when there is nothing to divide by.
fn quotient(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
