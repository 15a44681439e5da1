//! What the flags of a meta request make of an item's lifetime.

use larder_store::UnixMillis;
use memcache_parser::reply::RemainingTtl;
use memcache_parser::{Flag, MetaFlags};

use super::item::Lifetime;

/// The lifetime of an item after a request, and what is said about it. The flags count in their order: `T30 t` says 30, `t T30`
/// what was left before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aging {
    /// How long the item lives.
    pub(super) lifetime: Lifetime,
    /// Whether that is another lifetime than before.
    pub(super) is_renewed: bool,
    /// Whether it had less left than the request wants, so that a client is to renew the value.
    pub(super) is_old: bool,
    /// What `t` is answered with.
    pub(super) reported: Option<RemainingTtl>,
}

/// Where an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was there.
    Found,
    /// The request has made it.
    Created,
}

impl Aging {
    /// Goes through the flags of a request for an item that lives until then.
    pub(super) fn new(
        flags: &MetaFlags<'_>,
        origin: Origin,
        expires_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Aging {
        let lifetime = Lifetime::Until(expires_at);
        let mut aging = Aging { lifetime, is_renewed: false, is_old: false, reported: None };
        let matters = [Flag::Ttl, Flag::Vivify, Flag::Recache, Flag::ReturnTtl];
        if !matters.into_iter().any(|flag| flags.has(flag)) {
            return aging;
        }
        for (flag, _) in flags.iter() {
            match flag {
                Flag::Ttl => aging.renew(flags.ttl(), now),
                Flag::Vivify if origin == Origin::Created => aging.renew(flags.vivify(), now),
                Flag::Recache if origin == Origin::Found => {
                    let least = flags.recache().map_or(Lifetime::UNLIMITED, |at| Lifetime::of(at, now));
                    aging.is_old = ends_before(aging.lifetime, least);
                }
                Flag::ReturnTtl => aging.reported = Some(aging.lifetime.remaining(now)),
                _ => {}
            }
        }
        aging
    }

    fn renew(&mut self, exptime: Option<i64>, now: UnixMillis) {
        self.lifetime = Lifetime::of(exptime.unwrap_or_default(), now);
        self.is_renewed = true;
    }
}

/// Whether both end, this one earlier. One that is over is set to end at the beginning of time, and nothing is renewed that
/// nobody wants.
fn ends_before(lifetime: Lifetime, least: Lifetime) -> bool {
    match (lifetime, least) {
        (Lifetime::Until(Some(at)), Lifetime::Until(Some(least))) => at < least,
        (Lifetime::Over, Lifetime::Until(Some(_))) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use memcache_parser::{Command, Limits, Parsed, parse};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn aging(line: &str, origin: Origin, seconds_left: Option<i64>) -> Aging {
        let line = format!("mg k {line}\r\n");
        let Parsed::Request { command: Command::MetaGet(request), .. } =
            parse(line.as_bytes(), &Limits::default())
        else {
            panic!("{line}")
        };
        let expires_at = seconds_left.map(|seconds| NOW.saturating_add(1000 * seconds));
        Aging::new(&request.flags, origin, expires_at, NOW)
    }

    #[test]
    fn flags_count_in_their_order() {
        use Origin::{Created, Found};
        let seconds = |seconds| Some(RemainingTtl::Seconds(seconds));
        assert_eq!(aging("t", Found, None).reported, Some(RemainingTtl::Unlimited));
        assert_eq!(aging("t T30", Found, Some(9)).reported, seconds(9));
        assert_eq!(aging("T30 t", Found, Some(9)).reported, seconds(30));
        assert_eq!(aging("N40 t", Found, Some(9)).reported, seconds(9));
        assert_eq!(aging("N40 t", Created, None).reported, seconds(40));
        assert_eq!(aging("T30 N40", Created, None).lifetime, Lifetime::of(40, NOW));
        assert_eq!(aging("T-1", Found, None).lifetime, Lifetime::Over);
        assert!(aging("T30", Found, Some(9)).is_renewed && !aging("t", Found, Some(9)).is_renewed);
    }

    #[test]
    fn what_has_little_time_left_is_to_be_renewed() {
        use Origin::{Created, Found};
        assert!(aging("R30", Found, Some(29)).is_old);
        assert!(!aging("R30", Found, Some(30)).is_old);
        assert!(!aging("R30", Found, None).is_old);
        assert!(!aging("R30 N9", Created, None).is_old);
        assert!(!aging("T100 R30", Found, Some(9)).is_old);
        assert!(aging("R30 T100", Found, Some(9)).is_old);
        assert!(!aging("R0", Found, Some(9)).is_old && !aging("R-1", Found, Some(9)).is_old);
        assert!(aging("T-1 R30", Found, Some(9)).is_old);
    }
}
