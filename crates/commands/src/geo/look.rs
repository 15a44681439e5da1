//! GEOPOS, GEOHASH and GEODIST: where members are.

use larder_resp::Reply;

use super::place::Place;
use super::{read, unit};
use crate::prelude::*;
use crate::string::Extended;

pub(super) const COMMANDS: &[Command] = &[GEODIST, GEOHASH, GEOPOS];

const GEOPOS: Command = Command {
    name: "geopos",
    syntax: "key [member [member ...]]",
    summary: "Returns the longitude and latitude of places.",
    group: Group::Geo,
    since: "3.2.0",
    complexity: "O(1) for each place asked for",
    arity: Arity::AtLeast(2),
    keys: &[KeySpec::one(Access::READ)],
    flags: Flags::READONLY,
    run: geopos,
    ..Command::PLAIN
};

const GEOHASH: Command = Command {
    name: "geohash",
    summary: "Returns the geohashes of places in letters.",
    run: geohash,
    ..GEOPOS
};

const GEODIST: Command = Command {
    name: "geodist",
    syntax: "key member1 member2 [M | KM | FT | MI]",
    summary: "Returns the distance between two places.",
    complexity: "O(1)",
    arity: Arity::AtLeast(4),
    run: geodist,
    ..GEOPOS
};

/// Writes a longitude and a latitude.
pub(super) fn reply_place(reply: &mut Reply<'_>, place: Place) {
    reply.array(2);
    for degrees in [place.longitude, place.latitude] {
        reply.double_text(&Extended::of_f64(degrees).to_string());
    }
}

fn geopos(cx: &mut Context<'_>) -> CommandResult {
    each_member(cx, |reply, place| match place {
        Some(place) => reply_place(reply, place),
        None => reply.null_array(),
    })
}

fn geohash(cx: &mut Context<'_>) -> CommandResult {
    each_member(cx, |reply, place| match place {
        Some(place) => reply.bulk(&place.letters()),
        None => reply.null(),
    })
}

fn each_member(cx: &mut Context<'_>, write: impl Fn(&mut Reply<'_>, Option<Place>)) -> CommandResult {
    let mut db = cx.lock()?;
    read(&mut db, cx.key(0), |set| {
        let members = cx.args.from(2);
        cx.reply.array(members.len());
        for member in members {
            let score = set.and_then(|set| set.score(member));
            write(&mut cx.reply, score.map(Place::of_score));
        }
    })?;
    Ok(Outcome::Reply)
}

fn geodist(cx: &mut Context<'_>) -> CommandResult {
    let metres = match (cx.args.len(), cx.args.find(4)) {
        (5, Some(word)) => unit::parse(word)?,
        (4, _) => 1.0,
        _ => return Err(CommandError::Syntax),
    };
    let mut db = cx.lock()?;
    let distance = read(&mut db, cx.key(0), |set| {
        let place = |index| Some(Place::of_score(set?.score(cx.args.at(index))?));
        Some(place(2)?.distance(place(3)?) / metres)
    })?;
    match distance {
        Some(distance) => unit::reply_distance(&mut cx.reply, distance),
        None => cx.reply.null(),
    }
    Ok(Outcome::Reply)
}
