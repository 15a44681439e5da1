//! Any text as a configuration file: no panic, and what was read is printed in a form that reads back the same.
#![no_main]

use larder_config::{DIRECTIVES, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(settings) = Settings::load(text, "fuzz.conf", &mut |_| Ok(Vec::new())) else { return };
    for directive in DIRECTIVES {
        let value = settings.value(directive);
        let mut again = settings.clone();
        if again.apply(directive, &[value.as_str()]).is_ok() {
            assert_eq!(again.value(directive), value, "{}", directive.name);
        }
    }
});
