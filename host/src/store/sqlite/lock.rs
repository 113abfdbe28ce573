//! Two gateways cannot share one database: leases live in one process's memory.

use super::private;
use crate::store::StoreError;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Holds `FILE.lock` for as long as it lives; the operating system lets go of it if the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock or says who holds it.
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
                let holder = match holder.trim() {
                    "" => String::new(),
                    process => format!(" (process {process})"),
                };
                return Err(StoreError::Unusable(format!(
                    "{} is in use by another gateway{holder}: two gateways cannot share one data directory",
                    database.display(),
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(&error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| unavailable(&error))?;
        Ok(Self { _file: file })
    }
}

fn path_for(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
