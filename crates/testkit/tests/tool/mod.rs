//! A tool that redis-server comes with, run on files of a directory of its own.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Dropping it removes the directory.
pub(crate) struct Tool {
    program: &'static str,
    directory: PathBuf,
}

impl Tool {
    /// The tool, if it is installed.
    pub(crate) fn find(program: &'static str) -> Option<Tool> {
        let found = Command::new(program).arg("-v").stdout(Stdio::null()).status();
        if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return None;
        }
        // Tests run beside each other, in one process or several.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder-{program}-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Some(Tool { program, directory })
    }

    /// Writes a file; its path.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.directory.join(name);
        fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// What it prints on both outputs, and its exit status. It is told yes when it asks.
    pub(crate) fn run(&self, arguments: &[&str]) -> (String, i32) {
        let mut process = Command::new(self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that asks nothing may have ended already.
        let _ = process.stdin.take().unwrap().write_all(b"y\n");
        let output = process.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), output.status.code().unwrap())
    }

    /// The lines of a text, without the path of the directory: older tools leave it out in places.
    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        let path = format!("{}/", self.directory.display());
        text.replace(&path, "").lines().map(str::to_owned).collect()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
