//! Telling subscribers of what was there before they subscribed, or of everything once they have lost it, in small steps.

use super::changes::{ChangeError, Documents};
use crate::clock;
use crate::store::StoredFollower;
use std::time::Duration;

/// Documents that are looked at in one step.
const STEP: usize = 100;
/// How long it is until it is tried again after a fault.
const PAUSE: Duration = Duration::from_millis(500);
/// How long it is at most until somebody new is looked for, though nobody said that there is one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What stands before the place of a subscriber that is told whatever it was told before. Keys begin with another word.
const LOST: &str = "lost ";

/// How one round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    /// Nobody is being told any more.
    Done,
    /// Somebody is, whose backlog has no room now.
    Full,
    /// There may be more to tell at once.
    More,
}

/// How far a subscriber was told.
struct Place<'a> {
    /// The key of the last document that was looked at.
    after: &'a str,
    /// Whether it has nothing any more.
    is_lost: bool,
}

impl<'a> Place<'a> {
    fn read(text: &'a str) -> Self {
        match text.strip_prefix(LOST) {
            Some(after) => Self { after, is_lost: true },
            None => Self { after: text, is_lost: false },
        }
    }

    /// The same with another key.
    fn at(&self, after: &str) -> String {
        if self.is_lost { format!("{LOST}{after}") } else { after.to_owned() }
    }
}

impl Documents {
    /// Tells a subscription that has lost its data everything that exists, from the next moment on; this returns when that is
    /// on disk. One that is being told already is told from the beginning.
    ///
    /// # Errors
    ///
    /// Nothing was written.
    pub async fn resync(&self, subscription: &str) -> Result<(), ChangeError> {
        let _step = self.backfill.step.lock().await;
        // The end of what is gone was given up, if it was not told: nothing that exists tells it.
        if self.store.revive_ends(subscription, clock::now()).await? {
            self.wake(subscription);
        }
        self.store.backfilled(subscription, Some(LOST)).await?;
        self.backfill.begun.notify_one();
        Ok(())
    }

    /// Tells subscribers of what was there before they subscribed; goes on until it is dropped.
    pub async fn backfill(self) {
        loop {
            let pause = match self.round().await {
                Ok(Round::More) => continue,
                Ok(Round::Full) => PAUSE,
                Ok(Round::Done) => LONGEST_PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "subscribers cannot be told now of what was there before");
                    PAUSE
                }
            };
            // Whoever begins while a round is under way has left a permit.
            let _ = tokio::time::timeout(pause, self.backfill.begun.notified()).await;
        }
    }

    /// One step for each subscriber that is being told. One that cannot be told now holds up no other.
    async fn round(&self) -> Result<Round, ChangeError> {
        let (mut round, mut fault) = (Round::Done, None);
        for id in self.store.backfilling().await? {
            match self.step(&id).await {
                Ok(step) => round = round.max(step),
                Err(error) => fault = Some(error),
            }
        }
        match fault {
            Some(error) if round != Round::More => Err(error),
            _ => Ok(round),
        }
    }

    /// One step of one subscriber.
    async fn step(&self, id: &str) -> Result<Round, ChangeError> {
        // So that a resync that begins meanwhile is not written over.
        let _step = self.backfill.step.lock().await;
        let Some(StoredFollower { resource, backfilled: Some(place), .. }) = self.store.follower(id).await?
        else {
            return Ok(Round::Done);
        };
        let place = Place::read(&place);
        // What finds no room would be given up.
        let room = self.store.room(id).await?.min(STEP);
        if room == 0 {
            return Ok(Round::Full);
        }
        let (page, next) = self.page(&resource, place.after, room).await?;
        for document in page {
            self.announce(id, document.url, place.is_lost).await?;
        }
        // A step of those that are new that is done again tells nothing twice: what a subscriber was told is written down.
        self.store.backfilled(id, next.as_deref().map(|next| place.at(next)).as_deref()).await?;
        if next.is_some() {
            return Ok(Round::More);
        }
        let caught_up = self.decider.caught_up(id).await;
        caught_up.map_err(|error| ChangeError::Broken(error.to_string()))?;
        Ok(Round::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_whether_everything_is_told_again() {
        for (text, after, is_lost) in [
            ("", "", false),
            ("document/a/b", "document/a/b", false),
            (LOST, "", true),
            ("lost k", "k", true),
        ] {
            let place = Place::read(text);
            assert_eq!((place.after, place.is_lost), (after, is_lost));
            assert_eq!(place.at(after), text);
        }
    }
}
