//! Whether a file has changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it is looked at. A look costs one system call, and also sees what is replaced, linked anew or mounted over
/// a network, which notifications of the system do not all tell of.
const LOOK: Duration = Duration::from_millis(500);

/// For how long it has to stay as it is before it is read: whoever writes it in parts pauses, and half of a configuration
/// is one without the other half's subscriptions.
const UNCHANGED: Duration = Duration::from_secs(2);

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
    /// Whether it was told that it is gone.
    is_missed: bool,
}

impl FileWatch {
    /// Begins with the file as it is.
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), seen: state(file), is_missed: false }
    }

    /// Waits until it is another one than before, and has stayed so for [`UNCHANGED`].
    ///
    /// May be dropped at any time: a change that was seen and not yet told is told by the next call.
    pub(super) async fn changed(&mut self) {
        let mut last = state(&self.file);
        let mut same = Duration::ZERO;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = state(&self.file);
            same = if now == last { same + LOOK } else { Duration::ZERO };
            last = now;
            if same < UNCHANGED || last == self.seen {
                continue;
            }
            match &last {
                Some(_) => {
                    (self.seen, self.is_missed) = (last, false);
                    return;
                }
                None if !self.is_missed => {
                    self.is_missed = true;
                    let file = self.file.display();
                    tracing::warn!(%file, "the configuration's file is gone; the gateway goes on by what it said");
                }
                None => {}
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
        assert!(tokio::time::timeout(UNCHANGED + LOOK * 3, watch.changed()).await.is_err());
        std::fs::write(folder.path().join("new"), "another").unwrap();
        std::fs::rename(folder.path().join("new"), &file).unwrap();
        tokio::time::timeout(LOOK * 100, watch.changed()).await.expect("the change is seen");
    }
}
