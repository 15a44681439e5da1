//! `delete`, and the removal of a value that was to be replaced by one too large.

use larder_engine::Topics;
use larder_store::Position;
use memcache_parser::reply::Status;
use memcache_parser::{Delete, Error, ErrorReply, KeyBuffer, ReplyMode};

use super::item::Contended;
use super::turn::Turn;

impl Turn<'_> {
    /// Deletes an item.
    pub(super) fn delete(&mut self, delete: &Delete<'_>, position: Position) -> Result<(), Contended> {
        let stats = self.stats();
        let mut item = self.item(delete.key, position)?;
        self.note(delete.key, |counts| counts.deletes += 1);
        let status = if item.look().is_some() {
            if self.watched.meet(Topics::DELETIONS) {
                self.log_deletion(&mut item, "delete");
            }
            item.delete();
            stats.delete_hits.add(1);
            Status::Deleted
        } else {
            stats.delete_misses.add(1);
            Status::NotFound
        };
        self.status(status, delete.reply);
        Ok(())
    }

    /// Answers a request that is refused; a value that it outdates goes, whatever its type.
    pub(super) fn refuse(&mut self, error: &Error<'_>) -> Result<(), Contended> {
        if let Some(key) = error.unlink {
            self.unlink(key.bytes(&mut KeyBuffer::default()))?;
        }
        if error.reply == Some(ErrorReply::ObjectTooLarge) {
            self.stats().store_too_large.add(1);
        }
        if let Some(reply) = error.reply {
            self.error(reply, ReplyMode::Send);
        }
        self.executed += 1;
        Ok(())
    }

    /// Deletes what was to be replaced by a value that is refused.
    pub(super) fn unlink(&self, key: &[u8]) -> Result<(), Contended> {
        self.item(key, self.node.keyspace.positioner().position(key))?.delete();
        Ok(())
    }
}
