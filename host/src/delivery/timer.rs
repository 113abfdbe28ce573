//! A queue's one timer. An idle queue has none running.

use crate::clock::now;
use anglerfish_core::request::UnixMillis;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest sleep: the wall clock, by which deliveries fall due, may be set while the timer runs.
const LONGEST: Duration = Duration::from_mins(1);
/// The shortest: a store that calls a delivery due and does not lease it must not keep the processor busy.
const SHORTEST: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// What the timer is set for.
    due: Option<UnixMillis>,
    /// Until when the store is left alone.
    quiet: Option<Instant>,
}

impl Timer {
    /// Fires at this time at the latest, or a bounded time before it.
    pub(super) fn arm(&mut self, due: UnixMillis) {
        if self.quiet.is_none() && (self.sleep.is_none() || self.due != Some(due)) {
            let wait = Duration::from_millis(due.0.saturating_sub(now().0)).clamp(SHORTEST, LONGEST);
            self.due = Some(due);
            self.sleep = Some(Box::pin(sleep_until(Instant::now() + wait)));
        }
    }

    /// Leaves the store alone for some time, then fires.
    pub(super) fn hold_off(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        self.quiet = Some(until);
        self.due = None;
        self.sleep = Some(Box::pin(sleep_until(until)));
    }

    /// Whether the store is to be left alone now.
    pub(super) fn holds_off(&self) -> bool {
        self.quiet.is_some_and(|until| Instant::now() < until)
    }

    /// Waits until the timer fires; for ever if it is not set.
    pub(super) async fn fired(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().await,
            None => pending().await,
        }
        *self = Self::default();
    }
}
