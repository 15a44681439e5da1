//! What a script expects of a reply.

use larder_resp::Protocol;
use regex::bytes::Regex;

use super::text::unescape;
use crate::value::Value;

/// An expected reply, as RESP3 has it.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// This scalar.
    Exactly(Value),
    /// A scalar of this kind, or of any, whose text matches.
    Text(Option<Kind>, Regex),
    /// An array, or a push.
    Elements(Sequence, Vec<Pattern>),
    /// A map, in any order.
    Map(MapForm, Vec<(Pattern, Pattern)>),
}

/// What RESP2 has instead of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapForm {
    /// An array of keys, each followed by its value.
    Flat,
    /// An array of arrays of a key and its value.
    Pairs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Simple,
    Error,
    Integer,
    Bulk,
    Double,
    BigNumber,
    Verbatim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    Array,
    ArrayInAnyOrder,
    /// Of arrays whose elements RESP2 has one after the other.
    Pairs,
    Set,
    Push,
}

/// What a line of a reply opens: a whole pattern, or an aggregate whose elements follow on lines of their own.
pub(super) enum Opened {
    Whole(Pattern),
    Elements(Sequence, usize),
    Map(MapForm, usize),
}

/// Reads one line.
pub(super) fn open(line: &str) -> Result<Opened, String> {
    let first = line.chars().next().ok_or("an empty reply")?;
    let rest = &line[first.len_utf8()..];
    let whole = |value| Ok(Opened::Whole(Pattern::Exactly(value)));
    match first {
        '*' => {
            let (count, sequence) = match rest.split_once(' ') {
                Some((count, "any")) => (count, Sequence::ArrayInAnyOrder),
                Some((count, "pairs")) => (count, Sequence::Pairs),
                _ => (rest, Sequence::Array),
            };
            Ok(Opened::Elements(sequence, number(count)?))
        }
        '~' => Ok(Opened::Elements(Sequence::Set, number(rest.strip_suffix(" any").unwrap_or(rest))?)),
        '>' => Ok(Opened::Elements(Sequence::Push, number(rest)?)),
        '%' => match rest.strip_suffix(" pairs") {
            Some(count) => Ok(Opened::Map(MapForm::Pairs, number(count)?)),
            None => Ok(Opened::Map(MapForm::Flat, number(rest)?)),
        },
        '#' => match rest {
            "t" => whole(Value::Boolean(true)),
            "f" => whole(Value::Boolean(false)),
            _ => Err("a boolean is #t or #f".to_owned()),
        },
        '/' => Ok(Opened::Whole(Pattern::Text(None, regex(line)?.ok_or("a regex ends with /")?))),
        'n' if line == "nil" => whole(Value::Null),
        'n' if line == "nilarray" => whole(Value::NullArray),
        '"' => quoted(line, Kind::Bulk, Value::Bulk),
        '=' => {
            let (format, text) = rest.split_once(':').ok_or("a verbatim string is =txt:\"...\"")?;
            let format = format.as_bytes().try_into().map_err(|_| "a format has three letters")?;
            quoted(text, Kind::Verbatim, |text| Value::Verbatim(format, text))
        }
        '+' => unquoted(rest, Kind::Simple, |text| Ok(Value::Simple(text))),
        '-' => unquoted(rest, Kind::Error, |text| Ok(Value::Error(text))),
        ',' => unquoted(rest, Kind::Double, |text| Ok(Value::Double(text))),
        '(' => unquoted(rest, Kind::BigNumber, |text| Ok(Value::BigNumber(text))),
        ':' => unquoted(rest, Kind::Integer, |_| Ok(Value::Integer(number(rest)?))),
        _ => Err(format!("no kind of reply begins with {first}")),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

/// The regex between slashes, if the text has both.
fn regex(text: &str) -> Result<Option<Regex>, String> {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    inner.map(|inner| Regex::new(inner).map_err(|error| error.to_string())).transpose()
}

fn quoted(text: &str, kind: Kind, value: impl Fn(Vec<u8>) -> Value) -> Result<Opened, String> {
    let inner = text.strip_prefix('"').ok_or("a string stands in quotes")?;
    if let Some(regex) = inner.strip_suffix('"').map_or(Ok(None), regex)? {
        return Ok(Opened::Whole(Pattern::Text(Some(kind), regex)));
    }
    match unescape(inner)? {
        (bytes, Some("")) => Ok(Opened::Whole(Pattern::Exactly(value(bytes)))),
        (_, Some(after)) => Err(format!("{after:?} follows the closing quote")),
        (_, None) => Err("a quote is not closed".to_owned()),
    }
}

fn unquoted(
    text: &str,
    kind: Kind,
    value: impl Fn(Vec<u8>) -> Result<Value, String>,
) -> Result<Opened, String> {
    if let Some(regex) = regex(text)? {
        return Ok(Opened::Whole(Pattern::Text(Some(kind), regex)));
    }
    // A quote ends nothing here.
    let (bytes, _) = unescape(&text.replace('"', "\\\""))?;
    Ok(Opened::Whole(Pattern::Exactly(value(bytes)?)))
}

impl Pattern {
    fn elements(&self) -> &[Pattern] {
        match self {
            Pattern::Elements(_, elements) => elements,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether a reply of this protocol is what is expected.
    pub(super) fn matches(&self, value: &Value, protocol: Protocol) -> bool {
        match self {
            Pattern::Exactly(expected) => in_protocol(expected, protocol) == *value,
            Pattern::Text(kind, regex) => {
                kind.is_none_or(|kind| kind.in_protocol(protocol) == Kind::of(value))
                    && value.text().is_some_and(|text| regex.is_match(&text))
            }
            Pattern::Elements(Sequence::Pairs, pairs) if protocol == Protocol::Resp2 => {
                let flat: Vec<&Pattern> = pairs.iter().flat_map(Pattern::elements).collect();
                let Value::Array(values) = value else { return false };
                let mut both = flat.iter().zip(values);
                flat.len() == values.len() && both.all(|(pattern, value)| pattern.matches(value, protocol))
            }
            Pattern::Elements(sequence, patterns) => {
                let values = match (sequence, protocol, value) {
                    (
                        Sequence::Array | Sequence::ArrayInAnyOrder | Sequence::Pairs,
                        _,
                        Value::Array(values),
                    )
                    | (Sequence::Set, Protocol::Resp3, Value::Set(values))
                    | (Sequence::Push, Protocol::Resp3, Value::Push(values))
                    | (Sequence::Set | Sequence::Push, Protocol::Resp2, Value::Array(values)) => values,
                    _ => return false,
                };
                let fits = |pattern: usize, value: usize| patterns[pattern].matches(&values[value], protocol);
                patterns.len() == values.len()
                    && match sequence {
                        Sequence::Array | Sequence::Pairs | Sequence::Push => {
                            (0..values.len()).all(|at| fits(at, at))
                        }
                        Sequence::ArrayInAnyOrder | Sequence::Set => can_pair(values.len(), fits),
                    }
            }
            Pattern::Map(form, patterns) => {
                let Some(pairs) = form.pairs(value, protocol) else { return false };
                let fits = |pattern: usize, pair: usize| {
                    let ((key, value), pair): (&(Pattern, Pattern), _) = (&patterns[pattern], pairs[pair]);
                    key.matches(pair.0, protocol) && value.matches(pair.1, protocol)
                };
                patterns.len() == pairs.len() && can_pair(pairs.len(), fits)
            }
        }
    }
}

impl MapForm {
    /// The keys with their values, if it has this form.
    fn pairs(self, value: &Value, protocol: Protocol) -> Option<Vec<(&Value, &Value)>> {
        match (self, protocol, value) {
            (_, Protocol::Resp3, Value::Map(pairs)) => {
                Some(pairs.iter().map(|(key, value)| (key, value)).collect())
            }
            (MapForm::Flat, Protocol::Resp2, Value::Array(values)) if values.len().is_multiple_of(2) => {
                Some(values.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect())
            }
            (MapForm::Pairs, Protocol::Resp2, Value::Array(values)) => {
                let pairs = values.iter().map(|pair| match pair {
                    Value::Array(pair) => match &pair[..] {
                        [key, value] => Some((key, value)),
                        _ => None,
                    },
                    _ => None,
                });
                pairs.collect()
            }
            _ => None,
        }
    }
}

impl Kind {
    fn of(value: &Value) -> Option<Kind> {
        Some(match value {
            Value::Simple(_) => Kind::Simple,
            Value::Error(_) => Kind::Error,
            Value::Integer(_) => Kind::Integer,
            Value::Bulk(_) => Kind::Bulk,
            Value::Double(_) => Kind::Double,
            Value::BigNumber(_) => Kind::BigNumber,
            Value::Verbatim(..) => Kind::Verbatim,
            _ => return None,
        })
    }

    fn in_protocol(self, protocol: Protocol) -> Option<Kind> {
        Some(match self {
            Kind::Double | Kind::BigNumber | Kind::Verbatim if protocol == Protocol::Resp2 => Kind::Bulk,
            kind => kind,
        })
    }
}

/// What becomes of a scalar of RESP3 in this protocol.
fn in_protocol(value: &Value, protocol: Protocol) -> Value {
    match (value, protocol) {
        (Value::Double(text) | Value::BigNumber(text) | Value::Verbatim(_, text), Protocol::Resp2) => {
            Value::Bulk(text.clone())
        }
        (Value::Boolean(truth), Protocol::Resp2) => Value::Integer(i64::from(*truth)),
        (Value::NullArray, Protocol::Resp3) => Value::Null,
        (value, _) => value.clone(),
    }
}

/// Whether each of so many patterns can be given a value of its own that fits it, by augmenting paths: a regex may fit values
/// that others need.
fn can_pair(count: usize, fits: impl Fn(usize, usize) -> bool) -> bool {
    let mut pattern_of: Vec<Option<usize>> = vec![None; count];
    (0..count).all(|pattern| place(pattern, &mut vec![false; count], &mut pattern_of, &fits))
}

fn place(
    pattern: usize,
    tried: &mut [bool],
    pattern_of: &mut [Option<usize>],
    fits: &impl Fn(usize, usize) -> bool,
) -> bool {
    for value in 0..pattern_of.len() {
        if tried[value] || !fits(pattern, value) {
            continue;
        }
        tried[value] = true;
        if pattern_of[value].is_none_or(|other| place(other, tried, pattern_of, fits)) {
            pattern_of[value] = Some(pattern);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(line: &str) -> Pattern {
        match open(line) {
            Ok(Opened::Whole(pattern)) => pattern,
            _ => panic!("{line} is no scalar"),
        }
    }

    #[track_caller]
    fn assert_matches(pattern: &Pattern, resp2: &Value, resp3: &Value) {
        assert!(pattern.matches(resp2, Protocol::Resp2), "{resp2:?}");
        assert!(pattern.matches(resp3, Protocol::Resp3), "{resp3:?}");
        if resp2 != resp3 {
            assert!(!pattern.matches(resp3, Protocol::Resp2), "{resp3:?} is not of RESP2");
            assert!(!pattern.matches(resp2, Protocol::Resp3), "{resp2:?} is not of RESP3");
        }
    }

    #[test]
    fn scalars_become_what_resp2_has() {
        let bulk = |text: &str| Value::Bulk(text.into());
        assert_matches(&scalar(",1.5"), &bulk("1.5"), &Value::Double(b"1.5".into()));
        assert_matches(&scalar(",/^1/"), &bulk("1.5"), &Value::Double(b"1.5".into()));
        assert_matches(&scalar("(12"), &bulk("12"), &Value::BigNumber(b"12".into()));
        assert_matches(&scalar("=txt:\"a\""), &bulk("a"), &Value::Verbatim(*b"txt", b"a".into()));
        assert_matches(&scalar("#t"), &Value::Integer(1), &Value::Boolean(true));
        assert_matches(&scalar("nil"), &Value::Null, &Value::Null);
        assert_matches(&scalar("nilarray"), &Value::NullArray, &Value::Null);
        assert_matches(&scalar("+OK"), &Value::Simple(b"OK".into()), &Value::Simple(b"OK".into()));
    }

    #[test]
    fn a_regex_matches_the_text_of_its_kind() {
        let protocol = Protocol::Resp2;
        assert!(scalar(":/^[0-9]+$/").matches(&Value::Integer(12), protocol));
        assert!(!scalar(":/^[0-9]+$/").matches(&Value::Integer(-12), protocol));
        assert!(!scalar("\"/^[0-9]+$/\"").matches(&Value::Integer(12), protocol));
        assert!(scalar("/^[0-9]+$/").matches(&Value::Integer(12), protocol));
        assert!(!scalar("/.*/").matches(&Value::Null, protocol));
        assert!(scalar(r#""\x2fa/""#).matches(&Value::Bulk(b"/a/".into()), protocol));
    }

    #[test]
    fn elements_in_any_order_each_need_a_value_of_their_own() {
        let text = |text: &str| Value::Bulk(text.into());
        let set = |lines: &[&str]| {
            Pattern::Elements(Sequence::Set, lines.iter().map(|line| scalar(line)).collect())
        };
        let value = Value::Set(vec![text("b"), text("a")]);
        assert!(set(&["\"/[ab]/\"", "\"b\""]).matches(&value, Protocol::Resp3));
        assert!(set(&["\"a\"", "\"b\""]).matches(&value, Protocol::Resp3));
        assert!(!set(&["\"a\"", "\"a\""]).matches(&value, Protocol::Resp3));
        assert!(!set(&["\"a\""]).matches(&value, Protocol::Resp3));
    }

    #[test]
    fn a_map_is_flat_in_resp2() {
        let patterns = vec![(scalar("\"a\""), scalar(":1")), (scalar("\"b\""), scalar(":2"))];
        let pattern = Pattern::Map(MapForm::Flat, patterns.clone());
        let key = |name: &str| Value::Bulk(name.into());
        let flat = [key("b"), Value::Integer(2), key("a"), Value::Integer(1)];
        let pairs = vec![(key("b"), Value::Integer(2)), (key("a"), Value::Integer(1))];
        assert_matches(&pattern, &Value::Array(flat.into()), &Value::Map(pairs.clone()));
        let in_pairs = pairs.iter().map(|(key, value)| Value::Array(vec![key.clone(), value.clone()]));
        let pattern = Pattern::Map(MapForm::Pairs, patterns);
        assert_matches(&pattern, &Value::Array(in_pairs.collect()), &Value::Map(pairs));
    }
}
