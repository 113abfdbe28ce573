//! `/documents/{url}` and `/resources/{id}/documents`.

use super::fault::Fault;
use super::pagination::parameter;
use super::resource;
use super::router::{Answer, Flare, json_answer, seconds};
use super::schema::{DocumentList, DocumentShape};
use anglerfish_core::resource::{DocumentUrl, document_key};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

/// Documents of one page, unless it is said.
const PAGE: usize = 100;
const MOST: usize = 1000;

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    #[serde(rename = "updatedAt")]
    updated_at: String,
    content: &'a RawValue,
}

/// The URL in an address; the query of the request is none of it, and is no document's.
pub(super) fn url(path: &str, query: Option<&str>) -> Result<DocumentUrl, Fault> {
    const TITLE: &str = "invalid id";
    let url = DocumentUrl::from_path(path).map_err(|error| Fault::bad(TITLE, error.to_string()))?;
    match query {
        Some(query) => Err(Fault::bad(TITLE, format!("should not have query string '{query}'"))),
        None => Ok(url),
    }
}

/// Shows a document.
#[utoipa::path(
    get, path = "/documents/{url}", operation_id = "showDocument", tag = "documents",
    params(("url" = String, Path, description = "The document's own URL, plain or escaped as one part of a path.")),
    responses(
        (status = 200, description = "The document.", body = DocumentShape),
        (status = 404, description = "There is no such document."),
    )
)]
pub(super) fn show(flare: &Flare, url: &DocumentUrl) -> Result<Answer, Fault> {
    const TITLE: &str = "error during document search";
    let Some((_, document)) = flare.documents.read(url).map_err(Fault::of_change)? else {
        return Err(Fault::not_found(TITLE, format!("document '{url}' not found")));
    };
    let broken = |_| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, TITLE, "the document cannot be read");
    let content: &RawValue = serde_json::from_slice(&document.content).map_err(broken)?;
    let shown = Shown { id: &document.url, updated_at: seconds(document.updated), content };
    Ok(json_answer(StatusCode::OK, &shown))
}

/// Puts a document. Its resource's subscribers are told of it as far as it is news to them.
#[utoipa::path(
    put, path = "/documents/{url}", operation_id = "putDocument", tag = "documents",
    params(("url" = String, Path, description = "The document's own URL, plain or escaped as one part of a path.")),
    request_body(content = serde_json::Value, description = "The document, a JSON object."),
    responses(
        (status = 202, description = "It is on disk, with what follows."),
        (status = 404, description = "It fits no resource."),
    )
)]
pub(super) async fn put(flare: &Flare, url: &DocumentUrl, body: Bytes) -> Result<Answer, Fault> {
    flare.documents.change(url, Some(body)).await.map_err(Fault::of_change)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Deletes a document. Who has it is told; one that is not there is no error.
#[utoipa::path(
    delete, path = "/documents/{url}", operation_id = "deleteDocument", tag = "documents",
    params(("url" = String, Path, description = "The document's own URL, plain or escaped as one part of a path.")),
    responses(
        (status = 202, description = "It is gone, and that is on disk, with what follows."),
        (status = 404, description = "It fits no resource."),
    )
)]
pub(super) async fn delete(flare: &Flare, url: &DocumentUrl) -> Result<Answer, Fault> {
    flare.documents.change(url, None).await.map_err(Fault::of_change)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Lists the documents of a resource that are there, with revisions.
#[utoipa::path(
    get, path = "/resources/{id}/documents", operation_id = "listDocuments", tag = "documents",
    params(
        ("id" = String, Path, description = "The resource's id."),
        ("after" = Option<String>, Query, description = "`next` of the part before."),
        (
            "limit" = Option<usize>, Query, description = "How many at most; 100 if it is not said.",
            minimum = 1, maximum = 1000
        ),
    ),
    responses(
        (status = 200, description = "A part of the listing.", body = DocumentList),
        (status = 400, description = "`after` is no `next` of this resource, or the limit is none."),
        (status = 404, description = "There is no such resource."),
    )
)]
pub(super) async fn list(flare: &Flare, id: &str, query: Option<&str>) -> Result<Answer, Fault> {
    let entry = resource::find(flare, id)?;
    let after = parameter(query, "after").unwrap_or_default();
    let limit = parameter(query, "limit").filter(|text| !text.is_empty());
    let limit = limit.map_or(Ok(PAGE), |text| match text.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(Fault::bad("invalid pagination", format!("invalid limit '{text}'"))),
    })?;
    // What follows another one would begin anywhere, or nowhere.
    if !after.is_empty() && !after.starts_with(&document_key(&entry.config.id, "")) {
        return Err(Fault::bad("invalid pagination", format!("invalid after '{after}'")));
    }
    let page = flare.documents.page(&entry.config.id, &after, limit).await.map_err(Fault::of_change)?;
    let (documents, next) = page;
    let shown = documents.iter().map(|document| {
        json!({
            "id": document.url,
            "revision": document.revision.text(),
            "updatedAt": seconds(document.updated),
        })
    });
    Ok(json_answer(StatusCode::OK, &json!({"documents": shown.collect::<Vec<_>>(), "next": next})))
}
