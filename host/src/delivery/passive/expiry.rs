//! Looks for leases that are past their deadline.

use super::registry::PassiveRegistry;
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep_until;

/// When to look at which subscriptions.
#[derive(Debug, Default)]
pub(super) struct Watches {
    times: Mutex<BTreeSet<(Duration, Arc<str>)>>,
    changed: Notify,
}

impl Watches {
    fn times(&self) -> MutexGuard<'_, BTreeSet<(Duration, Arc<str>)>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a subscription looked at.
    pub(super) fn watch(&self, at: Duration, name: Arc<str>) {
        self.times().insert((at, name));
        self.changed.notify_one();
    }

    fn next(&self) -> Option<Duration> {
        self.times().first().map(|(at, _)| *at)
    }

    fn take_due(&self, now: Duration) -> Vec<Arc<str>> {
        let mut times = self.times();
        let mut due = Vec::new();
        while let Some(first) = times.first().filter(|(at, _)| *at <= now).cloned() {
            times.remove(&first);
            due.push(first.1);
        }
        due
    }
}

/// Lets leases expire, until it is dropped. What a look that broke down had taken out is in the store still, under a
/// deadline that the store knows.
pub(super) async fn run(registry: Arc<PassiveRegistry>) {
    loop {
        for name in registry.watches.take_due(registry.clock.now().elapsed) {
            if let Some(subscription) = registry.get(&name) {
                subscription.expire().await;
            }
        }
        let next = registry.watches.next();
        tokio::select! {
            () = registry.watches.changed.notified() => {}
            () = async {
                match next {
                    Some(at) => sleep_until(registry.clock.at(at)).await,
                    None => pending().await,
                }
            } => {}
        }
    }
}
