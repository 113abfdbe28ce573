//! `/v1/deliveries`: what became of events.

use super::cursor::{self, Kind, Listing};
use super::document::{AttemptDocument, DeliveryDetail, DeliveryDocument};
use super::query::{Nothing, Query, Segment, limit};
use super::{Api, ProblemDetails, event};
use crate::store::{DeliveryId, DeliveryQuery, DeliveryStatus};
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    subscription: Option<String>,
    status: Option<DeliveryStatus>,
    event: Option<String>,
    source: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct Retried {
    id: i64,
    status: DeliveryStatus,
}

/// `GET /v1/deliveries`
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<DeliveryDocument>>, ProblemDetails> {
    let cursor = query.cursor.as_deref().map(|cursor| cursor::read(Kind::Delivery, cursor)).transpose()?;
    let limit = limit(query.limit)?;
    let event = match (&query.event, &query.source) {
        (Some(id), source) => Some(event::find(&api, id, source.as_deref()).await?.seq),
        (None, Some(_)) => {
            let detail = "`source` only chooses between events of one id; it needs `event`";
            return Err(ProblemDetails::bad_request("invalid-query", detail));
        }
        (None, None) => None,
    };
    let query = DeliveryQuery {
        subscription: query.subscription,
        status: query.status,
        event,
        cursor: cursor.map(DeliveryId),
        limit,
    };
    page(&api, query).await.map(Answer)
}

/// `GET /v1/deliveries/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Answer<DeliveryDetail>, ProblemDetails> {
    let (delivery, attempts) = match parse(&id) {
        Some(number) => api.store.delivery(number).await?.ok_or_else(|| unknown(&id))?,
        None => return Err(unknown(&id)),
    };
    let attempts = attempts.into_iter().map(AttemptDocument::from).collect();
    Ok(Answer(DeliveryDetail { delivery: delivery.into(), attempts }))
}

/// `POST /v1/deliveries/{id}/retry`
pub(super) async fn retry(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(Nothing {}): Query<Nothing>,
) -> Result<(StatusCode, Answer<Retried>), ProblemDetails> {
    let number = parse(&id).ok_or_else(|| unknown(&id))?;
    let (delivery, _) = api.store.delivery(number).await?.ok_or_else(|| unknown(&id))?;
    if api.subscriptions.get(&delivery.subscription).is_none() {
        let detail = format!("its subscription `{}` is gone", delivery.subscription);
        return Err(ProblemDetails::conflict("subscription-gone", detail));
    }
    match api.store.retry(number, api.now()).await? {
        None => Err(unknown(&id)),
        Some(false) => {
            Err(ProblemDetails::conflict("attempt-in-progress", "it is being attempted at this moment"))
        }
        Some(true) => {
            api.subscriptions.wake(&delivery.subscription);
            Ok((StatusCode::ACCEPTED, Answer(Retried { id: number.0, status: DeliveryStatus::Pending })))
        }
    }
}

/// A part of the listing.
pub(super) async fn page(
    api: &Api,
    query: DeliveryQuery,
) -> Result<Listing<DeliveryDocument>, ProblemDetails> {
    let page = api.store.deliveries(query).await?;
    let last = page.items.last().map(|delivery| delivery.id).filter(|_| page.more);
    let next = last.map(|id| cursor::write(Kind::Delivery, id));
    Ok(Listing { items: page.items.into_iter().map(DeliveryDocument::from).collect(), next })
}

/// Ids as they are written out only: no sign, no leading zero.
fn parse(id: &str) -> Option<DeliveryId> {
    id.parse().ok().filter(|number: &i64| number.to_string() == id).map(DeliveryId)
}

fn unknown(id: &str) -> ProblemDetails {
    ProblemDetails::not_found("unknown-delivery", format!("there is no delivery `{id}`"))
}
