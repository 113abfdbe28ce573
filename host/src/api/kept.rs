//! `/v1/documents/{url}`: a document, put, shown and deleted under its own URL.

use super::body::JsonText;
use super::query::{NoParameters, Query, Segment};
use super::{Api, ProblemDetails, internal};
use anglerfish_core::resource::DocumentUrl;
use axum::Json as Answer;
use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeptDocument)]
pub(super) struct Shown {
    /// Its own URL.
    url: String,
    /// The resource that it belongs to.
    resource: String,
    /// What its field says, an integer or an instant (RFC 3339).
    revision: String,
    /// When it came.
    #[schema(required, format = DateTime)]
    updated: Option<String>,
    /// What was put, byte for byte.
    #[schema(value_type = Object)]
    content: Box<RawValue>,
}

fn read(url: &str) -> Result<DocumentUrl, ProblemDetails> {
    DocumentUrl::parse(url)
        .map_err(|error| ProblemDetails::bad_request("invalid-path", format!("the document's URL: {error}")))
}

/// Shows a document.
#[utoipa::path(
    get, path = "/v1/documents/{url}", operation_id = "showDocument", tag = "resources",
    params(("url" = String, Path, description = "The document's own URL, escaped as one part of a path.")),
    responses(
        (status = 200, description = "The document.", body = Shown),
        (status = 404, description = "There is no such document: `unknown-document`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(url): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<Shown>, ProblemDetails> {
    let url = read(&url)?;
    let Some((resource, document)) = api.documents.read(&url)? else {
        return Err(ProblemDetails::not_found("unknown-document", format!("there is no document `{url}`")));
    };
    let content = serde_json::from_slice(&document.content);
    Ok(Answer(Shown {
        resource,
        revision: document.revision.text(),
        updated: document.updated.rfc3339(),
        content: content.map_err(|_| internal("the document cannot be read"))?,
        url: document.url,
    }))
}

/// Puts a document.
///
/// Its resource's subscribers are told of it as far as it is news to them. Where nobody subscribes nothing is kept.
#[utoipa::path(
    put, path = "/v1/documents/{url}", operation_id = "putDocument", tag = "resources",
    params(("url" = String, Path, description = "The document's own URL, escaped as one part of a path.")),
    request_body(content = serde_json::Value, description = "The document, a JSON object."),
    responses(
        (status = 202, description = "It is on disk, with what follows."),
        (status = 404, description = "It fits no resource: `unknown-resource`."),
        (status = 422, description = "It is no document of its resource: `invalid-document`."),
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    Segment(url): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(text): JsonText,
) -> Result<StatusCode, ProblemDetails> {
    api.documents.change(&read(&url)?, Some(Bytes::from(text))).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Deletes a document.
///
/// Who has it is told. One that is not there is no error.
#[utoipa::path(
    delete, path = "/v1/documents/{url}", operation_id = "deleteDocument", tag = "resources",
    params(("url" = String, Path, description = "The document's own URL, escaped as one part of a path.")),
    responses(
        (status = 202, description = "It is gone, and that is on disk, with what follows."),
        (status = 404, description = "It fits no resource: `unknown-resource`."),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Segment(url): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<StatusCode, ProblemDetails> {
    api.documents.change(&read(&url)?, None).await?;
    Ok(StatusCode::ACCEPTED)
}
