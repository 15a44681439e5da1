//! Any bytes as the manifest of an append log: they are refused, or make a manifest that is written and read as the same.

#![no_main]

use larder_persist::log::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        let written = manifest.to_bytes();
        // A name may be longer with its quotes than a line may be; and without files there is no line.
        let fits = written.split_inclusive(|byte| *byte == b'\n').all(|line| line.len() <= 1024);
        if fits && !written.is_empty() {
            assert_eq!(Manifest::parse(&written).as_ref(), Ok(&manifest));
        }
    }
});
