//! GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS and GEORADIUSBYMEMBER: the places within an area.

use larder_engine::FindKeys;
use larder_store::zset::{self, Direction, SortedSetMut, SortedSetRef};
use larder_store::{Attributes, Entry};

use super::area::{Shape, cover};
use super::look::reply_place;
use super::place::Place;
use super::syntax::{Centre, Form, Order, Search, Stored};
use super::{read, unit};
use crate::prelude::*;
use crate::sorted_set::limits;

pub(super) const COMMANDS: &[Command] =
    &[GEORADIUS, GEORADIUSBYMEMBER, GEORADIUSBYMEMBER_RO, GEORADIUS_RO, GEOSEARCH, GEOSEARCHSTORE];

const GEOSEARCH: Command = Command {
    name: "geosearch",
    syntax: "key <<FROMMEMBER member | FROMLONLAT longitude:double latitude:double> \
             <BYRADIUS radius:double <M | KM | FT | MI> | BYBOX width:double height:double <M | KM | FT | MI>> | \
             BYPOLYGON num-vertices:integer longitude1:double latitude1:double longitude2:double latitude2:double \
             longitude:double latitude:double [longitude:double latitude:double ...]> \
             [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    summary: "Returns the places within a circle, a box or a polygon.",
    group: Group::Geo,
    since: "6.2.0",
    complexity: "O(N+log M) where N is the number of places in the cells around the area and M the number of members",
    arity: Arity::AtLeast(7),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    history: &[("7.0.0", "Units may be in capitals."), ("9.0.0", "Added the option BYPOLYGON.")],
    run: geosearch,
    ..Command::PLAIN
};

const GEOSEARCHSTORE: Command = Command {
    name: "geosearchstore",
    syntax: "destination source <<FROMMEMBER member | FROMLONLAT longitude:double latitude:double> \
             <BYRADIUS radius:double <M | KM | FT | MI> | BYBOX width:double height:double <M | KM | FT | MI>> | \
             BYPOLYGON num-vertices:integer longitude1:double latitude1:double longitude2:double latitude2:double \
             longitude:double latitude:double [longitude:double latitude:double ...]> \
             [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    summary: "Stores the places within a circle, a box or a polygon.",
    arity: Arity::AtLeast(8),
    keys: &[KeySpec::one(Access::OVERWRITE), KeySpec::at(2, Access::READ)],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    run: geosearchstore,
    ..GEOSEARCH
};

const GEORADIUS: Command = Command {
    name: "georadius",
    syntax: "key longitude:double latitude:double radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC] [STORE key] [STOREDIST key]",
    summary: "Returns or stores the places within a circle around a place.",
    since: "3.2.0",
    arity: Arity::AtLeast(6),
    keys: &[
        KeySpec::one(Access::READ),
        KeySpec { find: FindKeys::After { word: "STORE", from: 6 }, ..KeySpec::one(Access::OVERWRITE) },
        KeySpec { find: FindKeys::After { word: "STOREDIST", from: 6 }, ..KeySpec::one(Access::OVERWRITE) },
    ],
    flags: Flags::WRITE.and(Flags::DENY_OOM),
    history: &[("6.2.0", "Added the option ANY."), ("7.0.0", "Units may be in capitals.")],
    deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the option BYRADIUS")),
    run: georadius,
    ..GEOSEARCH
};

const GEORADIUSBYMEMBER: Command = Command {
    name: "georadiusbymember",
    syntax: "key member radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
             [ASC | DESC] [STORE key] [STOREDIST key]",
    summary: "Returns or stores the places within a circle around a member.",
    arity: Arity::AtLeast(5),
    keys: &[
        KeySpec::one(Access::READ),
        KeySpec { find: FindKeys::After { word: "STORE", from: 5 }, ..KeySpec::one(Access::OVERWRITE) },
        KeySpec { find: FindKeys::After { word: "STOREDIST", from: 5 }, ..KeySpec::one(Access::OVERWRITE) },
    ],
    deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the options BYRADIUS and FROMMEMBER")),
    run: georadiusbymember,
    ..GEORADIUS
};

const GEORADIUS_RO: Command = Command {
    name: "georadius_ro",
    syntax: "key longitude:double latitude:double radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC | DESC]",
    summary: "Returns the places within a circle around a place.",
    since: "3.2.10",
    keys: GEOSEARCH.keys,
    flags: Flags::READONLY,
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the option BYRADIUS")),
    run: georadius_ro,
    ..GEORADIUS
};

const GEORADIUSBYMEMBER_RO: Command = Command {
    name: "georadiusbymember_ro",
    syntax: "key member radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
             [ASC | DESC]",
    summary: "Returns the places within a circle around a member.",
    arity: Arity::AtLeast(5),
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the options BYRADIUS and FROMMEMBER")),
    run: georadiusbymember_ro,
    ..GEORADIUS_RO
};

fn geosearch(cx: &mut Context<'_>) -> CommandResult {
    run(cx, (Form::Search, false), 0)
}

fn geosearchstore(cx: &mut Context<'_>) -> CommandResult {
    run(cx, (Form::SearchStore, true), 1)
}

fn georadius(cx: &mut Context<'_>) -> CommandResult {
    run(cx, (Form::Radius, true), 0)
}

fn georadius_ro(cx: &mut Context<'_>) -> CommandResult {
    run(cx, (Form::Radius, false), 0)
}

fn georadiusbymember(cx: &mut Context<'_>) -> CommandResult {
    run(cx, (Form::RadiusByMember, true), 0)
}

fn georadiusbymember_ro(cx: &mut Context<'_>) -> CommandResult {
    run(cx, (Form::RadiusByMember, false), 0)
}

/// A place that was found.
struct Found {
    member: Vec<u8>,
    score: f64,
    place: Place,
    /// Metres from the centre.
    distance: f64,
}

/// Searches the sorted set of a key, which the options may name members of; so they are read with the key locked.
fn run(cx: &mut Context<'_>, form: (Form, bool), source: usize) -> CommandResult {
    let mut db = cx.lock()?;
    let args = cx.args;
    let (search, found) = read(&mut db, cx.key(source), |set| {
        let search = Search::parse(args, form, set)?;
        let found = match (set, search.centre, &search.shape) {
            (Some(set), Centre::At(centre) | Centre::Member(Some(centre)), Some(shape)) => {
                within(set, centre, shape, &search)
            }
            _ => Vec::new(),
        };
        Ok::<_, CommandError>((search, found))
    })??;
    match search.store {
        Some((destination, stored)) => store(cx, &mut db, (destination, stored), &search, &found, form.0),
        None => {
            reply(cx, &search, found);
            Ok(Outcome::Reply)
        }
    }
}

/// The places within a shape, in the order and number that is wanted.
fn within(set: SortedSetRef<'_>, centre: Place, shape: &Shape, search: &Search<'_>) -> Vec<Found> {
    let enough = if search.any { search.count.unwrap_or(usize::MAX) } else { usize::MAX };
    let mut found = Vec::new();
    for scores in cover(centre, shape) {
        let start = set.count_while(|score, _| score < scores.start);
        set.each_while(start..usize::MAX, Direction::Ascending, |member, score| {
            if score >= scores.end || found.len() >= enough {
                return false;
            }
            let place = Place::of_score(score);
            if let Some(distance) = shape.distance(centre, place) {
                found.push(Found { member: member.to_vec(), score, place, distance });
            }
            true
        });
    }
    if let Some(order) = search.order {
        found.sort_by(|one, other| {
            let ordering = one.distance.total_cmp(&other.distance);
            if order == Order::Nearest { ordering } else { ordering.reverse() }
        });
    }
    found.truncate(search.count.unwrap_or(usize::MAX));
    found
}

fn reply(cx: &mut Context<'_>, search: &Search<'_>, found: Vec<Found>) {
    let reply = &mut cx.reply;
    let facts = [search.with_distance, search.with_hash, search.with_coordinates];
    let facts = facts.into_iter().filter(|wanted| *wanted).count();
    reply.array(found.len());
    for Found { member, score, place, distance } in found {
        if facts > 0 {
            reply.array(1 + facts);
        }
        reply.bulk(&member);
        if search.with_distance {
            unit::reply_distance(reply, distance / search.metres);
        }
        if search.with_hash {
            reply.integer(score as i64);
        }
        if search.with_coordinates {
            reply_place(reply, place);
        }
    }
}

fn store(
    cx: &mut Context<'_>,
    db: &mut Locked<'_>,
    (destination, stored): (&[u8], Stored),
    search: &Search<'_>,
    found: &[Found],
    form: Form,
) -> CommandResult {
    let destination = cx.keys().find(|key| key.bytes == destination).ok_or(CommandError::Syntax)?;
    if found.is_empty() {
        db.delete(destination, Event::DELETED);
    } else {
        let mut result = Entry::new(destination.bytes, 0, &Attributes::default(), zset::empty());
        let mut new = SortedSetMut::of(&mut result, limits(cx.settings));
        for Found { member, score, distance, .. } in found {
            new.put(member, if stored == Stored::Hash { *score } else { distance / search.metres });
        }
        let searches = form == Form::SearchStore;
        let event = Event::sorted_set(if searches { "geosearchstore" } else { "georadiusstore" });
        db.place(destination, result, event);
    }
    cx.reply.integer(found.len() as i64);
    Ok(Outcome::Reply)
}
