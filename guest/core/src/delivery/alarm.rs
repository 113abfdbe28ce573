//! When the engine has to be woken.

use super::model::{AttemptId, Now, SubscriptionKey};
use crate::request::UnixMillis;
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest that a shell sleeps while something falls due: the wall clock may be set meanwhile.
const LONGEST: Duration = Duration::from_mins(1);

/// What waits for time to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Something that one subscription waited for.
    Queue(SubscriptionKey),
    /// One record is to be tried again.
    Record(AttemptId),
    /// Leases are to be extended.
    Extension,
}

/// What a time that has come was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DueAlarm {
    /// A delivery of this subscription falls due in the store.
    Due(SubscriptionKey),
    /// Time has passed.
    Waited(Alarm),
}

/// Everything that waits for a time.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    /// By the wall clock: the next delivery of a subscription falls due.
    due: BTreeSet<(UnixMillis, SubscriptionKey)>,
    /// By the time that passes.
    waits: BTreeSet<(Duration, Alarm)>,
}

impl Alarms {
    /// Moves a subscription's alarm by the wall clock; `set` is where it stands.
    pub(super) fn set_due(
        &mut self,
        key: SubscriptionKey,
        set: &mut Option<UnixMillis>,
        due: Option<UnixMillis>,
    ) {
        if *set != due {
            if let Some(old) = *set {
                self.due.remove(&(old, key));
            }
            self.due.extend(due.map(|due| (due, key)));
            *set = due;
        }
    }

    /// Moves an alarm by the time that passes; `set` is where it stands.
    pub(super) fn set_wait(&mut self, alarm: Alarm, set: &mut Option<Duration>, at: Option<Duration>) {
        if *set != at {
            if let Some(old) = *set {
                self.waits.remove(&(old, alarm));
            }
            self.waits.extend(at.map(|at| (at, alarm)));
            *set = at;
        }
    }

    /// Takes one alarm whose time has come.
    pub(super) fn pop(&mut self, now: Now) -> Option<DueAlarm> {
        if let Some((at, alarm)) = self.waits.first().copied()
            && at <= now.elapsed
        {
            self.waits.pop_first();
            return Some(DueAlarm::Waited(alarm));
        }
        let (due, key) = self.due.first().copied()?;
        if due > now.wall {
            return None;
        }
        self.due.pop_first();
        Some(DueAlarm::Due(key))
    }

    /// How long to wait for the next one.
    pub(super) fn wait(&self, now: Now) -> Option<Duration> {
        let wait = self.waits.first().map(|(at, _)| at.saturating_sub(now.elapsed));
        let due = self
            .due
            .first()
            .map(|(due, _)| Duration::from_millis(due.0.saturating_sub(now.wall.0)).min(LONGEST));
        match (wait, due) {
            (Some(wait), Some(due)) => Some(wait.min(due)),
            (wait, due) => wait.or(due),
        }
    }
}
