//! What GEOSEARCH and its older relatives were asked.

use larder_store::parse_integer;
use larder_store::zset::SortedSetRef;

use super::area::{Polygon, Shape};
use super::place::Place;
use super::unit;
use crate::prelude::*;
use crate::sorted_set::parse_score;

/// Which command asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
    /// GEORADIUS: centre and radius come first.
    Radius,
    /// GEORADIUSBYMEMBER.
    RadiusByMember,
}

/// In which order places are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Nearest,
    Furthest,
}

/// What is stored as the score of a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Hash,
    Distance,
}

/// Around what is searched.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Centre {
    Unsaid,
    /// Coordinates.
    At(Place),
    /// A member's place; unknown while there is no sorted set to look for it in.
    Member(Option<Place>),
}

/// A search as it was asked for.
pub(super) struct Search<'a> {
    pub(super) centre: Centre,
    pub(super) shape: Option<Shape>,
    /// Metres in the unit of the request.
    pub(super) metres: f64,
    pub(super) order: Option<Order>,
    /// How many are wanted; all if it is not said.
    pub(super) count: Option<usize>,
    /// Whether any so many will do.
    pub(super) any: bool,
    pub(super) with_coordinates: bool,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    /// The destination, and what to store there.
    pub(super) store: Option<(&'a [u8], Stored)>,
}

impl<'a> Search<'a> {
    /// Reads a request; places named as members are looked up in `set`.
    pub(super) fn parse(
        args: Args<'a>,
        (form, may_store): (Form, bool),
        set: Option<SortedSetRef<'_>>,
    ) -> Result<Search<'a>, CommandError> {
        let mut search = Search {
            centre: Centre::Unsaid,
            shape: None,
            metres: 1.0,
            order: None,
            count: None,
            any: false,
            with_coordinates: false,
            with_distance: false,
            with_hash: false,
            store: None,
        };
        let mut words = match form {
            Form::Search => args.from(2),
            Form::SearchStore => {
                search.store = Some((args.at(1), Stored::Hash));
                args.from(3)
            }
            Form::Radius => {
                search.centre = Centre::At(Place::parse(args.at(2), args.at(3))?);
                search.set_radius(&mut args.from(4))?;
                args.from(6)
            }
            Form::RadiusByMember => {
                search.set_member(args.at(2), set)?;
                if set.is_some() {
                    search.set_radius(&mut args.from(3))?;
                }
                args.from(5)
            }
        };
        while let Some(word) = words.next() {
            let known =
                search.add_plain(word) || search.add_valued(word, &mut words, set, (form, may_store))?;
            if !known {
                return Err(CommandError::Syntax);
            }
        }
        search.check(args, form)?;
        Ok(search)
    }

    /// Options that are single words.
    fn add_plain(&mut self, word: &[u8]) -> bool {
        match word {
            _ if is_word(word, "withdist") => self.with_distance = true,
            _ if is_word(word, "withhash") => self.with_hash = true,
            _ if is_word(word, "withcoord") => self.with_coordinates = true,
            _ if is_word(word, "any") => self.any = true,
            _ if is_word(word, "asc") => self.order = Some(Order::Nearest),
            _ if is_word(word, "desc") => self.order = Some(Order::Furthest),
            _ => return false,
        }
        true
    }

    /// Options with values; false for what is none here.
    fn add_valued(
        &mut self,
        word: &[u8],
        words: &mut ArgsFrom<'a>,
        set: Option<SortedSetRef<'_>>,
        (form, may_store): (Form, bool),
    ) -> Result<bool, CommandError> {
        let searches = matches!(form, Form::Search | Form::SearchStore);
        let stored = if is_word(word, "store") { Stored::Hash } else { Stored::Distance };
        if is_word(word, "count") && !words.is_empty() {
            let count = words.integer()?;
            let positive = usize::try_from(count).ok().filter(|count| *count > 0);
            self.count = Some(positive.ok_or(CommandError::line("ERR COUNT must be > 0"))?);
        } else if !searches
            && may_store
            && (is_word(word, "store") || is_word(word, "storedist"))
            && !words.is_empty()
        {
            self.store = Some((words.value()?, stored));
        } else if form == Form::SearchStore && is_word(word, "storedist") {
            self.store = self.store.map(|(destination, _)| (destination, Stored::Distance));
        } else if searches
            && is_word(word, "frommember")
            && !words.is_empty()
            && !matches!(self.centre, Centre::At(_))
        {
            self.set_member(words.value()?, set)?;
        } else if searches
            && is_word(word, "fromlonlat")
            && words.len() >= 2
            && !matches!(self.centre, Centre::Member(_))
            && !matches!(self.shape, Some(Shape::Polygon(_)))
        {
            self.centre = Centre::At(Place::parse(words.value()?, words.value()?)?);
        } else if searches
            && is_word(word, "byradius")
            && words.len() >= 2
            && matches!(self.shape, None | Some(Shape::Circle { .. }))
        {
            self.set_radius(words)?;
        } else if searches
            && is_word(word, "bybox")
            && words.len() >= 3
            && matches!(self.shape, None | Some(Shape::Box { .. }))
        {
            self.set_box(words)?;
        } else if searches
            && is_word(word, "bypolygon")
            && words.len() >= 2
            && matches!((self.centre, &self.shape), (Centre::Unsaid, None) | (_, Some(Shape::Polygon(_))))
        {
            self.set_polygon(words)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn set_member(&mut self, member: &[u8], set: Option<SortedSetRef<'_>>) -> Result<(), CommandError> {
        let undecodable = CommandError::line("ERR could not decode requested zset member");
        let place = match set {
            Some(set) => Some(Place::of_score(set.score(member).ok_or(undecodable)?)),
            None => None,
        };
        self.centre = Centre::Member(place);
        Ok(())
    }

    fn set_radius(&mut self, words: &mut ArgsFrom<'_>) -> Result<(), CommandError> {
        let radius = parse_length(words.value()?, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(CommandError::line("ERR radius cannot be negative"));
        }
        self.metres = unit::parse(words.value()?)?;
        self.shape = Some(Shape::Circle { radius: radius * self.metres });
        Ok(())
    }

    fn set_box(&mut self, words: &mut ArgsFrom<'_>) -> Result<(), CommandError> {
        let width = parse_length(words.value()?, "ERR need numeric width")?;
        let height = parse_length(words.value()?, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(CommandError::line("ERR height or width cannot be negative"));
        }
        self.metres = unit::parse(words.value()?)?;
        self.shape = Some(Shape::Box { width: width * self.metres, height: height * self.metres });
        Ok(())
    }

    /// A polygon tells its centre itself.
    fn set_polygon(&mut self, words: &mut ArgsFrom<'_>) -> Result<(), CommandError> {
        const VERTICES_MIN: usize = 3;
        let told = words.value()?;
        let told = parse_integer(told).and_then(|count| i32::try_from(count).ok());
        let count = told.ok_or(CommandError::line("ERR invalid number of vertices"))?;
        let count = usize::try_from(count).unwrap_or(0);
        if count < VERTICES_MIN || count > words.len() / 2 {
            return Err(CommandError::line("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"));
        }
        let vertices = (0..count).map(|_| Place::parse(words.value()?, words.value()?));
        let polygon = Polygon(vertices.collect::<Result<_, _>>()?);
        self.metres = 1.0;
        self.centre = Centre::At(polygon.centre());
        self.shape = Some(Shape::Polygon(polygon));
        Ok(())
    }

    /// What is wrong with the options together.
    fn check(&mut self, args: Args<'_>, form: Form) -> Result<(), CommandError> {
        let name = String::from_utf8_lossy(args.at(0));
        let problem = if self.store.is_some()
            && (self.with_distance || self.with_hash || self.with_coordinates)
        {
            let what = if form == Form::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        } else if matches!(form, Form::Search | Form::SearchStore) && self.centre == Centre::Unsaid {
            format!("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}")
        } else if matches!(form, Form::Search | Form::SearchStore) && self.shape.is_none() {
            format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {name}")
        } else if self.any && self.count.is_none() {
            "ERR the ANY argument requires COUNT argument".to_owned()
        } else {
            if self.count.is_some() && !self.any && self.order.is_none() {
                // A count without an order means the nearest.
                self.order = Some(Order::Nearest);
            }
            return Ok(());
        };
        Err(CommandError::Line(problem.into()))
    }
}

fn parse_length(text: &[u8], error: &'static str) -> Result<f64, CommandError> {
    parse_score(text).ok_or(CommandError::line(error))
}
