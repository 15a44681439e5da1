//! Libraries of functions as FUNCTION DUMP gives them: each an opcode and its source, and a footer as that of a value.

use crate::payload::{opened, sealed_as};
use crate::reader::Reader;
use crate::writer::{Compression, Memory, Sink, write_string};

/// What a library begins with.
pub(crate) const LIBRARY: u8 = 245;
/// What it began with before Redis 7.0 was finished.
pub(crate) const LIBRARY_OF_PREVIEWS: u8 = 246;
/// The first version that has libraries.
const VERSION: u16 = 10;

/// Why a payload was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionsDamaged {
    /// It is of a later version, or the checksum is not that of its bytes.
    Footer,
    /// It has libraries in the format of a preview.
    Preview,
    /// It has something else than libraries.
    NotAFunction,
    /// A library breaks off.
    Content,
}

/// The payload of libraries, given by their sources.
#[must_use]
pub fn dump_functions<'a>(sources: impl IntoIterator<Item = &'a [u8]>, compression: Compression) -> Vec<u8> {
    let mut content = Memory::new(compression);
    for source in sources {
        content.put(&[LIBRARY]);
        write_string(&mut content, source);
    }
    sealed_as(content.bytes, VERSION)
}

/// The sources of the libraries of a payload.
///
/// # Errors
/// The payload is damaged.
pub fn restore_functions(payload: &[u8]) -> Result<Vec<Vec<u8>>, FunctionsDamaged> {
    let (content, _) = opened(payload).map_err(|_| FunctionsDamaged::Footer)?;
    let mut reader = Reader::new(content);
    let mut sources = Vec::new();
    while let Some(opcode) = reader.byte() {
        match opcode {
            LIBRARY => sources.push(reader.string().ok_or(FunctionsDamaged::Content)?.into_owned()),
            LIBRARY_OF_PREVIEWS => return Err(FunctionsDamaged::Preview),
            _ => return Err(FunctionsDamaged::NotAFunction),
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::payload::sealed_as;

    proptest! {
        #[test]
        fn what_is_dumped_is_restored(sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..5)) {
            let payload = dump_functions(sources.iter().map(Vec::as_slice), Compression::Lzf);
            prop_assert_eq!(restore_functions(&payload), Ok(sources));
        }

        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = restore_functions(&sealed_as([&[LIBRARY], &bytes[..]].concat(), VERSION));
            let _ = restore_functions(&bytes);
        }
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(restore_functions(b""), Err(FunctionsDamaged::Footer));
        assert_eq!(restore_functions(&sealed_as(vec![246, 1], VERSION)), Err(FunctionsDamaged::Preview));
        assert_eq!(
            restore_functions(&sealed_as(vec![0, 1, 2], VERSION)),
            Err(FunctionsDamaged::NotAFunction)
        );
        assert_eq!(restore_functions(&sealed_as(vec![245, 5, 2], VERSION)), Err(FunctionsDamaged::Content));
    }
}
