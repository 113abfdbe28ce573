//! `POST /v1/events`: events that come from no source's request.

use super::query::{NoParameters, Query};
use super::{Api, ProblemDetails, body, fault};
use crate::publish::{self, Message, PublishError, Receipt, Sources, Unreadable};
use axum::Json as Answer;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a published event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishedEvent {
    id: String,
    source: String,
    /// `accepted`, or `duplicate` if an event of this source and id was in the log before.
    status: &'static str,
    /// How many deliveries it has; not said of a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<usize>,
}

/// What became of the events of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishedBatch {
    events: Vec<PublishedEvent>,
}

/// One event's answer, or a batch's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what is answered")]
pub(super) enum PublishedForm {
    /// To one event.
    One(PublishedEvent),
    /// To a batch.
    Batch(PublishedBatch),
}

/// Publishes events, as CloudEvents 1.0 in binary, structured or batched mode.
///
/// A batch of at most 100 events is published as a whole or not at all. An event whose source and id are in the log is
/// not published again: sending the same twice is safe. Subscriptions take from it as from any source. The
/// gateway's own sources (`anglerfish`, `anglerfish.documents`) and those of topics are nobody's to publish to here.
#[utoipa::path(
    post, path = "/v1/events", operation_id = "publishEvents", tag = "events",
    request_body(description = "The event in the JSON format of CloudEvents, a batch of them, or in binary mode its \
        data, with its attributes in `ce-` header fields.", content(
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"),
    )),
    responses(
        (status = 202, description = "They are in the log, and their deliveries on the way.", body = PublishedForm),
        (status = 200, description = "All of them were in the log before.", body = PublishedForm),
        (status = 422, description = "An event has problems, all of them in `problems`: `invalid-document`."),
    )
)]
pub(super) async fn publish(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    request: Request,
) -> Result<Response, ProblemDetails> {
    let (parts, content) = request.into_parts();
    let content = body::read(content).await?;
    let message = publish::read(&parts.headers, &content, Sources::Others, api.now()).map_err(unreadable)?;
    let (events, single) = match message {
        Message::One(event) => (vec![*event], true),
        Message::Batch(events) => (events, false),
    };
    let receipts = api.publisher.publish(events, api.now()).await.map_err(failed)?;
    let fresh = receipts.iter().any(|receipt| receipt.deliveries.is_some());
    let status = if fresh { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut shown = receipts.into_iter().map(PublishedEvent::from);
    Ok(match shown.next() {
        Some(only) if single => (status, Answer(only)).into_response(),
        first => (status, Answer(PublishedBatch { events: first.into_iter().chain(shown).collect() }))
            .into_response(),
    })
}

fn unreadable(error: Unreadable) -> ProblemDetails {
    match error {
        Unreadable::Kind => ProblemDetails::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "send `application/cloudevents+json`, `application/cloudevents-batch+json`, or any type with the \
             attributes in `ce-` header fields",
        ),
        Unreadable::Syntax(reason) => {
            ProblemDetails::bad_request("invalid-json", format!("the body is not an event in JSON: {reason}"))
        }
        Unreadable::Invalid(problems) => ProblemDetails::invalid(&problems),
    }
}

fn failed(error: PublishError) -> ProblemDetails {
    match error {
        PublishError::Routing(error) => error.into(),
        PublishError::Store(error) => error.into(),
        PublishError::Contended => fault::unavailable(error.to_string()),
    }
}

impl From<Receipt> for PublishedEvent {
    fn from(receipt: Receipt) -> Self {
        let Receipt { id, source, deliveries } = receipt;
        Self { id, source, status: if deliveries.is_some() { "accepted" } else { "duplicate" }, deliveries }
    }
}

/// An event in the JSON format of CloudEvents; further members are extension attributes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct CloudEvent {
    /// `1.0`.
    specversion: String,
    /// Unique together with `source`.
    #[schema(min_length = 1, max_length = 256)]
    id: String,
    #[schema(min_length = 1, max_length = 256)]
    source: String,
    #[schema(min_length = 1, max_length = 256)]
    r#type: String,
    #[schema(required = false)]
    subject: String,
    /// By default now.
    #[schema(required = false, format = DateTime)]
    time: String,
    /// By default `application/json`.
    #[schema(required = false)]
    datacontenttype: String,
    #[schema(required = false)]
    data: serde_json::Value,
    #[schema(required = false, content_encoding = "base64")]
    data_base64: String,
}
