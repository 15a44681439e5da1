//! Writing values. However large one is, it goes out in small parts.

use larder_store::hash::LargeHash;
use larder_store::list::{self, List};
use larder_store::listpack::Listpack;
use larder_store::set::SetRef;
use larder_store::zset::{Direction, SortedSetRef};
use larder_store::{Content, Element, Large, Packing, Type, Value};

use super::{NEVER, PACKED, PLAIN, View, number, stream};
use crate::writer::{Sink, write_element, write_len, write_string, write_text};

/// Number of the type under which a value is written.
pub(crate) fn number_of(view: View<'_>) -> u8 {
    match (view.content, view.value_type) {
        (Content::String(_), _) => number::STRING,
        (_, Type::List) => number::LIST_OF_LISTPACKS,
        (Content::Packed(Packing::Intset, _), _) => number::SET_INTSET,
        (Content::Packed(..), Type::Hash) => number::HASH_LISTPACK,
        (Content::Packed(..), Type::SortedSet) => number::SORTED_SET_LISTPACK,
        // Listpacks of members came with version 11: without them 10 holds it.
        (Content::Packed(..), _) | (Content::Large(Large::Set(_)), _) => number::SET,
        (Content::Large(Large::Hash(hash)), _) if hash.has_expiring() => number::HASH_WITH_EXPIRIES,
        (Content::Large(Large::Hash(_)), _) => number::HASH,
        (Content::Large(Large::SortedSet(_)), _) => number::SORTED_SET,
        (Content::Large(Large::Stream(_)), _) => number::STREAM_WITH_COUNTS,
        (Content::Large(Large::List(_)), _) => number::LIST_OF_LISTPACKS,
    }
}

/// Writes a value, as its number says.
pub(crate) fn encode(out: &mut impl Sink, view: View<'_>) {
    match (view.content, view.value_type) {
        (Content::String(Value::Int(number)), _) => write_element(out, Element::Int(number)),
        (Content::String(Value::Inline(bytes)), _) => write_string(out, bytes),
        (Content::String(Value::Block(block)), _) => write_text(out, block),
        (Content::Packed(_, bytes), Type::List) => {
            write_len(out, 1);
            encode_node(out, PACKED, bytes);
        }
        (Content::Packed(Packing::Listpack, bytes), Type::Set) => {
            encode_set(out, SetRef::Packed(Listpack::new(bytes)))
        }
        (Content::Packed(_, bytes), _) => write_text(out, bytes),
        (Content::Large(Large::Set(members)), _) => encode_set(out, SetRef::Large(members)),
        (Content::Large(Large::List(list)), _) => encode_list(out, list),
        (Content::Large(Large::Hash(hash)), _) => encode_hash(out, hash),
        (Content::Large(Large::SortedSet(set)), _) => {
            write_len(out, set.len());
            // The highest first, as the peers write them.
            SortedSetRef::Large(set).each(0..usize::MAX, Direction::Descending, |member, score| {
                write_element(out, member);
                out.put(&score.to_le_bytes());
            });
        }
        (Content::Large(Large::Stream(stream)), _) => stream::encode(out, stream),
    }
}

fn encode_list(out: &mut impl Sink, list: &List) {
    write_len(out, list.chunks().count());
    for chunk in list.chunks() {
        match chunk {
            list::Chunk::Long(block) => encode_node(out, PLAIN, block),
            list::Chunk::Packed(bytes) => encode_node(out, PACKED, bytes),
        }
    }
}

fn encode_node(out: &mut impl Sink, kind: u64, bytes: &[u8]) {
    write_len(out, kind as usize);
    write_text(out, bytes);
}

fn encode_set(out: &mut impl Sink, set: SetRef<'_>) {
    write_len(out, set.len());
    set.each(0, usize::MAX, |member| write_element(out, member));
}

/// With what has expired but is still there, as the peers write it: who reads it knows what time it is.
fn encode_hash(out: &mut impl Sink, hash: &LargeHash) {
    let expires = hash.has_expiring();
    write_len(out, hash.len());
    for (field, found) in hash.hashtable().iter() {
        write_element(out, field.into());
        write_element(out, found.text.into());
        if expires {
            out.put(&found.expires_at.map_or(NEVER, |at| at.0).to_le_bytes());
        }
    }
}
