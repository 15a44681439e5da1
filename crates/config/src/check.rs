//! What single directives ask of values that their kind accepts: the last column of the table.

use crate::choice::OomScoreAdj;
use crate::error::SettingError;

type Checked<T> = Result<T, SettingError>;

/// Redis accepts any number and takes the nearest that it can use.
pub(crate) fn within_hertz(hz: u32) -> Checked<u32> {
    Ok(hz.clamp(1, 500))
}

/// As above.
pub(crate) fn least_backlog(bytes: u64) -> Checked<u64> {
    Ok(bytes.max(16 << 10))
}

/// Two words mean the same; Redis shows the first of them.
pub(crate) fn one_name_for_relative(mode: OomScoreAdj) -> Checked<OomScoreAdj> {
    Ok(if mode == OomScoreAdj::Relative { OomScoreAdj::Yes } else { mode })
}

pub(crate) fn saves_or_does_not(flags: Vec<&'static str>) -> Checked<Vec<&'static str>> {
    let both = flags.contains(&"save") && flags.contains(&"nosave");
    refuse_if(both, "shutdown options SAVE and NOSAVE can't be used simultaneously", flags)
}

pub(crate) fn directory(path: String) -> Checked<String> {
    refuse_if(path.is_empty(), "dir can't be empty", path)
}

pub(crate) fn snapshot_name(name: String) -> Checked<String> {
    file_name(name, "dbfilename can't be empty", "dbfilename can't be a path, just a filename")
}

pub(crate) fn append_name(name: String) -> Checked<String> {
    file_name(name, "appendfilename can't be empty", "appendfilename can't be a path, just a filename")
}

pub(crate) fn append_directory(name: String) -> Checked<String> {
    file_name(name, "appenddirname can't be empty", "appenddirname can't be a path, just a dirname")
}

pub(crate) fn cluster_file(name: String) -> Checked<String> {
    refuse_if(name.is_empty(), "cluster-config-file can't be empty", name)
}

pub(crate) fn host_name(name: String) -> Checked<String> {
    if name.len() >= 256 {
        return Err(SettingError::Refused("Hostnames must be less than 256 characters"));
    }
    let strange = name.bytes().any(|byte| !(byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'));
    refuse_if(strange, "Hostnames may only contain alphanumeric characters, hyphens or dots", name)
}

/// What is not there yet and would be missed is refused, lest a server starts that is not what was asked for.
pub(crate) fn without_cluster(wanted: bool) -> Checked<bool> {
    refuse_if(wanted, "there are no clusters yet: only 'no' is accepted", wanted)
}

/// As above: clients would meet a closed port.
pub(crate) fn without_tls(port: u16) -> Checked<u16> {
    refuse_if(port != 0, "there is no TLS yet: only 0 is accepted", port)
}

/// As above: everybody would get in.
pub(crate) fn without_users(file: String) -> Checked<String> {
    refuse_if(
        !file.is_empty(),
        "there are no users but the default one yet: only an empty name is accepted",
        file,
    )
}

/// As above: clients would find no data.
pub(crate) fn without_primary(primary: Vec<String>) -> Checked<Vec<String>> {
    match primary.as_slice() {
        [] => Ok(primary),
        [no, one] if no.eq_ignore_ascii_case("no") && one.eq_ignore_ascii_case("one") => Ok(Vec::new()),
        [_, port] if port.parse::<u16>().is_err() => Err(SettingError::Refused("Invalid primary port")),
        [_, _] => Err(SettingError::Refused("there is no replication yet: only 'no one' is accepted")),
        _ => Err(SettingError::WrongNumberOfArguments),
    }
}

fn file_name(name: String, empty: &'static str, path: &'static str) -> Checked<String> {
    let name = refuse_if(name.is_empty(), empty, name)?;
    refuse_if(name.contains('/'), path, name)
}

fn refuse_if<T>(refused: bool, reason: &'static str, value: T) -> Checked<T> {
    if refused { Err(SettingError::Refused(reason)) } else { Ok(value) }
}
