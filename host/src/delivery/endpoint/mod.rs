//! Where deliveries go.

mod attempt;
mod batch;
mod document;
mod http;
mod request;
mod secret;
mod target;

pub(super) use batch::BatchEndpoint;
pub(super) use document::DocumentEndpoint;
pub(super) use http::HttpEndpoint;
pub(crate) use target::Target;
pub(super) use target::TargetError;

use crate::store::{Attempt, INTERRUPTED, LeasedDelivery};
use anglerfish_core::policy::{Answered, AttemptOutcome, FailureKind};
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use std::time::Duration;

/// Where a subscription's deliveries go: an HTTP endpoint, a function of this process, a simulated one.
#[async_trait]
pub trait Endpoint: Send + Sync + 'static {
    /// Makes one attempt, which may take `timeout` in all. Dropped if it is broken off.
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted;

    /// Nothing new is to be sent: attempts that have sent nothing yet and wait for something end as
    /// [withdrawn](AttemptFailure::Withdrawn).
    fn withdraw(&self) {}
}

/// What an attempt came to, before the policy has its say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// When it began.
    pub started: UnixMillis,
    /// How long it took.
    pub duration: Duration,
    /// The status of the answer, as soon as it is known. Without one and without a failure a function took it.
    pub status: Option<u16>,
    /// The answer's `Retry-After` field.
    pub retry_after: Option<String>,
    /// The answer's `X-RateLimit-Reset` or `RateLimit-Reset` field.
    pub rate_limit_reset: Option<String>,
    /// Whether the answer says `webhook-delivery: abort`: not to try this delivery again.
    pub is_abort: bool,
    /// The beginning of the answer's body, as text.
    pub answer: Option<String>,
    /// Why there was no complete answer.
    pub failure: Option<AttemptFailure>,
    /// What is recorded of an attempt that does not count as delivered.
    pub error: Option<String>,
    /// Whether the request was also that of another attempt, which stands for both as far as the endpoint is concerned.
    pub is_joined: bool,
}

/// Whose fault it is that there was no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptFailure {
    /// The endpoint's, or the network's on the way to it.
    Endpoint,
    /// The same; there was none in time.
    Timeout,
    /// This machine's: it says nothing about the endpoint, and no attempt is used up.
    Local,
    /// Nobody's: nothing was sent, because [`Endpoint::withdraw`] said so. It is as if the attempt had never begun.
    Withdrawn,
    /// Nobody's on the way: there was nothing that could be sent, and trying again changes nothing.
    Unsendable,
    /// Nobody's: there was nothing to tell any more, and nobody was asked.
    Unneeded,
    /// None: a plugin does not want it delivered.
    Unwanted,
}

impl Attempted {
    /// An attempt in which no request was made: what became of it within this program, and why if it failed.
    #[must_use]
    pub fn within(started: UnixMillis, duration: Duration, failed: Option<(AttemptFailure, String)>) -> Self {
        let (failure, error) = failed.unzip();
        Self {
            started,
            duration,
            status: None,
            retry_after: None,
            rate_limit_reset: None,
            is_abort: false,
            answer: None,
            failure,
            error,
            is_joined: false,
        }
    }

    /// An attempt that broke down within this program.
    pub(super) fn internal(started: UnixMillis) -> Self {
        let reason = "internal error in the attempt".to_owned();
        Self::within(started, Duration::ZERO, Some((AttemptFailure::Endpoint, reason)))
    }

    /// An attempt for which nothing was sent after all.
    pub(crate) fn withdrawn(started: UnixMillis) -> Self {
        Self { failure: Some(AttemptFailure::Withdrawn), error: None, ..Self::internal(started) }
    }

    /// An attempt that was broken off after so long.
    pub(super) fn interrupted(started: UnixMillis, duration: Duration) -> Self {
        let reason = "the gateway stopped, or the subscription was removed, while the attempt was made";
        Self { duration, error: Some(format!("{INTERRUPTED}{reason}")), ..Self::internal(started) }
    }

    /// The attempt as the policy sees it.
    pub(super) fn outcome(&self) -> AttemptOutcome<'_> {
        match (self.failure, self.status) {
            (Some(AttemptFailure::Local | AttemptFailure::Withdrawn), _) => AttemptOutcome::Local,
            (Some(AttemptFailure::Unsendable), _) => AttemptOutcome::Unsendable,
            (Some(AttemptFailure::Unwanted), _) => AttemptOutcome::Unwanted,
            (None, None) => AttemptOutcome::Taken,
            (Some(AttemptFailure::Unneeded), _) => AttemptOutcome::Unneeded,
            (None, Some(status)) => AttemptOutcome::Answered(Answered {
                status,
                retry_after: self.retry_after.as_deref(),
                rate_limit_reset: self.rate_limit_reset.as_deref(),
                is_abort: self.is_abort,
            }),
            (Some(AttemptFailure::Timeout), _) => AttemptOutcome::Failed(FailureKind::Timeout),
            (Some(AttemptFailure::Endpoint), _) => AttemptOutcome::Failed(FailureKind::Connection),
        }
    }

    /// The attempt as it is recorded; `delivered` leaves the error out.
    pub(super) fn record(self, delivered: bool) -> Attempt {
        Attempt {
            number: 0,
            started: self.started,
            duration: self.duration,
            status: self.status,
            // Why nothing was sent is kept, though that is no failure.
            error: self.error.filter(|_| !delivered || self.failure == Some(AttemptFailure::Unneeded)),
            answer: self.answer,
        }
    }
}
