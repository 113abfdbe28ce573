//! `/v1/subscriptions/{id}/send-message`: messages of a passive subscription, sent on demand.

use super::fault::{internal, unavailable};
use super::query::{Query, Segment};
use super::{Api, ProblemDetails};
use crate::subscription::{SendError, SendReport, SubscriptionError};
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

const QUANTITY: RangeInclusive<usize> = 1..=1000;
const CONCURRENCY: RangeInclusive<usize> = 1..=100;
const DEFAULT: usize = 20;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SendQuery {
    /// How many messages at most.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    quantity: Option<usize>,
    /// How many attempts at once.
    #[param(minimum = 1, maximum = 100, default = 20)]
    concurrency: Option<usize>,
}

/// What came of sending.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    /// How many attempts were made.
    attempts: usize,
    /// Messages that the endpoint took.
    delivered: usize,
    /// Messages that it does not want.
    discarded: usize,
    /// Messages that failed and are held until they are due again.
    failed: usize,
    /// Messages that failed and have no attempt left.
    dead: usize,
    /// Why no more attempts were begun, if not because enough were, or because nothing is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    /// How many deliveries are open still, those that are leased or not due yet among them.
    open_deliveries: u64,
}

/// Sends messages that are held for a passive subscription to its endpoint.
///
/// Those that wait longest go first, and only those that are due and not leased. Attempts are begun for ten seconds at most, and
/// no more once the endpoint answers that it wants to be left alone. They count by the subscription's policy as others do. When
/// this is answered all of them are recorded; they are made to the end also if the client hangs up.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/send-message", operation_id = "sendMessages", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id."), SendQuery),
    responses(
        (status = 200, description = "What came of it.", body = Sent),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (
            status = 409,
            description = "It is not passive: `subscription-not-passive`. It has no endpoint: `subscription-without-endpoint`. \
                It is paused or disabled: `subscription-stopped`. Messages of it are being sent already: `already-sending`. It \
                cannot be used as it is stored: `subscription-invalid`."
        ),
    )
)]
pub(super) async fn send(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<SendQuery>,
) -> Result<Answer<Sent>, ProblemDetails> {
    let quantity = within("quantity", query.quantity, QUANTITY)?;
    let concurrency = within("concurrency", query.concurrency, CONCURRENCY)?;
    match api.subscriptions.get(&id) {
        None => return Err(SubscriptionError::Unknown(id).into()),
        Some(entry) if entry.config().is_none() => return Err(SubscriptionError::Unusable(id).into()),
        Some(_) => {}
    }
    let SendReport { delivered, discarded, failed, dead, stopped } =
        api.subscriptions.send(&id, quantity, concurrency).await?;
    let backlog = api.store.backlog().await?;
    let open_deliveries = backlog.into_iter().find(|(name, _)| *name == id).map_or(0, |(_, open)| open);
    let attempts = delivered + discarded + failed + dead;
    Ok(Answer(Sent { attempts, delivered, discarded, failed, dead, stopped, open_deliveries }))
}

fn within(name: &str, given: Option<usize>, bounds: RangeInclusive<usize>) -> Result<usize, ProblemDetails> {
    let given = given.unwrap_or(DEFAULT);
    if bounds.contains(&given) {
        return Ok(given);
    }
    let (least, most) = bounds.into_inner();
    let detail = format!("`{name}` is {given}; it must be from {least} to {most}");
    Err(ProblemDetails::bad_request("invalid-query", detail))
}

impl From<SendError> for ProblemDetails {
    fn from(error: SendError) -> Self {
        let detail = error.to_string();
        match error {
            SendError::NotPassive => Self::conflict("subscription-not-passive", detail),
            SendError::NoEndpoint => Self::conflict("subscription-without-endpoint", detail),
            SendError::Stopped => Self::conflict("subscription-stopped", detail),
            SendError::Running => {
                Self::new(StatusCode::CONFLICT, "already-sending", detail).retry_after(Duration::from_secs(1))
            }
            SendError::Ending => unavailable(detail),
            SendError::Store(error) if error.is_unreachable() => unavailable(detail),
            SendError::Store(_) => internal("the store failed; see the log"),
        }
    }
}
