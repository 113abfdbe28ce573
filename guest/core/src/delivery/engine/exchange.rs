//! What the store says, and what comes from it.

use super::{Engine, HELD_BYTES, NEVER};
use crate::delivery::alarm::Alarm;
use crate::delivery::entropy::spread;
use crate::delivery::model::{Leased, Now, StoreFault, SubscriptionKey, Work, WorkLease};
use crate::delivery::queue::Stage;
use crate::request::UnixMillis;
use std::collections::HashMap;
use std::mem::take;
use std::sync::Arc;

impl<P> Engine<P> {
    /// A delivery comes leased from its commit. It is attempted if there is room and no older ones wait; otherwise it
    /// is given back to the store, from where it comes in its turn.
    pub fn handle_offered(&mut self, now: Now, name: &str, work: Work<P>) {
        self.observe(now);
        let Some(key) = self.registry.find(name) else {
            self.homeless.push((name.into(), work.lease));
            return;
        };
        let deadline = work.deadline;
        if let Some(queue) = self.registry.get_mut(key) {
            queue.offer(work);
            self.held = queue.count_memory(self.held, HELD_BYTES);
        }
        self.watch(now, deadline);
        self.touch(key);
    }

    /// The store got deliveries that are due, as after a replay or a retry by hand.
    pub fn handle_woken(&mut self, now: Now, key: SubscriptionKey) {
        self.observe(now);
        if let Some(queue) = self.registry.get_mut(key) {
            queue.look_again();
        }
        self.touch(key);
    }

    /// The answer to [`Output::Survey`]: the subscriptions that have open deliveries, and when the first of each falls
    /// due. Those that are not named have none.
    pub fn handle_surveyed<'a>(
        &mut self,
        now: Now,
        survey: Result<impl IntoIterator<Item = (&'a str, UnixMillis)>, StoreFault>,
    ) {
        self.observe(now);
        let Some(surveyed) = self.surveyed.take() else { return };
        let Ok(found) = survey else {
            // Whatever is wrong, nothing can be leased before it is known where to begin.
            self.lessor.failed(now.elapsed, spread(self.config.seed, 0, self.next_attempt));
            for key in &surveyed {
                if let Some(queue) = self.registry.get_mut(*key) {
                    queue.end_survey();
                }
            }
            self.unknown.extend(surveyed);
            return;
        };
        self.lessor.answered();
        for (name, due) in found {
            // The others know better by now, and what a neighbour's coming tells must not make them look again.
            if let Some(queue) = self.registry.find(name).and_then(|key| self.registry.get_mut(key)) {
                queue.survey(due);
            }
        }
        for key in surveyed {
            if let Some(queue) = self.registry.get_mut(key) {
                queue.catch_up_surveyed();
            }
            self.touch(key);
        }
    }

    /// The answer to [`Output::Lease`].
    pub fn handle_leased(
        &mut self,
        now: Now,
        key: SubscriptionKey,
        mut leased: Result<Leased<P>, StoreFault>,
    ) {
        self.observe(now);
        self.leasing = self.leasing.saturating_sub(1);
        let tries = self.registry.get(key).map_or(0, |queue| queue.lease_backoff.tries());
        let random = spread(self.config.seed, u64::from(key.index), u64::from(tries));
        match &leased {
            Err(StoreFault::Unavailable) => self.lessor.failed(now.elapsed, random),
            _ => drop(self.lessor.answered()),
        }
        let deadline = leased.as_ref().ok().and_then(|leased| leased.works.first()).map(|work| work.deadline);
        let over = leased.as_mut().map_or_else(|_| Vec::new(), |leased| self.adopt(leased));
        let Some(queue) = self.registry.get_mut(key) else { return };
        queue.returns.extend(over);
        match leased {
            Ok(leased) => queue.handle_leased(now, leased),
            Err(_) => queue.handle_unleased(now, random),
        }
        self.watch(now, deadline.unwrap_or(NEVER));
        self.touch(key);
    }

    /// The answer to [`Output::Release`]; the leases come back if they were not ended.
    pub fn handle_released(
        &mut self,
        now: Now,
        key: Option<SubscriptionKey>,
        released: Result<(), Vec<WorkLease>>,
    ) {
        self.observe(now);
        let random = spread(self.config.seed, 1, self.next_attempt);
        let Some(key) = key else {
            let gone = take(&mut self.rehoming);
            match released {
                Ok(()) => {
                    self.rehoming_backoff.reset();
                    // The subscription may have come meanwhile.
                    for (name, _) in gone {
                        self.look_again(&name);
                    }
                }
                Err(_) => {
                    self.homeless.extend(gone);
                    self.rehoming_quiet = Some(now.elapsed + self.rehoming_backoff.next(random));
                }
            }
            return;
        };
        let Some(queue) = self.registry.get_mut(key) else { return };
        queue.releasing = false;
        match released {
            Ok(()) => {
                queue.release_backoff.reset();
                let (name, stage) = (Arc::clone(&queue.name), queue.stage);
                if stage != Stage::Run {
                    // A queue of the same name may have come meanwhile, and may have looked too early.
                    self.look_again(&name);
                }
            }
            Err(leases) => {
                queue.returns.extend(leases);
                queue.unreleased = Some(now.elapsed + queue.release_backoff.next(random));
            }
        }
        self.touch(key);
    }

    /// The answer to [`Output::Extend`]: when each lease ends now, or `None` for one that is lost.
    pub fn handle_extended(
        &mut self,
        now: Now,
        extended: Result<Vec<(WorkLease, Option<UnixMillis>)>, StoreFault>,
    ) {
        self.observe(now);
        self.is_extending = false;
        // What could not be extended is tried again soon: half of the lease is left.
        let after = if extended.is_ok() { self.config.lease / 4 } else { self.config.lease / 16 };
        self.alarms.set_wait(Alarm::Extension, &mut self.extension, Some(now.elapsed + after));
        // A lease that is lost is as good as over: it is not begun with, and the store refuses what comes of it.
        let ends: HashMap<WorkLease, UnixMillis> = extended
            .into_iter()
            .flatten()
            .map(|(lease, deadline)| (lease, deadline.unwrap_or_default()))
            .collect();
        if ends.is_empty() {
            return;
        }
        for attempt in self.attempts.values_mut() {
            if let Some(deadline) = ends.get(&attempt.lease) {
                attempt.deadline = *deadline;
            }
        }
        for queue in self.registry.queues_mut() {
            for work in queue.ready_mut() {
                if let Some(deadline) = ends.get(&work.lease) {
                    work.deadline = *deadline;
                }
            }
        }
    }

    pub(super) fn look_again(&mut self, name: &str) {
        if let Some(key) = self.registry.find(name) {
            if let Some(queue) = self.registry.get_mut(key) {
                queue.look_again();
            }
            self.touch(key);
        }
    }
}
