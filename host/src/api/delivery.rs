//! `/v1/deliveries`: what became of events.

use super::cursor::{self, Kind, Listing};
use super::document::{AttemptDocument, DeliveryDetail, DeliveryDocument};
use super::query::{NoParameters, Query, Segment, instant, limit, number};
use super::{Api, ProblemDetails, event};
use crate::store::{DeliveryId, DeliveryQuery, DeliveryStatus, Retried};
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only for this subscription.
    subscription: Option<String>,
    /// Only with this status.
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// Only of the event with this id.
    event: Option<String>,
    /// The event's source, where several have an event of this id; needs `event`.
    source: Option<String>,
    /// Only made from this time on.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only made before this time.
    #[param(format = DateTime)]
    until: Option<String>,
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// A delivery that is due again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retried)]
pub(super) struct RetriedDocument {
    id: i64,
    status: DeliveryStatus,
}

/// Lists deliveries, newest first.
#[utoipa::path(
    get, path = "/v1/deliveries", operation_id = "listDeliveries", tag = "deliveries", params(ListQuery),
    responses(
        (status = 200, description = "A part of the listing.", body = Listing<DeliveryDocument>),
        (status = 404, description = "There is no such event: `unknown-event`."),
        (status = 409, description = "Several sources have an event of this id: `ambiguous-event`, with `sources`."),
    )
)]
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
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        cursor: cursor.map(DeliveryId),
        limit,
    };
    page(&api, query).await.map(Answer)
}

/// Shows a delivery with its attempts.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", operation_id = "showDelivery", tag = "deliveries",
    params(("id" = String, Path, description = "The delivery's number.")),
    responses(
        (status = 200, description = "The delivery.", body = DeliveryDetail),
        (status = 404, description = "There is no such delivery: `unknown-delivery`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<DeliveryDetail>, ProblemDetails> {
    let (delivery, attempts) = match parse(&id) {
        Some(number) => api.store.delivery(number).await?.ok_or_else(|| unknown(&id))?,
        None => return Err(unknown(&id)),
    };
    let attempts = attempts.into_iter().map(AttemptDocument::from).collect();
    let delivery = DeliveryDocument::of(delivery, &api.subscriptions);
    Ok(Answer(DeliveryDetail { delivery, attempts }))
}

/// Attempts a delivery again, whatever became of it.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "deliveries",
    params(("id" = String, Path, description = "The delivery's number.")),
    responses(
        (status = 202, description = "It is due now.", body = RetriedDocument),
        (status = 404, description = "There is no such delivery: `unknown-delivery`."),
        (
            status = 409,
            description = "It is being attempted at this moment (`attempt-in-progress`), or its subscription is gone \
                (`subscription-gone`)."
        ),
    )
)]
pub(super) async fn retry(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<(StatusCode, Answer<RetriedDocument>), ProblemDetails> {
    let number = parse(&id).ok_or_else(|| unknown(&id))?;
    let (delivery, _) = api.store.delivery(number).await?.ok_or_else(|| unknown(&id))?;
    if api.subscriptions.get(&delivery.subscription).is_none() {
        let detail = format!("its subscription `{}` is gone", delivery.subscription);
        return Err(ProblemDetails::conflict("subscription-gone", detail));
    }
    match api.store.retry(number, api.now()).await? {
        Retried::Unknown => Err(unknown(&id)),
        Retried::Leased => {
            Err(ProblemDetails::conflict("attempt-in-progress", "it is being attempted at this moment"))
        }
        Retried::Due => {
            api.subscriptions.wake(&delivery.subscription);
            Ok((
                StatusCode::ACCEPTED,
                Answer(RetriedDocument { id: number.0, status: DeliveryStatus::Pending }),
            ))
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
    let items = page.items.into_iter().map(|delivery| DeliveryDocument::of(delivery, &api.subscriptions));
    Ok(Listing { items: items.collect(), next })
}

fn parse(id: &str) -> Option<DeliveryId> {
    number(id).map(DeliveryId)
}

fn unknown(id: &str) -> ProblemDetails {
    ProblemDetails::not_found("unknown-delivery", format!("there is no delivery `{id}`"))
}
