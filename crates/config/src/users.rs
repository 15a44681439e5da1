//! Lines that declare users. There is only the default one yet, who may do everything; what would make another of
//! him is refused rather than passed over, lest somebody gets in who should not.

use sha2::{Digest, Sha256};

use crate::table::Settings;

/// Rules that the default user meets.
const MET: &[&str] = &[
    "on",
    "sanitize-payload",
    "skip-sanitize-payload",
    "~*",
    "allkeys",
    "&*",
    "allchannels",
    "+@all",
    "allcommands",
];

impl Settings {
    /// Obeys a line `user NAME RULE ...`: such as Redis writes when it rewrites a file.
    pub(crate) fn declare_user(&mut self, name: &str, rules: &[String]) -> Result<(), String> {
        if name != "default" {
            return Err(format!(
                "Error in user declaration '{name}': there is no user but the default one yet"
            ));
        }
        for rule in rules {
            if rule.eq_ignore_ascii_case("nopass") {
                self.requirepass.clear();
            } else if let Some(password) = rule.strip_prefix('>') {
                password.clone_into(&mut self.requirepass);
            } else if !self.meets(rule) {
                return Err(format!(
                    "Error in user declaration '{rule}': the default user may do everything yet"
                ));
            }
        }
        Ok(())
    }

    fn meets(&self, rule: &str) -> bool {
        match rule.strip_prefix('#') {
            // The password itself stands in a line `requirepass` before.
            Some(digest) => !self.requirepass.is_empty() && digest == hexadecimal_digest(&self.requirepass),
            None => MET.iter().any(|met| met.eq_ignore_ascii_case(rule)),
        }
    }
}

fn hexadecimal_digest(password: &str) -> String {
    Sha256::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
