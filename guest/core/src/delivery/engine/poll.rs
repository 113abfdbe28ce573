//! What to do next.

use super::{Attempt, Engine, HELD_BYTES, KEPT, LEASES, Phase, Replanning, SHARE};
use crate::delivery::alarm::Alarm;
use crate::delivery::breaker::Probe;
use crate::delivery::fault::{Fault, is_seeded};
use crate::delivery::model::{AttemptId, Now, Output, PacedRate, SubscriptionKey, Work};
use crate::policy::Past;
use std::mem::take;
use std::sync::Arc;

impl<P> Engine<P> {
    /// What to do next; to be called until it says `None`, whenever something was handled.
    pub fn poll(&mut self, now: Now) -> Option<Output<P>> {
        loop {
            let output = self.poll_once(now);
            // What was looked at in vain may have to be looked at once more.
            if output.is_some() || self.dirty.is_empty() {
                return output;
            }
        }
    }

    fn poll_once(&mut self, now: Now) -> Option<Output<P>> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if let Some(output) = self.poll_record(now) {
                return Some(output);
            }
            if let Some(key) = self.dirty.pop() {
                self.advance(now, key);
            } else {
                break;
            }
        }
        self.poll_homeless(now)
            .or_else(|| self.poll_replan(now))
            .or_else(|| self.poll_survey(now))
            .or_else(|| self.poll_lease(now))
            .or_else(|| self.poll_attempt(now))
    }

    /// Sees to one queue in which something happened.
    pub(super) fn advance(&mut self, now: Now, key: SubscriptionKey) {
        let Some(queue) = self.registry.get_mut(key) else { return };
        queue.is_dirty = false;
        queue.tick(now);
        queue.withdraw();
        self.held = queue.count_memory(self.held, HELD_BYTES);
        if !queue.returns.is_empty() && !queue.releasing && queue.unreleased.is_none() {
            queue.releasing = true;
            let leases = take(&mut queue.returns);
            self.outputs.push_back(Output::Release { subscription: Some(key), leases });
        }
        if queue.tells_standing() {
            (queue.is_standing_new, queue.is_standing_told) = (false, true);
            let (standing, failing) = (queue.standing, queue.failing());
            if is_seeded(Fault::ForgottenStanding) {
                queue.is_standing_told = false;
            } else {
                self.outputs.push_back(Output::Stand { subscription: key, standing, failing });
            }
        }
        if queue.wants_lease().is_some() {
            self.leasing_next.push(key, &mut queue.is_leasing_next);
        }
        if queue.may_start(now.elapsed) {
            self.starting.push(key, &mut queue.is_starting);
        }
        let (due, wait) = (queue.due(), queue.wait(now.elapsed));
        self.alarms.set_due(key, &mut queue.due_alarm, due);
        self.alarms.set_wait(Alarm::Queue(key), &mut queue.wait_alarm, wait);
        if queue.has_ended() {
            self.alarms.set_due(key, &mut queue.due_alarm, None);
            self.alarms.set_wait(Alarm::Queue(key), &mut queue.wait_alarm, None);
            self.registry.remove(key);
            self.outputs.push_back(Output::Ended { subscription: key });
        }
    }

    pub(super) fn poll_record(&mut self, now: Now) -> Option<Output<P>> {
        while let Some(id) = self.records.front().copied() {
            if is_seeded(Fault::SilentProbe) && !self.recorder.admit(now.elapsed) {
                return None;
            }
            let attempt = self.attempts.get_mut(&id);
            let Some(Attempt { lease, phase: Phase::Recording { settled, planned, is_sent, .. }, .. }) =
                attempt
            else {
                // It was given up meanwhile.
                self.records.pop_front();
                continue;
            };
            // Only with a record in hand: who is let in as a probe has to call.
            if !is_seeded(Fault::SilentProbe) && !self.recorder.admit(now.elapsed) {
                return None;
            }
            self.records.pop_front();
            *is_sent = true;
            let (lease, settled, planned) = (*lease, *settled, *planned);
            return Some(Output::Record { attempt: id, lease, settled, planned });
        }
        None
    }

    pub(super) fn poll_homeless(&mut self, now: Now) -> Option<Output<P>> {
        self.rehoming_quiet = self.rehoming_quiet.filter(|until| *until > now.elapsed);
        if self.homeless.is_empty() || !self.rehoming.is_empty() || self.rehoming_quiet.is_some() {
            return None;
        }
        self.rehoming = take(&mut self.homeless);
        let leases = self.rehoming.iter().map(|(_, lease)| *lease).collect();
        Some(Output::Release { subscription: None, leases })
    }

    fn poll_replan(&mut self, now: Now) -> Option<Output<P>> {
        if self.replanning != Replanning::Wanted || self.is_ending || !self.lessor.admit(now.elapsed) {
            return None;
        }
        self.replanning = Replanning::UnderWay;
        Some(Output::Replan)
    }

    pub(super) fn poll_survey(&mut self, now: Now) -> Option<Output<P>> {
        let is_planned = self.replanning == Replanning::Done;
        if self.unknown.is_empty() || self.surveyed.is_some() || self.is_ending || !is_planned {
            return None;
        }
        if !self.lessor.admit(now.elapsed) {
            return None;
        }
        let surveyed = take(&mut self.unknown);
        for key in &surveyed {
            if let Some(queue) = self.registry.get_mut(*key) {
                queue.begin_survey();
            }
        }
        self.surveyed = Some(surveyed);
        Some(Output::Survey)
    }

    pub(super) fn poll_lease(&mut self, now: Now) -> Option<Output<P>> {
        while self.leasing < LEASES && !self.leasing_next.is_empty() {
            let key = self.leasing_next.pop()?;
            let Some(queue) = self.registry.get_mut(key) else { continue };
            let Some(limit) = queue.wants_lease() else {
                queue.is_leasing_next = false;
                continue;
            };
            if !self.lessor.admit(now.elapsed) {
                self.leasing_next.push_front(key);
                return None;
            }
            queue.is_leasing_next = false;
            queue.begin_lease(limit);
            self.leasing += 1;
            return Some(Output::Lease { subscription: key, limit });
        }
        None
    }

    pub(super) fn poll_attempt(&mut self, now: Now) -> Option<Output<P>> {
        // A store that does not take records gets no new ones. Without any the next attempt finds out.
        if !self.recorder.is_open() && self.recording > 0 {
            return None;
        }
        loop {
            // Whoever is admitted and does not start after all leaves its turn to the next one.
            let is_admitted = self.admit_shared(now);
            if let Some(output) = self.poll_starting(now) {
                return Some(output);
            }
            if !is_admitted || self.running >= self.config.attempts {
                return None;
            }
        }
    }

    /// Lets those start that have waited for the rate which they share, as many as it allows. Says whether there were any.
    fn admit_shared(&mut self, now: Now) -> bool {
        let admitted = self.shared.admit(now.elapsed);
        for key in &admitted {
            if let Some(queue) = self.registry.get_mut(*key) {
                queue.is_sharing = false;
                self.starting.push(*key, &mut queue.is_starting);
            }
        }
        !admitted.is_empty()
    }

    fn poll_starting(&mut self, now: Now) -> Option<Output<P>> {
        for _ in 0..self.starting.len() {
            let free = self.config.attempts.saturating_sub(self.running);
            if free == 0 {
                return None;
            }
            let key = self.starting.pop()?;
            let Some(queue) = self.registry.get_mut(key) else { continue };
            if !queue.may_start(now.elapsed) {
                queue.is_starting = false;
                if queue.is_held(now.elapsed) {
                    self.dirty.push(key, &mut queue.is_dirty);
                }
                continue;
            }
            let kept = self.config.attempts / KEPT;
            let is_over = queue.unanswered && self.unanswered >= self.config.attempts - kept;
            if is_over || queue.running >= free.saturating_mul(SHARE) {
                self.starting.push_back(key);
                continue;
            }
            let shared = queue.shared.clone();
            if let Some(shared) = &shared
                && self.shared.opens(shared, now.elapsed) > now.elapsed
            {
                queue.is_starting = false;
                self.shared.wait(shared, key, &mut queue.is_sharing);
                continue;
            }
            let work = queue.start(now);
            if work.is_some() && queue.policy.rate.is_some() {
                let (rate, rests) = (PacedRate::Own(key), now.wall_at(queue.flow().rests()));
                self.paced.push_back(Output::Paced { rate, rests });
            }
            if let (Some(shared), Some(_)) = (&shared, &work) {
                self.shared.start(shared, now.elapsed);
                let rests = now.wall_at(self.shared.rests(shared));
                self.paced
                    .push_back(Output::Paced { rate: PacedRate::Shared(Arc::clone(&shared.name)), rests });
            }
            if queue.may_start(now.elapsed) {
                self.starting.push_back(key);
            } else {
                queue.is_starting = false;
            }
            if queue.has_run_dry() || queue.is_held(now.elapsed) {
                self.dirty.push(key, &mut queue.is_dirty);
            }
            let Some((work, probe)) = work else { continue };
            let attempt = self.begin(key, work, probe);
            let Some(paced) = self.paced.pop_front() else { return Some(attempt) };
            // The attempt comes right behind the rates that it uses.
            self.outputs.extend(self.paced.drain(..));
            self.outputs.push_back(attempt);
            return Some(paced);
        }
        None
    }

    pub(super) fn begin(&mut self, key: SubscriptionKey, work: Work<P>, probe: Option<Probe>) -> Output<P> {
        let id = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        self.running += 1;
        let (policy, unanswered) = match self.registry.get(key) {
            Some(queue) => (Arc::clone(&queue.policy), queue.unanswered),
            None => Default::default(),
        };
        self.unanswered += usize::from(unanswered);
        let attempt = Attempt {
            key,
            lease: work.lease,
            deadline: work.deadline,
            past: Past { before: work.before, created: work.created },
            bytes: work.bytes,
            policy: Arc::clone(&policy),
            unanswered,
            probe,
            is_joined: false,
            phase: Phase::Running,
        };
        self.attempted.insert(attempt.lease.delivery, id);
        self.attempts.insert(id, attempt);
        Output::Attempt { subscription: key, attempt: id, work, policy }
    }
}
