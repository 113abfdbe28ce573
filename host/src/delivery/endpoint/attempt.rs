//! One attempt: a request, its answer, and what both come to.

use super::http::HttpEndpoint;
use super::request::{batch_request, request};
use super::secret::EndpointSecrets;
use super::target::Target;
use crate::clock::WallClock;
use crate::delivery::render::RenderError;
use crate::outbound::{Redactor, RetryAdvice, Watch, is_local, is_unreached, words};
use crate::store::{Attempt, LeasedDelivery};
use anglerfish_core::attempt::{Batch, OutgoingError};
use anglerfish_core::policy::{Answered, AttemptOutcome, FailureKind};
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::Rendered;
use bytes::{Bytes, BytesMut};
use http::header::LOCATION;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::error::Error;
use std::time::{Duration, Instant};

/// How much of an answer's body is read and kept.
pub(in crate::delivery) const ANSWER_LIMIT: usize = 4096;
/// How long an answer's body is waited for once its head is there, which decides.
const BODY_TIME: Duration = Duration::from_secs(1);
/// How much more is read at most to find a secret that lies across the end.
const MARGIN_LIMIT: usize = 64 * 1024;
/// How much of a `Location` is shown.
const LOCATION_LIMIT: usize = 200;

/// What an attempt came to, before the policy has its say.
#[derive(Debug)]
pub(in crate::delivery) struct HttpAttempt {
    /// When it began.
    pub(in crate::delivery) started: UnixMillis,
    /// How long it took.
    pub(in crate::delivery) duration: Duration,
    /// The status, as soon as it is known.
    pub(in crate::delivery) status: Option<StatusCode>,
    /// What the answer says about trying again.
    advice: RetryAdvice,
    /// Where a redirect points to.
    location: Option<String>,
    /// The beginning of the body.
    answer: Option<String>,
    /// Why there was no complete answer.
    failure: Option<NoAnswer>,
}

/// Why there was no complete answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::delivery) enum NoAnswer {
    #[error("timed out after {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Transport(String),
    /// The same, and nothing of the request was sent.
    #[error("{0}")]
    Unreached(String),
    /// The reason is on this side and says nothing about the endpoint: the attempt does not count.
    #[error("{0}")]
    Local(String),
    #[error(transparent)]
    Unsendable(#[from] OutgoingError),
    /// What is to be sent cannot be made of this event.
    #[error("cannot be sent as the subscription asks for: {0}")]
    Unfit(String),
}

impl HttpAttempt {
    fn begun(started: UnixMillis) -> Self {
        Self {
            started,
            duration: Duration::ZERO,
            status: None,
            advice: RetryAdvice::default(),
            location: None,
            answer: None,
            failure: None,
        }
    }

    /// An attempt that failed before a request was sent.
    pub(in crate::delivery) fn failed(failure: NoAnswer, now: UnixMillis) -> Self {
        Self { failure: Some(failure), ..Self::begun(now) }
    }

    /// The attempt as the policy sees it.
    pub(in crate::delivery) fn outcome(&self) -> AttemptOutcome<'_> {
        match (self.status, &self.failure) {
            (Some(status), None) => AttemptOutcome::Answered(Answered {
                status: status.as_u16(),
                retry_after: self.advice.retry_after.as_deref(),
                rate_limit_reset: self.advice.rate_limit_reset.as_deref(),
                is_abort: self.advice.is_abort,
            }),
            (_, Some(NoAnswer::Local(_) | NoAnswer::Unsendable(OutgoingError::Outdated))) => {
                AttemptOutcome::Local
            }
            (
                _,
                Some(
                    NoAnswer::Unfit(_)
                    | NoAnswer::Unsendable(OutgoingError::Fill(_) | OutgoingError::NotJson),
                ),
            ) => AttemptOutcome::Unsendable,
            (_, Some(NoAnswer::Timeout(_))) => AttemptOutcome::Failed(FailureKind::Timeout),
            _ => AttemptOutcome::Failed(FailureKind::Connection),
        }
    }

    /// Whether the endpoint may have acted on the request though it has not said so.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self.failure, Some(NoAnswer::Timeout(_) | NoAnswer::Transport(_)))
    }

    /// The attempt as it is recorded; `delivered` leaves the error out.
    pub(in crate::delivery) fn record(self, delivered: bool) -> Attempt {
        let error = if delivered { None } else { self.error() };
        Attempt {
            number: 0,
            started: self.started,
            duration: self.duration,
            status: self.status.map(|status| status.as_u16()),
            error,
            answer: self.answer,
        }
    }

    fn error(&self) -> Option<String> {
        if let Some(failure) = &self.failure {
            return Some(failure.to_string());
        }
        let status = self.status?;
        let mut text = format!("answered {}", status.as_str());
        if let Some(reason) = status.canonical_reason() {
            text.push(' ');
            text.push_str(reason);
        }
        if self.advice.is_abort {
            text.push_str(": the endpoint says not to try again (webhook-delivery: abort)");
        }
        if status.is_redirection() {
            text.push_str(": redirects are not followed");
            if let Some(location) = &self.location {
                text.push_str(&format!(" (location {location})"));
            }
        }
        Some(text)
    }

    fn read_head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        self.advice = RetryAdvice::read(headers);
        let text = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        // A query may carry a token.
        let location = text.map(|text| text.split_once('?').map_or(text, |(text, _)| text));
        self.location = location.map(str::to_owned);
    }

    /// Takes out of what came from outside what must not be kept.
    fn redact(&mut self, redactor: &Redactor) {
        if let Some(location) = &mut self.location {
            *location = start(&redactor.redact(location), LOCATION_LIMIT).to_owned();
        }
        if let Some(NoAnswer::Transport(text) | NoAnswer::Unreached(text) | NoAnswer::Local(text)) =
            &mut self.failure
        {
            *text = redactor.redact(text).into_owned();
        }
    }
}

/// Makes one attempt. `timeout` holds for all of it, from connecting to the head of the answer.
pub(in crate::delivery) async fn attempt(
    endpoint: &HttpEndpoint,
    delivery: LeasedDelivery,
    timeout: Duration,
) -> HttpAttempt {
    match rendered(endpoint, &delivery).await {
        Ok(rendered) => attempt_at(&endpoint.target, delivery, rendered, timeout, &endpoint.clock).await,
        Err(failure) => HttpAttempt::failed(failure, endpoint.clock.now()),
    }
}

/// Makes one attempt to tell of a document, with values in the place of wildcards.
pub(super) async fn notify(
    target: &Target,
    delivery: LeasedDelivery,
    values: Vec<(String, String)>,
    timeout: Duration,
    clock: &WallClock,
) -> HttpAttempt {
    attempt_at(target, delivery, Some(Rendered { body: None, values }), timeout, clock).await
}

async fn attempt_at(
    target: &Target,
    delivery: LeasedDelivery,
    rendered: Option<Rendered>,
    timeout: Duration,
    clock: &WallClock,
) -> HttpAttempt {
    let tried = HttpAttempt::begun(clock.now());
    match request(target, &delivery, rendered.as_ref(), tried.started) {
        Ok(request) => {
            drop(delivery);
            send(target, request, tried, timeout).await
        }
        Err(error) => HttpAttempt::failed(error.into(), clock.now()),
    }
}

/// Makes one attempt with several events in one request.
pub(super) async fn attempt_batch(
    target: &Target,
    batch: Batch,
    timeout: Duration,
    clock: &WallClock,
) -> HttpAttempt {
    let tried = HttpAttempt::begun(clock.now());
    match batch_request(target, batch, tried.started) {
        Ok(request) => send(target, request, tried, timeout).await,
        Err(error) => HttpAttempt::failed(error.into(), clock.now()),
    }
}

#[expect(clippy::disallowed_methods, reason = "measures, and decides nothing")]
async fn send(
    target: &Target,
    request: http::Request<Full<Bytes>>,
    mut tried: HttpAttempt,
    timeout: Duration,
) -> HttpAttempt {
    let clock = Instant::now();
    let watch = Watch::default();
    let exchanged = watch.over(tokio::time::timeout(timeout, exchange(target, request, &mut tried))).await;
    tried.failure = match exchanged {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        // What counts has come.
        Err(_) if tried.status.is_some() => None,
        Err(_) if watch.waits_here() => {
            Some(NoAnswer::Local(format!("waited {timeout:?} for a connection or a name")))
        }
        Err(_) => Some(NoAnswer::Timeout(timeout)),
    };
    tried.duration = clock.elapsed();
    if tried.location.is_some() || tried.failure.is_some() {
        tried.redact(target.hidden.redactor());
    }
    tried
}

/// What the subscription makes of the event, if it makes anything.
pub(super) async fn rendered(
    endpoint: &HttpEndpoint,
    delivery: &LeasedDelivery,
) -> Result<Option<Rendered>, NoAnswer> {
    if !endpoint.target.outgoing.needs_rendering() {
        return Ok(None);
    }
    let renderer = endpoint.renderer.as_ref();
    let renderer =
        renderer.ok_or_else(|| NoAnswer::Local("nothing here makes bodies of events".to_owned()))?;
    match renderer.render(delivery).await {
        Ok(rendered) => Ok(Some(rendered)),
        Err(RenderError::Unfit(reason)) => Err(NoAnswer::Unfit(reason)),
        Err(RenderError::Unavailable(reason)) => Err(NoAnswer::Local(reason)),
    }
}

async fn exchange(
    target: &Target,
    request: http::Request<Full<Bytes>>,
    tried: &mut HttpAttempt,
) -> Result<(), NoAnswer> {
    let response: Response<Incoming> =
        target.client.request(request).await.map_err(|error| failure(&error))?;
    let (head, body) = response.into_parts();
    tried.read_head(head.status, &head.headers);
    // The status decides. What of the body does not come, or not in time, is not kept.
    let mut kept = BytesMut::new();
    let _ = tokio::time::timeout(BODY_TIME, read(body, &mut kept, &target.hidden)).await;
    tried.answer = (!kept.is_empty()).then(|| excerpt(&kept, target.hidden.redactor()));
    Ok(())
}

fn failure(error: &(dyn Error + 'static)) -> NoAnswer {
    match words(error) {
        words if is_local(error) => NoAnswer::Local(words),
        words if is_unreached(error) => NoAnswer::Unreached(words),
        words => NoAnswer::Transport(words),
    }
}

/// Reads the beginning of a body, until it ends or breaks off. A longer one is dropped unread, and its connection with it.
async fn read(mut body: Incoming, kept: &mut BytesMut, hidden: &EndpointSecrets) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        // A secret that begins within what is kept has to be there as a whole, so that it is found.
        let margin = hidden.redactor().margin().min(MARGIN_LIMIT);
        let room = (ANSWER_LIMIT + margin).saturating_sub(kept.len());
        kept.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            break;
        }
    }
}

/// The bytes as text of at most the same limit: what is not UTF-8 is replaced, which can make it longer.
fn excerpt(bytes: &[u8], redactor: &Redactor) -> String {
    let text = String::from_utf8_lossy(bytes);
    start(&redactor.redact(&text), ANSWER_LIMIT).to_owned()
}

/// The beginning of a text, cut between characters.
fn start(text: &str, limit: usize) -> &str {
    text.split_at_checked(text.floor_char_boundary(limit)).map_or(text, |(start, _)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &str)]) -> HttpAttempt {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let mut tried = HttpAttempt::begun(UnixMillis(0));
        tried.read_head(StatusCode::from_u16(status).unwrap(), &map);
        tried
    }

    #[test]
    fn an_excerpt_is_text_within_the_limit() {
        let none = Redactor::default();
        assert_eq!(excerpt(b"a\xffb", &none), "a\u{fffd}b");
        assert_eq!(excerpt("é".repeat(3000).as_bytes(), &none).len(), ANSWER_LIMIT);
        let binary = excerpt(&[0xff; ANSWER_LIMIT], &none);
        assert!(binary.len() <= ANSWER_LIMIT && binary.chars().all(|char| char == '\u{fffd}'));
    }

    #[test]
    fn a_redirect_says_where_to_and_that_it_is_not_followed() {
        let tried = answered(302, &[("location", "http://10.0.0.1/x?token=hunter2")]);
        let error = tried.record(false).error.unwrap();
        assert_eq!(error, "answered 302 Found: redirects are not followed (location http://10.0.0.1/x)");
    }

    #[test]
    fn unknown_statuses_have_no_reason() {
        assert_eq!(answered(599, &[]).record(false).error.unwrap(), "answered 599");
        assert_eq!(answered(503, &[]).record(false).error.unwrap(), "answered 503 Service Unavailable");
    }
}
