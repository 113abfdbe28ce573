//! Telling subscribers of what was there before they subscribed, of everything once they have lost it, or of what another filter
//! makes of what they have, in small steps.

use super::changes::{ChangeError, Documents};
use crate::store::StoredFollower;
use anglerfish_core::router::Announcement;
use std::time::Duration;

/// Documents that are looked at in one step.
const STEP: usize = 100;
/// How long it is until it is tried again after a fault.
const PAUSE: Duration = Duration::from_millis(500);
/// How long it is at most until somebody new is looked for, though nobody said that there is one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How one round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    /// Nobody is being told any more.
    Done,
    /// Somebody is, and not now: its backlog has no room, or it is not in the table yet.
    Waiting,
    /// There may be more to tell at once.
    More,
}

/// What stands in front of a place.
const WORDS: [(&str, Announcement); 2] =
    [(StoredFollower::LOST, Announcement::Lost), (StoredFollower::REFILTERED, Announcement::Refiltered)];

/// How far a subscriber was told.
struct Place<'a> {
    /// The key of the last document that was looked at.
    after: &'a str,
    /// Why it is told.
    why: Announcement,
}

impl<'a> Place<'a> {
    fn read(text: &'a str) -> Self {
        let found = WORDS.into_iter().find_map(|(word, why)| Some((text.strip_prefix(word)?, why)));
        let (after, why) = found.unwrap_or((text, Announcement::Missed));
        Self { after, why }
    }

    /// The same with another key.
    fn at(&self, after: &str) -> String {
        let word = WORDS.into_iter().find(|(_, why)| *why == self.why).map_or("", |(word, _)| word);
        format!("{word}{after}")
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
        if self.store.revive_ends(subscription, self.now()).await? {
            self.wake(subscription);
        }
        // Until it is noted with the filter that it has by then.
        while let Some(StoredFollower { filter_since, .. }) = self.store.follower(subscription).await?
            && !self.store.backfilled(subscription, filter_since, Some(StoredFollower::LOST)).await?
        {}
        self.backfill.begun.notify_one();
        Ok(())
    }

    /// Tells subscribers of what was there before they subscribed; goes on until it is dropped.
    pub async fn backfill(self) {
        loop {
            let pause = match self.round().await {
                Ok(Round::More) => continue,
                Ok(Round::Waiting) => PAUSE,
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
        let Some(follower) = self.store.follower(id).await? else { return Ok(Round::Done) };
        let StoredFollower { resource, filter_since, backfilled: Some(place), .. } = &follower else {
            return Ok(Round::Done);
        };
        // It is on disk before it is in the table, and what was decided before it was in there is on its way to the disk.
        if !self.decider.knows(&follower) {
            return Ok(Round::Waiting);
        }
        let place = Place::read(place);
        if place.after.is_empty() {
            drop(self.under_way.write().await);
        }
        // What finds no room would be given up.
        let room = self.store.room(id).await?.min(STEP);
        if room == 0 {
            return Ok(Round::Waiting);
        }
        let (page, next) = self.page(resource, place.after, room).await?;
        for document in page {
            self.announce(id, document.url, place.why).await?;
        }
        // A step of those that are new that is done again tells nothing twice: what a subscriber was told is written down.
        let next = next.as_deref().map(|next| place.at(next));
        let is_noted = self.store.backfilled(id, *filter_since, next.as_deref()).await?;
        if next.is_some() || !is_noted {
            return Ok(Round::More);
        }
        if let Some(follower) = self.store.follower(id).await? {
            let caught_up = self.decider.caught_up(&follower).await;
            caught_up.map_err(|error| ChangeError::Broken(error.to_string()))?;
        }
        Ok(Round::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_why_its_subscriber_is_told() {
        for (text, after, why) in [
            ("", "", Announcement::Missed),
            ("document/a/b", "document/a/b", Announcement::Missed),
            ("lost ", "", Announcement::Lost),
            ("lost k", "k", Announcement::Lost),
            ("refiltered k", "k", Announcement::Refiltered),
        ] {
            let place = Place::read(text);
            assert_eq!((place.after, place.why), (after, why));
            assert_eq!(place.at(after), text);
        }
    }
}
