//! What SQLite's errors mean to a caller.

use crate::store::StoreError;
use rusqlite::ErrorCode;

/// Tells a condition that can pass (locked, full, out of reach) from a fault.
pub(super) fn classify(error: &rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error_code() else { return StoreError::Internal(error.to_string()) };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Unavailable(format!("the database is locked by another process: {error}"))
        }
        ErrorCode::DiskFull => StoreError::Unavailable(format!("the disk is full: {error}")),
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::CannotOpen
        | ErrorCode::SystemIoFailure
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory => StoreError::Unavailable(error.to_string()),
        ErrorCode::NotADatabase => StoreError::Unusable(error.to_string()),
        ErrorCode::DatabaseCorrupt => StoreError::Unusable(format!(
            "the database is damaged ({error}): put a backup in its place, or save what can be read with SQLite's \
             `.recover`"
        )),
        _ => StoreError::Internal(error.to_string()),
    }
}

/// An error of a thread or a task that should not have ended.
pub(super) fn stopped(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Internal(format!("{what} stopped: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_database_is_told_with_what_can_be_done() {
        let error =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None);
        let StoreError::Unusable(text) = classify(&error) else { panic!("not unusable") };
        assert!(text.contains("damaged") && text.contains("backup"), "{text}");
    }
}
