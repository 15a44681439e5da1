//! Any words as the command line: all or none of them are obeyed, and what was read is printed in a form that reads back the same.

#![no_main]

use larder_config::Settings;
use larder_fuzz::check_settings;
use libfuzzer_sys::fuzz_target;

// A line is an argument.
fuzz_target!(|text: &str| {
    let arguments: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut settings = Settings::default();
    match settings.load_arguments(&arguments) {
        Ok(()) => check_settings(&settings),
        Err(_) => assert_eq!(settings, Settings::default()),
    }
});
