//! Two gateways cannot share one database: leases live in one process's memory.
//!
//! `FILE.lock` says who holds it, for the message. What counts is a lock on the database's own inode: it holds whatever
//! name or link the file is opened by, and also when somebody has removed `FILE.lock`. It is of the kind (`flock`) that
//! SQLite does not use on this platform, so the two do not meet.

use super::private;
use crate::store::StoreError;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Holds both locks for as long as it lives; the operating system lets go of them if the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    // Closing a descriptor of the database ends SQLite's own locks of this process on it: it stays open until the
    // connections are closed.
    _database: Option<(File, Claim)>,
}

impl Lock {
    /// Takes the locks or says who holds them.
    pub(super) fn acquire(database: &Path) -> Result<Self, StoreError> {
        let path = path_for(database);
        let unavailable = |error: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!("failed to lock {}: {error}", path.display()))
        };
        let mut file = private::file_options().open(&path).map_err(|error| unavailable(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message; without it the message is still true.
                let _ = file.read_to_string(&mut holder);
                return Err(in_use(database, holder.trim()));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(&error)),
        }
        let claimed = lock_inode(database)?;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| unavailable(&error))?;
        Ok(Self { _file: file, _database: claimed })
    }
}

fn in_use(database: &Path, holder: &str) -> StoreError {
    let holder = match holder {
        "" => String::new(),
        process => format!(" (process {process})"),
    };
    StoreError::Unusable(format!(
        "{} is in use by another gateway{holder}: two gateways cannot share one data directory",
        database.display(),
    ))
}

/// Where locks are mandatory, one on the database would keep SQLite out; the file beside it has to do.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where the database itself is locked")]
fn lock_inode(_database: &Path) -> Result<Option<(File, Claim)>, StoreError> {
    Ok(None)
}

/// Locks the database itself, and makes it if it is not there. What cannot be opened SQLite says better.
#[cfg(unix)]
fn lock_inode(database: &Path) -> Result<Option<(File, Claim)>, StoreError> {
    let Some(claim) = Claim::make(database) else { return Err(in_use(database, "")) };
    let Ok(file) = private::file_options().open(database) else { return Ok(None) };
    let claim = match claim {
        Some(claim) => claim,
        // It was made just now.
        None => match Claim::make(database) {
            Some(Some(claim)) => claim,
            _ => return Ok(None),
        },
    };
    match file.try_lock() {
        Ok(()) => Ok(Some((file, claim))),
        Err(TryLockError::WouldBlock) => Err(in_use(database, "")),
        // A file system without such locks has no links either that could lead here twice.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "the database's own file cannot be locked; only the file beside it is");
            Ok(None)
        }
    }
}

fn path_for(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

pub(super) use inode::{Claim, identity_of};

#[cfg(unix)]
mod inode {
    use std::collections::BTreeSet;
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    /// What tells one file from every other on this machine.
    pub(in crate::store::sqlite) type Identity = (u64, u64);

    /// The files that this process has locked. A second descriptor of one of them must not even be opened: closing it
    /// would end the locks that SQLite holds on the first.
    static CLAIMED: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());

    /// Which file it is.
    pub(in crate::store::sqlite) fn identity_of(metadata: &Metadata) -> Identity {
        (metadata.dev(), metadata.ino())
    }

    /// This process has this file.
    #[derive(Debug)]
    pub(in crate::store::sqlite) struct Claim(Identity);

    impl Claim {
        /// `None` if this process has the file already; `Some(None)` if there is no file.
        pub(in crate::store::sqlite) fn make(path: &Path) -> Option<Option<Self>> {
            let Ok(metadata) = std::fs::metadata(path) else { return Some(None) };
            let identity = identity_of(&metadata);
            let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
            // Not a claim that is made and dropped: that would give the file up.
            claimed.insert(identity).then(|| Some(Self(identity)))
        }
    }

    impl Drop for Claim {
        fn drop(&mut self) {
            CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
        }
    }
}

/// Files are told apart by their names alone: one that is removed is missed, one that is replaced is not.
#[cfg(not(unix))]
mod inode {
    use std::fs::Metadata;

    /// The same for every file.
    pub(in crate::store::sqlite) fn identity_of(_metadata: &Metadata) -> (u64, u64) {
        (0, 0)
    }

    /// Never made: the database itself is not locked.
    #[derive(Debug)]
    pub(in crate::store::sqlite) struct Claim(());
}
