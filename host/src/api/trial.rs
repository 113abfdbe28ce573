//! `/v1/subscriptions/test`: what a filter that is not stored says of an event.

use super::body::Json;
use super::explain::past_event;
use super::query::{Nothing, Query, Segment};
use super::{Api, ProblemDetails, event};
use crate::subscription::{PastEvent, Verdict, VerdictOutcome};
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use axum::Json as Answer;
use axum::extract::{FromRequestParts, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{ALLOW, HeaderValue};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The only thing below `/v1/subscriptions/` that takes a POST.
const TEST: &str = "test";

/// A filter, and the event to try it on: either one of the log, by `event_id`, or one written out, by `event`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    filter: Option<String>,
    #[serde(default)]
    sources: Vec<String>,
    event_id: Option<String>,
    source: Option<String>,
    event: Option<TrialEvent>,
}

/// An event written out. What is left out has a stand-in, so that a filter of the data alone can be tried on data alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrialEvent {
    id: Option<String>,
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
}

/// What the filter says.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    outcome: VerdictOutcome,
    reason: String,
}

/// `POST /v1/subscriptions/test`
pub(super) async fn test(
    State(api): State<Api>,
    _: TestAddress,
    Query(Nothing {}): Query<Nothing>,
    Json(trial): Json<Trial>,
) -> Result<Answer<Tried>, ProblemDetails> {
    let past = match (trial.event, trial.event_id) {
        (None, Some(id)) => {
            let record = event::find(&api, &id, trial.source.as_deref()).await?;
            past_event(&api, record).await?
        }
        (Some(_), None) if trial.source.is_some() => {
            return Err(invalid("source", "only chooses between stored events; it needs `event_id`"));
        }
        (Some(event), None) => event.into_past(trial.sources.first(), api.now())?,
        _ => return Err(invalid("event", "give either `event`, or `event_id` of a stored one")),
    };
    let Verdict { outcome, reason, .. } =
        api.subscriptions.routing().explain_with(past, &trial.sources, trial.filter.as_deref()).await?;
    Ok(Answer(Tried { outcome, reason }))
}

/// The address is that of the test, and not that of a subscription, which takes no POST.
pub(super) struct TestAddress;

impl<S: Send + Sync> FromRequestParts<S> for TestAddress {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Segment(segment) = Segment::from_request_parts(parts, state).await?;
        if segment == TEST {
            return Ok(Self);
        }
        let detail = "a subscription takes GET, PUT and DELETE";
        Err(ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
            .header(ALLOW, HeaderValue::from_static("GET,HEAD,PUT,DELETE")))
    }
}

impl TrialEvent {
    /// The event as the gateway would keep it; without a source of its own it comes in through the one that is listened to.
    fn into_past(self, listened: Option<&String>, now: UnixMillis) -> Result<PastEvent, ProblemDetails> {
        let data = match (self.data, self.data_base64) {
            (Some(_), Some(_)) => {
                return Err(invalid("event.data_base64", "there is `data` as well; give one of them"));
            }
            (Some(json), None) => json.get().as_bytes().to_vec(),
            (None, Some(text)) => {
                STANDARD.decode(text).map_err(|_| invalid("event.data_base64", "is not base64"))?
            }
            (None, None) => Vec::new(),
        };
        let time = match self.time {
            None => now,
            Some(text) => UnixMillis::from_rfc3339(&text).ok_or_else(|| {
                invalid("event.time", "is not a time since 1970 such as `2026-01-31T12:00:00Z`")
            })?,
        };
        let source = self.source.or(listened.cloned()).unwrap_or_else(|| TEST.to_owned());
        let event = Event {
            id: self.id.unwrap_or_else(|| "evt_1".to_owned()),
            kind: self.kind.unwrap_or_else(|| source.clone()),
            source,
            subject: self.subject,
            time,
            datacontenttype: self.datacontenttype,
            ..Event::default()
        };
        Ok(PastEvent { event, headers: self.headers.into_iter().collect(), data: data.into(), received: now })
    }
}

fn invalid(path: &str, message: &str) -> ProblemDetails {
    ProblemDetails::invalid(&[Problem::new(path, message)])
}
