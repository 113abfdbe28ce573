//! `/v1/rejections`: what was refused lately, and why.

use super::cursor::{self, Kind, Listing};
use super::document::EventName;
use super::query::{NoParameters, Query, Segment, instant, limit, number};
use super::{Api, ProblemDetails, fault};
use crate::rejection::{Rejection, Wanted};
use crate::subscription::{Verdict, VerdictOutcome};
use anglerfish_core::config::nearest;
use anglerfish_core::router::{self, VerificationOutcome};
use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only of requests to this source.
    source: Option<String>,
    /// Only with this code, such as `verification-failed`.
    code: Option<String>,
    /// Only from this time on.
    #[param(format = DateTime)]
    since: Option<String>,
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// A request that was refused. Its secrets and its values are not shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rejection)]
pub(super) struct RejectionDocument {
    /// Its number since the gateway was started.
    id: u64,
    /// The source that it named.
    source: String,
    /// When it came in.
    #[schema(required, format = DateTime)]
    received: Option<String>,
    /// The status that it was answered with.
    status: u16,
    /// The stable word for the reason.
    code: String,
    /// The reason, as it was answered.
    reason: String,
    /// The address of whoever sent it, or of the proxy in front.
    peer: String,
    method: String,
    /// The URL as it was checked, without the values of its parameters.
    url: String,
    /// The length of its body in bytes; `null` if it was not read whole.
    #[schema(required)]
    size: Option<usize>,
}

/// A refused request with what was seen of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectionDetail {
    rejection: RejectionDocument,
    /// The names of its header fields, in the order received; at most 100.
    headers: Vec<String>,
    /// What it says that its body is.
    #[schema(required)]
    content_type: Option<String>,
    /// The beginning of its body as text, at most 512 bytes.
    excerpt: String,
    /// Whether it can be explained: requests over 64 KiB, or not read whole, are not kept.
    explainable: bool,
}

/// What would be decided about a refused request now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectionExplanation {
    verification: VerificationDocument,
    /// The events, if the source splits its body into them; `event` is `null` then. The first ones of very many.
    parts: Vec<PartExplanation>,
    /// The event, if it would be one now.
    #[schema(required)]
    event: Option<EventName>,
    /// Whether an event of this source and id was accepted before.
    duplicate: bool,
    /// What each subscription would say of the event.
    subscriptions: Vec<Verdict>,
}

/// What would become of one part of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartExplanation {
    event: EventName,
    /// Whether an event of this source and id was accepted before.
    duplicate: bool,
    /// What each subscription would say of the event.
    subscriptions: Vec<Verdict>,
}

/// How verification goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Verification)]
pub(super) struct VerificationDocument {
    /// `verified`, `rejected`, `answered` or `pending`.
    outcome: &'static str,
    /// The scheme's name; empty if the source is unknown.
    scheme: String,
    /// Why, in a sentence.
    reason: String,
    /// What was tried, in order; secrets by label or position.
    steps: Vec<String>,
}

/// Lists what was refused lately, newest first.
///
/// The last 50 of each source are kept, in memory: a restart forgets them.
#[utoipa::path(
    get, path = "/v1/rejections", operation_id = "listRejections", tag = "rejections", params(ListQuery),
    responses(
        (status = 200, description = "A part of the listing.", body = Listing<RejectionDocument>),
        (
            status = 404,
            description = "There is no source of this name, and no request that named it is kept: `unknown-source`."
        ),
    )
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<RejectionDocument>>, ProblemDetails> {
    let before = query.cursor.as_deref().map(|cursor| cursor::read(Kind::Rejection, cursor)).transpose()?;
    let limit = limit(query.limit)?;
    let since = instant("since", query.since.as_deref())?;
    let wanted = Wanted { source: query.source.as_deref(), code: query.code.as_deref(), since, before };
    let (found, more) = api.rejections.list(&wanted, limit);
    if let Some(name) = &query.source
        && found.is_empty()
        && api.sources.get(name).is_none()
        && !api.rejections.has_of(name)
    {
        let sources = api.sources.list();
        let near = nearest(name, sources.iter().map(|source| source.name.as_str()));
        let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let detail =
            format!("there is no source `{name}`, and nothing that named it was refused lately{meant}");
        return Err(ProblemDetails::not_found("unknown-source", detail));
    }
    let next = found.last().filter(|_| more).map(|last| cursor::write(Kind::Rejection, last.number));
    Ok(Answer(Listing { items: found.iter().map(|one| RejectionDocument::from(&**one)).collect(), next }))
}

/// Shows a refused request.
#[utoipa::path(
    get, path = "/v1/rejections/{id}", operation_id = "showRejection", tag = "rejections",
    params(("id" = String, Path, description = "The rejection's number.")),
    responses(
        (status = 200, description = "The rejection.", body = RejectionDetail),
        (status = 404, description = "There is no such rejection, or it is no longer kept: `unknown-rejection`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<RejectionDetail>, ProblemDetails> {
    let rejection = find(&api, &id)?;
    Ok(Answer(RejectionDetail {
        rejection: RejectionDocument::from(&*rejection),
        headers: rejection.headers.clone(),
        content_type: rejection.content_type.clone(),
        excerpt: rejection.excerpt.clone(),
        explainable: rejection.request().is_some(),
    }))
}

/// Tells what would be decided about a refused request now.
///
/// The request is verified anew, at the time that it was received, by the configuration of this moment: so one can see
/// whether a change of the configuration was the right one.
#[utoipa::path(
    get, path = "/v1/rejections/{id}/explain", operation_id = "explainRejection", tag = "rejections",
    params(("id" = String, Path, description = "The rejection's number.")),
    responses(
        (status = 200, description = "What would be decided.", body = RejectionExplanation),
        (status = 404, description = "There is no such rejection, or it is no longer kept: `unknown-rejection`."),
        (status = 409, description = "The request itself was too large to be kept, or not read whole: `request-not-kept`."),
    )
)]
pub(super) async fn explain(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<RejectionExplanation>, ProblemDetails> {
    let rejection = find(&api, &id)?;
    let Some(request) = rejection.request() else {
        let detail = "the request was too large to be kept, or it was not read whole";
        return Err(ProblemDetails::conflict("request-not-kept", detail));
    };
    let explanation = api.explainer.explain(request).await.map_err(fault::unavailable)?;
    let router::Explanation { verification, parts, event, duplicate, subscriptions } = explanation;
    Ok(Answer(RejectionExplanation {
        verification: VerificationDocument {
            outcome: match verification.outcome {
                VerificationOutcome::Verified => "verified",
                VerificationOutcome::Rejected => "rejected",
                VerificationOutcome::Answered => "answered",
                VerificationOutcome::Pending => "pending",
            },
            scheme: verification.scheme,
            reason: verification.reason,
            steps: verification.steps,
        },
        parts: { parts.into_iter() }
            .map(|part| PartExplanation {
                event: EventName::from(&part.event),
                duplicate: part.duplicate,
                subscriptions: part.subscriptions.into_iter().map(verdict).collect(),
            })
            .collect(),
        event: event.as_ref().map(EventName::from),
        duplicate,
        subscriptions: subscriptions.into_iter().map(verdict).collect(),
    }))
}

fn verdict(verdict: router::Verdict) -> Verdict {
    let router::Verdict { subscription, outcome, reason } = verdict;
    let outcome = match outcome {
        router::VerdictOutcome::Match => VerdictOutcome::Match,
        router::VerdictOutcome::NoMatch => VerdictOutcome::NoMatch,
        router::VerdictOutcome::Error => VerdictOutcome::Error,
    };
    Verdict { subscription, outcome, reason }
}

fn find(api: &Api, id: &str) -> Result<Arc<Rejection>, ProblemDetails> {
    number(id).and_then(|number| api.rejections.get(number)).ok_or_else(|| {
        let detail = format!("there is no rejection `{id}`, or it is no longer kept");
        ProblemDetails::not_found("unknown-rejection", detail)
    })
}

impl From<&Rejection> for RejectionDocument {
    fn from(rejection: &Rejection) -> Self {
        Self {
            id: rejection.number,
            source: rejection.source.clone(),
            received: rejection.received.rfc3339(),
            status: rejection.status,
            code: rejection.code.clone(),
            reason: rejection.reason.clone(),
            peer: rejection.peer.to_string(),
            method: rejection.method.clone(),
            url: rejection.url.clone(),
            size: rejection.size,
        }
    }
}
