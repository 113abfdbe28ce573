//! `/v1/resources`: patterns of documents whose changes are told to their subscribers.

use super::body::JsonText;
use super::cursor::{self, Kind, Listing};
use super::query::{NoParameters, Query, Segment, limit};
use super::schema::ResourceBody;
use super::{Api, ProblemDetails};
use crate::clock;
use crate::document::{ResourceEntry, ResourceError};
use crate::store::{StoreError, StoredFollower};
use crate::subscription::Origin;
use anglerfish_core::config::{ResourceConfig, read_resource};
use anglerfish_core::problem::Problem;
use anglerfish_core::resource::StoredDocument;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// A pattern of documents whose changes are told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resource)]
pub(super) struct Shown {
    id: String,
    origin: Origin,
    /// When it was first there.
    #[schema(required, format = DateTime)]
    created: Option<String>,
    /// How many subscriptions it has.
    subscriptions: usize,
    /// Which documents are its.
    endpoint: String,
    change: ShownChange,
    /// How long the revision of a deleted document is remembered.
    #[schema(required)]
    tombstones: Option<String>,
}

/// Which field of a document says how new it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShownChange)]
pub(super) struct ShownChange {
    field: String,
    /// How its dates are written; `null` if it is an integer.
    #[schema(required)]
    format: Option<String>,
}

/// A document, without its content.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DocumentSummary)]
pub(super) struct Summary {
    /// Its own URL.
    url: String,
    /// What its field says, an integer or an instant (RFC 3339).
    revision: String,
    /// When it came.
    #[schema(required, format = DateTime)]
    updated: Option<String>,
}

/// A subscription of a resource.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceSubscription)]
pub(super) struct Follower {
    /// Its id, at `/v1/subscriptions/{id}`.
    subscription: String,
    /// Since when it is one of the resource.
    #[schema(required, format = DateTime)]
    since: Option<String>,
    /// Whether it is being told of what is there: what was there before it, because it asks for that; everything, because it lost
    /// what it had; or what another filter makes of what it has.
    catching_up: bool,
}

impl From<StoredDocument> for Summary {
    fn from(document: StoredDocument) -> Self {
        let revision = document.revision.text();
        Self { url: document.url, revision, updated: document.updated.rfc3339() }
    }
}

impl From<StoredFollower> for Follower {
    fn from(follower: StoredFollower) -> Self {
        Self {
            subscription: follower.subscription,
            since: follower.created.rfc3339(),
            catching_up: follower.backfilled.is_some(),
        }
    }
}

async fn shown(api: &Api, entry: &ResourceEntry) -> Result<Shown, StoreError> {
    let ResourceConfig { id, pattern, change, tombstones } = &entry.config;
    Ok(Shown {
        id: id.clone(),
        origin: if entry.declared { Origin::File } else { Origin::Api },
        created: entry.created.rfc3339(),
        subscriptions: api.store.count_followers(id).await?,
        endpoint: pattern.as_str().to_owned(),
        change: ShownChange {
            field: change.field.clone(),
            format: change.layout.as_ref().map(|layout| layout.as_str().to_owned()),
        },
        tombstones: tombstones.map(|kept| humantime::format_duration(kept).to_string()),
    })
}

/// The resource of an id.
fn find(api: &Api, id: &str) -> Result<Arc<ResourceEntry>, ProblemDetails> {
    let found = api.documents.resources().get(id);
    found.ok_or_else(|| ResourceError::Unknown(id.to_owned()).into())
}

/// Lists resources by id.
#[utoipa::path(
    get, path = "/v1/resources", operation_id = "listResources", tag = "resources", params(PageQuery),
    responses((status = 200, description = "A part of the listing.", body = Listing<Shown>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<Shown>>, ProblemDetails> {
    let after =
        query.cursor.as_deref().map(|cursor| cursor::read::<String>(Kind::Resource, cursor)).transpose()?;
    let (entries, more) = api.documents.resources().by_id(after.as_deref(), limit(query.limit)?);
    let mut items = Vec::with_capacity(entries.len());
    for entry in &entries {
        items.push(shown(&api, entry).await?);
    }
    let next = items.last().filter(|_| more).map(|last| cursor::write(Kind::Resource, &last.id));
    Ok(Answer(Listing { items, next }))
}

/// Creates a resource.
#[utoipa::path(
    post, path = "/v1/resources", operation_id = "createResource", tag = "resources", request_body = ResourceBody,
    responses(
        (
            status = 201, description = "It is created.", body = Shown,
            headers(("Location" = String, description = "Its address."))
        ),
        (
            status = 409,
            description = "There is one with this id: `resource-exists`, or in the configuration file \
                `resource-from-file`; or another one has the same documents: `endpoint-taken`."
        ),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
        (status = 507, description = "The routing table is full (`server.memory_limit`): `table-full`."),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(text): JsonText,
) -> Result<Response, ProblemDetails> {
    let config = read(&text, None)?;
    let entry = api.documents.resources().create(config, api.documents.decider()).await?;
    Ok(created(&api, &entry).await?)
}

/// Shows a resource.
#[utoipa::path(
    get, path = "/v1/resources/{id}", operation_id = "showResource", tag = "resources",
    params(("id" = String, Path, description = "The resource's id.")),
    responses(
        (status = 200, description = "The resource.", body = Shown),
        (status = 404, description = "There is no such resource: `unknown-resource`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<Shown>, ProblemDetails> {
    let entry = find(&api, &id)?;
    Ok(Answer(shown(&api, &entry).await?))
}

/// Replaces a resource, or creates it.
///
/// The document need not repeat the id. The endpoint of a resource that has documents stays, but for the names of its wildcards.
#[utoipa::path(
    put, path = "/v1/resources/{id}", operation_id = "replaceResource", tag = "resources",
    params(("id" = String, Path, description = "The resource's id.")),
    request_body = ResourceBody,
    responses(
        (status = 200, description = "It is replaced.", body = Shown),
        (
            status = 201, description = "It is created.", body = Shown,
            headers(("Location" = String, description = "Its address."))
        ),
        (
            status = 409,
            description = "It comes from the configuration file: `resource-from-file`; another one has the same documents: \
                `endpoint-taken`; or it has documents that another endpoint would not have: `resource-has-documents`."
        ),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
        (status = 507, description = "The routing table is full (`server.memory_limit`): `table-full`."),
    )
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(text): JsonText,
) -> Result<Response, ProblemDetails> {
    let config = read(&text, Some(id))?;
    let check = async |config: &ResourceConfig| unfit(&api, config).await;
    let put = api.documents.resources().put(config, api.documents.decider(), check).await;
    let (entry, is_new) = put?;
    if is_new {
        return Ok(created(&api, &entry).await?);
    }
    Ok(Answer(shown(&api, &entry).await?).into_response())
}

/// Deletes a resource and its documents.
#[utoipa::path(
    delete, path = "/v1/resources/{id}", operation_id = "deleteResource", tag = "resources",
    params(("id" = String, Path, description = "The resource's id.")),
    responses(
        (status = 204, description = "It is gone with its documents."),
        (status = 404, description = "There is no such resource: `unknown-resource`."),
        (
            status = 409,
            description = "It comes from the configuration file: `resource-from-file`, or it has subscriptions: \
                `resource-in-use`."
        ),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<StatusCode, ProblemDetails> {
    api.documents.resources().delete(&id, api.documents.decider()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the documents of a resource that are there, with their revisions.
#[utoipa::path(
    get, path = "/v1/resources/{id}/documents", operation_id = "listDocuments", tag = "resources",
    params(("id" = String, Path, description = "The resource's id."), PageQuery),
    responses(
        (status = 200, description = "A part of the listing; it may be empty and yet not the last.", body = Listing<Summary>),
        (status = 404, description = "There is no such resource: `unknown-resource`."),
    )
)]
pub(super) async fn documents(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<Summary>>, ProblemDetails> {
    find(&api, &id)?;
    let after =
        query.cursor.as_deref().map(|cursor| cursor::read::<String>(Kind::Document, cursor)).transpose()?;
    let limit = limit(query.limit)?;
    let (page, next) = api.documents.page(&id, after.as_deref().unwrap_or_default(), limit).await?;
    let items = page.into_iter().map(Summary::from).collect();
    Ok(Answer(Listing { items, next: next.map(|key| cursor::write(Kind::Document, key)) }))
}

/// Lists the subscriptions of a resource, in the order in which they were made.
#[utoipa::path(
    get, path = "/v1/resources/{id}/subscriptions", operation_id = "listResourceSubscriptions", tag = "resources",
    params(("id" = String, Path, description = "The resource's id."), PageQuery),
    responses(
        (status = 200, description = "A part of the listing.", body = Listing<Follower>),
        (status = 404, description = "There is no such resource: `unknown-resource`."),
    )
)]
pub(super) async fn subscriptions(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Listing<Follower>>, ProblemDetails> {
    find(&api, &id)?;
    let offset =
        query.cursor.as_deref().map(|cursor| cursor::read::<usize>(Kind::Follower, cursor)).transpose()?;
    let (offset, limit) = (offset.unwrap_or_default(), limit(query.limit)?);
    let mut found = api.store.followers_of(&id, offset, limit.saturating_add(1)).await?;
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = is_more.then(|| cursor::write(Kind::Follower, offset.saturating_add(limit)));
    Ok(Answer(Listing { items: found.into_iter().map(Follower::from).collect(), next }))
}

async fn created(api: &Api, entry: &ResourceEntry) -> Result<Response, StoreError> {
    // The characters of an id need no escape in a path.
    let location = [(LOCATION, format!("/v1/resources/{}", entry.config.id))];
    Ok((StatusCode::CREATED, location, Answer(shown(api, entry).await?)).into_response())
}

/// Reads a resource, with every problem of it at once. Without an id it gets one.
fn read(text: &str, id: Option<String>) -> Result<ResourceConfig, ProblemDetails> {
    let mut document: Value = serde_json::from_str(text)
        .map_err(|error| ProblemDetails::bad_request("invalid-json", error.to_string()))?;
    let mut misnamed = None;
    if let Some(members) = document.as_object_mut() {
        match (members.get("id"), id) {
            (None, id) => {
                let id = id.unwrap_or_else(clock::uuid);
                members.insert("id".to_owned(), id.into());
            }
            (Some(given), Some(id)) if given.as_str() != Some(&id) => {
                misnamed = Some(Problem::new("id", format!("the address names {id:?}")));
            }
            (Some(_), _) => {}
        }
    }
    match (read_resource(&document, ""), misnamed) {
        (Ok(config), None) => Ok(config),
        (read, misnamed) => {
            let problems = misnamed.into_iter().chain(read.err().into_iter().flatten());
            Err(ProblemDetails::invalid(&problems.collect::<Vec<_>>()))
        }
    }
}

/// How many subscriptions are looked at in one step.
const STEP: usize = 1000;

/// Which wildcards of its subscriptions a resource would have no more.
async fn unfit(api: &Api, config: &ResourceConfig) -> Result<Vec<Problem>, StoreError> {
    let (mut problems, mut offset) = (Vec::new(), 0);
    loop {
        let page = api.store.followers_of(&config.id, offset, STEP).await?;
        for follower in &page {
            let entry = api.subscriptions.get(&follower.subscription);
            let subscription = entry.as_ref().and_then(|entry| entry.config());
            let parts =
                subscription.and_then(|one| Some((one.notification.as_ref()?, one.endpoint.as_ref()?)));
            let Some((notification, endpoint)) = parts else { continue };
            let unknown = notification.unknown_wildcards(endpoint, &config.pattern).into_iter();
            problems.extend(unknown.map(|(_, name)| {
                let id = &follower.subscription;
                Problem::new("endpoint", format!("the subscription {id:?} has the wildcard '{name}'"))
            }));
        }
        offset += STEP;
        if page.len() < STEP {
            return Ok(problems);
        }
    }
}
