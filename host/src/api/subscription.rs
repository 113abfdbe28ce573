//! `/v1/subscriptions`: who wants what, written at run time.

use super::body::JsonText;
use super::cursor::{self, Kind, Listing};
use super::document::SubscriptionDocument;
use super::query::{Nothing, Query, Segment, limit};
use super::{Api, ProblemDetails};
use crate::subscription::SubscriptionError;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct Deleted {
    /// How many open deliveries ended with it.
    abandoned: u64,
}

/// `GET /v1/subscriptions`
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<SubscriptionDocument>>, ProblemDetails> {
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::read::<String>(Kind::Subscription, cursor))
        .transpose()?;
    let (entries, more) = api.subscriptions.list(after.as_deref(), limit(query.limit)?);
    let next = entries.last().filter(|_| more).map(|last| cursor::write(Kind::Subscription, &last.id));
    let items = entries.iter().map(|entry| SubscriptionDocument::from(&**entry)).collect();
    Ok(Answer(Listing { items, next }))
}

/// `POST /v1/subscriptions`
pub(super) async fn create(
    State(api): State<Api>,
    Query(Nothing {}): Query<Nothing>,
    JsonText(document): JsonText,
) -> Result<Response, ProblemDetails> {
    check_json(&document)?;
    let entry = api.subscriptions.create(document, api.now()).await?;
    Ok(created(SubscriptionDocument::from(&*entry), &entry.id))
}

/// `GET /v1/subscriptions/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Answer<SubscriptionDocument>, ProblemDetails> {
    match api.subscriptions.get(&id) {
        Some(entry) => Ok(Answer(SubscriptionDocument::from(&*entry))),
        None => Err(SubscriptionError::Unknown(id).into()),
    }
}

/// `PUT /v1/subscriptions/{id}`
pub(super) async fn replace(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(Nothing {}): Query<Nothing>,
    JsonText(document): JsonText,
) -> Result<Response, ProblemDetails> {
    check_json(&document)?;
    let (entry, new) = api.subscriptions.replace(id, document, api.now()).await?;
    let shown = SubscriptionDocument::from(&*entry);
    Ok(if new { created(shown, &entry.id) } else { Answer(shown).into_response() })
}

/// `DELETE /v1/subscriptions/{id}`
pub(super) async fn delete(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Answer<Deleted>, ProblemDetails> {
    let abandoned = api.subscriptions.delete(id, api.now()).await?;
    Ok(Answer(Deleted { abandoned }))
}

fn created(shown: SubscriptionDocument, id: &str) -> Response {
    let mut response = (StatusCode::CREATED, Answer(shown)).into_response();
    // The characters of an id need no escape in a path.
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/subscriptions/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Text that is no JSON at all is a malformed request, not a document with problems.
fn check_json(text: &str) -> Result<(), ProblemDetails> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(ProblemDetails::bad_request("invalid-json", format!("the body is not JSON: {error}")))
        }
    }
}
