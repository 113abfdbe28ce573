//! Subscriptions that come, change and go, and the end of all.

use super::{Engine, Phase};
use crate::config::DeliveryConfig;
use crate::delivery::entropy::spread;
use crate::delivery::fault::{Fault, is_seeded};
use crate::delivery::model::{
    Now, Output, PacedRate, QueueStatus, Restored, Standing, StoreFault, SubscriptionKey,
};
use crate::delivery::queue::{Queue, Stage};
use crate::delivery::shared::SharedRate;
use crate::request::UnixMillis;
use std::sync::Arc;

impl<P> Engine<P> {
    /// A subscription is there, or has a new policy: attempts that start from now on go by it, and by the rate that it
    /// shares with others.
    pub fn handle_configured(
        &mut self,
        now: Now,
        name: &Arc<str>,
        policy: Arc<DeliveryConfig>,
        shared: Option<Arc<SharedRate>>,
    ) -> SubscriptionKey {
        self.observe(now);
        if let Some(key) = self.registry.find(name) {
            if let Some(queue) = self.registry.get_mut(key)
                && queue.configure(now.elapsed, policy, shared)
            {
                self.outputs.push_back(Output::Breaker { subscription: key, is_open: false });
            }
            self.touch(key);
            return key;
        }
        let mut queue = Queue::new(Arc::clone(name), policy);
        queue.shared = shared;
        if self.is_ending {
            queue.stage = Stage::Drain;
        }
        let key = self.registry.insert(queue);
        self.unknown.push(key);
        self.touch(key);
        key
    }

    /// A subscription is gone: its attempts are broken off and everything is given back. [`Output::Ended`] tells when
    /// that is done. Meanwhile the name may be configured anew.
    pub fn handle_removed(&mut self, now: Now, key: SubscriptionKey) {
        self.observe(now);
        self.registry.unname(key);
        self.abort(key);
    }

    /// Somebody lets a subscription's attempts stop or go on; [`Output::Stand`] has it written down.
    pub fn handle_standing(&mut self, now: Now, key: SubscriptionKey, standing: Standing) {
        self.observe(now);
        if let Some(queue) = self.registry.get_mut(key) {
            let was_broken = queue.is_broken();
            queue.stand(standing);
            if was_broken && !queue.is_broken() {
                self.outputs.push_back(Output::Breaker { subscription: key, is_open: false });
            }
            // Whoever says it again waits to hear that it is written, too.
            queue.is_standing_new = true;
        }
        self.touch(key);
    }

    /// The store knows from before how a subscription stands, since when nothing but failures came back, and until when its
    /// rate was used: a time that never comes if that cannot be known.
    pub fn handle_restored(&mut self, now: Now, key: SubscriptionKey, restored: Restored) {
        self.observe(now);
        let Restored { standing, failing, rests } = restored;
        if let Some(queue) = self.registry.get_mut(key) {
            queue.standing = standing;
            if let Some(since) = failing {
                queue.flow().restore(now, since);
            }
            let policy = Arc::clone(&queue.policy);
            if let Some(rests) = rests.filter(|_| policy.rate.is_some()) {
                queue.flow().resume(&policy, now.elapsed, now.at(rests));
                // Known or not, the process after this one gets it as well.
                let (rate, rests) = (PacedRate::Own(key), now.wall_at(queue.flow().rests()));
                self.outputs.push_back(Output::Paced { rate, rests });
            }
        }
        self.touch(key);
    }

    /// The same of a rate that several share.
    pub fn handle_resumed(&mut self, now: Now, shared: &SharedRate, rests: UnixMillis) {
        self.observe(now);
        self.shared.resume(shared, now.elapsed, now.at(rests));
        let rests = now.wall_at(self.shared.rests(shared));
        self.outputs.push_back(Output::Paced { rate: PacedRate::Shared(Arc::clone(&shared.name)), rests });
    }

    /// The answer to [`Output::Stand`]. Says whether the store knows now how the subscription stands.
    pub fn handle_stood(&mut self, now: Now, key: SubscriptionKey, stood: Result<(), StoreFault>) -> bool {
        self.observe(now);
        let Some(queue) = self.registry.get_mut(key) else { return false };
        queue.is_standing_told = false;
        if stood.is_ok() {
            queue.standing_backoff.reset();
        } else {
            let random =
                spread(self.config.seed, u64::from(key.index), u64::from(queue.standing_backoff.tries()));
            queue.is_standing_new = true;
            queue.untold = Some(now.elapsed + queue.standing_backoff.next(random));
        }
        let is_known = !queue.is_standing_new;
        self.touch(key);
        is_known
    }

    /// How a subscription is doing at the moment; `None` if it is not there.
    #[must_use]
    pub fn status(&self, now: Now, key: SubscriptionKey) -> Option<QueueStatus> {
        self.registry.get(key).map(|queue| queue.status(now.elapsed, &self.shared))
    }

    /// The end begins: attempts that run go on to their end, nothing else starts, and what is not attempted is given
    /// back.
    pub fn handle_drained(&mut self, now: Now) {
        self.observe(now);
        self.is_ending = true;
        let keys: Vec<_> = self.registry.keys().collect();
        for key in keys {
            if let Some(queue) = self.registry.get_mut(key) {
                queue.stage = queue.stage.max(Stage::Drain);
            }
            self.touch(key);
        }
    }

    /// The end comes: attempts that run are broken off.
    pub fn handle_aborted(&mut self, now: Now) {
        self.observe(now);
        self.is_ending = true;
        let keys: Vec<_> = self.registry.keys().collect();
        for key in keys {
            self.abort(key);
        }
    }

    pub(super) fn abort(&mut self, key: SubscriptionKey) {
        let Some(queue) = self.registry.get_mut(key) else { return };
        if queue.stage == Stage::Abort {
            return;
        }
        queue.stage = Stage::Abort;
        for (id, attempt) in self.attempts.iter().filter(|(_, attempt)| attempt.key == key) {
            if matches!(attempt.phase, Phase::Running) {
                self.outputs.push_back(Output::Cancel { attempt: *id });
                if is_seeded(Fault::ReleasedTwice) {
                    queue.returns.push(attempt.lease);
                }
            }
        }
        // What the store has already it may have written. The rest it gets now, or not at all.
        self.give_up_unsent(key, !self.recorder.is_open());
        self.touch(key);
    }
}
