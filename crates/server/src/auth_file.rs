//! The file of memcached's users, which the directive memcached-auth-file names.

use std::io;

use larder_commands::memcache;
use larder_config::Settings;
use larder_engine::Node;

/// Reads the file once more, which the signal HUP asks for.
pub(crate) fn read_again(node: &Node) {
    match read(&node.settings(), node) {
        Ok(()) => tracing::info!("Received SIGHUP"),
        Err(error) => tracing::warn!("{error}; its users stay as they were"),
    }
}

/// Reads the file, if there is to be one. An error leaves the users as they were.
pub(crate) fn read(settings: &Settings, node: &Node) -> io::Result<()> {
    let path = &settings.memcached_auth_file;
    if path.is_empty() {
        if settings.memcached_sasl && settings.requirepass.is_empty() {
            tracing::warn!(
                "memcached-sasl asks for passwords, and neither requirepass nor memcached-auth-file gives any"
            );
        }
        return Ok(());
    }
    let told =
        |error: &dyn std::fmt::Display| format!("Could not read the memcached-auth-file {path}: {error}");
    let file = std::fs::read(path).map_err(|error| io::Error::new(error.kind(), told(&error)))?;
    let users = memcache::parse_users(&file)
        .map_err(|line| io::Error::other(told(&format!("line {line} is not user:password"))))?;
    node.memcache.set_users(users);
    Ok(())
}
