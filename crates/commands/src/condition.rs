//! Whether something must be there, or must not, for a write to happen: NX and XX, and their kin for fields.

use crate::prelude::*;

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It does not matter.
    #[default]
    None,
    /// It must not be there.
    Absent,
    /// It must be there.
    Present,
}

impl Condition {
    /// Asks for this as well.
    ///
    /// # Errors
    /// The opposite was asked for before.
    pub(crate) fn add(&mut self, new: Condition) -> Result<(), CommandError> {
        if *self != Condition::None && *self != new {
            return Err(CommandError::Syntax);
        }
        *self = new;
        Ok(())
    }

    /// Whether it holds of something that is there or not.
    pub(crate) fn holds(self, is_there: bool) -> bool {
        match self {
            Condition::None => true,
            Condition::Absent => !is_there,
            Condition::Present => is_there,
        }
    }
}
