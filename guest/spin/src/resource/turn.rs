//! The turn of a document, with the table that is in use while it lasts.

use crate::bucket::Bucket;
use crate::clock;
use crate::configuration;
use crate::diagnostic;
use crate::table::{Table, TableError, expire, table};
use anglerfish_core::edge::{Bucket as _, Turn, Turns};
use spin_sdk::time::sleep;
use std::rc::Rc;
use std::time::Duration;

/// How often those who wait look, in milliseconds, and up to how much more they wait so that they do not all look at once.
const PAUSE: u64 = 20;

/// How long a turn must last when something is written in it, in milliseconds: for as long as a store may take to write.
const WRITING: u64 = 5_000;

/// A turn that was taken. What was decided in it is written in it, without waiting for anything else than the store.
pub(super) struct Held {
    turn: Turn,
    /// What is in use: whoever had the turn before decided by this, or by an earlier one.
    pub(super) table: Rc<Table>,
}

/// Why there is no turn.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("{0}")]
    Store(String),
}

/// Takes the turn of a document; `None` if others have it for so many milliseconds.
pub(super) async fn take(url: &str, patience: u64) -> Result<Option<Held>, TurnError> {
    let until = clock::now().saturating_add(patience);
    loop {
        let table = table().await?;
        let turn = Turns::DOCUMENT.take(&Bucket::open, ("", url), &clock::now).map_err(TurnError::Store)?;
        if let Some(turn) = turn {
            let held = Held { turn, table };
            let current = Bucket::open().and_then(|bucket| configuration::current(&bucket));
            match current {
                Ok(current)
                    if current.as_ref().map_or(0, |current| current.version.version)
                        == held.table.version() =>
                {
                    return Ok(Some(held));
                }
                // Another configuration was deployed, which somebody may have decided by already.
                Ok(_) => expire(),
                Err(error) => {
                    held.give_back();
                    return Err(TurnError::Store(error));
                }
            }
            held.give_back();
        }
        if clock::now() >= until {
            return Ok(None);
        }
        sleep(Duration::from_millis(PAUSE.saturating_add(clock::random() % PAUSE))).await;
    }
}

impl Held {
    /// Whether something that is written now is written in the turn.
    pub(super) fn is_in_time(&self) -> bool {
        self.turn.lasts(clock::now(), WRITING)
    }

    /// What is deleted in order to give it back.
    pub(super) fn key(&self) -> String {
        self.turn.key().to_owned()
    }

    /// Gives it back. Whoever waits does so until it is over, if that fails.
    pub(super) fn give_back(&self) {
        forget(vec![self.key()]);
    }
}

/// Deletes what nobody needs any more.
pub(super) fn forget(keys: Vec<String>) {
    let deleted = Bucket::open().and_then(|bucket| bucket.delete_many(keys));
    if let Err(error) = deleted {
        diagnostic::report(&format!("what is not needed any more was not deleted: {error}"));
    }
}
