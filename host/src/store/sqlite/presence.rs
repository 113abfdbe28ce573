//! Whether the files that are written are still those that the next start will find.
//!
//! A file that is removed or replaced while it is open goes on to take what is written, and nobody will ever read it. So
//! before anything is acknowledged, the names are looked up: the database, its log and the log's index must be the files
//! that they were. That costs some microseconds for each transaction.

use super::lock::identity;
use std::path::{Path, PathBuf};

/// What SQLite puts behind the database's name.
const PARTS: [(&str, &str); 3] =
    [("", "the database"), ("-wal", "the database's log"), ("-shm", "the index of the database's log")];

/// The files of an open database.
#[derive(Debug)]
pub(super) struct Presence {
    files: Vec<(PathBuf, &'static str, (u64, u64))>,
}

impl Presence {
    /// Notes which files they are. The connection that writes must be open, since that makes them.
    pub(super) fn note(database: &Path) -> Self {
        // As SQLite does: the files beside it are named after what a link leads to.
        let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        let files = PARTS.iter().filter_map(|(suffix, what)| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            let path = PathBuf::from(name);
            identity(&path).map(|identity| (path, *what, identity))
        });
        Self { files: files.collect() }
    }

    /// Says which file is gone.
    pub(super) fn check(&self) -> Result<(), String> {
        for (path, what, noted) in &self.files {
            // The name was free of links when it was noted. One that has taken its place leads SQLite, at the next start,
            // to other files beside the database.
            let linked = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
            let (path, how) = match identity(path) {
                Some(found) if found == *noted && !linked => continue,
                Some(_) => (path.display(), "replaced"),
                None => (path.display(), "removed"),
            };
            return Err(format!(
                "{what} {path} was {how} while the gateway had it open; start the gateway again with the right file"
            ));
        }
        Ok(())
    }
}
