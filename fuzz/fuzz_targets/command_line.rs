//! Any words as the command line: all or none of them are obeyed, and what was read is printed in a form that reads back the same.
//! The same words as memcached's: they are read, or something is wrong with one of them.

#![no_main]

use larder_config::{Memcached, Settings, memcached_arguments};
use larder_fuzz::check_settings;
use libfuzzer_sys::fuzz_target;

// A line is an argument.
fuzz_target!(|text: &str| {
    let arguments: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut settings = Settings::default();
    let mut no_file = |_: &str| Err("there are no files".to_owned());
    match settings.load_arguments(&arguments, &mut no_file) {
        Ok(()) => check_settings(&settings),
        Err(_) => assert_eq!(settings, Settings::default()),
    }
    if let Ok(Memcached::Serve { settings, .. }) = memcached_arguments(&arguments) {
        check_settings(&settings);
    }
});
