//! Whether the store can be reached, and who tries it next while it cannot.

use super::backoff::Backoff;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everybody may call.
    Open,
    /// Nobody may call before this time.
    Quiet(Duration),
    /// One call is under way to find out.
    Probing,
}

/// One way into the store. While it is out of reach one call after another probes it, with growing waits between them;
/// so an outage costs a few calls however many subscriptions wait for its end.
#[derive(Debug)]
pub(super) struct Health {
    state: State,
    backoff: Backoff,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { state: State::Open, backoff: Backoff::default() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether a call may be made now; the first one after a wait is the probe.
    pub(super) fn admit(&mut self, now: Duration) -> bool {
        match self.state {
            State::Open => true,
            State::Quiet(until) if now >= until => {
                self.state = State::Probing;
                true
            }
            State::Quiet(_) | State::Probing => false,
        }
    }

    /// When somebody may call, if nobody may before.
    pub(super) fn until(&self) -> Option<Duration> {
        match self.state {
            State::Quiet(until) => Some(until),
            State::Open | State::Probing => None,
        }
    }

    /// The store answered. Says whether that ends an outage.
    pub(super) fn answered(&mut self) -> bool {
        let over = self.state != State::Open;
        self.state = State::Open;
        self.backoff.reset();
        over
    }

    /// The store was out of reach. Calls that were under way together count as one.
    pub(super) fn failed(&mut self, now: Duration, random: u64) {
        if !matches!(self.state, State::Quiet(_)) {
            self.state = State::Quiet(now + self.backoff.next(random));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_call_probes_and_its_answer_lets_all_in() {
        let mut health = Health::new();
        assert!(health.admit(at(0)) && health.admit(at(0)));
        health.failed(at(0), 0);
        health.failed(at(0), 0);
        assert_eq!((health.until(), health.admit(at(49))), (Some(at(50)), false));
        assert!(health.admit(at(50)));
        assert!(!health.admit(at(50)), "a second probe");
        health.failed(at(60), 0);
        assert_eq!(health.until(), Some(at(160)));
        assert!(health.admit(at(160)) && health.answered());
        assert!(health.admit(at(160)) && health.admit(at(160)) && !health.answered());
    }
}
