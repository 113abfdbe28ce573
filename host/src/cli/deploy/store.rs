//! Spin's own store: a file of SQLite's, and whether what is written there outlasts a loss of power.
//!
//! Spin opens it with SQLite's defaults: a journal that is removed when a write is whole. Nothing waits until its removal is on the disk, so that after a loss
//! of power it may be there again, and SQLite takes the write back by it. A file that is written ahead of itself (WAL) has no such moment, and says of itself
//! that it is one: whoever opens it goes on so.

use super::super::Failure;
use rusqlite::Connection;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

/// What a file of SQLite's begins with, <https://www.sqlite.org/fileformat.html>, section 1.3.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Where it stands there how it is written, and how it is read; 2 is ahead.
const FORMAT: std::ops::Range<usize> = 18..20;

/// How long somebody else's write is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a store is written ahead. One that is not there yet, or has nothing in it, is not.
pub(super) fn is_ahead(file: &Path) -> Result<bool, Failure> {
    let shown = file.display();
    let mut head = [0; 20];
    let read = match File::open(file).and_then(|mut file| read_head(&mut file, &mut head)) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Failure::misuse(format_args!("failed to read {shown}: {error}"))),
    };
    if read == 0 {
        return Ok(false);
    }
    if read < head.len() || !head.starts_with(MAGIC) {
        return Err(Failure::misuse(format_args!("{shown} is no store of Spin's")).with_hint(
            "it is .spin/sqlite_key_value.db beside the manifest, unless Spin is told otherwise",
        ));
    }
    Ok(head.get(FORMAT).is_some_and(|format| format == [2, 2]))
}

fn read_head(file: &mut File, head: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = head.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => read = read.saturating_add(more),
        }
    }
    Ok(read)
}

/// Has a store be written ahead from now on, whoever writes it. It is made if it is not there.
pub(super) fn write_ahead(file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::failed(format_args!("failed to make {}: {error}", folder.display())))?;
    }
    let mode: rusqlite::Result<String> = Connection::open(file).and_then(|store| {
        store.busy_timeout(PATIENCE)?;
        store.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
    });
    match mode {
        Ok(mode) if mode == "wal" => Ok(()),
        Ok(_) => Err(Failure::failed(format_args!("{shown} cannot be written ahead where it lies"))
            .with_hint(
                "memory is shared through a file beside it, which file systems of a network do not offer",
            )),
        Err(error) => Err(Failure::failed(format_args!("failed to open {shown}: {error}"))
            .with_hint("end Spin first, if it is at work")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_written_ahead_from_then_on_by_whoever_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new/store.db");
        assert!(!is_ahead(&new).unwrap());
        write_ahead(&new).unwrap();
        assert!(is_ahead(&new).unwrap());
        // As Spin makes it.
        let old = folder.path().join("old.db");
        let spins = Connection::open(&old).unwrap();
        spins.execute("CREATE TABLE spin_key_value (key TEXT)", []).unwrap();
        assert!(!is_ahead(&old).unwrap());
        write_ahead(&old).unwrap();
        spins.execute("INSERT INTO spin_key_value VALUES ('a')", []).unwrap();
        assert!(is_ahead(&old).unwrap());
        assert!(folder.path().join("old.db-wal").exists());
    }

    #[test]
    fn what_is_no_store_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.db");
        std::fs::write(&file, "").unwrap();
        assert!(!is_ahead(&file).unwrap());
        for text in ["short", "something else that somebody has written"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(is_ahead(&file).err().map(|failure| failure.code()), Some(2));
        }
    }
}
