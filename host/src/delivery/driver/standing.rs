//! Subscriptions that come, stop and go on.

use super::Driver;
use crate::delivery::exchange;
use crate::delivery::report;
use crate::delivery::roster::{Settings, StandingRecord};
use crate::store::StoredStanding;
use crate::subscription::{QueueReport, WaitReason};
use anglerfish_core::delivery::{
    Now, PacedRate, Restored, SharedRate, Standing, StoreFault, SubscriptionKey, Waiting,
};
use anglerfish_core::request::UnixMillis;
use futures_util::future::FutureExt;
use std::sync::Arc;
use std::time::Duration;

impl Driver {
    /// A subscription is there, or has new settings. One that comes stands as it did before.
    pub(super) fn put(&mut self, now: Now, name: Arc<str>, settings: Arc<Settings>) {
        let is_known = self.engine.find(&name).is_some();
        let key =
            self.engine.handle_configured(now, &name, Arc::clone(&settings.policy), settings.shared.clone());
        let record = self.around.roster.standing(&name);
        if !is_known {
            let rests = settings.policy.rate.and_then(|_| self.around.store.paced(&own_rate(&name)));
            let StandingRecord { standing, failing, .. } = record;
            self.engine.handle_restored(now, key, Restored { standing, failing, rests });
            if record.is_new {
                // A driver that broke down has left it to this one to write it down.
                self.engine.handle_standing(now, key, record.standing);
            }
            self.around.metrics.stands(&name, record.standing);
        }
        self.slots.put(key, name, settings);
    }

    /// Keeps until when a rate is used.
    pub(super) fn pace(&mut self, rate: &PacedRate, rests: UnixMillis) {
        let name = match rate {
            PacedRate::Own(key) => self.slots.get(*key).map(|slot| own_rate(&slot.name)),
            PacedRate::Shared(name) => Some(shared_rate(name)),
        };
        if let Some(name) = name {
            self.around.store.pace(&name, rests);
        }
    }

    /// A rate that several subscriptions share goes on where the process before has left it.
    pub(super) fn resume(&mut self, now: Now, shared: &SharedRate) {
        if let Some(rests) = self.around.store.paced(&shared_rate(&shared.name)) {
            self.engine.handle_resumed(now, shared, rests);
        }
    }

    /// Has it written down how a subscription stands, and tells whoever looks.
    pub(super) fn stand(
        &mut self,
        now: Now,
        key: SubscriptionKey,
        standing: Standing,
        failing: Option<UnixMillis>,
    ) {
        let Some(slot) = self.slots.get(key) else { return };
        if standing != Standing::Active {
            slot.withdraw();
        }
        let name = Arc::clone(&slot.name);
        if self.around.roster.stand(&name, standing, failing, now.wall) {
            self.around.metrics.stands(&name, standing);
            report::stands(&name, standing);
            self.around.notices.send(&name, standing, now.wall);
        }
        let since = self.around.roster.standing(&name).since;
        let standing = StoredStanding { subscription: name.to_string(), standing, since, failing };
        self.calls.push(exchange::stand(Arc::clone(&self.around.store), key, standing).boxed());
    }

    /// Tells whoever looks that a breaker opened or closed.
    pub(super) fn tell_breaker(&mut self, key: SubscriptionKey, is_open: bool) {
        if let Some(name) = self.slots.get(key).map(|slot| Arc::clone(&slot.name)) {
            self.around.metrics.breaks(&name, is_open);
            report::breaks(&name, is_open);
        }
    }

    /// How a subscription is doing; `None` if it is not there.
    pub(super) fn report(&self, now: Now, name: &str) -> Option<QueueReport> {
        let status = self.engine.status(now, self.engine.find(name)?)?;
        let at = |until: Duration| now.wall.after(until.saturating_sub(now.elapsed));
        let (reason, until) = match status.waiting {
            None => (None, None),
            Some(Waiting::Stopped) => (Some(WaitReason::Stopped), None),
            Some(Waiting::Concurrency) => (Some(WaitReason::Concurrency), None),
            Some(Waiting::Ramp) => (Some(WaitReason::Ramp), None),
            Some(Waiting::Places) => (Some(WaitReason::Places), None),
            Some(Waiting::Rate(until)) => (Some(WaitReason::Rate), Some(at(until))),
            Some(Waiting::SharedRate(until)) => (Some(WaitReason::HostRate), Some(at(until))),
            Some(Waiting::Breaker(until)) => (Some(WaitReason::Breaker), until.map(at)),
            Some(Waiting::Throttled(until)) => (Some(WaitReason::Throttled), Some(at(until))),
            Some(Waiting::Local(until)) => (Some(WaitReason::Local), Some(at(until))),
        };
        let (running, ready) = (status.running, status.ready);
        Some(QueueReport { running, ready, reason, until, next: status.next, failing: status.failing })
    }

    pub(super) fn handle_stood(&mut self, now: Now, key: SubscriptionKey, stood: Result<(), StoreFault>) {
        let is_known = self.engine.handle_stood(now, key, stood);
        if stood.is_ok() && !is_known {
            // It stands otherwise meanwhile, which is written next.
            return;
        }
        if let Some(slot) = self.slots.get(key) {
            if is_known {
                self.around.roster.stood(&slot.name);
            }
            slot.answer_standing(stood);
        }
    }
}

/// What a subscription's own rate is called in the store.
fn own_rate(subscription: &str) -> String {
    format!("subscription/{subscription}")
}

/// What a rate that several share is called there.
fn shared_rate(name: &str) -> String {
    format!("host/{name}")
}
