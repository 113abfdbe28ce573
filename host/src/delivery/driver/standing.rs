//! Subscriptions that come, stop and go on.

use super::Driver;
use crate::delivery::exchange;
use crate::delivery::report;
use crate::delivery::roster::Settings;
use crate::store::StoredStanding;
use anglerfish_core::delivery::{Now, Standing, StoreFault, SubscriptionKey};
use futures_util::future::FutureExt;
use std::sync::Arc;

impl Driver {
    /// A subscription is there, or has new settings. One that comes stands as it did before.
    pub(super) fn put(&mut self, now: Now, name: Arc<str>, settings: Arc<Settings>) {
        let is_known = self.engine.find(&name).is_some();
        let key = self.engine.handle_configured(now, &name, Arc::clone(&settings.policy));
        let record = self.around.roster.standing(&name);
        if record.is_new {
            // A driver that broke down has left it to this one to write it down.
            self.engine.handle_standing(now, key, record.standing);
        } else if !is_known && record.standing != Standing::Active {
            self.engine.handle_restored(now, key, record.standing);
            self.around.metrics.stands(&name, record.standing);
        }
        self.slots.put(key, name, settings);
    }

    /// Has it written down how a subscription stands, and tells whoever looks.
    pub(super) fn stand(&mut self, now: Now, key: SubscriptionKey, standing: Standing) {
        let Some(name) = self.slots.get(key).map(|slot| Arc::clone(&slot.name)) else { return };
        if self.around.roster.stand(&name, standing, now.wall) {
            self.around.metrics.stands(&name, standing);
            report::stands(&name, standing);
        }
        let since = self.around.roster.standing(&name).since;
        let standing = StoredStanding { subscription: name.to_string(), standing, since };
        self.calls.push(exchange::stand(Arc::clone(&self.around.store), key, standing).boxed());
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
