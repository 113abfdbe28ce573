//! An endpoint that is called over HTTP.

use super::attempt::{HttpAttempt, attempt};
use super::target::Target;
use super::{AttemptFailure, Attempted, Endpoint};
use crate::store::LeasedDelivery;
use crate::telemetry::{self, TRACE};
use anglerfish_core::policy::AttemptOutcome;
use async_trait::async_trait;
use std::time::Duration;
use tracing::Instrument;

/// An endpoint that is called over HTTP.
#[derive(Debug)]
pub(in crate::delivery) struct HttpEndpoint(pub(in crate::delivery) Target);

#[async_trait]
impl Endpoint for HttpEndpoint {
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted {
        let span = tracing::trace_span!(
            target: TRACE,
            "attempt",
            subscription = delivery.subscription,
            event = delivery.event.id,
        );
        telemetry::resume(&span, &delivery.event.extensions);
        attempt(&self.0, delivery, timeout).instrument(span).await.into()
    }
}

impl From<HttpAttempt> for Attempted {
    fn from(tried: HttpAttempt) -> Self {
        let (failure, retry_after) = match tried.outcome() {
            AttemptOutcome::Answered { retry_after, .. } => (None, retry_after.map(str::to_owned)),
            AttemptOutcome::Failed => (Some(AttemptFailure::Endpoint), None),
            AttemptOutcome::Local => (Some(AttemptFailure::Local), None),
        };
        let record = tried.record(false);
        Self {
            started: record.started,
            duration: record.duration,
            status: record.status,
            retry_after,
            answer: record.answer,
            failure,
            error: record.error,
        }
    }
}
