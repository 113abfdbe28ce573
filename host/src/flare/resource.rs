//! `/resources`.

use super::body;
use super::fault::Fault;
use super::pagination::Pagination;
use super::router::{Answer, Flare, created, json_answer, seconds};
use super::schema::{NewResource, ResourceList, ResourceShape};
use crate::clock;
use crate::document::ResourceEntry;
use anglerfish_core::config::ResourceConfig;
use anglerfish_core::resource::{Change, Layout, ResourcePattern};
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const SEARCH: &str = "error during resource search";

/// Lists resources, in the order in which they were made.
#[utoipa::path(
    get, path = "/resources", operation_id = "listResources", tag = "resources",
    params(
        ("limit" = Option<i64>, Query, description = "How many at most; 30 if it is not said.", minimum = 0),
        ("offset" = Option<i64>, Query, description = "How many come before; 0 if it is not said.", minimum = 0),
    ),
    responses((status = 200, description = "A part of the listing.", body = ResourceList))
)]
pub(super) fn list(flare: &Flare, query: Option<&str>) -> Result<Answer, Fault> {
    let pagination = Pagination::read(query)?;
    let (page, total) = flare.documents.resources().page(pagination.offset(), pagination.limit());
    let shown: Vec<Value> = page.iter().map(|entry| shown(entry)).collect();
    Ok(json_answer(StatusCode::OK, &json!({"pagination": pagination.shown(total), "resources": shown})))
}

/// Shows a resource.
#[utoipa::path(
    get, path = "/resources/{id}", operation_id = "showResource", tag = "resources",
    params(("id" = String, Path, description = "The resource's id.")),
    responses(
        (status = 200, description = "The resource.", body = ResourceShape),
        (status = 404, description = "There is no such resource."),
    )
)]
pub(super) fn show(flare: &Flare, id: &str) -> Result<Answer, Fault> {
    Ok(json_answer(StatusCode::OK, &shown(&*find(flare, id)?)))
}

/// The resource of an id.
pub(super) fn find(flare: &Flare, id: &str) -> Result<Arc<ResourceEntry>, Fault> {
    let found = flare.documents.resources().get(id);
    found.ok_or_else(|| Fault::not_found(SEARCH, format!("resource '{id}' not found")))
}

/// Makes a resource.
#[utoipa::path(
    post, path = "/resources", operation_id = "createResource", tag = "resources", request_body = NewResource,
    responses(
        (
            status = 201, description = "It is made.", body = ResourceShape,
            headers(("Location" = String, description = "Its address."))
        ),
        (status = 409, description = "Another one has the same documents."),
    )
)]
pub(super) async fn create(flare: &Flare, bytes: &[u8]) -> Result<Answer, Fault> {
    let (pattern, change) = read(&body::object(bytes)?)?;
    let config = ResourceConfig { id: clock::uuid(), pattern, change, tombstones: None };
    let made = flare.documents.resources().create(config, flare.documents.decider()).await;
    let entry = made.map_err(|error| Fault::of_resource("error during resource create", &error))?;
    let location = format!("/resources/{}", entry.config.id);
    Ok(created(&shown(&entry), &location))
}

/// Deletes a resource and its documents.
#[utoipa::path(
    delete, path = "/resources/{id}", operation_id = "deleteResource", tag = "resources",
    params(("id" = String, Path, description = "The resource's id.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such resource."),
        (status = 409, description = "It has subscriptions, or it comes from the configuration file."),
    )
)]
pub(super) async fn delete(flare: &Flare, id: &str) -> Result<Answer, Fault> {
    let deleted = flare.documents.resources().delete(id, flare.documents.decider()).await;
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
