//! Which sizes there are.
//!
//! A class is what is left for each of `n` equal objects that share a span, so no span has a tail that nobody can use. The
//! sizes that small `n` leave lie up to one part in `n` apart; those of large `n` lie closer than it pays to tell apart and are
//! thinned out, to steps of about 1.5 %. An entry of random size wastes half a step.

use super::{SMALL_MAX_BYTES, SPAN_PAYLOAD_BYTES};

/// The largest content that the slab takes: the largest value inside an entry, its header, and a name of up to about 270 bytes.
pub(super) const SLAB_MAX_BYTES: usize = 4400;
/// Sizes are multiples of this, for the sake of pointers in free objects and in entries.
const GRAIN_BYTES: usize = 8;
/// A class is left out when the next one is no further than one part in this many from the one before.
const STEPS_PER_SIZE: usize = 64;
/// Number of classes.
pub(super) const CLASSES: usize = fill(&mut [0; 256]);

/// Bytes of an object of each class, ascending.
pub(super) const SIZES: [u16; CLASSES] = {
    let mut room = [0; 256];
    fill(&mut room);
    let (sizes, _) = room.split_at(CLASSES);
    let mut exact = [0; CLASSES];
    exact.copy_from_slice(sizes);
    exact
};

/// The class of each content size, by the size in grains rounded up.
static CLASS_OF: [u8; SLAB_MAX_BYTES / GRAIN_BYTES + 1] = {
    let mut classes = [0; SLAB_MAX_BYTES / GRAIN_BYTES + 1];
    let (mut grains, mut class) = (SMALL_MAX_BYTES / GRAIN_BYTES + 1, 0);
    while grains < classes.len() {
        if grains * GRAIN_BYTES > SIZES[class] as usize {
            class += 1;
        }
        classes[grains] = class as u8;
        grains += 1;
    }
    classes
};

/// Writes the sizes into `sizes` and returns how many there are.
const fn fill(sizes: &mut [u16; 256]) -> usize {
    let (mut len, mut last) = (0, SMALL_MAX_BYTES);
    let mut objects = SPAN_PAYLOAD_BYTES / (SMALL_MAX_BYTES + GRAIN_BYTES);
    while last < SLAB_MAX_BYTES {
        let size = share(objects);
        let next = share(objects - 1);
        if size > last && (size >= SLAB_MAX_BYTES || (next - last) * STEPS_PER_SIZE > last) {
            sizes[len] = size as u16;
            len += 1;
            last = size;
        }
        objects -= 1;
    }
    len
}

/// What a span has for each of this many objects.
const fn share(objects: usize) -> usize {
    SPAN_PAYLOAD_BYTES / objects / GRAIN_BYTES * GRAIN_BYTES
}

/// The class for a content of more than [`SMALL_MAX_BYTES`] and at most [`SLAB_MAX_BYTES`].
#[inline]
pub(super) fn class_of(size: usize) -> usize {
    usize::from(CLASS_OF[size.div_ceil(GRAIN_BYTES)])
}

/// Bytes of an object of a class.
#[inline]
pub(super) fn size_of_class(class: usize) -> usize {
    usize::from(SIZES[class])
}

/// How many objects of a class a span holds.
pub(super) fn objects_of_class(class: usize) -> u32 {
    (SPAN_PAYLOAD_BYTES / size_of_class(class)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_ascend_and_waste_little() {
        assert!(SIZES.is_sorted_by(|a, b| a < b));
        let mut last = SMALL_MAX_BYTES;
        for class in 0..CLASSES {
            let size = size_of_class(class);
            assert_eq!(size % GRAIN_BYTES, 0);
            assert!(size - last <= (last / 40).max(GRAIN_BYTES), "{last} to {size}");
            let tail = SPAN_PAYLOAD_BYTES - size * objects_of_class(class) as usize;
            assert!(tail <= objects_of_class(class) as usize * GRAIN_BYTES && tail * 16 < SPAN_PAYLOAD_BYTES);
            last = size;
        }
        assert!(last >= SLAB_MAX_BYTES);
    }

    #[test]
    fn a_size_gets_the_smallest_class_that_holds_it() {
        for size in SMALL_MAX_BYTES + 1..=SLAB_MAX_BYTES {
            let class = class_of(size);
            assert!(size_of_class(class) >= size, "{size}");
            assert!(class == 0 || size_of_class(class - 1) < size, "{size}");
        }
    }
}
