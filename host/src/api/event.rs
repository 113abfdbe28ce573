//! `/v1/events`: the log.

use super::body::OptionalJson;
use super::cursor::{self, Kind, Listing};
use super::document::{EventDetail, EventDocument};
use super::query::{MAX_LIMIT, Query, Segment, instant, limit};
use super::{Api, ProblemDetails, delivery};
use crate::store::{DeliveryQuery, EventQuery, EventRecord, EventSeq, Order};
use anglerfish_core::problem::Problem;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only of this source.
    source: Option<String>,
    /// Only of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only received from this time on.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only received before this time.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Only behind this `position`, oldest first: to follow the log.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SourceQuery {
    /// The event's source, where several have an event of this id.
    pub(super) source: Option<String>,
}

/// To whom to deliver again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayRequest {
    /// These; without them, all that had a delivery of the event.
    #[schema(min_items = 1)]
    subscriptions: Option<Vec<String>>,
}

/// What a replay made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replayed {
    /// The new deliveries.
    deliveries: Vec<ReplayedDelivery>,
    /// Subscriptions that had deliveries of the event and are no more.
    gone: Vec<String>,
}

/// A new delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayedDelivery {
    id: i64,
    subscription: String,
}

/// Lists events, newest first, or oldest first behind a position.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "events", params(ListQuery),
    responses((status = 200, description = "A part of the log.", body = Listing<EventDocument>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<EventDocument>>, ProblemDetails> {
    let cursor = query.cursor.as_deref().map(|cursor| cursor::read(Kind::Event, cursor)).transpose()?;
    let (cursor, order) = match (query.after, cursor) {
        (Some(_), Some(_)) => {
            let detail = "`after` lists oldest first and `cursor` newest first; give one of them";
            return Err(ProblemDetails::bad_request("invalid-query", detail));
        }
        (Some(after), None) if after < 0 => {
            return Err(ProblemDetails::bad_request("invalid-query", "`after` is a position, 0 or more"));
        }
        (Some(after), None) => (Some(after), Order::Oldest),
        (None, cursor) => (cursor, Order::Newest),
    };
    let query = EventQuery {
        source: query.source,
        kind: query.kind,
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        cursor: cursor.map(EventSeq),
        limit: limit(query.limit)?,
        order,
        ..EventQuery::default()
    };
    let page = api.store.events(query).await?;
    // What lists oldest first goes on with `after` and the last position.
    let last = page.items.last().map(|record| record.seq).filter(|_| page.more && order == Order::Newest);
    let next = last.map(|seq| cursor::write(Kind::Event, seq));
    Ok(Answer(Listing { items: page.items.into_iter().map(EventDocument::from).collect(), next }))
}

/// Shows an event with its request and the newest of its deliveries.
#[utoipa::path(
    get, path = "/v1/events/{id}", operation_id = "showEvent", tag = "events",
    params(("id" = String, Path, description = "The event's id."), SourceQuery),
    responses(
        (status = 200, description = "The event.", body = EventDetail),
        (status = 404, description = "There is no such event: `unknown-event`."),
        (status = 409, description = "Several sources have an event of this id: `ambiguous-event`, with `sources`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<SourceQuery>,
) -> Result<Answer<EventDetail>, ProblemDetails> {
    let record = find(&api, &id, query.source.as_deref()).await?;
    let query = DeliveryQuery { event: Some(record.seq), limit: MAX_LIMIT, ..DeliveryQuery::default() };
    let deliveries = delivery::page(&api, query).await?;
    let (origin, secret) = (record.origin.into(), record.secret.clone());
    let failures = record.failures.iter().cloned().map(Into::into).collect();
    let repetitions = record.repetitions.clone().into();
    let request = record.request.clone().map(Into::into);
    let event = record.into();
    Ok(Answer(EventDetail { event, origin, request, secret, failures, repetitions, deliveries }))
}

/// Gives an event's data, byte for byte.
///
/// The data came from outside and has the type that its sender says, so a browser must neither run it nor guess.
#[utoipa::path(
    get, path = "/v1/events/{id}/data", operation_id = "eventData", tag = "events",
    params(("id" = String, Path, description = "The event's id."), SourceQuery),
    responses(
        (
            status = 200, description = "The data, with the media type that its sender said.",
            body = serde_json::Value, content_type = "*/*"
        ),
        (status = 404, description = "There is no such event: `unknown-event`."),
        (status = 409, description = "Several sources have an event of this id: `ambiguous-event`, with `sources`."),
    )
)]
pub(super) async fn data(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<SourceQuery>,
) -> Result<Response, ProblemDetails> {
    let record = find(&api, &id, query.source.as_deref()).await?;
    let Some(data) = api.store.data(record.seq).await? else { return Err(unknown(&id)) };
    let kind = record.event.datacontenttype.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok());
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let mut response = data.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Delivers an event again.
///
/// Without a body, to all subscriptions that had a delivery of it.
#[utoipa::path(
    post, path = "/v1/events/{id}/replay", operation_id = "replayEvent", tag = "events",
    params(("id" = String, Path, description = "The event's id."), SourceQuery),
    request_body = Option<ReplayRequest>,
    responses(
        (status = 202, description = "The new deliveries.", body = Replayed),
        (status = 404, description = "There is no such event: `unknown-event`."),
        (
            status = 409,
            description = "Several sources have an event of this id (`ambiguous-event`, with `sources`), or no \
                subscription is left that had a delivery of it (`nothing-to-replay`, with `gone`)."
        ),
        (status = 422, description = "A subscription is not known, or the body has another form: `invalid-document`."),
    )
)]
pub(super) async fn replay(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<SourceQuery>,
    OptionalJson(request): OptionalJson<ReplayRequest>,
) -> Result<(StatusCode, Answer<Replayed>), ProblemDetails> {
    let record = find(&api, &id, query.source.as_deref()).await?;
    let (subscriptions, gone) = match request.and_then(|request| request.subscriptions) {
        Some(named) => (check_named(&api, named)?, Vec::new()),
        None => api.subscriptions.recipients(record.seq).await?,
    };
    if subscriptions.is_empty() {
        return Err(ProblemDetails::conflict(
            "nothing-to-replay",
            "no subscription that is there now had a delivery of this event; name some in `subscriptions`",
        )
        .member("gone", gone));
    }
    let ids = api.store.replay(record.seq, &subscriptions, api.now()).await?;
    for subscription in &subscriptions {
        api.subscriptions.wake(subscription);
    }
    let deliveries = ids
        .into_iter()
        .zip(subscriptions)
        .map(|(id, subscription)| ReplayedDelivery { id: id.0, subscription })
        .collect();
    Ok((StatusCode::ACCEPTED, Answer(Replayed { deliveries, gone })))
}

/// The subscriptions that a replay names, each once.
fn check_named(api: &Api, named: Vec<String>) -> Result<Vec<String>, ProblemDetails> {
    let mut problems = Vec::new();
    if named.is_empty() {
        problems.push(Problem::new(
            "subscriptions",
            "is empty; leave it out to replay to those that had deliveries",
        ));
    }
    for (index, id) in named.iter().enumerate() {
        let problem = match api.subscriptions.get(id) {
            None => format!("there is no subscription `{id}`"),
            Some(entry) if entry.is_stream() => {
                format!("`{id}` is a stream, of which any position can be read again")
            }
            Some(_) => continue,
        };
        problems.push(Problem::new(format!("subscriptions[{index}]"), problem));
    }
    if problems.is_empty() {
        Ok(named.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    } else {
        Err(ProblemDetails::invalid(&problems))
    }
}

/// The one event with this id, of this source if it is named.
pub(super) async fn find(api: &Api, id: &str, source: Option<&str>) -> Result<EventRecord, ProblemDetails> {
    let mut records = api.store.event(id).await?;
    if let Some(source) = source {
        records.retain(|record| record.event.source == source);
    }
    let Some(record) = records.pop() else { return Err(unknown(id)) };
    if records.is_empty() {
        return Ok(record);
    }
    let mut sources = records.into_iter().map(|record| record.event.source).collect::<Vec<_>>();
    sources.push(record.event.source);
    sources.sort_unstable();
    Err(ProblemDetails::conflict("ambiguous-event", format!("several sources have an event `{id}`"))
        .member("sources", sources))
}

fn unknown(id: &str) -> ProblemDetails {
    ProblemDetails::not_found("unknown-event", format!("there is no event `{id}`"))
}
