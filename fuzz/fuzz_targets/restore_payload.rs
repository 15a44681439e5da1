//! Any bytes as a payload of RESTORE, under a checksum that is right: they are refused, or make a value that goes out and comes back.

#![no_main]

use larder_fuzz::LIMITS;
use larder_persist::{Compression, dump, restore};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| {
    if let Ok(entry) = restore(&larder_persist::sealed(content), b"key", &LIMITS) {
        let payload = dump(&entry, Compression::Lzf);
        let back = restore(&payload, b"key", &LIMITS).expect("what was dumped is restored");
        assert_eq!(dump(&back, Compression::Lzf), payload);
    }
});
