//! What is at the addresses.

use super::access::Opened;
use super::document::{LeasedDocument, MessageDocument, ResultDocument, ResultsDocument};
use super::request::{self, NamedToken};
use crate::delivery::{LeaseError, MessageToken, PassiveSubscription};
use crate::server::ConnectionWatch;
use crate::web::{Json, NoParameters, OptionalJson, ProblemDetails, Query, bearer, internal, wrong_token};
use axum::Json as Answer;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// When to come again if too many are there.
const CROWDED: Duration = Duration::from_secs(1);

/// Leases messages.
///
/// If there are none, it waits for one as long as the request says. Whoever has leased a message answers for it before the
/// lease ends: `ack`, `nack`, or `extend`. Otherwise it comes again, and that was an attempt. One answer has about 1 MiB of
/// data at most, or one message that is larger.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        post, path = "/out/{subscription}/lease", operation_id = "lease", tag = "out",
        params(("subscription" = String, Path, description = "The subscription's id.")),
        request_body(content = Option<super::body::LeaseBody>),
        responses(
            (status = 200, description = "The messages, or none.", body = LeasedDocument<'static>),
            (status = 409, description = "Nothing is kept to be leased: the subscription is not passive: `not-passive`."),
            (
                status = 429,
                description = "Too many wait already, or too much is leased already: `too-many-waiting`, `too-many-leases`; or too many \
                    tokens that are not right came from this address: `too-many-wrong-tokens`.",
                headers(("Retry-After" = String, description = "When to come again, in seconds."))
            ),
        )
    )
)]
pub(super) async fn lease(
    Opened(subscription): Opened,
    watch: Option<Extension<ConnectionWatch>>,
    headers: HeaderMap,
    Query(NoParameters {}): Query<NoParameters>,
    OptionalJson(body): OptionalJson<Value>,
) -> Result<Response, ProblemDetails> {
    let (wanted, form) = request::lease(body)?;
    let watch = watch.map(|Extension(watch)| watch).unwrap_or_default();
    let may =
        |subscription: &PassiveSubscription| bearer(&headers, |token| subscription.opens(token)).is_ok();
    // Whoever says no more may be gone: nothing is kept waiting for it, and it gets what there is.
    let given = subscription.lease_until(wanted, may, watch.half_closed()).await?;
    let messages = given.messages.iter().map(|message| MessageDocument::of(message, form)).collect();
    let leased = LeasedDocument { messages, stopped: given.is_stopped };
    let text = serde_json::to_vec(&leased).map_err(|error| {
        tracing::error!(%error, "leased messages cannot be written as JSON");
        internal("the messages cannot be written; see the log")
    })?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response())
}

/// Says that messages arrived: they are delivered, and do not come again.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        post, path = "/out/{subscription}/ack", operation_id = "ack", tag = "out",
        params(("subscription" = String, Path, description = "The subscription's id.")),
        request_body = super::body::AckBody,
        responses(
            (status = 200, description = "What became of each.", body = ResultsDocument),
            (
                status = 409,
                description = "All were stale and nothing was changed: `stale-lease`, with the `results`. Or the subscription is not \
                    passive: `not-passive`."
            ),
        )
    )
)]
pub(super) async fn ack(
    Opened(subscription): Opened,
    Query(NoParameters {}): Query<NoParameters>,
    Json(body): Json<Value>,
) -> Result<Answer<ResultsDocument>, ProblemDetails> {
    let named = request::acknowledge(&body)?;
    let acked = subscription.acknowledge(tokens(&named)).await?;
    ResultsDocument::of(named, acked.into_iter().map(ResultDocument::acked).collect()).map(Answer)
}

/// Gives messages back.
///
/// They come again after `delay`, or when the subscription's retry policy has the next attempt; and not at all once its
/// attempts are used up.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        post, path = "/out/{subscription}/nack", operation_id = "nack", tag = "out",
        params(("subscription" = String, Path, description = "The subscription's id.")),
        request_body = super::body::NackBody,
        responses(
            (status = 200, description = "What became of each.", body = ResultsDocument),
            (
                status = 409,
                description = "All were stale and nothing was changed: `stale-lease`, with the `results`. Or the subscription is not \
                    passive: `not-passive`."
            ),
        )
    )
)]
pub(super) async fn nack(
    Opened(subscription): Opened,
    Query(NoParameters {}): Query<NoParameters>,
    Json(body): Json<Value>,
) -> Result<Answer<ResultsDocument>, ProblemDetails> {
    let (named, returned) = request::give_back(&body)?;
    let settled = subscription.return_messages(tokens(&named), returned).await?;
    ResultsDocument::of(named, settled.into_iter().map(ResultDocument::given_back).collect()).map(Answer)
}

/// Moves the ends of leases.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        post, path = "/out/{subscription}/extend", operation_id = "extend", tag = "out",
        params(("subscription" = String, Path, description = "The subscription's id.")),
        request_body = super::body::ExtendBody,
        responses(
            (status = 200, description = "What became of each.", body = ResultsDocument),
            (
                status = 409,
                description = "All were stale and nothing was changed: `stale-lease`, with the `results`. Or the subscription is not \
                    passive: `not-passive`."
            ),
        )
    )
)]
pub(super) async fn extend(
    Opened(subscription): Opened,
    Query(NoParameters {}): Query<NoParameters>,
    Json(body): Json<Value>,
) -> Result<Answer<ResultsDocument>, ProblemDetails> {
    let (named, lease) = request::extend(&body)?;
    let extended = subscription.extend(&tokens(&named), lease).await?;
    ResultsDocument::of(named, extended.into_iter().map(ResultDocument::extended).collect()).map(Answer)
}

fn tokens(named: &[NamedToken]) -> Vec<MessageToken> {
    named.iter().filter_map(|named| named.token).collect()
}

impl From<LeaseError> for ProblemDetails {
    fn from(error: LeaseError) -> Self {
        let crowded =
            |code| Self::new(StatusCode::TOO_MANY_REQUESTS, code, error.to_string()).retry_after(CROWDED);
        match error {
            LeaseError::TooManyWaiting => crowded("too-many-waiting"),
            LeaseError::TooManyLeases => crowded("too-many-leases"),
            LeaseError::Gone | LeaseError::TokenEnded => wrong_token(),
            LeaseError::Store(error) => error.into(),
        }
    }
}
