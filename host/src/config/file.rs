//! Reading the files that a configuration is made of.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a text of at most so many bytes.
///
/// # Errors
///
/// Besides what the system says: it is no regular file. Reading a pipe could wait for ever, a terminal does, and a device
/// may have no end; the gateway reads its configuration again while it runs.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    // Looked at by name: opening a pipe waits as well.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_regular_files_and_links_to_them_up_to_a_length() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        std::os::unix::fs::symlink(&file, directory.path().join("link")).unwrap();
        assert_eq!(read_text(&directory.path().join("link"), 5).unwrap(), "12345");
        assert!(read_text(&file, 4).unwrap_err().to_string().contains("longer than 4 bytes"));
        assert_eq!(read_text(&directory.path().join("none"), 4).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_may_have_no_end_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, Path::new("/dev/zero"), directory.path()] {
            assert!(read_text(path, 5).unwrap_err().to_string().contains("not a regular file"), "{path:?}");
        }
    }
}
