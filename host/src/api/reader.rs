//! `/v1/readers`: who reads streams.

use super::query::Query;
use super::{Api, ProblemDetails, query};
use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Who knows of those that read streams.
pub trait Presence: Send + Sync {
    /// Those who read now, who came first first; of one subscription if it is named.
    fn readers(&self, subscription: Option<&str>) -> Vec<ReaderDocument>;
}

/// One who reads a stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reader)]
pub struct ReaderDocument {
    /// What it is named by while it reads.
    pub id: u64,
    /// The subscription that it reads, or the topic: `/topic/NAME`.
    pub subscription: String,
    /// How: `sse`, `lines`, `batch` while it waits for one, `websocket` or `stomp`.
    pub protocol: &'static str,
    /// The address it reads from.
    pub address: String,
    /// How it calls itself.
    #[schema(required)]
    pub user_agent: Option<String>,
    /// Since when.
    #[schema(required, format = DateTime)]
    pub since: Option<String>,
    /// The position up to which it was given the log; null if it is leased messages.
    #[schema(required)]
    pub position: Option<String>,
    /// How many entries of the log are behind that, whether it wants them or not; null likewise.
    #[schema(required)]
    pub behind: Option<u64>,
    /// How many events it was given.
    pub events: u64,
}

/// Those who read now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Readers)]
pub(super) struct ReaderList {
    /// Up to as many as were asked for, who came first first.
    readers: Vec<ReaderDocument>,
    /// How many there are in all.
    total: usize,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReaderQuery {
    /// Only those of this subscription.
    subscription: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// Lists who reads streams at this moment.
#[utoipa::path(
    get, path = "/v1/readers", operation_id = "listReaders", tag = "subscriptions",
    params(ReaderQuery),
    responses((status = 200, description = "Those who read.", body = ReaderList))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(ReaderQuery { subscription, limit }): Query<ReaderQuery>,
) -> Result<Answer<ReaderList>, ProblemDetails> {
    let limit = query::limit(limit)?;
    let mut readers = api.readers.readers(subscription.as_deref());
    let total = readers.len();
    readers.truncate(limit);
    Ok(Answer(ReaderList { readers, total }))
}
