//! Settings that are some of a few names and nothing more: those on which nobody acts yet. What is acted on has a
//! type of its own (`choice`).

use crate::directive::Kind;
use crate::error::SettingError;
use crate::value::{Source, Value, single};

/// One of the names of a [`Kind::Choice`].
impl Value for &'static str {
    fn blank() -> Self {
        ""
    }

    fn changed(&self, kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let Kind::Choice(names) = *kind else { unreachable!("a name has the kind Choice") };
        named(names, single(words)?)
    }

    fn print(&self, _kind: &Kind) -> String {
        (*self).to_owned()
    }
}

/// Some of the names of a [`Kind::Flags`], in the order in which the kind has them.
impl Value for Vec<&'static str> {
    fn blank() -> Self {
        Self::new()
    }

    fn changed(&self, kind: &Kind, words: &[&str], _source: Source) -> Result<Self, SettingError> {
        let Kind::Flags(names) = *kind else { unreachable!("a list of names has the kind Flags") };
        if words.is_empty() {
            return Err(SettingError::NotOneOf(names));
        }
        let given: Self = words.iter().map(|word| named(names, word)).collect::<Result<_, _>>()?;
        Ok(names[1..].iter().copied().filter(|name| given.contains(name)).collect())
    }

    fn print(&self, kind: &Kind) -> String {
        let Kind::Flags(names) = *kind else { unreachable!("a list of names has the kind Flags") };
        if self.is_empty() { names[0].to_owned() } else { self.join(" ") }
    }
}

fn named(names: &'static [&'static str], word: &str) -> Result<&'static str, SettingError> {
    let found = names.iter().find(|name| name.eq_ignore_ascii_case(word));
    found.copied().ok_or(SettingError::NotOneOf(names))
}
