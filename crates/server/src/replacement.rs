//! Files that take the place of others: whoever looks sees all of the old one, or all of the new one.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// The directory in which a file is written that is to take the place of this one.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a new file the name of the old one. It is on disk when this returns, and so is its name.
pub(crate) fn replace(path: &Path, file: NamedTempFile) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name, too, is to survive a loss of power.
    File::open(directory_of(path))?.sync_all()
}
