//! Any bytes as a payload of RESTORE, under a checksum that is right: they are refused, or make a value that goes out and comes back.

#![no_main]

use larder_persist::{Limits, dump, restore};
use larder_store::PackedLimits;
use larder_store::list::ListLimit;
use larder_store::set::SetLimits;
use libfuzzer_sys::fuzz_target;

const PACKED: PackedLimits = PackedLimits { entries: 8, value_bytes: 32 };
const LIMITS: Limits = Limits {
    hash: PACKED,
    list: ListLimit::Elements(8),
    set: SetLimits { intset_entries: 8, packed: PACKED },
    sorted_set: PACKED,
};

fuzz_target!(|content: &[u8]| {
    if let Ok(entry) = restore(&larder_persist::sealed(content), b"key", &LIMITS) {
        let payload = dump(&entry);
        let back = restore(&payload, b"key", &LIMITS).expect("what was dumped is restored");
        assert_eq!(dump(&back), payload);
    }
});
