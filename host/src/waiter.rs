//! Those who wait in this process for something to happen to what has a name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<String, Arc<Notify>>>);

/// One who waits; dropped, it waits no more.
pub(crate) struct Waiter<'w> {
    waiters: &'w Waiters,
    id: &'w str,
    notify: Arc<Notify>,
}

impl Waiters {
    /// Waits for what has this name. Whoever does looks at it after the notification is enabled, so that nothing is missed.
    pub(crate) fn on<'w>(&'w self, id: &'w str) -> Waiter<'w> {
        let notify = Arc::clone(self.lock().entry(id.to_owned()).or_default());
        Waiter { waiters: self, id, notify }
    }

    /// Tells those who wait that something happened to it.
    pub(crate) fn tell(&self, id: &str) {
        if let Some(notify) = self.lock().get(id) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    pub(crate) fn notify(&self) -> &Notify {
        &self.notify
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiters = self.waiters.lock();
        // The table has one, and this is the other.
        if Arc::strong_count(&self.notify) == 2 {
            waiters.remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_those_who_wait_no_more() {
        let waiters = Waiters::default();
        let (one, other) = (waiters.on("a"), waiters.on("a"));
        drop(one);
        assert_eq!(waiters.lock().len(), 1);
        drop(other);
        assert!(waiters.lock().is_empty());
    }
}
