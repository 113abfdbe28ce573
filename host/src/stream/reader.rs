//! One who reads: a cursor over the log, as one subscription sees it.

use super::catch_up::CatchUp;
use super::feed::{Feed, Found};
use super::item::Item;
use super::place::Place;
use super::tail::Tail;
use crate::log::ReadError;
use crate::store::{EventSeq, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How many entries a reader is given at once.
const ENTRIES: usize = 256;

/// How long the log is looked through at least before it is said that nothing came.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// What a reader comes upon.
pub(super) enum Next {
    /// Entries that the subscription wants, in order, none left out.
    Items(Vec<Arc<Item>>),
    /// Nothing came in time.
    Nothing,
    /// What was behind the position has been deleted: it goes on behind `to`.
    Gap { to: EventSeq },
    /// The gateway stops, or the subscription is another one now.
    Ended,
    /// The store cannot be read.
    Failed(StoreError),
}

/// One who reads.
pub(super) struct Reader {
    pub(super) tail: Arc<Tail>,
    pub(super) catch_up: Arc<CatchUp>,
    pub(super) feed: Arc<Feed>,
    pub(super) news: watch::Receiver<EventSeq>,
    /// Cancelled when reading ends from this side.
    pub(super) ended: CancellationToken,
    pub(super) place: Place,
    pub(super) position: EventSeq,
    /// How many bytes of data it is given at once, the first entry's aside. It is what a reader that takes nothing holds.
    pub(super) buffer: usize,
}

impl Reader {
    /// The next entries, waited for until `until`. Whoever drops this has read nothing that the next call does not read again.
    pub(super) async fn next(&mut self, most: usize, until: Instant) -> Next {
        self.next_within(most, until, Instant::now() + LOOK).await
    }

    /// The same, with the log looked through until `look` at least before it is said that nothing came.
    pub(super) async fn next_within(&mut self, most: usize, until: Instant, look: Instant) -> Next {
        loop {
            if self.ended.is_cancelled() {
                return Next::Ended;
            }
            // Marked as seen before the look: what comes after that ends the wait below.
            self.news.borrow_and_update();
            match self.tail.ring.after(&self.feed, self.position, most.min(ENTRIES), self.buffer) {
                Found::Items(items) => return self.take(items, None),
                Found::Nothing(to) => self.pass(to),
                Found::Behind => {
                    // Dropped half-way, it has not moved.
                    let read = tokio::select! {
                        () = self.ended.cancelled() => return Next::Ended,
                        read = self.catch_up.read(&self.feed, self.position, self.buffer) => read,
                    };
                    match read {
                        Ok(stretch) if stretch.items.len() > most => {
                            let items = stretch.items.into_iter().take(most).collect();
                            return self.take(items, None);
                        }
                        Ok(stretch) if !stretch.items.is_empty() => {
                            return self.take(stretch.items, stretch.to);
                        }
                        Ok(stretch) => {
                            if let Some(to) = stretch.to {
                                self.pass(to);
                                // Where little is wanted, a while is spent to find it however short the wait.
                                let now = Instant::now();
                                if now >= until && now >= look {
                                    return Next::Nothing;
                                }
                                continue;
                            }
                        }
                        Err(ReadError::Gap { oldest, .. }) => {
                            let to = EventSeq(oldest.0.saturating_sub(1)).max(self.position);
                            self.pass(to);
                            return Next::Gap { to };
                        }
                        Err(ReadError::Store(error)) => return Next::Failed(error),
                    }
                }
            }
            tokio::select! {
                () = self.ended.cancelled() => return Next::Ended,
                // The feed is held, so somebody can send.
                _ = self.news.changed() => {}
                () = sleep_until(until) => return Next::Nothing,
            }
        }
    }

    fn take(&mut self, items: Vec<Arc<Item>>, to: Option<EventSeq>) -> Next {
        if let Some(last) = to.or_else(|| items.last().map(|item| item.seq())) {
            self.pass(last);
        }
        self.place.gave(items.len());
        Next::Items(items)
    }

    fn pass(&mut self, to: EventSeq) {
        self.position = self.position.max(to);
        self.place.at(self.position);
    }
}
