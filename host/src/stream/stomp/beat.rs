//! Heart-beats of one connection.

use anglerfish_core::stomp::HeartBeats;
use std::time::Duration;
use tokio::time::Instant;

/// How much longer than agreed the other side may be silent: its clock is another, and the network takes its time.
const MARGIN: u32 = 2;

/// When what is to be said or heard next.
#[derive(Debug)]
pub(super) struct Beat {
    agreed: HeartBeats,
    said: Instant,
    heard: Instant,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// To say something.
    Say,
    /// Nothing was heard for too long.
    Silent,
}

impl Beat {
    pub(super) fn new(agreed: HeartBeats, now: Instant) -> Self {
        Self { agreed, said: now, heard: now }
    }

    pub(super) fn said(&mut self, now: Instant) {
        self.said = now;
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now.max(self.heard);
    }

    /// Whether the other side was heard lately enough.
    pub(super) fn is_heard(&self, now: Instant) -> bool {
        self.silent().is_none_or(|silent| now < silent)
    }

    /// When the other side was silent for too long.
    fn silent(&self) -> Option<Instant> {
        self.agreed.expect.map(|time| self.heard + time * MARGIN + Duration::from_secs(1))
    }

    /// When something is due, and what.
    pub(super) fn next(&self) -> Option<(Instant, Due)> {
        // A little early: what is late by the way counts as late.
        let say = self.agreed.send.map(|time| (self.said + time * 4 / 5, Due::Say));
        let silent = self.silent().map(|silent| (silent, Due::Silent));
        match (say, silent) {
            (Some(say), Some(silent)) => Some(if say.0 <= silent.0 { say } else { silent }),
            (one, other) => one.or(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_in_time_and_bears_some_delay() {
        let (second, now) = (Duration::from_secs(1), Instant::now());
        let mut beat = Beat::new(HeartBeats { send: Some(second * 10), expect: Some(second * 3) }, now);
        assert_eq!(beat.next(), Some((now + second * 7, Due::Silent)));
        beat.heard(now + second * 6);
        assert_eq!(beat.next(), Some((now + second * 8, Due::Say)));
        assert!(beat.is_heard(now + second * 12) && !beat.is_heard(now + second * 13));
        // What was heard before is no news.
        beat.heard(now);
        beat.said(now + second * 8);
        assert_eq!(beat.next(), Some((now + second * 13, Due::Silent)));
        assert_eq!(Beat::new(HeartBeats::default(), now).next(), None);
    }
}
