//! Time: what it brings, and what is done when a clock is set.

use super::{Attempt, DRIFT, Engine, NEVER, Phase, Replanning};
use crate::delivery::alarm::{Alarm, DueAlarm};
use crate::delivery::entropy::spread;
use crate::delivery::fault::{Fault, is_seeded};
use crate::delivery::model::{Now, Output, PacedRate, StoreFault};
use crate::delivery::queue::Queue;
use crate::request::UnixMillis;
use std::collections::BTreeSet;
use std::time::Duration;

impl<P> Engine<P> {
    /// Time has passed: to be called when [`Engine::wait`] says so, and harmless at any other time.
    pub fn handle_timeout(&mut self, now: Now) {
        self.observe(now);
        while let Some(rung) = self.alarms.pop(now) {
            match rung {
                DueAlarm::Due(key) => {
                    if let Some(queue) = self.registry.get_mut(key) {
                        queue.due_alarm = None;
                    }
                    self.touch(key);
                }
                DueAlarm::Waited(Alarm::Queue(key)) => {
                    if let Some(queue) = self.registry.get_mut(key) {
                        queue.wait_alarm = None;
                    }
                    self.touch(key);
                }
                DueAlarm::Waited(Alarm::Record(id)) => {
                    if let Some(Attempt { phase: Phase::Recording { alarm, .. }, .. }) =
                        self.attempts.get_mut(&id)
                    {
                        *alarm = None;
                        self.records.push_back(id);
                    }
                }
                DueAlarm::Waited(Alarm::Extension) => {
                    self.extension = None;
                    self.extend(now);
                }
            }
        }
    }

    /// How long to wait at most before [`Engine::handle_timeout`], if nothing else happens. `None` means for ever.
    #[must_use]
    pub fn wait(&self, now: Now) -> Option<Duration> {
        let records = self.recorder.until().filter(|_| !self.records.is_empty());
        let wants_lessor = !self.leasing_next.is_empty()
            || !self.unknown.is_empty()
            || self.replanning == Replanning::Wanted;
        let leases = self.lessor.until().filter(|_| wants_lessor && !self.is_ending);
        let homeless = self.rehoming_quiet.filter(|_| !self.homeless.is_empty());
        // Whoever may call by now was asked just before, and had something else to wait for.
        let health = [records, leases, homeless].into_iter().flatten();
        let health = health.filter(|until| *until > now.elapsed).min();
        let health = health.map(|until| until.saturating_sub(now.elapsed));
        let shared = self.shared.until(now.elapsed).map(|until| until.saturating_sub(now.elapsed));
        [self.alarms.wait(now), health, shared].into_iter().flatten().min()
    }

    /// Notices that the wall clock was set.
    pub(super) fn observe(&mut self, now: Now) {
        let elapsed = i128::try_from(now.elapsed.as_millis()).unwrap_or(i128::MAX);
        let offset = i128::from(now.wall.0) - elapsed;
        let before = self.offset.replace(offset).unwrap_or(offset);
        if offset > before + DRIFT {
            self.handle_set_ahead(now);
        } else if offset < before - DRIFT && !is_seeded(Fault::UnnoticedClock) {
            self.handle_set_back(now);
        }
        if (offset - before).abs() > DRIFT {
            self.pace_anew(now);
        }
    }

    /// What is kept of rates is kept by the wall clock.
    fn pace_anew(&mut self, now: Now) {
        for key in self.registry.keys().collect::<Vec<_>>() {
            let Some(rests) = self.registry.get(key).and_then(Queue::rests) else { continue };
            let rate = PacedRate::Own(key);
            self.outputs.push_back(Output::Paced { rate, rests: now.wall_at(rests) });
        }
        for (name, rests) in self.shared.all_rests() {
            let rate = PacedRate::Shared(name);
            self.outputs.push_back(Output::Paced { rate, rests: now.wall_at(rests) });
        }
    }

    /// Leases that have ended by the new time are gone, even if it is put right again: others may have them.
    pub(super) fn handle_set_ahead(&mut self, now: Now) {
        let keys: Vec<_> = self.registry.keys().collect();
        for key in keys {
            if self.registry.get_mut(key).is_some_and(|queue| queue.drop_expired(now)) {
                self.touch(key);
            }
        }
    }

    /// What fell due by the old time would be waited for too long: the store plans it anew. No lease lasts longer than
    /// one that begins now.
    pub(super) fn handle_set_back(&mut self, now: Now) {
        let latest = now.wall.after(self.config.lease);
        let clamp = |deadline: &mut UnixMillis| {
            if *deadline != NEVER {
                *deadline = latest.min(*deadline);
            }
        };
        self.attempts.values_mut().for_each(|attempt| clamp(&mut attempt.deadline));
        for queue in self.registry.queues_mut() {
            queue.ready_mut().for_each(|work| clamp(&mut work.deadline));
        }
        self.replanning = Replanning::Wanted;
    }

    /// The answer to [`Output::Replan`].
    pub fn handle_replanned(&mut self, now: Now, replanned: Result<(), StoreFault>) {
        self.observe(now);
        if replanned.is_err() {
            self.replanning = Replanning::Wanted;
            self.lessor.failed(now.elapsed, spread(self.config.seed, 2, self.next_attempt));
            return;
        }
        self.lessor.answered();
        // Unless the clock was put back once more meanwhile.
        if self.replanning == Replanning::UnderWay {
            self.replanning = Replanning::Done;
        }
        let keys: Vec<_> = self.registry.keys().collect();
        for key in keys {
            let Some(queue) = self.registry.get_mut(key) else { continue };
            // A lease under way may have been answered before.
            if queue.forget_next() {
                self.touch(key);
            }
        }
    }

    /// Sees to it that a lease which ends by itself is extended before.
    pub(super) fn watch(&mut self, now: Now, deadline: UnixMillis) {
        if deadline != NEVER && self.extension.is_none() && !self.is_extending {
            let at = now.elapsed + self.config.lease / 4;
            self.alarms.set_wait(Alarm::Extension, &mut self.extension, Some(at));
        }
    }

    /// Extends the leases of which half is over.
    pub(super) fn extend(&mut self, now: Now) {
        let half = now.wall.after(self.config.lease / 2);
        let is_near = |deadline: UnixMillis| deadline < half;
        let mut leases = BTreeSet::new();
        let mut is_held = false;
        for attempt in self.attempts.values().filter(|attempt| attempt.deadline != NEVER) {
            is_held = true;
            leases.extend(is_near(attempt.deadline).then_some(attempt.lease));
        }
        for queue in self.registry.queues_mut() {
            for work in queue.ready_mut().filter(|work| work.deadline != NEVER) {
                is_held = true;
                leases.extend(is_near(work.deadline).then_some(work.lease));
            }
        }
        if !leases.is_empty() {
            self.is_extending = true;
            self.outputs.push_back(Output::Extend { leases: leases.into_iter().collect() });
        } else if is_held {
            self.watch(now, UnixMillis::default());
        }
    }
}
