//! The answers of the meta protocol.

use super::{Sink, decimal};
use crate::base64;
use crate::key::{Key, KeyBuffer, KeyEncoding};
use crate::meta::{Flag, MetaFlags};

/// How a meta request went, if no value is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaStatus {
    /// `HD`: well.
    Header,
    /// `EN`: `mg` and `me` found no such item.
    End,
    /// `NF`: the others found no such item.
    NotFound,
    /// `NS`: not stored, because there was such an item, or none.
    NotStored,
    /// `EX`: not done, because the item has another CAS value.
    Exists,
}

/// What there is to say about an item, if it was asked for. What is none is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaFacts {
    /// For `c`: the CAS value.
    pub cas: Option<u64>,
    /// For `f`: the client flags.
    pub client_flags: Option<u32>,
    /// For `h`: whether it had been read before this request.
    pub hit_before: Option<bool>,
    /// For `l`: how many seconds before this request it was last read.
    pub last_access_seconds: Option<u64>,
    /// For `s`: the length of the value.
    pub value_bytes: Option<usize>,
    /// For `t`: how long it will live.
    pub ttl: Option<RemainingTtl>,
}

/// How long an item will live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemainingTtl {
    /// Until it is deleted or evicted: -1 on the wire.
    Unlimited,
    /// So many seconds.
    Seconds(u64),
}

/// A reply of the meta protocol while it is written: the status first, then flags, then the line end.
#[must_use = "the line has no end until `finish` or `finish_with_value`"]
pub struct MetaReply<'s, S> {
    sink: &'s mut S,
}

impl<'s, S: Sink> MetaReply<'s, S> {
    /// Begins a reply without a value.
    pub fn status(sink: &'s mut S, status: MetaStatus) -> Self {
        sink.put(match status {
            MetaStatus::Header => b"HD",
            MetaStatus::End => b"EN",
            MetaStatus::NotFound => b"NF",
            MetaStatus::NotStored => b"NS",
            MetaStatus::Exists => b"EX",
        });
        Self { sink }
    }

    /// Begins a reply with a value of this length.
    pub fn value(sink: &'s mut S, value_bytes: usize) -> Self {
        sink.put(b"VA ");
        decimal(sink, value_bytes as u64);
        Self { sink }
    }

    /// The flags the request asked for, in its order: the key and the opaque token, and what `facts` knows.
    pub fn returned(mut self, flags: &MetaFlags<'_>, key: &Key<'_>, facts: &MetaFacts) -> Self {
        for (flag, token) in flags.iter() {
            match flag {
                Flag::Opaque => {
                    self.sink.put(b" O");
                    self.sink.put(token);
                }
                Flag::ReturnKey => {
                    self.sink.put(b" k");
                    put_key(self.sink, key);
                    if key.encoding() == KeyEncoding::Base64 {
                        self.sink.put(b" b");
                    }
                }
                Flag::ReturnCas => self.number(b" c", facts.cas),
                Flag::ReturnClientFlags => self.number(b" f", facts.client_flags.map(u64::from)),
                Flag::ReturnHit => self.number(b" h", facts.hit_before.map(u64::from)),
                Flag::ReturnLastAccess => self.number(b" l", facts.last_access_seconds),
                Flag::ReturnSize => self.number(b" s", facts.value_bytes.map(|bytes| bytes as u64)),
                Flag::ReturnTtl => match facts.ttl {
                    Some(RemainingTtl::Unlimited) => self.sink.put(b" t-1"),
                    Some(RemainingTtl::Seconds(seconds)) => self.number(b" t", Some(seconds)),
                    None => {}
                },
                _ => {}
            }
        }
        self
    }

    /// `Z`: another client has won the right to renew the item. Comes before the other two.
    pub fn already_won(self) -> Self {
        self.sink.put(b" Z");
        self
    }

    /// `X`: the item is stale.
    pub fn stale(self) -> Self {
        self.sink.put(b" X");
        self
    }

    /// `W`: this client has won the right to renew the item. Comes last.
    pub fn won(self) -> Self {
        self.sink.put(b" W");
        self
    }

    /// Ends a reply without a value, or one whose value and the line end behind it are sent by other means.
    pub fn finish(self) {
        self.sink.put(b"\r\n");
    }

    /// Ends a reply with its value.
    pub fn finish_with_value(self, value: &[u8]) {
        self.sink.put(b"\r\n");
        self.sink.put(value);
        self.sink.put(b"\r\n");
    }

    fn number(&mut self, name: &[u8], number: Option<u64>) {
        if let Some(number) = number {
            self.sink.put(name);
            decimal(self.sink, number);
        }
    }
}

/// What `me` says about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugFacts {
    /// How long it will live.
    pub ttl: RemainingTtl,
    /// How many seconds ago it was last read.
    pub last_access_seconds: u64,
    /// The CAS value.
    pub cas: u64,
    /// Whether it has been read.
    pub fetched: bool,
    /// Which size class it is in.
    pub class: u32,
    /// How much memory it takes.
    pub item_bytes: usize,
}

/// The answer to `me`, if there is such an item.
pub fn meta_debug(sink: &mut impl Sink, key: &Key<'_>, item: &DebugFacts) {
    sink.put(b"ME ");
    put_key(sink, key);
    sink.put(b" exp=");
    match item.ttl {
        RemainingTtl::Unlimited => sink.put(b"-1"),
        RemainingTtl::Seconds(seconds) => decimal(sink, seconds),
    }
    sink.put(b" la=");
    decimal(sink, item.last_access_seconds);
    sink.put(b" cas=");
    decimal(sink, item.cas);
    sink.put(if item.fetched { b" fetch=yes cls=" } else { b" fetch=no cls=" });
    decimal(sink, item.class.into());
    sink.put(b" size=");
    decimal(sink, item.item_bytes as u64);
    sink.put(b"\r\n");
}

/// A base64 key is encoded anew: what the client wrote may not be the standard form.
fn put_key(sink: &mut impl Sink, key: &Key<'_>) {
    match key.encoding() {
        KeyEncoding::Plain => sink.put(key.token()),
        KeyEncoding::Base64 => base64::encode(key.bytes(&mut KeyBuffer::default()), |group| sink.put(group)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Limits, MetaRequest, Parsed, parse};

    fn request(line: &'static [u8]) -> MetaRequest<'static> {
        match parse(line, &Limits::default()) {
            Parsed::Request { command: Command::MetaGet(request), .. } => request,
            other => panic!("{other:?}"),
        }
    }

    fn reply(line: &'static [u8], status: MetaStatus, facts: &MetaFacts) -> String {
        let MetaRequest { key, flags } = request(line);
        let mut output = Vec::new();
        MetaReply::status(&mut output, status).returned(&flags, &key, facts).finish();
        String::from_utf8(output).unwrap()
    }

    const FACTS: MetaFacts = MetaFacts {
        cas: Some(12),
        client_flags: Some(3),
        hit_before: Some(true),
        last_access_seconds: Some(40),
        value_bytes: Some(5),
        ttl: Some(RemainingTtl::Seconds(20)),
    };

    #[test]
    fn flags_return_in_the_order_of_the_request() {
        let all = b"mg key s t f v h l Oab+c k c q\r\n";
        assert_eq!(reply(all, MetaStatus::Header, &FACTS), "HD s5 t20 f3 h1 l40 Oab+c kkey c12\r\n");
        let backwards = b"mg key c k Oab+c l h f t s\r\n";
        assert_eq!(reply(backwards, MetaStatus::Header, &FACTS), "HD c12 kkey Oab+c l40 h1 f3 t20 s5\r\n");
    }

    #[test]
    fn what_is_not_known_or_not_asked_for_is_not_said() {
        assert_eq!(reply(b"mg key s t k O1\r\n", MetaStatus::End, &MetaFacts::default()), "EN kkey O1\r\n");
        assert_eq!(reply(b"mg key\r\n", MetaStatus::Header, &FACTS), "HD\r\n");
        let unlimited = MetaFacts { ttl: Some(RemainingTtl::Unlimited), ..MetaFacts::default() };
        assert_eq!(reply(b"mg key t s\r\n", MetaStatus::NotFound, &unlimited), "NF t-1\r\n");
    }

    #[test]
    fn base64_keys_return_in_the_standard_form() {
        assert_eq!(reply(b"mg YR== k O1 b\r\n", MetaStatus::End, &FACTS), "EN kYQ== b O1\r\n");
        assert_eq!(reply(b"mg YWI= b\r\n", MetaStatus::Exists, &FACTS), "EX\r\n");
    }

    #[test]
    fn a_value_follows_the_line() {
        let MetaRequest { key, flags } = request(b"mg key k v\r\n");
        let mut output = Vec::new();
        MetaReply::value(&mut output, 3)
            .returned(&flags, &key, &FACTS)
            .already_won()
            .stale()
            .won()
            .finish_with_value(b"abc");
        assert_eq!(output, b"VA 3 kkey Z X W\r\nabc\r\n");
    }

    #[test]
    fn the_debug_line_says_it_all() {
        let item = DebugFacts {
            ttl: RemainingTtl::Unlimited,
            last_access_seconds: 4,
            cas: 2,
            fetched: false,
            class: 1,
            item_bytes: 64,
        };
        let mut output = Vec::new();
        meta_debug(&mut output, &request(b"mg YR== b\r\n").key, &item);
        let item = DebugFacts { ttl: RemainingTtl::Seconds(9), fetched: true, ..item };
        meta_debug(&mut output, &request(b"mg key\r\n").key, &item);
        let expected = "ME YQ== exp=-1 la=4 cas=2 fetch=no cls=1 size=64\r\n\
                        ME key exp=9 la=4 cas=2 fetch=yes cls=1 size=64\r\n";
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }
}
