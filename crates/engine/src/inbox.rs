//! What others send to a client: kept until its worker writes it behind the replies of the batch that is running.
//!
//! A letter is written in the version of RESP that the client speaks when it is taken out, by the client's own worker: so nothing that
//! was sent before HELLO or RESET comes behind their replies in the wrong version.

use bytes::Bytes;
use larder_resp::{Output, Protocol, Reply};
use smallvec::SmallVec;

use crate::sync::{AtomicU64, Mutex, Ordering};

/// The channel by which a client of RESP2 is told what another asks to be told.
const INVALIDATIONS: &[u8] = b"__redis__:invalidate";

/// A letter of so many bytes is sent from where it is.
const BLOCK_LEN_MIN: usize = 4096;

/// Something that is sent to a client.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    /// Whole replies or lines, as they are.
    Plain(Bytes),
    /// A message of a channel without its first byte, which is all that the versions of RESP differ in.
    Message(Bytes),
    /// A push that RESP2 has no form for, and whose clients are not told.
    Push(Bytes),
    /// Keys that have changed, as an array; all have if there are none.
    Invalidation {
        keys: Option<Bytes>,
        /// Whether it is told in another's place.
        for_another: bool,
    },
}

/// To whom letters are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    pub(crate) protocol: Protocol,
    pub(crate) subscribes: bool,
}

impl Letter {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Letter::Plain(bytes) | Letter::Message(bytes) | Letter::Push(bytes) => bytes.len() as u64,
            // It is never nothing.
            Letter::Invalidation { keys, .. } => 32 + keys.as_ref().map_or(0, |keys| keys.len() as u64),
        }
    }

    fn write(self, output: &mut Output, reader: Reader) {
        let is_resp3 = reader.protocol == Protocol::Resp3;
        match self {
            Letter::Plain(bytes) => append(output, bytes),
            Letter::Message(bytes) => {
                output.raw(if is_resp3 { b">" } else { b"*" });
                append(output, bytes);
            }
            Letter::Push(bytes) if is_resp3 => append(output, bytes),
            Letter::Invalidation { keys, for_another } if is_resp3 || for_another && reader.subscribes => {
                let mut reply = Reply { out: output, protocol: reader.protocol };
                if is_resp3 {
                    reply.push(2);
                    reply.bulk(b"invalidate");
                } else {
                    reply.array(3);
                    reply.bulk(b"message");
                    reply.bulk(INVALIDATIONS);
                }
                match keys {
                    Some(keys) => append(output, keys),
                    None => reply.null(),
                }
            }
            Letter::Push(_) | Letter::Invalidation { .. } => {}
        }
    }
}

fn append(output: &mut Output, bytes: Bytes) {
    if bytes.len() < BLOCK_LEN_MIN { output.raw(&bytes) } else { output.push_block(bytes) }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Mostly one at a time, which takes no memory of its own.
    letters: Mutex<SmallVec<[Letter; 1]>>,
    /// Bytes that wait; spares the lock when there are none.
    bytes: AtomicU64,
}

impl Inbox {
    /// Adds a letter. Returns how many bytes waited before, and how many wait now.
    pub(crate) fn push(&self, letter: Letter) -> (u64, u64) {
        let len = letter.len();
        let mut letters = self.letters.lock();
        let before = self.bytes.fetch_add(len, Ordering::Release);
        letters.push(letter);
        (before, before + len)
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Moves everything to the output. Returns how many bytes wait no longer.
    pub(crate) fn take(&self, output: &mut Output, reader: Reader) -> u64 {
        let mut letters = self.letters.lock();
        let bytes = self.bytes.swap(0, Ordering::AcqRel);
        // Nobody who sends waits for the copying.
        let taken = std::mem::take(&mut *letters);
        drop(letters);
        taken.into_iter().for_each(|letter| letter.write(output, reader));
        bytes
    }

    /// Forgets the messages of channels. Returns how many bytes wait no longer.
    pub(crate) fn forget_messages(&self) -> u64 {
        let mut letters = self.letters.lock();
        letters.retain(|letter| !matches!(letter, Letter::Message(_)));
        let now = letters.iter().map(Letter::len).sum();
        self.bytes.swap(now, Ordering::AcqRel) - now
    }

    /// How many letters wait.
    pub(crate) fn len(&self) -> usize {
        self.letters.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(inbox: &Inbox, protocol: Protocol, subscribes: bool) -> String {
        let mut output = Output::default();
        inbox.take(&mut output, Reader { protocol, subscribes });
        String::from_utf8(output.to_vec()).unwrap()
    }

    #[test]
    fn a_letter_is_written_for_who_reads_it() {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let inbox = Inbox::default();
        let fill = || {
            inbox.push(Letter::Plain(bytes("+line\r\n")));
            inbox.push(Letter::Message(bytes("1\r\n:1\r\n")));
            inbox.push(Letter::Push(bytes(">1\r\n:2\r\n")));
            inbox.push(Letter::Invalidation { keys: Some(bytes("*1\r\n:3\r\n")), for_another: true });
            inbox.push(Letter::Invalidation { keys: None, for_another: false });
        };
        fill();
        assert_eq!(
            taken(&inbox, Protocol::Resp3, false),
            "+line\r\n>1\r\n:1\r\n>1\r\n:2\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n:3\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n"
        );
        fill();
        assert_eq!(
            taken(&inbox, Protocol::Resp2, true),
            "+line\r\n*1\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n:3\r\n"
        );
        fill();
        inbox.forget_messages();
        assert_eq!(taken(&inbox, Protocol::Resp2, false), "+line\r\n");
        assert_eq!((inbox.bytes(), inbox.len()), (0, 0));
    }
}
