//! `/resources`.

use super::body;
use super::fault::Fault;
use super::pagination::Pagination;
use super::router::{Answer, Flare, created, json_answer, seconds};
use crate::clock;
use crate::document::resources::ResourceEntry;
use anglerfish_core::config::ResourceConfig;
use anglerfish_core::resource::{Change, Layout, ResourcePattern};
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::{Map, Value, json};

const SEARCH: &str = "error during resource search";

pub(super) fn list(flare: &Flare, query: Option<&str>) -> Result<Answer, Fault> {
    let pagination = Pagination::read(query)?;
    let all = flare.resources.list();
    let shown: Vec<Value> = pagination.page(&all).map(shown).collect();
    Ok(json_answer(StatusCode::OK, &json!({"pagination": pagination.shown(all.len()), "resources": shown})))
}

pub(super) fn show(flare: &Flare, id: &str) -> Result<Answer, Fault> {
    Ok(json_answer(StatusCode::OK, &shown(&find(flare, id)?)))
}

/// The resource of an id.
pub(super) fn find(flare: &Flare, id: &str) -> Result<ResourceEntry, Fault> {
    flare.resources.get(id).ok_or_else(|| Fault::not_found(SEARCH, format!("resource '{id}' not found")))
}

pub(super) async fn create(flare: &Flare, bytes: &[u8]) -> Result<Answer, Fault> {
    let (pattern, change) = read(&body::object(bytes)?)?;
    let config = ResourceConfig { id: clock::uuid(), pattern, change, tombstones: None };
    let made = flare.resources.create(config, &*flare.decider).await;
    let entry = made.map_err(|error| Fault::of_resource("error during resource create", &error))?;
    let location = format!("/resources/{}", entry.config.id);
    Ok(created(&shown(&entry), &location))
}

pub(super) async fn delete(flare: &Flare, id: &str) -> Result<Answer, Fault> {
    let deleted = flare.resources.delete(id, &*flare.decider).await;
    deleted.map_err(|error| Fault::of_resource("error during resource delete", &error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Reads a resource; what else is in the body is not looked at.
fn read(members: &Map<String, Value>) -> Result<(ResourcePattern, Change), Fault> {
    const TITLE: &str = "invalid body content";
    let endpoint = body::text(members, "endpoint", "endpoint")?.unwrap_or_default();
    let change = body::table(members, "change", "change")?;
    let field = body::text(&change, "field", "change.field")?.unwrap_or_default();
    let format = body::text(&change, "format", "change.format")?.filter(|format| !format.is_empty());
    let pattern = ResourcePattern::parse(&endpoint)
        .map_err(|error| Fault::bad(TITLE, format!("invalid endpoint: {error}")))?;
    if field.is_empty() {
        return Err(Fault::bad(TITLE, "missing change field"));
    }
    let layout = format.as_deref().map(Layout::parse).transpose();
    let layout = layout.map_err(|error| Fault::bad(TITLE, format!("invalid change.format: {error}")))?;
    Ok((pattern, Change { field, layout }))
}

fn shown(entry: &ResourceEntry) -> Value {
    let mut document = entry.document();
    if let Some(members) = document.as_object_mut() {
        members.remove("tombstones");
        members.insert("createdAt".to_owned(), seconds(entry.created).into());
    }
    document
}
