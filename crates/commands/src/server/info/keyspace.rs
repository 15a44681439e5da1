//! The section keyspace: how many keys each database has.

use larder_store::{DbIndex, STRIPES};

use super::Report;
use crate::prelude::*;

pub(super) fn keyspace(report: &mut Report, cx: &Context<'_>) {
    let keyspace = &cx.node.keyspace;
    for db in (0..keyspace.databases() as u32).map(DbIndex) {
        let keys = keyspace.len(db);
        if keys == 0 {
            continue;
        }
        let (mut expiring, mut sum_millis, mut expiring_hashes) = (0, 0, 0);
        let mut next = keyspace.next_occupied(db, 0);
        while let Some(index) = next {
            let stripe = keyspace.lock(index, cx.moment);
            let expiries = stripe.expiries(db);
            expiring += expiries.keys;
            sum_millis += expiries.sum_millis();
            expiring_hashes += stripe.expiring_hashes(db);
            drop(stripe);
            next = (index + 1 < STRIPES).then(|| keyspace.next_occupied(db, index + 1)).flatten();
        }
        let average_ttl = match expiring {
            0 => 0,
            count => (sum_millis / count as i128 - i128::from(cx.now().0)).max(0),
        };
        report.line(format_args!(
            "db{}:keys={keys},expires={expiring},avg_ttl={average_ttl},keys_with_volatile_items={expiring_hashes}",
            db.0
        ));
    }
}
