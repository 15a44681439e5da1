//! Files that take the place of others: whoever looks sees all of the old one, or all of the new one.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// The directory in which a file is written that is to take the place of this one.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What names of files begin with that are being made.
pub(crate) const TEMPORARY: &str = "temp-";

/// A file that is to take the place of another, readable by others as far as the directive umask permits.
pub(crate) fn temporary(directory: &Path, suffix: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .suffix(suffix)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
}

/// Cuts a file where it is: that writes nothing, so there is either the old end or the new one, whenever the machine may fail, and it
/// takes no room on a disk that may be full of this very file. It is on disk when this returns.
pub(crate) fn truncate(path: &Path, len: u64) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()
}

/// Gives a new file the name of the old one. It is on disk when this returns, and so is its name.
pub(crate) fn replace(path: &Path, file: NamedTempFile) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name, too, is to survive a loss of power.
    File::open(directory_of(path))?.sync_all()
}
