//! Those who wait in this process for something to happen to what has a name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// After which times whoever waits looks by itself, should nobody tell: what was written by a commit whose end is not known is told
/// of by nobody. Each is twice the one before up to a bound, since thousands may wait for days, and all began at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks(Duration);

impl Looks {
    const LONGEST: Duration = Duration::from_mins(5);

    /// Those of one who begins to wait.
    pub(crate) const fn new() -> Self {
        Self(Duration::from_secs(5))
    }

    /// The next, which is up to a half longer by chance.
    pub(crate) fn next(&mut self) -> Duration {
        let look = self.0;
        self.0 = (look * 2).min(Self::LONGEST);
        look.mul_f64(1.0 + fastrand::f64() / 2.0)
    }
}

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
    fn who_waits_for_long_looks_less_often() {
        let mut looks = Looks::new();
        let looks: Vec<u64> = (0..10).map(|_| looks.next().as_secs()).collect();
        assert!((5..8).contains(&looks[0]) && looks[2] >= 20, "{looks:?}");
        assert!((300..=450).contains(&looks[9]), "{looks:?}");
    }

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
