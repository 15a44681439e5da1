//! The sizes that allocations really take.
//!
//! mimalloc hands out blocks in size classes: multiples of 16 bytes up to 128, then four classes per doubling. Asking for
//! exactly a class has two uses: a value may grow or shrink in place while its class stays the same, and memory is accounted
//! to the byte without asking the allocator (the server's counting allocator uses the same function).

/// The number of bytes that an allocation of `size` bytes occupies; always at least `size`.
#[inline]
#[must_use]
pub const fn size_class(size: usize) -> usize {
    if size <= 128 {
        return if size <= 8 { 8 } else { (size + 15) & !15 };
    }
    // Four classes per doubling: keep the top three significant bits of `size - 1`, round up.
    let step = 1_usize << (usize::BITS - 1 - (size - 1).leading_zeros() - 2);
    match size.checked_add(step - 1) {
        Some(padded) => padded & !(step - 1),
        None => size,
    }
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn classes_are_those_of_the_allocator() {
        for (size, class) in [
            (1, 8),
            (8, 8),
            (9, 16),
            (17, 32),
            (64, 64),
            (65, 80),
            (128, 128),
            (129, 160),
            (160, 160),
            (161, 192),
            (257, 320),
            (1024, 1024),
            (1025, 1280),
            (4097, 5120),
        ] {
            assert_eq!(size_class(size), class, "size {size}");
        }
    }

    #[test]
    fn a_class_is_its_own_class_and_wastes_at_most_a_quarter() {
        for size in 1..100_000 {
            let class = size_class(size);
            assert!(class >= size && size_class(class) == class);
            assert!(size <= 16 || class - size <= size.max(64) / 4, "{size} -> {class}");
        }
    }
}
