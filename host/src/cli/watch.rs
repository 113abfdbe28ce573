//! Whether a file has changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it is looked at. A look costs one system call, and also sees what is replaced, linked anew or mounted over
/// a network, which notifications of the system do not all tell of.
const LOOK: Duration = Duration::from_millis(500);

/// What tells two states of a file apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    modified: Option<SystemTime>,
    length: u64,
}

/// Watches one file.
#[derive(Debug)]
pub(super) struct FileWatch {
    file: PathBuf,
    seen: Option<State>,
}

impl FileWatch {
    /// Begins with the file as it is.
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), seen: state(file) }
    }

    /// Waits until it is another one than before, and has stayed so for a moment: an editor may write it in parts.
    ///
    /// May be dropped at any time: a change that was seen and not yet told is told by the next call.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = state(&self.file);
            if now.is_none() || now == self.seen {
                continue;
            }
            tokio::time::sleep(LOOK).await;
            if state(&self.file) == now {
                self.seen = now;
                return;
            }
        }
    }
}

/// `None` while there is no such file, as between the two steps of replacing it.
fn state(file: &Path) -> Option<State> {
    let data = std::fs::metadata(file).ok()?;
    Some(State { modified: data.modified().ok(), length: data.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sees_a_file_that_is_replaced_and_not_one_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "one").unwrap();
        let mut watch = FileWatch::new(&file);
        std::fs::remove_file(&file).unwrap();
        assert!(tokio::time::timeout(LOOK * 3, watch.changed()).await.is_err());
        std::fs::write(folder.path().join("new"), "another").unwrap();
        std::fs::rename(folder.path().join("new"), &file).unwrap();
        tokio::time::timeout(LOOK * 100, watch.changed()).await.expect("the change is seen");
    }
}
