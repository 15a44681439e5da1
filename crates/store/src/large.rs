//! Collections too large to be packed, whatever their type.

use crate::entry::Type;

/// A collection of one of the types. Cloning it takes a view: cheap whatever its size, and untouched by later changes.
#[derive(Clone, Debug)]
pub enum Large {}

impl Large {
    /// The type.
    #[must_use]
    pub fn value_type(&self) -> Type {
        match *self {}
    }

    /// Number of elements: fields, members, entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match *self {}
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it occupies, its own box included; estimated from a sample where counting would take long.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match *self {}
    }

    /// Whether freeing it takes long enough to be left to the background.
    #[must_use]
    pub fn is_slow_to_free(&self) -> bool {
        /// Freeing this many elements takes about as long as unmapping a block of that size.
        const ELEMENTS: usize = 256;
        self.len() > ELEMENTS
    }
}
