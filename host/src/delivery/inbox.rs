//! What waits for a queue: the one place that other tasks and the queue both touch.

use super::endpoint::Target;
use crate::store::{LEASE_BYTES, Lease, LeasedDelivery};
use anglerfish_core::config::DeliveryConfig;
use std::collections::VecDeque;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How much data a queue may hold before it holds no more deliveries than it needs.
const HELD_BYTES: usize = LEASE_BYTES;

/// How far a queue may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// As fast as the policy allows.
    Run,
    /// Running attempts end, no new ones start.
    Drain,
    /// Running attempts are broken off.
    Abort,
}

/// What a subscription's attempts go by; replaced as a whole.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) target: Target,
    pub(super) policy: DeliveryConfig,
}

impl Settings {
    /// How many attempts may run at once.
    pub(super) fn concurrency(&self) -> usize {
        self.policy.concurrency.max(1)
    }

    /// How many deliveries may be held with so much data, running ones included. Where they are small the store is
    /// asked seldom and for many at once; where they are large, what may run is held, and as much again.
    fn capacity(&self, bytes: usize) -> usize {
        self.concurrency().saturating_mul(if bytes < HELD_BYTES { 8 } else { 2 })
    }
}

/// A queue's inbox.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Debug)]
struct State {
    settings: Arc<Settings>,
    pace: Pace,
    /// Deliveries to attempt.
    offers: VecDeque<LeasedDelivery>,
    /// Deliveries that found no room.
    returns: Vec<Lease>,
    /// How many deliveries are held, here and in the queue, and how much data they have.
    held: usize,
    held_bytes: usize,
    /// Whether the store may have due deliveries. While it does, new ones line up behind them.
    behind: bool,
    /// Whether the store got more of them since the last lease began.
    again: bool,
}

/// What a queue takes out of its inbox.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) settings: Arc<Settings>,
    pub(super) pace: Pace,
    pub(super) offers: VecDeque<LeasedDelivery>,
    pub(super) returns: Vec<Lease>,
    pub(super) behind: bool,
    /// How many deliveries may be held.
    pub(super) capacity: usize,
    /// How many more than now.
    pub(super) room: usize,
}

impl Inbox {
    /// An empty inbox. The store may have deliveries of earlier times.
    pub(super) fn new(settings: Settings) -> Self {
        let state = State {
            settings: Arc::new(settings),
            pace: Pace::Run,
            offers: VecDeque::new(),
            returns: Vec::new(),
            held: 0,
            held_bytes: 0,
            behind: true,
            again: false,
        };
        Self { state: Mutex::new(state), notify: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest settings.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.state().settings.clone()
    }

    /// Takes a delivery in, or notes it to be given back to the store if there is no room. Its lease comes back if the
    /// queue takes nothing any more.
    pub(super) fn offer(&self, delivery: LeasedDelivery) -> Result<(), Lease> {
        let mut state = self.state();
        if state.pace != Pace::Run {
            return Err(delivery.lease());
        }
        if state.behind || state.held >= state.settings.capacity(state.held_bytes) {
            state.behind = true;
            state.again = true;
            state.returns.push(delivery.lease());
        } else {
            state.held += 1;
            state.held_bytes += delivery.data.len();
            state.offers.push_back(delivery);
        }
        drop(state);
        self.notify.notify_one();
        Ok(())
    }

    /// The store has deliveries that may be due.
    pub(super) fn wake(&self) {
        let mut state = self.state();
        state.behind = true;
        state.again = true;
        drop(state);
        self.notify.notify_one();
    }

    /// Attempts that start from now on go by these settings.
    pub(super) fn configure(&self, settings: Settings) {
        self.state().settings = Arc::new(settings);
        self.notify.notify_one();
    }

    /// Slows the queue down; it never speeds up again.
    pub(super) fn slow(&self, pace: Pace) {
        let mut state = self.state();
        state.pace = state.pace.max(pace);
        drop(state);
        self.notify.notify_one();
    }

    /// Waits until something may have come in.
    pub(super) async fn changed(&self) {
        self.notify.notified().await;
    }

    /// Empties the inbox.
    pub(super) fn open(&self) -> Mail {
        let mut state = self.state();
        let capacity = state.settings.capacity(state.held_bytes);
        Mail {
            settings: state.settings.clone(),
            pace: state.pace,
            offers: take(&mut state.offers),
            returns: take(&mut state.returns),
            behind: state.behind,
            capacity,
            room: capacity.saturating_sub(state.held),
        }
    }

    /// Holds room for deliveries that are about to be leased.
    pub(super) fn reserve(&self, count: usize) {
        let mut state = self.state();
        state.held += count;
        state.again = false;
    }

    /// Of so many deliveries that room was held for, these have come.
    pub(super) fn receive(&self, reserved: usize, leased: &[LeasedDelivery]) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(reserved.saturating_sub(leased.len()));
        state.held_bytes += leased.iter().map(|delivery| delivery.data.len()).sum::<usize>();
    }

    /// A delivery with so much data is no longer held.
    pub(super) fn free(&self, bytes: usize) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(1);
        state.held_bytes = state.held_bytes.saturating_sub(bytes);
    }

    /// The lease that was reserved for got all that was due when it began.
    pub(super) fn caught_up(&self) {
        let mut state = self.state();
        state.behind = state.again || !state.returns.is_empty();
    }
}
