//! Any bytes as a file of RDB: they are refused, or have keys that are written into a file and read from it as the same.

#![no_main]

use larder_fuzz::LIMITS;
use larder_persist::snapshot::check::check;
use larder_persist::snapshot::{Checksum, Format, Item, Key, Reader, Usage, Verdict, Writer};
use larder_persist::{Compression, dump};
use larder_store::{Entry, UnixMillis};
use libfuzzer_sys::fuzz_target;

const MAGICS: [&[u8; 9]; 4] = [b"REDIS0003", b"REDIS0010", b"REDIS0012", b"VALKEY080"];

fuzz_target!(|input: (u8, &[u8])| {
    let (magic, content) = input;
    let mut file = MAGICS[usize::from(magic) % MAGICS.len()].to_vec();
    file.extend_from_slice(content);
    check(&file[..], b"file", UnixMillis(0), &mut Vec::new()).expect("memory takes everything");
    let entries = entries(&file);
    let mut writer = Writer::new(Vec::new(), Format::Valkey80, Checksum::Written, Compression::Lzf);
    for (entry, usage) in &entries {
        writer.key(&Key::of(entry, *usage)).expect("memory takes everything");
    }
    let file = writer.finish().expect("memory takes everything");
    let again = self::entries(&file);
    assert_eq!(again.len(), entries.len());
    for ((one, usage), (other, usage_again)) in entries.iter().zip(&again) {
        assert_eq!((one.key(), one.attributes(), usage), (other.key(), other.attributes(), usage_again));
        assert_eq!(dump(one, Compression::Off), dump(other, Compression::Off));
    }
    let mut reader = Reader::new(&file[..]).expect("it was written");
    while reader.next_item().expect("it was written").is_some() {}
    assert_eq!(reader.verdict(), Some(Verdict::Checked));
});

/// The entries that can be read up to the end or what is damaged.
fn entries(file: &[u8]) -> Vec<(Entry, Usage)> {
    let mut entries = Vec::new();
    let Ok(mut reader) = Reader::new(file) else { return entries };
    while let Ok(Some(item)) = reader.next_item() {
        if let Item::Key(record) = item
            && let Ok(entry) = record.decode(&LIMITS)
        {
            entries.push((entry, record.usage()));
        }
    }
    entries
}
