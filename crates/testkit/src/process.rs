//! A real server's process, with a port and a directory of its own.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::peer::PeerError;

/// How often a start is tried when another process takes the port first.
const STARTS_MAX: usize = 5;
/// How often a server that has just been started is asked whether it listens.
pub(crate) const POLL: Duration = Duration::from_millis(25);
/// How often until it is given up.
pub(crate) const POLLS_MAX: usize = 200;

/// Names and contents of files.
pub(crate) type Files<'a> = &'a [(&'a str, &'a [u8])];

/// A server that listens on a port of this machine. Dropping it ends the process and removes its directory.
pub(crate) struct ServerProcess {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl ServerProcess {
    /// Starts a program, or the one that the environment variable names, with files in its directory and arguments made from the
    /// port; `None` when it is not installed and no other was named.
    pub(crate) fn start(
        program: &str,
        variable: &str,
        files: Files<'_>,
        arguments: impl Fn(&str) -> Vec<String>,
    ) -> Result<Option<ServerProcess>, PeerError> {
        let mut last = PeerError(format!("{program} was not started"));
        for _ in 0..STARTS_MAX {
            match ServerProcess::start_on_free_port(program, variable, files, &arguments) {
                Err(error) => last = error,
                started => return started,
            }
        }
        Err(last)
    }

    fn start_on_free_port(
        program: &str,
        variable: &str,
        files: Files<'_>,
        arguments: &impl Fn(&str) -> Vec<String>,
    ) -> Result<Option<ServerProcess>, PeerError> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("larder-testkit-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory)?;
        for (name, bytes) in files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&directory))?;
            fs::write(path, bytes)?;
        }
        let named = std::env::var_os(variable);
        let is_named = named.is_some();
        let process = Command::new(named.unwrap_or_else(|| program.into()))
            .args(arguments(&port.to_string()))
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match process {
            Ok(process) => {
                let mut server = ServerProcess { process, directory, port };
                server.wait_until_it_listens()?;
                Ok(Some(server))
            }
            Err(error) => {
                fs::remove_dir_all(&directory)?;
                if error.kind() == ErrorKind::NotFound && !is_named { Ok(None) } else { Err(error.into()) }
            }
        }
    }

    fn wait_until_it_listens(&mut self) -> Result<(), PeerError> {
        for _ in 0..POLLS_MAX {
            if let Some(status) = self.process.try_wait()? {
                return Err(PeerError(format!("the server ended: {status}")));
            }
            if self.connect().is_ok() {
                return Ok(());
            }
            sleep(POLL);
        }
        Err(PeerError("the server does not listen".to_owned()))
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its process id: what answers at the port may be another server that was faster to take it.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is left to do about a directory that cannot be removed.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
