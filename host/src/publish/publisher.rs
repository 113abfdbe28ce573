//! From events to the log.

use super::Published;
use crate::clock::WallClock;
use crate::ingress::Outlet;
use crate::store::{Commit, CommitOutcome, FailedFilter, NewEvent, Origin, Store, StoreError};
use crate::subscription::{PastEvent, Routing, RoutingError};
use anglerfish_core::request::UnixMillis;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// How often a commit is made anew because another one brought one of its events in the meantime.
const MOST_CONFLICTS: usize = 8;

/// Appends events to the log that come from no source's request. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    store: Arc<dyn Store>,
    routing: Arc<dyn Routing>,
    outlet: Arc<dyn Outlet>,
    clock: WallClock,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// How many deliveries it has; `None` if an event of this source and id was there before.
    pub deliveries: Option<usize>,
}

/// Why events were not published. None of them was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// Who wants them cannot be decided now.
    #[error(transparent)]
    Routing(#[from] RoutingError),
    /// They cannot be stored now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others published the same events again and again.
    #[error("others publish the same events at the same time")]
    Contended,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        routing: Arc<dyn Routing>,
        outlet: Arc<dyn Outlet>,
        clock: WallClock,
    ) -> Self {
        Self { store, routing, outlet, clock }
    }

    /// The present time, by the clock of the gateway.
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Publishes events in one transaction, in their order. One whose source and id are in the log already is not
    /// published again, so that the same call may be made as often as one likes.
    ///
    /// # Errors
    ///
    /// None of them was published.
    pub(crate) async fn publish(
        &self,
        events: Vec<Published>,
        now: UnixMillis,
    ) -> Result<Vec<Receipt>, PublishError> {
        // The deliveries of a committed event are handed on also if the client hangs up meanwhile.
        let publisher = self.clone();
        let published = tokio::spawn(async move { publisher.publish_to_the_end(events, now).await });
        published.await.unwrap_or_else(|error| {
            tracing::error!("publishing broke off: {error}");
            Err(PublishError::Store(StoreError::Internal("publishing broke off".into())))
        })
    }

    /// Publishes an event of the gateway's own for those of its subscribers that `wants` it. One that is in the log
    /// already is not published again.
    ///
    /// # Errors
    ///
    /// It was not published.
    pub(crate) async fn publish_operational(
        &self,
        published: Published,
        now: UnixMillis,
        wants: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<(), PublishError> {
        let Published { event, data } = published;
        let known = self.store.event(&event.id).await?;
        if known.iter().any(|record| record.event.source == event.source) {
            return Ok(());
        }
        let past = PastEvent { event: event.clone(), headers: Vec::new(), data: data.clone(), received: now };
        let routed = self.routing.route(past).await?;
        let intents = routed.intents.into_iter().filter(|intent| wants(&intent.subscription)).collect();
        let intents = self.outlet.to_deliver(intents);
        let failures = routed.failures.into_iter().filter(|failure| wants(&failure.subscription));
        let failures = failures
            .map(|failure| FailedFilter { subscription: failure.subscription, reason: failure.reason });
        let new = NewEvent {
            origin: Origin::Operational,
            failures: failures.collect(),
            ..NewEvent::new(event, data, now).wanted(intents)
        };
        let commit = Commit { events: vec![new], ..Commit::new(now) };
        if let CommitOutcome::Committed { deliveries, freed, .. } = self.store.commit(commit).await? {
            self.outlet.take(deliveries, &freed);
        }
        // A conflict means that it is there already.
        Ok(())
    }

    async fn publish_to_the_end(
        &self,
        events: Vec<Published>,
        now: UnixMillis,
    ) -> Result<Vec<Receipt>, PublishError> {
        for _ in 0..MOST_CONFLICTS {
            let (mut receipts, mut commit, mut seen) = (Vec::new(), Commit::new(now), HashSet::new());
            for Published { event, data } in &events {
                let mut receipt =
                    Receipt { id: event.id.clone(), source: event.source.clone(), deliveries: None };
                let known = self.store.event(&event.id).await?;
                let fresh = seen.insert((&event.source, &event.id));
                if fresh && !known.iter().any(|record| record.event.source == event.source) {
                    let past = PastEvent {
                        event: event.clone(),
                        headers: Vec::new(),
                        data: data.clone(),
                        received: now,
                    };
                    let routed = self.routing.route(past).await?;
                    let intents = self.outlet.to_deliver(routed.intents);
                    receipt.deliveries = Some(intents.len());
                    let failed = routed.failures.into_iter();
                    let failures = failed.map(|failure| FailedFilter {
                        subscription: failure.subscription,
                        reason: failure.reason,
                    });
                    commit.events.push(NewEvent {
                        origin: Origin::Published,
                        failures: failures.collect(),
                        ..NewEvent::new(event.clone(), data.clone(), now).wanted(intents)
                    });
                }
                receipts.push(receipt);
            }
            if commit.is_empty() {
                return Ok(receipts);
            }
            if let CommitOutcome::Committed { deliveries, freed, .. } = self.store.commit(commit).await? {
                self.outlet.take(deliveries, &freed);
                return Ok(receipts);
            }
        }
        Err(PublishError::Contended)
    }
}
