//! What a connection is doing, and until when it may.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection may do nothing that ends in a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdleLimits {
    /// From accepting it, or from the first byte of a head, until a whole head is there.
    pub(super) head: Duration,
    /// From the end of one request until the first byte of the next one.
    pub(super) idle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since the last request ended.
    Idle,
    /// Part of a head may be there.
    Head,
}

/// Watches one connection: its requests and its bytes.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    patience: IdleLimits,
}

#[derive(Debug)]
struct State {
    /// Requests that are not answered yet; HTTP/2 has many at once.
    requests: usize,
    /// Whether there was a request yet.
    spoken: bool,
    phase: Phase,
    since: Instant,
}

impl Activity {
    /// A connection that was accepted now.
    pub(super) fn new(patience: IdleLimits, now: Instant) -> Self {
        // Until the first head is whole its time runs from accepting: a peer that says nothing has no longer than one
        // that says it slowly.
        let state = State { requests: 0, spoken: false, phase: Phase::Head, since: now };
        Self { state: Mutex::new(state), patience }
    }

    /// Bytes came.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.lock();
        if state.requests == 0 && state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = now;
        }
    }

    /// Bytes of an answer were taken: a peer that reads a long one slowly is not idle.
    pub(super) fn written(&self, now: Instant) {
        let mut state = self.lock();
        if state.requests == 0 && state.spoken && state.phase == Phase::Idle {
            state.since = now;
        }
    }

    /// A whole head came. The request lasts until what is returned is dropped.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.requests += 1;
        state.spoken = true;
    }

    /// A request was answered.
    pub(super) fn end(&self, now: Instant) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_sub(1);
        state.phase = Phase::Idle;
        state.since = now;
    }

    /// When the connection is to be looked at again; `None` if its time is up at `now`.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let state = self.lock();
        let patience = match state.phase {
            Phase::Idle => self.patience.idle,
            Phase::Head => self.patience.head,
        };
        // A request under way has limits of its own.
        let since = if state.requests > 0 { now } else { state.since };
        let deadline = since + patience;
        (deadline > now).then_some(deadline)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(1);
    const IDLE: Duration = Duration::from_secs(60);

    fn start() -> (Activity, Instant) {
        let now = Instant::now();
        (Activity::new(IdleLimits { head: HEAD, idle: IDLE }, now), now)
    }

    #[test]
    fn the_first_head_has_its_time_from_accepting_however_its_bytes_come() {
        let (activity, now) = start();
        for part in 1..10 {
            activity.read(now + HEAD * part / 10);
        }
        assert_eq!(activity.deadline(now + HEAD * 9 / 10), Some(now + HEAD));
        assert_eq!(activity.deadline(now + HEAD), None);
    }

    #[test]
    fn a_request_under_way_is_not_cut_off() {
        let (activity, now) = start();
        activity.begin();
        assert!(activity.deadline(now + IDLE * 100).is_some());
    }

    #[test]
    fn between_requests_it_may_be_idle_and_a_head_that_has_begun_has_the_time_of_a_head() {
        let (activity, now) = start();
        activity.begin();
        let ended = now + HEAD * 30;
        activity.end(ended);
        assert_eq!(activity.deadline(ended + HEAD * 2), Some(ended + IDLE));
        let begun = ended + HEAD * 2;
        activity.read(begun);
        activity.read(begun + HEAD / 2);
        assert_eq!(activity.deadline(begun + HEAD / 2), Some(begun + HEAD));
        assert_eq!(activity.deadline(begun + HEAD), None);
    }

    #[test]
    fn whoever_still_reads_an_answer_is_not_idle() {
        let (activity, now) = start();
        activity.begin();
        activity.end(now);
        activity.written(now + IDLE / 2);
        assert_eq!(activity.deadline(now + IDLE), Some(now + IDLE / 2 + IDLE));
    }
}
