//! The routing table as the subscriptions' registry sees it.

use super::pool::{Engine, EngineError};
use crate::subscription::{PastEvent, Routing, RoutingError, Verdict, VerdictOutcome};
use anglerfish_core::config::SubscriptionConfig;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::Header;
use anglerfish_core::router::{self, RoutingSubscription};
use async_trait::async_trait;
use std::sync::{Arc, PoisonError, RwLock};

/// The engine behind what the registry asks of routing.
pub struct EngineRouting {
    current: RwLock<Arc<Engine>>,
}

impl EngineRouting {
    /// Wraps an engine.
    #[must_use]
    pub const fn new(engine: Arc<Engine>) -> Self {
        Self { current: RwLock::new(engine) }
    }

    /// From now on this engine is in use; calls under way end on the old one, which is returned.
    pub fn replace(&self, engine: Arc<Engine>) -> Arc<Engine> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, engine)
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A problem for each of these sources that there is not.
    fn unknown(&self, sources: &[String]) -> Vec<Problem> {
        let engine = self.engine();
        let unknown = sources.iter().enumerate().filter(|(_, name)| !engine.has_source(name));
        unknown
            .map(|(index, name)| {
                Problem::new(format!("sources[{index}]"), format!("there is no source {name:?}"))
            })
            .collect()
    }
}

#[async_trait]
impl Routing for EngineRouting {
    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError> {
        let mut problems = self.unknown(&subscription.sources);
        if let Some(Err(found)) = subscription.filter.as_deref().map(router::check_filter) {
            problems.extend(found);
        }
        if problems.is_empty() { Ok(()) } else { Err(RoutingError::Invalid(problems)) }
    }

    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError> {
        self.check(subscription).await?;
        self.engine().put_subscription(RoutingSubscription::from(subscription)).map_err(RoutingError::Invalid)
    }

    async fn delete(&self, id: &str) -> Result<(), RoutingError> {
        self.engine().delete_subscription(id);
        Ok(())
    }

    async fn explain(&self, event: PastEvent, only: Option<&str>) -> Result<Vec<Verdict>, RoutingError> {
        let PastEvent { event, headers, data, received } = event;
        let verdicts = self
            .engine()
            .explain_event(event, headers, data, received, only.map(str::to_owned))
            .await
            .map_err(|error: EngineError| RoutingError::Unavailable(error.to_string()))?;
        Ok(verdicts.into_iter().map(verdict).collect())
    }

    async fn explain_with(
        &self,
        event: PastEvent,
        sources: &[String],
        filter: Option<&str>,
    ) -> Result<Verdict, RoutingError> {
        let unknown = self.unknown(sources);
        if !unknown.is_empty() {
            return Err(RoutingError::Invalid(unknown));
        }
        let subscription = RoutingSubscription {
            id: String::new(),
            sources: sources.to_vec(),
            filter: filter.map(str::to_owned),
        };
        let headers: Vec<Header<'_>> =
            event.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        router::explain_once(&subscription, &event.event, &headers, &event.data, event.received)
            .map(verdict)
            .map_err(RoutingError::Invalid)
    }
}

fn verdict(verdict: router::Verdict) -> Verdict {
    Verdict {
        subscription: verdict.subscription,
        outcome: match verdict.outcome {
            router::VerdictOutcome::Match => VerdictOutcome::Match,
            router::VerdictOutcome::NoMatch => VerdictOutcome::NoMatch,
            router::VerdictOutcome::Error => VerdictOutcome::Error,
        },
        reason: verdict.reason,
    }
}
