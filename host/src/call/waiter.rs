//! Those who wait for a request to end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who waits for which request.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<HashMap<String, Arc<Notify>>>);

impl Waiters {
    /// What is told when the request ends. Whoever holds it looks at the request after it is enabled, so that none is missed.
    pub(super) fn on(&self, id: &str) -> Arc<Notify> {
        Arc::clone(self.lock().entry(id.to_owned()).or_default())
    }

    /// Nobody is told of it any more, if this was the last one who waited.
    pub(super) fn leave(&self, id: &str, notify: Arc<Notify>) {
        let mut waiters = self.lock();
        drop(notify);
        if waiters.get(id).is_some_and(|notify| Arc::strong_count(notify) == 1) {
            waiters.remove(id);
        }
    }

    /// Tells them.
    pub(super) fn tell(&self, id: &str) {
        if let Some(notify) = self.lock().get(id) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
