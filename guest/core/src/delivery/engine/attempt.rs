//! Attempts, from their end until they are recorded.

use super::{Attempt, DRIFT, Engine, Phase, REFUSALS, Replanning};
use crate::delivery::alarm::Alarm;
use crate::delivery::entropy::spread;
use crate::delivery::fault::{Fault, is_seeded};
use crate::delivery::model::{
    AttemptId, Leased, Now, Output, Recorded, StoreFault, SubscriptionKey, WorkLease,
};
use crate::delivery::queue::Stage;
use crate::policy::{self, AttemptOutcome, Settled};
use std::sync::Arc;

impl<P> Engine<P> {
    /// The request of an attempt that is about to end was also that of another one, which stands for both: if it failed, that
    /// is one failure of the endpoint and not two.
    pub fn handle_joined(&mut self, id: AttemptId) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.is_joined = true;
        }
    }

    /// An attempt ended like this.
    pub fn handle_attempted(&mut self, now: Now, id: AttemptId, outcome: AttemptOutcome<'_>) {
        self.observe(now);
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        if !matches!(attempt.phase, Phase::Running) {
            return;
        }
        let Some(queue) = self.registry.get_mut(attempt.key) else { return };
        let key = attempt.key;
        queue.end(attempt.bytes);
        match outcome {
            AttemptOutcome::Answered(_) | AttemptOutcome::Taken => queue.unanswered = false,
            AttemptOutcome::Failed(_) => queue.unanswered = true,
            AttemptOutcome::Local
            | AttemptOutcome::Unsendable
            | AttemptOutcome::Unneeded
            | AttemptOutcome::Unwanted => {}
        }
        self.running = self.running.saturating_sub(1);
        self.unanswered = self.unanswered.saturating_sub(usize::from(attempt.unanswered));
        let delivery = attempt.lease.delivery.unsigned_abs();
        let random = spread(self.config.seed, delivery, u64::from(attempt.past.before));
        match policy::classify(&attempt.policy, outcome, attempt.past, now.wall, random) {
            Some(mut consequences) => {
                let settled = consequences.settled;
                let has_failed = matches!(settled, Settled::Retry(_) | Settled::Dead);
                consequences.is_own |= attempt.is_joined && has_failed;
                let effect = queue.conclude(now, &consequences, attempt.probe, random);
                if let Some(is_open) = effect.breaker {
                    self.outputs.push_back(Output::Breaker { subscription: key, is_open });
                }
                queue.recording += 1;
                self.recording += 1;
                attempt.phase = Phase::recording(settled, now);
                self.records.push_back(id);
            }
            None => {
                // It was not the endpoint's doing: as if it had never been, a little later.
                queue.returns.push(attempt.lease);
                queue.look_again();
                let until = queue.flow().fall_short(now, random);
                if !is_seeded(Fault::LostProbe) {
                    queue.flow().forgo(now, attempt.probe);
                }
                self.drop_attempt(id);
                if is_seeded(Fault::SharedTrouble) {
                    self.registry.queues_mut().for_each(|queue| queue.flow().hold(until));
                }
            }
        }
        self.touch(key);
    }

    /// An attempt was broken off without a result, which is recorded if the store is in reach.
    pub fn handle_cancelled(&mut self, now: Now, id: AttemptId) {
        self.observe(now);
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        if !matches!(attempt.phase, Phase::Running) {
            return;
        }
        let key = attempt.key;
        self.running = self.running.saturating_sub(1);
        self.unanswered = self.unanswered.saturating_sub(usize::from(attempt.unanswered));
        let Some(queue) = self.registry.get_mut(key) else { return };
        queue.end(attempt.bytes);
        if attempt.probe.is_some() {
            queue.flow().forgo(now, attempt.probe);
        }
        if self.recorder.is_open() && !is_seeded(Fault::SilentInterruption) {
            queue.recording += 1;
            self.recording += 1;
            attempt.phase = Phase::recording(Settled::Interrupted, now);
            self.records.push_back(id);
        } else {
            // Nobody can wait for the store to come back: who breaks attempts off is ending.
            queue.returns.push(attempt.lease);
            queue.look_again();
            self.drop_attempt(id);
        }
        self.touch(key);
    }

    /// An attempt was not made after all: nothing was sent, and it is as if it had never begun. Its lease goes back to the
    /// store, unless it had ended before: then the delivery is over, or somebody else's.
    pub fn handle_unmade(&mut self, now: Now, id: AttemptId, is_stale: bool) {
        self.observe(now);
        let Some(attempt) = self.attempts.get(&id) else { return };
        if !matches!(attempt.phase, Phase::Running) {
            return;
        }
        let Some(attempt) = self.drop_attempt(id) else { return };
        let key = attempt.key;
        self.running = self.running.saturating_sub(1);
        self.unanswered = self.unanswered.saturating_sub(usize::from(attempt.unanswered));
        let Some(queue) = self.registry.get_mut(key) else { return };
        if !is_seeded(Fault::KeptPlace) {
            queue.end(attempt.bytes);
        }
        queue.flow().undo(&attempt.policy, now, attempt.probe);
        if !is_stale {
            queue.returns.push(attempt.lease);
        }
        queue.look_again();
        if let Some(shared) = queue.shared.clone() {
            self.shared.give_back(&shared);
        }
        self.touch(key);
    }

    /// The answer to [`Output::Record`].
    pub fn handle_recorded(&mut self, now: Now, id: AttemptId, recorded: Result<Recorded, StoreFault>) {
        self.observe(now);
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        let Phase::Recording { settled, planned, is_sent, refusals, alarm } = &mut attempt.phase else {
            return;
        };
        let (key, lease, settled) = (attempt.key, attempt.lease, *settled);
        // By a clock that was put back meanwhile; the store plans it anew.
        let is_outdated = i128::from(planned.0) > i128::from(now.wall.0) + DRIFT;
        *is_sent = false;
        let random = spread(self.config.seed, lease.delivery.unsigned_abs(), !u64::from(attempt.past.before));
        if recorded == Err(StoreFault::Unavailable) {
            self.recorder.failed(now.elapsed, random);
        } else {
            self.recorder.answered();
        }
        let is_aborted = self.registry.get(key).is_none_or(|queue| queue.stage == Stage::Abort);
        match recorded {
            Ok(recorded) => {
                if let Some(queue) = self.registry.get_mut(key) {
                    if is_seeded(Fault::FreedTwice) {
                        queue.end(0);
                    }
                    if recorded == Recorded::Freed && !is_seeded(Fault::ForgottenSuccessor) {
                        queue.look_again();
                    }
                    match (recorded, settled) {
                        (Recorded::Written, Settled::Retry(_)) if is_outdated => {
                            queue.foresee(now.wall);
                            self.replanning = Replanning::Wanted;
                        }
                        (Recorded::Written, Settled::Retry(at)) => queue.foresee(at),
                        (Recorded::Written, Settled::Interrupted) => queue.look_again(),
                        // What was freed is as old, or is thought to be, as that clock says.
                        (Recorded::Freed, _) if is_outdated => self.replanning = Replanning::Wanted,
                        (Recorded::Written | Recorded::Freed, _) => {}
                        // Whoever took it may have given it back.
                        (Recorded::Stale, _) => queue.look_again(),
                    }
                    let (name, is_ending) = (Arc::clone(&queue.name), queue.stage != Stage::Run);
                    if is_ending && !matches!((recorded, settled), (Recorded::Written, Settled::Delivered)) {
                        // A queue of the same name may have come meanwhile, which is to make the next attempt.
                        self.look_again(&name);
                    }
                }
                self.forget(id);
            }
            Err(StoreFault::Unavailable) if !is_aborted => self.records.push_front(id),
            Err(StoreFault::Refused) if !is_aborted && refusals.tries() < REFUSALS => {
                let at = now.elapsed + refusals.next(random);
                self.alarms.set_wait(Alarm::Record(id), alarm, Some(at));
            }
            Err(_) => {
                self.give_up(id);
                if recorded == Err(StoreFault::Unavailable) {
                    // The others of a queue that is ending do not wait for the store either.
                    self.give_up_unsent(key, true);
                }
            }
        }
        self.touch(key);
    }

    fn drop_attempt(&mut self, id: AttemptId) -> Option<Attempt> {
        let attempt = self.attempts.remove(&id)?;
        if self.attempted.get(&attempt.lease.delivery) == Some(&id) {
            self.attempted.remove(&attempt.lease.delivery);
        }
        Some(attempt)
    }

    /// What was leased without what is attempted already: a lease ran out under its attempt, as by a clock that was put
    /// forward. The attempt goes on by the new lease, or is broken off with it if it is of a queue that was replaced; a second
    /// one beside it would deliver twice, and out of order. Returns the leases that are over.
    pub(super) fn adopt(&mut self, leased: &mut Leased<P>) -> Vec<WorkLease> {
        let mut over = Vec::new();
        leased.works.retain(|work| {
            let id = self.attempted.get(&work.lease.delivery);
            let Some(attempt) = id.and_then(|id| self.attempts.get_mut(id)) else { return true };
            // What the store has already is settled by the old lease, or not at all.
            if matches!(attempt.phase, Phase::Recording { is_sent: true, .. }) {
                return true;
            }
            over.push(std::mem::replace(&mut attempt.lease, work.lease));
            attempt.deadline = work.deadline;
            false
        });
        over
    }

    /// An attempt has its lease no more.
    pub(super) fn forget(&mut self, id: AttemptId) -> Option<Attempt> {
        let mut attempt = self.drop_attempt(id)?;
        if let Phase::Recording { alarm, .. } = &mut attempt.phase {
            self.alarms.set_wait(Alarm::Record(id), alarm, None);
            self.recording = self.recording.saturating_sub(1);
            if let Some(queue) = self.registry.get_mut(attempt.key) {
                queue.recording = queue.recording.saturating_sub(1);
            }
        }
        Some(attempt)
    }

    /// What waits for its record and is not with the store is forgotten, and given back: all of it, or only what the store
    /// has refused.
    pub(super) fn give_up_unsent(&mut self, key: SubscriptionKey, is_all: bool) {
        let is_unsent = |attempt: &Attempt| match attempt.phase {
            Phase::Recording { is_sent: false, alarm, .. } => {
                attempt.key == key && (is_all || alarm.is_some())
            }
            _ => false,
        };
        let waiting = self.attempts.iter().filter(|(_, attempt)| is_unsent(attempt)).map(|(id, _)| *id);
        for id in waiting.collect::<Vec<_>>() {
            self.give_up(id);
        }
    }

    /// An attempt that cannot be recorded is forgotten, and its delivery given back.
    pub(super) fn give_up(&mut self, id: AttemptId) {
        if let Some(attempt) = self.forget(id)
            && let Some(queue) = self.registry.get_mut(attempt.key)
        {
            queue.returns.push(attempt.lease);
            queue.look_again();
        }
    }
}
