//! Settings of long tests, given in the environment.

/// The number that the environment gives under this name, or the default.
///
/// # Panics
/// It is no number.
#[must_use]
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}
