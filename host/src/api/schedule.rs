//! `/v1/schedule`: every attempt that a delivery policy would make.

use super::body::Json;
use super::query::{NoParameters, Query, Segment};
use super::schema::DeliveryBody;
use super::{Api, ProblemDetails};
use crate::subscription::SubscriptionError;
use anglerfish_core::config::{DeliveryConfig, DeliveryMode, read_delivery};
use anglerfish_core::policy::{PlannedAttempt, plan};
use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

/// A policy that is not stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleRequest {
    /// As a subscription has it; left out, the default.
    #[schema(value_type = DeliveryBody, required = false)]
    delivery: Option<Value>,
}

/// Every attempt of a delivery that never arrives, if each failed at once and the endpoint asked for nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleDocument {
    /// None for a stream: what it has is read, and nothing is delivered.
    attempts: Vec<PlannedDocument>,
    /// No attempt is made later than so many seconds after the delivery was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_s: Option<f64>,
}

/// One attempt to come; all times are in seconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlannedAttempt)]
pub(super) struct PlannedDocument {
    /// From 1.
    number: u32,
    /// The wait before it.
    wait_s: f64,
    /// Since the first attempt, without jitter.
    at_s: f64,
    /// The same with the least jitter.
    earliest_s: f64,
    /// The same with the greatest.
    latest_s: f64,
}

impl ScheduleDocument {
    /// What a policy would do.
    pub(crate) fn of(policy: &DeliveryConfig) -> Self {
        if policy.mode == DeliveryMode::Stream {
            return Self { attempts: Vec::new(), max_age_s: None };
        }
        Self {
            attempts: plan(&policy.retry).into_iter().map(PlannedDocument::from).collect(),
            max_age_s: policy.retry.max_age.map(seconds),
        }
    }
}

impl From<PlannedAttempt> for PlannedDocument {
    fn from(planned: PlannedAttempt) -> Self {
        Self {
            number: planned.number,
            wait_s: seconds(planned.wait),
            at_s: seconds(planned.at),
            earliest_s: seconds(planned.earliest),
            latest_s: seconds(planned.latest),
        }
    }
}

/// In milliseconds, as attempts are planned.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// Prints every attempt that the policy of a subscription would make.
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}/schedule", operation_id = "showSchedule", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "The attempts.", body = ScheduleDocument),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (status = 409, description = "It cannot be used as it is stored: `subscription-invalid`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<ScheduleDocument>, ProblemDetails> {
    let Some(entry) = api.subscriptions.get(&id) else { return Err(SubscriptionError::Unknown(id).into()) };
    match entry.config() {
        Some(config) => Ok(Answer(ScheduleDocument::of(&config.delivery))),
        None => Err(SubscriptionError::Unusable(id).into()),
    }
}

/// Prints every attempt that a policy would make, before it is used.
#[utoipa::path(
    post, path = "/v1/schedule", operation_id = "planSchedule", tag = "subscriptions",
    request_body = ScheduleRequest,
    responses(
        (status = 200, description = "The attempts.", body = ScheduleDocument),
        (status = 422, description = "The policy has problems, all of them in `problems`: `invalid-document`."),
    )
)]
pub(super) async fn compute(
    Query(NoParameters {}): Query<NoParameters>,
    Json(request): Json<ScheduleRequest>,
) -> Result<Answer<ScheduleDocument>, ProblemDetails> {
    let policy = match &request.delivery {
        Some(written) => {
            read_delivery(written, "delivery").map_err(|problems| ProblemDetails::invalid(&problems))?
        }
        None => DeliveryConfig::default(),
    };
    Ok(Answer(ScheduleDocument::of(&policy)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stream_no_attempt_is_planned() {
        for (mode, attempts) in
            [(DeliveryMode::Push, 10), (DeliveryMode::Passive, 10), (DeliveryMode::Stream, 0)]
        {
            let policy = DeliveryConfig { mode, ..DeliveryConfig::default() };
            assert_eq!(ScheduleDocument::of(&policy).attempts.len(), attempts, "{mode:?}");
        }
    }
}
