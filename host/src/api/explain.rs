//! `/v1/events/{id}/explain`: why an event did or did not reach a subscription.

use super::document::{EventName, FailedFilterDocument};
use super::query::{Query, Segment};
use super::{Api, ProblemDetails, event};
use crate::plugin::{PluginVerdict, Question};
use crate::store::EventRecord;
use crate::subscription::{PastEvent, SubscriptionError, Verdict, VerdictOutcome};
use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The event's source, where several have an event of this id.
    source: Option<String>,
    /// Only this one.
    subscription: Option<String>,
}

/// What one subscription says of an event, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionVerdict {
    /// The subscription.
    id: String,
    /// Whether its filter wants the event.
    outcome: VerdictOutcome,
    /// The sub-expression that decided, with its values.
    reason: String,
    /// What its plugins say of an event that its filter wants, in their order, up to the first that does not agree. They are
    /// asked now, without effects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plugins: Vec<PluginVerdict>,
}

/// What subscriptions say of an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Explanation {
    event: EventName,
    /// What each says now.
    subscriptions: Vec<SubscriptionVerdict>,
    /// The filters that failed on it when it was accepted, as was recorded then.
    failures: Vec<FailedFilterDocument>,
}

/// Tells why an event did or did not reach subscriptions.
#[utoipa::path(
    get, path = "/v1/events/{id}/explain", operation_id = "explainEvent", tag = "events",
    params(("id" = String, Path, description = "The event's id."), ExplainQuery),
    responses(
        (status = 200, description = "What each subscription says of it.", body = Explanation),
        (status = 404, description = "There is no such event or subscription: `unknown-event`, `unknown-subscription`."),
        (status = 409, description = "Several sources have an event of this id: `ambiguous-event`, with `sources`."),
    )
)]
pub(super) async fn explain(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(query): Query<ExplainQuery>,
) -> Result<Answer<Explanation>, ProblemDetails> {
    let record = event::find(&api, &id, query.source.as_deref()).await?;
    if let Some(subscription) = &query.subscription
        && api.subscriptions.get(subscription).is_none()
    {
        return Err(SubscriptionError::Unknown(subscription.clone()).into());
    }
    let event = EventName::from(&record.event);
    let recorded = { record.failures.iter() }
        .filter(|failed| query.subscription.as_ref().is_none_or(|only| *only == failed.subscription));
    let failures = recorded.cloned().map(Into::into).collect();
    let past = past_event(&api, record).await?;
    let said = api.subscriptions.routing().explain(past.clone(), query.subscription.as_deref()).await?;
    let mut subscriptions = Vec::with_capacity(said.len());
    for verdict in said {
        let plugins = plugins(&api, &verdict, &past).await;
        let Verdict { subscription: id, outcome, reason } = verdict;
        subscriptions.push(SubscriptionVerdict { id, outcome, reason, plugins });
    }
    Ok(Answer(Explanation { event, subscriptions, failures }))
}

/// What the plugins of a subscription say of an event that its filter wants.
async fn plugins(api: &Api, verdict: &Verdict, past: &PastEvent) -> Vec<PluginVerdict> {
    let entry = api.subscriptions.get(&verdict.subscription);
    let config = entry.as_ref().and_then(|entry| entry.config());
    let Some(config) = config.filter(|config| !config.plugins.is_empty()) else { return Vec::new() };
    if verdict.outcome != VerdictOutcome::Match {
        return Vec::new();
    }
    let question = Question {
        subscription: verdict.subscription.clone(),
        event: past.event.clone(),
        headers: past.headers.as_slice().into(),
        data: past.data.clone(),
    };
    api.plugins.explain(&config.plugins, question).await
}

/// A stored event as filters see it.
pub(super) async fn past_event(api: &Api, record: EventRecord) -> Result<PastEvent, ProblemDetails> {
    let Some(data) = api.store.data(record.seq).await? else {
        return Err(ProblemDetails::not_found("unknown-event", "the event's data is gone"));
    };
    Ok(PastEvent {
        event: record.event,
        headers: record.request.unwrap_or_default().headers,
        data,
        received: record.received,
    })
}
