//! Recording attempts, however long the store takes.

use super::metric::DeliveryMetrics;
use crate::store::{Recorded, Settlement, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The first wait after an error of the store.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest.
const LONGEST: Duration = Duration::from_secs(5);

/// How many faults of the store itself one record is worth: a minute and a half of them.
const REFUSALS: u32 = 24;

/// Growing waits between tries of the store.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait: twice the one before up to a bound, less up to half of it at random, so that the queues do not
    /// come back all at once.
    pub(super) fn next(&mut self) -> Duration {
        let longest = SHORTEST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        longest.mul_f64(1.0 - fastrand::f64() / 2.0)
    }

    /// The store works.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// Records an attempt, again and again until the store takes it. `waiting` counts the records that wait for a store
/// that is unavailable: while there are any, no new attempt should start.
///
/// `false` means that the attempt is not recorded and its lease not ended: the store is closed, or it refuses this
/// record while it is available.
pub(super) async fn settle(
    store: Arc<dyn Store>,
    settlement: Settlement,
    waiting: Arc<AtomicUsize>,
    metrics: DeliveryMetrics,
) -> bool {
    // The common case does not pay for a copy of a record with its excerpt that only an outage needs; the copy is of
    // a few hundred bytes as a rule.
    let mut error = match store.settle(vec![settlement.clone()]).await {
        Ok(recorded) => return told(&settlement, &recorded),
        Err(error) => error,
    };
    let mut backoff = Backoff::default();
    loop {
        metrics.store_failed();
        // A store that is out of reach holds the queue up; a record that it does not like, only that record.
        let _waiting = match error {
            StoreError::Closed => return false,
            StoreError::Unavailable(_) | StoreError::Lost(_) => Some(Waiting::begin(waiting.clone())),
            StoreError::Unusable(_) | StoreError::Internal(_) if backoff.tries >= REFUSALS => {
                tracing::error!(delivery = %settlement.lease.delivery, %error, "an attempt cannot be recorded");
                return false;
            }
            StoreError::Unusable(_) | StoreError::Internal(_) => None,
        };
        let wait = backoff.next();
        tracing::warn!(delivery = %settlement.lease.delivery, %error, ?wait, "an attempt cannot be recorded now");
        tokio::time::sleep(wait).await;
        match store.settle(vec![settlement.clone()]).await {
            Ok(recorded) => return told(&settlement, &recorded),
            Err(again) => error = again,
        }
    }
}

/// The store has answered: the lease has ended one way or the other.
fn told(settlement: &Settlement, recorded: &[Recorded]) -> bool {
    if recorded.first() != Some(&Recorded::Recorded) {
        tracing::warn!(delivery = %settlement.lease.delivery, "an attempt was made under a lease that had ended");
    }
    true
}

/// Counts one record as waiting for as long as it lives.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn begin(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        let mut backoff = Backoff::default();
        for round in 0..100u32 {
            let longest = SHORTEST.saturating_mul(1 << round.min(16)).min(LONGEST);
            let wait = backoff.next();
            assert!(wait <= longest && wait >= longest / 2 - Duration::from_nanos(1), "{round}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= SHORTEST);
    }
}
