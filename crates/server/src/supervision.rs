//! What the process is to those who started it: in the foreground or a daemon, with a file that holds its number, under a
//! supervisor that is told when it serves, and as which user.

use std::ffi::CString;
use std::path::PathBuf;

use larder_config::{Settings, Supervised};
use nix::unistd::{User, daemon, getuid, initgroups, setgid, setuid};
use rustix::process::{Signal, getpid, kill_process};

/// Where the number of a daemon that serves RESP is written when nobody says where.
const PID_FILE: &str = "/var/run/larder.pid";

/// Who waits for the word that the server is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supervisor {
    Nobody,
    Systemd,
    Upstart,
}

/// The process, as it was detached and announced.
#[derive(Debug)]
pub(crate) struct Supervision {
    supervisor: Supervisor,
    /// Removed at the end.
    pid_file: Option<PathBuf>,
}

/// Becomes another user, if it is root that runs the process. To be called before anything is opened for writing, and before there
/// is a second thread.
pub(crate) fn become_user(name: &str) -> Result<(), String> {
    if !getuid().is_root() {
        return Ok(());
    }
    let failed = |error: nix::Error| format!("failed to assume identity of user {name}: {}", error.desc());
    let user = User::from_name(name)
        .map_err(failed)?
        .ok_or_else(|| format!("can't find the user {name} to switch to"))?;
    let c_name = CString::new(name).map_err(|_| format!("can't find the user {name} to switch to"))?;
    initgroups(&c_name, user.gid).map_err(failed)?;
    setgid(user.gid).map_err(failed)?;
    setuid(user.uid).map_err(failed)
}

impl Supervision {
    /// Goes into the background, if that is asked for and nobody supervises the process. To be called before there is a second
    /// thread, because only the thread that asks goes there.
    pub(crate) fn begin(settings: &Settings) -> Result<Supervision, String> {
        let supervisor = supervisor(settings.supervised);
        let background = settings.daemonize && supervisor == Supervisor::Nobody;
        if background {
            daemon(true, false).map_err(|error| format!("Can't go into the background: {}", error.desc()))?;
        }
        let pid_file = match settings.pidfile.as_str() {
            "" if background => default_pid_file(settings),
            "" => None,
            path => Some(path),
        };
        // CONFIG SET dir does not move it.
        let pid_file = pid_file.map(std::path::absolute).transpose().map_err(|error| error.to_string())?;
        Ok(Supervision { supervisor, pid_file })
    }

    /// Who supervises the process, as INFO names them.
    pub(crate) fn name(&self) -> &'static str {
        match self.supervisor {
            Supervisor::Nobody => Supervised::No.name(),
            Supervisor::Systemd => Supervised::Systemd.name(),
            Supervisor::Upstart => Supervised::Upstart.name(),
        }
    }

    /// Writes the file that holds the process's number. A server without one works: that it cannot be written is only logged.
    pub(crate) fn write_pid_file(&self) {
        if let Some(path) = &self.pid_file
            && let Err(error) = std::fs::write(path, format!("{}\n", std::process::id()))
        {
            tracing::warn!("Failed to write PID file: {error}");
        }
    }

    /// Says that the server is ready.
    pub(crate) fn ready(&self) {
        match self.supervisor {
            Supervisor::Nobody => {}
            Supervisor::Systemd => {
                use sd_notify::NotifyState::{Ready, Status};
                notify(&[Status("Ready to accept connections"), Ready]);
            }
            // It waits for the process to be stopped, and has it go on.
            Supervisor::Upstart => {
                tracing::info!("supervised by upstart, will stop to signal readiness.");
                let _ = kill_process(getpid(), Signal::STOP);
            }
        }
    }

    /// Says that the server is about to end.
    pub(crate) fn stopping(&self) {
        if self.supervisor == Supervisor::Systemd {
            notify(&[sd_notify::NotifyState::Stopping]);
        }
    }

    /// Removes what would say that the server runs.
    pub(crate) fn end(&self) {
        if let Some(path) = &self.pid_file {
            tracing::info!("Removing the pid file.");
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Where a daemon's number is written when nobody says where: memcached writes no such file unasked.
fn default_pid_file(settings: &Settings) -> Option<&'static str> {
    let serves_resp = settings.port != 0 || !settings.unixsocket.is_empty();
    serves_resp.then_some(PID_FILE)
}

/// `auto` believes what the environment says, and who is named must be there.
fn supervisor(directive: Supervised) -> Supervisor {
    let has = |variable| std::env::var_os(variable).is_some();
    match directive {
        Supervised::Systemd | Supervised::Auto if has("NOTIFY_SOCKET") => Supervisor::Systemd,
        Supervised::Upstart | Supervised::Auto if has("UPSTART_JOB") => Supervisor::Upstart,
        Supervised::Auto | Supervised::No => Supervisor::Nobody,
        Supervised::Systemd => {
            tracing::warn!("systemd supervision error: NOTIFY_SOCKET not found!");
            Supervisor::Nobody
        }
        Supervised::Upstart => {
            tracing::warn!("upstart supervision requested, but UPSTART_JOB not found!");
            Supervisor::Nobody
        }
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd could not be notified: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_of_resp_writes_its_number_unasked() {
        let file = |port, unixsocket: &str| {
            let unixsocket = unixsocket.to_owned();
            default_pid_file(&Settings { port, unixsocket, ..Settings::default() })
        };
        assert_eq!(file(6379, ""), Some(PID_FILE));
        assert_eq!(file(0, "/tmp/larder.socket"), Some(PID_FILE));
        assert_eq!(file(0, ""), None);
    }
}
