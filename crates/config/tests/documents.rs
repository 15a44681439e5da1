//! The files generated from the table are those in the repository, and the example says what it claims.

use std::path::{Path, PathBuf};

use larder_config::{DIRECTIVES, Settings, render_example, render_markdown};

#[test]
fn docs_config_md_is_fresh() {
    assert_fresh("docs/config.md", &render_markdown());
}

#[test]
fn config_larder_conf_is_fresh() {
    assert_fresh("config/larder.conf", &render_example());
}

#[test]
fn the_example_names_every_directive_and_loads_as_the_defaults() {
    let text = render_example();
    let settings = Settings::load(&text, "larder.conf", &mut |_: &str| Err("no include".to_owned())).unwrap();
    let defaults = Settings::default();
    for row in DIRECTIVES {
        assert!(text.lines().any(|line| line.split(' ').next() == Some(row.name)), "{} is missing", row.name);
        assert_eq!(settings.value(row), defaults.value(row), "{}", row.name);
    }
}

/// Compares the file with what it should be, or rewrites it when `UPDATE` is set.
#[expect(clippy::disallowed_methods, reason = "a test that checks files reads and writes them")]
fn assert_fresh(name: &str, expected: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("the file is in a folder"))
            .expect("the folder can be made");
        std::fs::write(&path, expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is stale: run UPDATE=1 cargo test -p larder-config");
}
