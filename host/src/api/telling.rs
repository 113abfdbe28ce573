//! What a subscription of a resource is told: everything again, and what of one document, and why not.

use super::query::{NoParameters, Query, Segment};
use super::{Api, ProblemDetails};
use crate::subscription::SubscriptionError;
use anglerfish_core::delivery::Standing;
use anglerfish_core::resource::{Action, DocumentUrl};
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The document's own URL.
    document: String,
}

/// What a subscription would be told of a document now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Telling {
    /// The document's URL.
    document: String,
    /// What it would be told; `null` for nothing.
    #[schema(required)]
    action: Option<ActionWord>,
    /// Why, in a sentence.
    reason: String,
    /// Whether its deliveries are attempted: neither paused nor disabled.
    active: bool,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DocumentAction)]
pub(super) enum ActionWord {
    /// The subscriber has not got it.
    Create,
    /// The subscriber has an older revision.
    Update,
    /// The subscriber has it, and it is gone or not wanted any more.
    Delete,
}

impl From<Action> for ActionWord {
    fn from(action: Action) -> Self {
        match action {
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Delete => Self::Delete,
        }
    }
}

/// The resource of a subscription.
async fn resource_of(api: &Api, id: &str) -> Result<String, ProblemDetails> {
    if api.subscriptions.get(id).is_none() {
        return Err(SubscriptionError::Unknown(id.to_owned()).into());
    }
    match api.store.follower(id).await? {
        Some(follower) => Ok(follower.resource),
        None => {
            let detail = format!("subscription `{id}` is none of a resource");
            Err(ProblemDetails::conflict("not-of-a-resource", detail))
        }
    }
}

/// Tells a subscription that has lost its data everything that exists.
///
/// That is noted when this is answered, and done in small steps; `catching_up` at
/// `/v1/resources/{id}/subscriptions` says whether it is under way.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/resync", operation_id = "resyncSubscription", tag = "resources",
    params(("id" = String, Path, description = "The subscription's id.")),
    responses(
        (status = 202, description = "It is noted."),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (status = 409, description = "It is none of a resource: `not-of-a-resource`."),
    )
)]
pub(super) async fn resync(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<StatusCode, ProblemDetails> {
    resource_of(&api, &id).await?;
    api.documents.resync(&id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Says what a subscription of a resource would be told of a document now, and why not.
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}/explain", operation_id = "explainDocument", tag = "resources",
    params(("id" = String, Path, description = "The subscription's id."), ExplainQuery),
    responses(
        (status = 200, description = "What it would be told.", body = Telling),
        (status = 404, description = "There is no such subscription: `unknown-subscription`."),
        (status = 409, description = "It is none of a resource: `not-of-a-resource`."),
    )
)]
pub(super) async fn explain(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(ExplainQuery { document }): Query<ExplainQuery>,
) -> Result<Answer<Telling>, ProblemDetails> {
    let url = DocumentUrl::parse(&document)
        .map_err(|error| ProblemDetails::bad_request("invalid-query", format!("`document`: {error}")))?;
    let resource = resource_of(&api, &id).await?;
    if !api.documents.resources().of(&url).contains(&resource) {
        let detail = format!("`{url}` is no document of the resource `{resource}`");
        return Err(ProblemDetails::bad_request("invalid-query", detail));
    }
    let notice = api.documents.explain(&id, &resource, url.as_str()).await?;
    let standing = api.subscriptions.standing(&id).standing;
    Ok(Answer(Telling {
        document: url.as_str().to_owned(),
        action: notice.telling.map(|telling| telling.action.into()),
        reason: notice.reason,
        active: standing == Standing::Active,
    }))
}
