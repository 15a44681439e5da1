//! Any text as a configuration file: no panic, and what was read is printed in a form that reads back the same. Rewritten, it says
//! the same again, and once more it stays as it is.

#![no_main]

use larder_config::Settings;
use larder_fuzz::{check_rewriting, check_settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // What is included is again the file, so that includes end only where the reader ends them.
    let mut include =
        |name: &str| Ok(vec![(name.to_owned(), if name.len() < 3 { text } else { "" }.to_owned())]);
    match Settings::load(text, "fuzz.conf", &mut include) {
        Ok(settings) => {
            check_settings(&settings);
            check_rewriting(text, &settings);
        }
        Err(error) => assert!(text.contains(&error.text), "{error}"),
    }
});
