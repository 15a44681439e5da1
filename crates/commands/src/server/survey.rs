//! Looking at every key of every database, without keeping anybody waiting.

use std::ops::ControlFlow;

use larder_store::{DbIndex, Entry, Position};

use crate::prelude::*;

/// Keys visited under one lock, between two looks at the clock: some ten microseconds.
const STEP_KEYS: usize = 256;
/// Time after which other clients have their turn.
const PIECE_NANOS: u64 = 500_000;

/// How far a survey has come.
pub(super) struct Survey {
    db: DbIndex,
    next: Option<Position>,
}

impl Survey {
    pub(super) fn new() -> Survey {
        Survey { db: DbIndex(0), next: Some(Position::default()) }
    }

    /// Visits keys for the time of a piece: the databases in order, each from its first key to its last. Breaks when all were
    /// visited.
    pub(super) fn advance(
        &mut self,
        cx: &Context<'_>,
        mut visit: impl FnMut(DbIndex, &Entry),
    ) -> ControlFlow<()> {
        let keyspace = &cx.node.keyspace;
        let end = cx.node.host.time().nanos + PIECE_NANOS;
        while (self.db.0 as usize) < keyspace.databases() {
            let Some(cursor) = self.next.filter(|_| keyspace.len(self.db) > 0) else {
                *self = Survey { db: DbIndex(self.db.0 + 1), ..Survey::new() };
                continue;
            };
            self.next = keyspace.scan(self.db, cursor, STEP_KEYS, cx.moment, |entry| visit(self.db, entry));
            if cx.node.host.time().nanos >= end {
                return ControlFlow::Continue(());
            }
        }
        ControlFlow::Break(())
    }
}
