//! `/v1/subscriptions`: who wants what, written at run time.

use super::body::{Json, JsonText, OptionalJson};
use super::cursor::{self, Kind, Listing};
use super::document::{CatchingUp, SubscriptionDocument};
use super::query::{NoParameters, Query, Segment, limit};
use super::schema::SubscriptionBody;
use super::{Api, ProblemDetails};
use crate::subscription::{Deletion, Subscription, SubscriptionError};
use anglerfish_core::config::{LONGEST_OVERLAP, Node, Problems};
use anglerfish_core::delivery::Standing;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::slice;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// A subscription is gone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Deleted {
    /// How many open deliveries ended with it.
    abandoned: u64,
    /// How many wait for it to come back, since it said `"when_removed": "wait"`. Deleting it again ends them.
    waiting: u64,
}

/// Lists subscriptions by id, with those that were removed and for which deliveries wait.
#[utoipa::path(
    get, path = "/v1/subscriptions", operation_id = "listSubscriptions", tag = "subscriptions", params(ListQuery),
    responses((status = 200, description = "A part of the listing.", body = Listing<SubscriptionDocument>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<SubscriptionDocument>>, ProblemDetails> {
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| cursor::read::<String>(Kind::Subscription, cursor))
        .transpose()?;
    let limit = limit(query.limit)?;
    let (entries, mut more) = api.subscriptions.list(after.as_deref(), limit);
    let open: HashMap<String, u64> = api.store.backlog().await?.into_iter().collect();
    let open = |id: &str| open.get(id).copied().unwrap_or_default();
    let mut items: Vec<SubscriptionDocument> =
        entries.iter().map(|entry| document(&api, entry, open(&entry.id))).collect();
    let awaited = api.subscriptions.awaited().await?.into_iter();
    let awaited = awaited.filter(|(id, _)| after.as_ref().is_none_or(|after| id > after));
    items.extend(awaited.map(|(id, open)| SubscriptionDocument::awaited(id, open)));
    items.sort_by(|one, other| one.id().cmp(other.id()));
    more |= items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor::write(Kind::Subscription, last.id()));
    Ok(Answer(Listing { items, next }))
}

/// Creates a subscription.
#[utoipa::path(
    post, path = "/v1/subscriptions", operation_id = "createSubscription", tag = "subscriptions",
    request_body = SubscriptionBody,
    responses(
        (
            status = 201, description = "It is created and gets events.", body = SubscriptionDocument,
            headers(("Location" = String, description = "Its address."))
        ),
        (
            status = 409,
            description = "There is one with this id: `subscription-exists`, or in the configuration file \
                `subscription-from-file`."
        ),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
        (status = 507, description = "The routing table is full (`server.memory_limit`): `table-full`."),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(document): JsonText,
) -> Result<Response, ProblemDetails> {
    let entry = api.subscriptions.create(document, api.now()).await?;
    Ok(created(shown(&api, &entry).await?, &entry.id))
}

/// Shows a subscription.
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}", operation_id = "showSubscription", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "The subscription.", body = SubscriptionDocument),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<SubscriptionDocument>, ProblemDetails> {
    if let Some(entry) = api.subscriptions.get(&id) {
        let report = api.subscriptions.report(&entry.id).await;
        let catching_up = catching_up(&api, &entry).await;
        // As with the jobs: while the store is out of reach all else is shown.
        let oldest = api.store.oldest(slice::from_ref(&entry.id)).await.ok();
        let oldest = oldest.and_then(|oldest| oldest.of_each.into_iter().next().flatten());
        let leases = api.subscriptions.leases(&entry.id);
        let shown = shown(&api, &entry).await?.with_queue(report).with_catching_up(catching_up);
        return Ok(Answer(shown.with_oldest(oldest).with_leases(leases)));
    }
    let awaited = api.subscriptions.awaited().await?;
    match awaited.into_iter().find(|(awaited, _)| *awaited == id) {
        Some((id, open)) => Ok(Answer(SubscriptionDocument::awaited(id, open))),
        None => Err(SubscriptionError::Unknown(id).into()),
    }
}

/// Replaces a subscription, or creates it.
///
/// The document need not repeat the id.
#[utoipa::path(
    put, path = "/v1/subscriptions/{id}", operation_id = "replaceSubscription", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    request_body = SubscriptionBody,
    responses(
        (status = 200, description = "It is replaced.", body = SubscriptionDocument),
        (
            status = 201, description = "It is created and gets events.", body = SubscriptionDocument,
            headers(("Location" = String, description = "Its address."))
        ),
        (status = 409, description = "It comes from the configuration file: `subscription-from-file`."),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
        (status = 507, description = "The routing table is full (`server.memory_limit`): `table-full`."),
    )
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(document): JsonText,
) -> Result<Response, ProblemDetails> {
    let (entry, new) = api.subscriptions.replace(id, document, api.now()).await?;
    let shown = shown(&api, &entry).await?;
    Ok(if new { created(shown, &entry.id) } else { Answer(shown).into_response() })
}

/// Deletes a subscription and ends its open deliveries, unless it says that they wait.
///
/// One that is removed already and for which deliveries wait can be deleted too: that ends them.
#[utoipa::path(
    delete, path = "/v1/subscriptions/{id}", operation_id = "deleteSubscription", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "It is gone.", body = Deleted),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (status = 409, description = "It comes from the configuration file: `subscription-from-file`."),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<Deleted>, ProblemDetails> {
    let Deletion { ended, waiting } = api.subscriptions.delete(id, api.now()).await?;
    Ok(Answer(Deleted { abandoned: ended, waiting }))
}

/// A subscription with its backlog.
async fn shown(api: &Api, entry: &Subscription) -> Result<SubscriptionDocument, ProblemDetails> {
    let backlog = api.store.backlog().await?;
    let open = backlog.into_iter().find(|(id, _)| *id == entry.id).map_or(0, |(_, open)| open);
    let warnings = api.subscriptions.warnings(entry);
    Ok(document(api, entry, open).with_warnings(warnings))
}

/// What stays in the log for a subscription. Who looks at one while the store is out of reach is shown all else.
async fn catching_up(api: &Api, entry: &Subscription) -> Option<CatchingUp> {
    let last = api.store.head().borrow().0;
    let job = api.jobs.catching_up(&entry.id).await.ok().flatten()?;
    Some(CatchingUp { job: job.id.0, position: job.place, last })
}

fn document(api: &Api, entry: &Subscription, open: u64) -> SubscriptionDocument {
    SubscriptionDocument::of(entry, open, api.subscriptions.standing(&entry.id))
}

/// Stops the attempts of a subscription. Events are kept for it until it is resumed.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/pause", operation_id = "pauseSubscription", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "No attempts start any more.", body = SubscriptionDocument),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (status = 409, description = "It cannot be used as it is stored: `subscription-invalid`."),
    )
)]
pub(super) async fn pause(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<SubscriptionDocument>, ProblemDetails> {
    let entry = api.subscriptions.stand(&id, Standing::Paused).await?;
    shown(&api, &entry).await.map(Answer)
}

/// Lets the attempts of a subscription go on, whether it was paused or disabled.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/resume", operation_id = "resumeSubscription", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "Attempts go on.", body = SubscriptionDocument),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (status = 409, description = "It cannot be used as it is stored: `subscription-invalid`."),
    )
)]
pub(super) async fn resume(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<SubscriptionDocument>, ProblemDetails> {
    let entry = api.subscriptions.stand(&id, Standing::Active).await?;
    shown(&api, &entry).await.map(Answer)
}

/// What takes the place of the keys that sign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// The new key, or a reference to it that `admin.references` of the configuration names.
    secret: String,
    /// How long the old keys sign along, such as `24h`; what `rotation_overlap` of the endpoint says unless given.
    overlap: Option<String>,
}

/// Puts another key in the place of those that sign what is sent. The old ones sign along for a while.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/rotate-secret", operation_id = "rotateSecret", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    request_body = Rotation,
    responses(
        (status = 200, description = "The new key signs.", body = SubscriptionDocument),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (
            status = 409,
            description = "It comes from the configuration file: `subscription-from-file`; or it cannot be used as it is \
                stored: `subscription-invalid`."
        ),
        (status = 422, description = "The key cannot be used, or there are too many: `invalid-document`."),
    )
)]
pub(super) async fn rotate(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    Json(Rotation { secret, overlap }): Json<Rotation>,
) -> Result<Answer<SubscriptionDocument>, ProblemDetails> {
    let problems = Problems::default();
    let overlap = overlap.map(Value::String);
    let read = overlap
        .as_ref()
        .map(|text| Node::root(text, "overlap", &problems).duration(Duration::ZERO..=LONGEST_OVERLAP));
    let problems = problems.into_vec();
    if !problems.is_empty() {
        return Err(ProblemDetails::invalid(&problems));
    }
    let entry = api.subscriptions.rotate(id, secret, read.flatten(), api.now()).await?;
    shown(&api, &entry).await.map(Answer)
}

/// What is added to the tokens of a subscription.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRotation {
    /// The new token, its hash (`sha256:…`), or a reference to it that `admin.references` of the configuration names. Without it
    /// one is made.
    token: Option<String>,
    /// Whether no other token is right from now on. Otherwise those before stay so.
    #[serde(default)]
    only: bool,
}

/// Gives whoever reads a subscription another token. Those before it stay right, ten in all, unless it is to be the `only` one.
///
/// A token that was made is shown in the answer, this once.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/rotate-token", operation_id = "rotateToken", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    request_body = Option<TokenRotation>,
    responses(
        (status = 200, description = "The new token is right.", body = SubscriptionDocument),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (
            status = 409,
            description = "It comes from the configuration file: `subscription-from-file`; or it cannot be used as it is \
                stored: `subscription-invalid`."
        ),
        (
            status = 422,
            description = "The token cannot be used, there are ten already, or nobody reads the subscription: `invalid-document`."
        ),
    )
)]
pub(super) async fn rotate_token(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    OptionalJson(rotation): OptionalJson<TokenRotation>,
) -> Result<Answer<SubscriptionDocument>, ProblemDetails> {
    let TokenRotation { token, only } = rotation.unwrap_or_default();
    let (entry, made) = api.subscriptions.rotate_token(id, token, only, api.now()).await?;
    Ok(Answer(shown(&api, &entry).await?.with_token(made)))
}

fn created(shown: SubscriptionDocument, id: &str) -> Response {
    // The characters of an id need no escape in a path.
    let location = [(LOCATION, format!("/v1/subscriptions/{id}"))];
    (StatusCode::CREATED, location, Answer(shown)).into_response()
}
