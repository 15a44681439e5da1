//! Any bytes as an append log: commands come out as they went in, however the log is read, up to where it is intact; and checking
//! and mending it leaves a log that is valid.

#![no_main]

use std::io::{self, Read};
use std::path::Path;

use larder_persist::log::check::{Files, Mode, Sanity, check};
use larder_persist::log::{Error, Item, Reader, write_command};
use larder_store::UnixMillis;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|log: &[u8]| {
    let (commands, intact, _) = read(log);
    let (again, also_intact, _) = read_slowly(log);
    assert_eq!((&commands, intact), (&again, also_intact));
    let (kept, whole, end) = read(&log[..intact as usize]);
    assert!(end.is_ok() && whole == intact && commands.starts_with(&kept));

    let mut written = Vec::new();
    for command in &kept {
        write_command(&mut written, command.iter().map(Vec::as_slice));
    }
    assert_eq!(read(&written[..]).0, kept);

    let mut file = OneFile(log.to_vec());
    let path = Path::new("some.aof");
    let mut out = Vec::new();
    let mend = check(&mut file, path, Mode::Fix, UnixMillis(0), &mut out).expect("memory takes everything");
    if mend == Sanity::Sane {
        let again = check(&mut file, path, Mode::Check, UnixMillis(0), &mut out);
        assert_eq!(again.expect("memory takes everything"), Sanity::Sane);
    }
});

type Commands = Vec<Vec<Vec<u8>>>;

fn read_slowly(log: &[u8]) -> (Commands, u64, Result<(), Error>) {
    read(Trickle(log))
}

fn read(log: impl Read) -> (Commands, u64, Result<(), Error>) {
    let (mut reader, mut commands) = (Reader::new(log), Vec::new());
    let end = loop {
        match reader.next_item() {
            Ok(Some(Item::Command(command))) => {
                commands.push(command.arguments().map(<[u8]>::to_vec).collect());
            }
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (commands, reader.intact_up_to(), end)
}

/// Gives a byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(1);
        self.0.read(&mut into[..len])
    }
}

/// A file in memory, whatever it is called.
struct OneFile(Vec<u8>);

impl Files for OneFile {
    type File = io::Cursor<Vec<u8>>;

    fn open(&mut self, _path: &Path, from: u64) -> io::Result<(Self::File, u64)> {
        let mut file = io::Cursor::new(self.0.clone());
        file.set_position(from);
        Ok((file, self.0.len() as u64))
    }

    fn truncate(&mut self, _path: &Path, len: u64) -> io::Result<()> {
        self.0.truncate(len as usize);
        Ok(())
    }

    fn agrees(&mut self) -> bool {
        true
    }
}
