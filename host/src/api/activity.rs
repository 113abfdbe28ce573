//! `/v1/subscriptions/{id}/activity`: what a subscription's filter does with the events that come.

use super::query::{NoParameters, Query, Segment};
use super::{Api, ProblemDetails};
use crate::store::{EventQuery, EventRecord};
use crate::subscription::SubscriptionError;
use anglerfish_core::request::UnixMillis;
use axum::Json as Answer;
use axum::extract::State;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

/// So many of the last events are looked at for the fields that a filter reads.
const EVENTS: usize = 1000;

/// And so many bytes of them.
const BYTES: u64 = 16 << 20;

/// What a subscription's filter has done since counting began: since the gateway started, or the subscription last asked for other
/// events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterActivity {
    id: String,
    /// When counting began.
    #[schema(required, format = DateTime)]
    since: Option<String>,
    /// Events of its sources.
    events: u64,
    /// Those that matched.
    matched: u64,
    /// Those on which the filter failed.
    failed: u64,
    /// When the last one matched.
    #[schema(required, format = DateTime)]
    last_match: Option<String>,
    /// When the filter last failed.
    #[schema(required, format = DateTime)]
    last_failure: Option<String>,
    /// Whether nothing has matched for a day though events of its sources came in.
    silent: bool,
    /// How many of the last events of its sources were looked at for `missing_fields`.
    looked_at: u64,
    /// The fields of `message` that the filter reads and none of these events has.
    missing_fields: Vec<String>,
}

/// Tells what a subscription's filter has matched, and which fields that it reads no event has.
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}/activity", operation_id = "subscriptionActivity", tag = "subscriptions",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 200, description = "What its filter has done.", body = FilterActivity),
        (status = 404, description = "There is no such subscription, or it is not in the routing table: `unknown-subscription`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<FilterActivity>, ProblemDetails> {
    let entry = api.subscriptions.get(&id);
    let routing = api.subscriptions.routing();
    let (Some(config), Some(activity)) =
        (entry.as_ref().and_then(|entry| entry.config()), routing.activity(&id, api.now()))
    else {
        return Err(SubscriptionError::Unknown(id).into());
    };
    let bodies = bodies(&api, &config.sources).await?;
    let looked_at = bodies.len() as u64;
    let missing_fields = match &config.filter {
        Some(filter) => routing.missing_fields(filter, bodies).await?,
        None => Vec::new(),
    };
    Ok(Answer(FilterActivity {
        id,
        since: activity.since.rfc3339(),
        events: activity.events,
        matched: activity.matched,
        failed: activity.failed,
        last_match: activity.last_match.and_then(UnixMillis::rfc3339),
        last_failure: activity.last_failure.and_then(UnixMillis::rfc3339),
        silent: activity.silent,
        looked_at,
        missing_fields,
    }))
}

/// The data of the last events of some sources, newest first; of all, if none are named.
async fn bodies(api: &Api, sources: &[String]) -> Result<Vec<Bytes>, ProblemDetails> {
    let sources: Vec<Option<String>> = match sources {
        [] => vec![None],
        named => named.iter().cloned().map(Some).collect(),
    };
    let limit = (EVENTS / sources.len()).max(1);
    let mut records: Vec<EventRecord> = Vec::new();
    for source in sources {
        let query = EventQuery { source, limit, ..EventQuery::default() };
        records.extend(api.store.events(query).await?.items);
    }
    let (mut bodies, mut bytes) = (Vec::with_capacity(records.len()), 0);
    for record in records {
        bytes += record.size;
        if bytes > BYTES {
            break;
        }
        bodies.extend(api.store.data(record.seq).await?);
    }
    Ok(bodies)
}
