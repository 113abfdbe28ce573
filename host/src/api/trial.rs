//! `/v1/subscriptions/test`: what a filter that is not stored says of an event.

use super::body::Json;
use super::explain::past_event;
use super::query::{NoParameters, Query, Segment};
use super::{Api, ProblemDetails, event};
use crate::subscription::{PastEvent, Verdict, VerdictOutcome};
use anglerfish_core::config::DataTemplate;
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::RenderConfig;
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
use utoipa::ToSchema;

/// The only thing below `/v1/subscriptions/` that takes a POST.
const TEST: &str = "test";

/// A filter, and the event to try it on: either one of the log, by `event_id`, or one written out, by `event`, `message` and
/// `headers` as filters see them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    /// A CEL expression; without one every event matches.
    filter: Option<String>,
    /// The sources that it would listen to; none means all.
    #[serde(default)]
    sources: Vec<String>,
    /// A subscription's `delivery.transform`: what it would have sent is told as well.
    transform: Option<String>,
    /// A subscription's `endpoint.data`, in the place of `transform`.
    data: Option<String>,
    /// What `content-type` of the endpoint's header fields would say of that data.
    content_type: Option<String>,
    /// The id of a stored event.
    event_id: Option<String>,
    /// Its source, where several have an event of this id.
    source: Option<String>,
    event: Option<TrialEvent>,
    /// The data of the event that is written out, as JSON: the same as `data` in it.
    #[schema(value_type = Value, required = false)]
    message: Option<Box<RawValue>>,
    /// The header fields of the event that is written out: the same as `headers` in it.
    headers: Option<BTreeMap<String, String>>,
}

impl Trial {
    /// What is to be made of the event, if anything is.
    fn made(&mut self) -> Result<Option<RenderConfig>, ProblemDetails> {
        let (transform, data) = (self.transform.take(), self.data.take());
        let Some(text) = data else {
            return match (transform, &self.content_type) {
                (_, Some(_)) => Err(invalid("content_type", "says what `data` is, and there is none")),
                (None, None) => Ok(None),
                (transform, None) => Ok(Some(RenderConfig { transform, ..RenderConfig::default() })),
            };
        };
        if transform.is_some() {
            return Err(invalid("data", "there is `transform` as well; give one of them"));
        }
        let template = DataTemplate::of(&text, self.content_type.as_deref());
        let template = template.map_err(|problem| invalid("data", &problem))?;
        Ok(Some(RenderConfig { data: template.pieces, ..RenderConfig::default() }))
    }

    /// The event that is written out, if one is, be it in parts.
    fn written(&mut self) -> Result<Option<TrialEvent>, ProblemDetails> {
        if self.event.is_none() && self.message.is_none() && self.headers.is_none() {
            return Ok(None);
        }
        let mut event = self.event.take().unwrap_or_default();
        if let Some(message) = self.message.take() {
            if event.data.is_some() || event.data_base64.is_some() {
                return Err(invalid("message", "the event has data as well; give one of them"));
            }
            event.data = Some(message);
        }
        if let Some(headers) = self.headers.take() {
            if !event.headers.is_empty() {
                return Err(invalid("headers", "the event has `headers` as well; give them once"));
            }
            event.headers = headers;
        }
        Ok(Some(event))
    }
}

/// An event written out. What is left out has a stand-in, so that a filter of the data alone can be tried on data alone.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialEvent {
    id: Option<String>,
    /// By default the first of `sources`.
    source: Option<String>,
    /// By default the source's name.
    #[serde(rename = "type")]
    kind: Option<String>,
    subject: Option<String>,
    /// By default now.
    #[schema(format = DateTime)]
    time: Option<String>,
    datacontenttype: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The data, as JSON.
    #[schema(value_type = Value, required = false)]
    data: Option<Box<RawValue>>,
    /// The data, as base64.
    #[schema(content_encoding = "base64")]
    data_base64: Option<String>,
}

/// What the filter says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrialVerdict)]
pub(super) struct TrialResult {
    outcome: VerdictOutcome,
    /// The sub-expression that decided, with its values.
    reason: String,
    /// What the transform sends, if the filter wants the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    sent: Option<Box<RawValue>>,
    /// Why nothing can be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    transform_error: Option<String>,
    /// What the data is, if the filter wants the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_text: Option<String>,
    /// Why it cannot be.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_error: Option<String>,
}

/// Tries a filter on an event, without storing either.
#[utoipa::path(
    post, path = "/v1/subscriptions/test", operation_id = "testFilter", tag = "subscriptions",
    request_body = Trial,
    responses(
        (status = 200, description = "What the filter says.", body = TrialResult),
        (status = 404, description = "There is no such event: `unknown-event`."),
        (status = 409, description = "Several sources have an event of this id: `ambiguous-event`, with `sources`."),
        (status = 422, description = "The filter or the event has problems: `invalid-document`."),
    )
)]
pub(super) async fn test(
    State(api): State<Api>,
    _: TestAddress,
    Query(NoParameters {}): Query<NoParameters>,
    Json(mut trial): Json<Trial>,
) -> Result<Answer<TrialResult>, ProblemDetails> {
    let past = match (trial.written()?, trial.event_id.take()) {
        (None, Some(id)) => {
            let record = event::find(&api, &id, trial.source.as_deref()).await?;
            past_event(&api, record).await?
        }
        (Some(_), None) if trial.source.is_some() => {
            return Err(invalid("source", "only chooses between stored events; it needs `event_id`"));
        }
        (Some(event), None) => event.into_past(trial.sources.first(), api.now())?,
        _ => {
            let message = "give either `event`, `message` or `headers`, or `event_id` of a stored event";
            return Err(invalid("event", message));
        }
    };
    let made = trial.made()?;
    let Verdict { outcome, reason, .. } = api
        .subscriptions
        .routing()
        .explain_with(past.clone(), &trial.sources, trial.filter.as_deref())
        .await?;
    let (mut sent, mut transform_error, mut sent_text, mut data_error) = (None, None, None, None);
    if let Some(made) = made {
        let is_text = !made.data.is_empty();
        let rendered = api.subscriptions.routing().render(past, made).await?;
        match rendered {
            // What is not wanted is not sent. That it could not be is worth knowing all the same.
            Ok(_) if outcome != VerdictOutcome::Match => {}
            Ok(text) if is_text => sent_text = Some(text),
            Ok(text) => sent = RawValue::from_string(text).ok(),
            Err(reason) if is_text => data_error = Some(reason),
            Err(reason) => transform_error = Some(reason),
        }
    }
    Ok(Answer(TrialResult { outcome, reason, sent, transform_error, sent_text, data_error }))
}

/// The address is that of the test, and not that of a subscription, which takes no POST.
pub(super) struct TestAddress;

impl<S: Send + Sync> FromRequestParts<S> for TestAddress {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Segment(segment) = Segment::from_request_parts(parts, state).await?;
        if segment == TEST { Ok(Self) } else { Err(unknown_method(Segment(segment)).await) }
    }
}

/// Another method than one subscription takes, which is one more at the address of the test.
pub(super) async fn unknown_method(Segment(segment): Segment) -> ProblemDetails {
    let (detail, allowed) = if segment == TEST {
        (
            "the test of a filter takes POST; a subscription takes GET, PUT and DELETE",
            "GET,HEAD,PUT,DELETE,POST",
        )
    } else {
        ("a subscription takes GET, PUT and DELETE", "GET,HEAD,PUT,DELETE")
    };
    ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
        .header(ALLOW, HeaderValue::from_static(allowed))
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
