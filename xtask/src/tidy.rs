//! The rules about the tree that no compiler or linter checks. A rule that the tree does not keep yet comes in as a ratchet: the
//! exceptions are listed with their present size, and the list may only shrink.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::say;

/// Lines that a source file may have. Most should have 100 to 400.
const FILE_LINES_MAX: usize = 1000;

/// Files that are longer, with the length that they may not exceed.
const LONG_FILES: &[(&str, usize)] = &[];

/// Which crates a crate may depend on: strictly downward. A crate not listed here may depend on no other of ours.
const EDGES: &[(&str, &[&str])] = &[
    ("crates/engine", &["larder-config", "larder-lua", "larder-persist", "larder-resp", "larder-store"]),
    ("crates/lua", &["larder-resp"]),
    ("crates/persist", &["larder-resp", "larder-store"]),
    (
        "crates/commands",
        &[
            "larder-config",
            "larder-engine",
            "larder-lua",
            "larder-persist",
            "larder-resp",
            "larder-store",
            "memcache-parser",
        ],
    ),
    ("crates/metrics", &["larder-config", "larder-engine", "larder-store"]),
    (
        "crates/server",
        &[
            "larder-commands",
            "larder-config",
            "larder-engine",
            "larder-metrics",
            "larder-persist",
            "larder-resp",
            "larder-store",
        ],
    ),
    (
        "crates/testkit",
        &[
            "larder-commands",
            "larder-config",
            "larder-engine",
            "larder-persist",
            "larder-resp",
            "larder-store",
            "memcache-parser",
        ],
    ),
];

/// The only files that may contain `unsafe`. ARCHITECTURE.md says what each needs it for.
const UNSAFE_FILES: &[&str] = &[
    "crates/lua/src/native.rs",
    "crates/server/src/background.rs",
    "crates/server/src/driver/ring/mod.rs",
    "crates/server/src/memory.rs",
    "crates/server/src/memory/reserve.rs",
    "crates/server/src/memory/reserve/tests.rs",
    "crates/store/src/entry.rs",
    "crates/store/src/held.rs",
    "crates/store/src/slab.rs",
    "crates/store/src/slab/regions.rs",
    "crates/store/src/slab/span.rs",
    "crates/store/src/slab/tests.rs",
    "crates/store/src/table.rs",
    "crates/store/src/table/segment.rs",
];

/// Checks all rules and says what is wrong.
pub(crate) fn check() -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let faults = faults(root);
    for fault in &faults {
        say(fault);
    }
    faults.is_empty()
}

fn faults(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let sources = sources(root);
    for (path, text) in &sources {
        faults.extend(long_file(path, text));
        faults.extend(unsafe_outside(path, text));
    }
    for (path, _) in LONG_FILES {
        if !sources.contains_key(*path) {
            faults.push(format!("{path}: listed as long, but gone: take it off the list"));
        }
    }
    for manifest in manifests(root) {
        faults.extend(manifest_faults(root, &manifest));
    }
    faults.extend(missing_paths(root));
    faults
}

fn long_file(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let allowed = LONG_FILES.iter().find(|(listed, _)| *listed == path);
    match allowed {
        None if lines > FILE_LINES_MAX => Some(format!("{path}: {lines} lines, more than {FILE_LINES_MAX}")),
        Some((_, max)) if lines > *max => {
            Some(format!("{path}: {lines} lines, and may only shrink from {max}"))
        }
        Some((_, max)) if lines <= FILE_LINES_MAX || lines < *max => {
            Some(format!("{path}: now {lines} lines: lower or remove its entry in the list"))
        }
        _ => None,
    }
}

fn unsafe_outside(path: &str, text: &str) -> Option<String> {
    let uses = text.lines().any(|line| {
        let code = line.trim_start();
        !code.starts_with("//")
            && (code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe fn"))
    });
    (uses && !UNSAFE_FILES.contains(&path) && !path.starts_with("xtask/"))
        .then(|| format!("{path}: `unsafe` outside of the listed modules"))
}

/// Every crate follows the workspace's lints and depends downward only.
fn manifest_faults(root: &Path, manifest: &Path) -> Vec<String> {
    let name = relative(root, manifest.parent().expect("a manifest lies in a folder"));
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    let Ok(parsed) = text.parse::<toml::Table>() else {
        return vec![format!("{name}: its manifest cannot be read")];
    };
    let mut faults = Vec::new();
    if parsed.get("lints").and_then(|lints| lints.get("workspace")) != Some(&toml::Value::Boolean(true)) {
        faults.push(format!("{name}: does not take the workspace's lints"));
    }
    let allowed = EDGES.iter().find(|(from, _)| *from == name).map_or(&[][..], |(_, to)| to);
    let ours =
        |dependency: &&String| dependency.starts_with("larder-") || dependency.as_str() == "memcache-parser";
    let dependencies = parsed.get("dependencies").and_then(toml::Value::as_table);
    for dependency in dependencies.into_iter().flat_map(|table| table.keys()).filter(ours) {
        if name.starts_with("crates/") && !allowed.contains(&dependency.as_str()) {
            faults.push(format!("{name}: may not depend on {dependency}"));
        }
    }
    faults
}

/// Paths that ARCHITECTURE.md names in backquotes must exist.
fn missing_paths(root: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.contains('/') && !word.contains([' ', '*', '<', ':', '|']))
        .filter(|word| {
            word.starts_with("crates/") || word.starts_with("benches/") || word.starts_with("docs/")
        })
        .filter(|word| !root.join(word).exists())
        .map(|word| format!("ARCHITECTURE.md names {word}, which does not exist"))
        .collect()
}

/// All Rust sources with their paths relative to the root.
fn sources(root: &Path) -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in ["crates", "benches", "fuzz", "xtask"] {
        walk(&root.join(folder), &mut files);
    }
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (relative(root, &path), std::fs::read_to_string(&path).unwrap_or_default())).collect()
}

fn manifests(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["crates", "benches", "xtask"] {
        walk(&root.join(folder), &mut files);
    }
    files.retain(|path| path.file_name().is_some_and(|name| name == "Cargo.toml"));
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path
                .file_name()
                .is_some_and(|name| name != "target" && name != "corpus" && name != "artifacts")
            {
                walk(&path, files);
            }
        } else {
            files.push(path);
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
        assert_eq!(faults(root), Vec::<String>::new());
    }

    #[test]
    fn faults_are_found() {
        assert!(long_file("crates/x.rs", &"\n".repeat(FILE_LINES_MAX + 1)).is_some());
        assert!(long_file("crates/x.rs", "\n").is_none());
        assert!(unsafe_outside("crates/x.rs", "let x = unsafe { y };").is_some());
        assert!(unsafe_outside("crates/x.rs", "// unsafe { y }").is_none());
        assert!(unsafe_outside(UNSAFE_FILES[0], "unsafe impl X for Y {}").is_none());
    }
}
