//! `/documents/{url}` and `/resources/{id}/documents`.

use super::fault::Fault;
use super::pagination::parameter;
use super::resource;
use super::router::{Answer, Flare, json_answer, seconds};
use anglerfish_core::resource::DocumentUrl;
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

pub(super) fn show(flare: &Flare, url: &DocumentUrl) -> Result<Answer, Fault> {
    const TITLE: &str = "error during document search";
    let found = flare.documents.read(&flare.resources.of(url), url.as_str()).map_err(Fault::of_change)?;
    let Some(document) = found else {
        return Err(Fault::not_found(TITLE, format!("document '{url}' not found")));
    };
    let broken = |_| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, TITLE, "the document cannot be read");
    let content: &RawValue = serde_json::from_slice(&document.content).map_err(broken)?;
    let shown = Shown { id: &document.url, updated_at: seconds(document.updated), content };
    Ok(json_answer(StatusCode::OK, &shown))
}

pub(super) async fn put(flare: &Flare, url: DocumentUrl, body: Bytes) -> Result<Answer, Fault> {
    flare.documents.change(escaped(&url), Some(body)).await.map_err(Fault::of_change)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn delete(flare: &Flare, url: DocumentUrl) -> Result<Answer, Fault> {
    flare.documents.change(escaped(&url), None).await.map_err(Fault::of_change)?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// The URL as it would stand in an address: the component undoes escapes once.
fn escaped(url: &DocumentUrl) -> String {
    url.as_str().replace('%', "%25")
}

/// What there is, with revisions.
pub(super) async fn list(flare: &Flare, id: &str, query: Option<&str>) -> Result<Answer, Fault> {
    let entry = resource::find(flare, id)?;
    let after = parameter(query, "after").unwrap_or_default();
    let limit = parameter(query, "limit").map_or(Ok(PAGE), |text| match text.parse() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(Fault::bad("invalid pagination", format!("invalid limit '{text}'"))),
    })?;
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
