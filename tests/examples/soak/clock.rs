//! A clock that can be put wrong while the gateway runs: that of libfaketime, which Debian has as `libfaketime`. It stands
//! between the program and the system's library, so the program is the one that is shipped.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The wall clock of the processes that have its environment.
pub(crate) struct Clock {
    library: PathBuf,
    _directory: TempDir,
    file: PathBuf,
}

impl Clock {
    /// One that is right; `None` where there is no such library.
    pub(crate) fn find() -> Option<Self> {
        let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
        let library = folders
            .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
            .find(|library| library.is_file())?;
        let directory = tempfile::tempdir().ok()?;
        let file = directory.path().join("clock");
        std::fs::write(&file, "+0\n").ok()?;
        Some(Self { library, _directory: directory, file })
    }

    /// What says how far it is off.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Gives it to a process.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        vec![
            pair("LD_PRELOAD", self.library.display().to_string()),
            pair("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            pair("FAKETIME_CACHE_DURATION", "1".to_owned()),
            // Timers go by the other clock, which nobody can put wrong.
            pair("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}
