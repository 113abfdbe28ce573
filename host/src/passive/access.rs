//! Who may lease.

use super::Out;
use crate::api::{ProblemDetails, Segment, bearer, wrong_token};
use crate::delivery::PassiveSubscription;
use crate::telemetry::SharedRepeated;
use anglerfish_core::config::AccessToken;
use axum::extract::FromRequestParts;
use http::request::Parts;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// What is counted of requests that show no right token. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct OutMetrics {
    unauthorized: Counter,
}

impl OutMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "out_unauthorized",
            "Requests to /out that showed no token, or none of the subscription's",
            metrics.unauthorized.clone(),
        );
        metrics
    }
}

/// Counts refusals, and tells of them now and then: whoever guesses must not fill the log.
#[derive(Debug)]
pub struct Refusals {
    metrics: OutMetrics,
    told: SharedRepeated,
}

impl Refusals {
    /// What is counted goes into these metrics.
    #[must_use]
    pub fn new(metrics: OutMetrics) -> Arc<Self> {
        Arc::new(Self { metrics, told: SharedRepeated::default() })
    }

    /// A request showed no right token.
    pub fn note(&self) {
        self.metrics.unauthorized.inc();
        if let Some(count) = self.told.note("unauthorized") {
            tracing::warn!(count, "requests to /out showed no token, or none of the subscription's");
        }
    }
}

/// The subscription of the address, opened with one of its tokens. Whoever shows none gets the same answer whether there is
/// such a subscription or not.
pub(super) struct Opened(pub(super) PassiveSubscription);

impl FromRequestParts<Out> for Opened {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, out: &Out) -> Result<Self, Self::Rejection> {
        let Segment(name) = Segment::from_request_parts(parts, out).await?;
        let subscription = out.deliveries.passive(&name);
        let shown = bearer(&parts.headers, |token| match &subscription {
            Some(subscription) => subscription.opens(token),
            // It takes as long.
            None => AccessToken::is_one_of(&[], token),
        });
        match (subscription, shown) {
            (Some(subscription), Ok(())) => Ok(Self(subscription)),
            (_, refused) => {
                out.refusals.note();
                Err(refused.err().unwrap_or_else(wrong_token))
            }
        }
    }
}
