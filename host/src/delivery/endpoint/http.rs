//! An endpoint that is called over HTTP.

use super::attempt::{HttpAttempt, attempt};
use super::target::Target;
use super::{AttemptFailure, Attempted, Endpoint};
use crate::clock::WallClock;
use crate::delivery::render::Renderer;
use crate::store::LeasedDelivery;
use crate::telemetry::{self, TRACE};
use anglerfish_core::policy::{Answered, AttemptOutcome, FailureKind};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// An endpoint that is called over HTTP.
#[derive(Debug)]
pub(in crate::delivery) struct HttpEndpoint {
    /// Where, and what is sent.
    pub(in crate::delivery) target: Target,
    /// What makes of events what the subscription asks for.
    pub(in crate::delivery) renderer: Option<Arc<dyn Renderer>>,
    /// By which requests are signed and attempts dated.
    pub(in crate::delivery) clock: WallClock,
}

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
        attempt(self, delivery, timeout).instrument(span).await.into()
    }
}

impl From<HttpAttempt> for Attempted {
    fn from(tried: HttpAttempt) -> Self {
        let mut advice = (None, None, false);
        let failure = match tried.outcome() {
            AttemptOutcome::Answered(Answered { retry_after, rate_limit_reset, is_abort, .. }) => {
                advice = (retry_after.map(str::to_owned), rate_limit_reset.map(str::to_owned), is_abort);
                None
            }
            // No answer over HTTP is without a status.
            AttemptOutcome::Taken | AttemptOutcome::Failed(FailureKind::Connection) => {
                Some(AttemptFailure::Endpoint)
            }
            AttemptOutcome::Failed(FailureKind::Timeout) => Some(AttemptFailure::Timeout),
            AttemptOutcome::Local => Some(AttemptFailure::Local),
            AttemptOutcome::Unsendable => Some(AttemptFailure::Unsendable),
            AttemptOutcome::Unneeded => Some(AttemptFailure::Unneeded),
            AttemptOutcome::Unwanted => Some(AttemptFailure::Unwanted),
        };
        let (retry_after, rate_limit_reset, is_abort) = advice;
        let record = tried.record(false);
        Self {
            started: record.started,
            duration: record.duration,
            status: record.status,
            retry_after,
            rate_limit_reset,
            is_abort,
            answer: record.answer,
            failure,
            error: record.error,
            is_joined: false,
        }
    }
}
