//! What is at the address of streams.

use super::access::{Opened, OpenedTopic, Sender};
use super::gzip::{self, Gzip};
use super::place::{TooManyReaders, Visitor};
use super::position::Position;
use super::registry::{OpenError, Streams};
use super::request::{Answer, LAST_EVENT_ID, Start, StreamQuery};
use super::router::StreamOut;
use super::session::Target;
use super::websocket::{Handshake, MaybeWebSocket};
use super::{batch, lines, link, sse, upgrade};
use crate::log::ReadError;
use crate::store::EventSeq;
use crate::web::{ProblemDetails, Query, internal};
use anglerfish_core::request::UnixMillis;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, HeaderValue, LINK, VARY};
use http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// When to come again if too many read, or the gateway stops.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How far ahead of this one the clock may be of somebody who names a time.
const AHEAD: Duration = Duration::from_mins(1);

/// Tells a proxy (nginx) to hand on at once what comes.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where a stream begins, and what is to be said about that first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    /// Where it begins.
    pub(super) position: EventSeq,
    /// Why that is not where it was asked to.
    pub(super) gap: Option<Gap>,
}

/// What of the log a reader cannot get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// It was deleted because of its age.
    Expired,
    /// The position is of another log, or this one does not reach so far.
    Unknown,
}

impl Gap {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Expired => "position-expired",
            Self::Unknown => "position-unknown",
        }
    }

    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::Expired => {
                "events behind this position are no longer kept; `oldest` is where the log is whole from"
            }
            Self::Unknown => {
                "the position is none of this log, or of an end of it that was lost; behind `oldest` nothing is missing"
            }
        }
    }
}

/// Reads the log as a subscription sees it, from a position on.
///
/// As Server-Sent Events or JSON lines the answer has no end of its own: it goes on with what comes, says something at least
/// every few seconds, and is ended now and then for the reader to begin again at its position. As one JSON document or
/// CloudEvents batch it ends when there are events, or when the reader has waited long enough. Nothing is stored for a reader,
/// and any number of them read the same.
///
/// A request that asks for a WebSocket gets one, with this subscription begun.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        get, path = "/out/{subscription}", operation_id = "read", tag = "out",
        params(("subscription" = String, Path, description = "The subscription's id."), StreamQuery),
        responses(
            (
                status = 200,
                description = "The events. `Last-Event-ID` says which position it begins behind.",
                content(
                    (String = "text/event-stream"),
                    (String = "application/x-ndjson"),
                    (super::openapi::BatchDocument = "application/json"),
                    (Vec<Object> = "application/cloudevents-batch+json"),
                ),
                headers(("Last-Event-ID" = String, description = "The position that it begins behind."))
            ),
            (status = 101, description = "A WebSocket, where the request asks for one; see `/out`."),
            (status = 406, description = "None of these formats is accepted: `not-acceptable`."),
            (
                status = 410,
                description = "What was asked for is no longer there: `position-expired`, or `position-unknown` for a position of \
                    another log. `oldest` is the position from which on nothing is missing. Server-Sent Events say so in an event \
                    `gap` and go on from there."
            ),
            (
                status = 429,
                description = "Too many read already, with this token or from this address: `too-many-readers`; or too many tokens that are \
                    not right came from there: `too-many-wrong-tokens`.",
                headers(("Retry-After" = String, description = "When to come again, in seconds."))
            ),
            (
                status = 503,
                description = "Too many read already: `too-many-readers`. Or the gateway stops, or the store is out of reach for now: \
                    `unavailable`."
            ),
        )
    )
)]
pub(super) async fn read(
    State(out): State<StreamOut>,
    opened: Opened,
    MaybeWebSocket(websocket): MaybeWebSocket,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ProblemDetails> {
    answer(&out, opened, websocket, &headers, &query, asked.as_deref()).await
}

/// Reads a topic from a position on.
///
/// All that is said of a subscription holds for a topic. How far back it goes is the topic's `history`.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        get, path = "/topic/{topic}", operation_id = "readTopic", tag = "topic",
        params(("topic" = String, Path, description = "The topic's name."), StreamQuery),
        responses(
            (
                status = 200,
                description = "The messages. `Last-Event-ID` says which position it begins behind.",
                content(
                    (String = "text/event-stream"),
                    (String = "application/x-ndjson"),
                    (super::openapi::BatchDocument = "application/json"),
                    (Vec<Object> = "application/cloudevents-batch+json"),
                ),
                headers(("Last-Event-ID" = String, description = "The position that it begins behind."))
            ),
            (status = 101, description = "A WebSocket, where the request asks for one; see `/out`."),
            (status = 406, description = "None of these formats is accepted: `not-acceptable`."),
            (status = 410, description = "What was asked for is no longer there: `position-expired`, `position-unknown`."),
            (status = 429, description = "Too many read already, or too many wrong tokens came from there."),
            (status = 503, description = "Too many read already, or the gateway stops."),
        )
    )
)]
pub(super) async fn read_topic(
    State(out): State<StreamOut>,
    OpenedTopic(opened): OpenedTopic,
    MaybeWebSocket(websocket): MaybeWebSocket,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ProblemDetails> {
    answer(&out, opened, websocket, &headers, &query, asked.as_deref()).await
}

/// Answers a request whose address has these parameters, as they were written.
pub(super) async fn answer(
    out: &StreamOut,
    opened: Opened,
    websocket: Option<Handshake>,
    headers: &HeaderMap,
    query: &StreamQuery,
    asked: Option<&str>,
) -> Result<Response, ProblemDetails> {
    if let Some(handshake) = websocket {
        return upgrade::read(out, opened, headers, query, handshake).await;
    }
    let streams = &out.streams;
    let answer = query.answer(headers)?;
    let Opened { target: Target { readable, history }, token, sender: Sender { address, agent, watch } } =
        opened;
    let beginning = begin(streams, query.start(headers)?, history).await?;
    if streams.is_stopping() {
        return Err(stopping());
    }
    if let (Some(gap), false) = (beginning.gap, matches!(answer, Answer::Sse(_))) {
        return Err(gone(streams, gap, beginning.position));
    }
    let (subscription, label) = (Arc::clone(&readable.id), Arc::clone(&readable.label));
    let token = Sha256::digest(token).into();
    let visitor = Visitor { subscription, label, protocol: answer.protocol(), address, token, agent, watch };
    let reader = streams.open(&readable, visitor, beginning.position)?;
    let is_packed = gzip::is_accepted(headers);
    let packer = || is_packed.then(Gzip::default);
    let mut next = None;
    let mut response = match answer {
        Answer::Sse(style) => sse::answer(streams.clone(), reader, style, beginning.gap, packer()),
        Answer::Lines(style) => lines::answer(streams.clone(), reader, style, packer()),
        Answer::Batch { data, max, wait, is_cloudevents } => {
            let (response, position) =
                batch::answer(streams, reader, data, max, wait, is_cloudevents, packer()).await?;
            next = Some(link::next(asked, &at(streams, position)));
            response
        }
    };
    let fields = response.headers_mut();
    fields.insert(LAST_EVENT_ID, field(&at(streams, beginning.position)));
    if let Some(next) = next {
        fields.insert(LINK, field(&next));
    }
    fields.insert(BUFFERING, HeaderValue::from_static("no"));
    fields.append(VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// What is answered once the gateway stops.
pub(super) fn stopping() -> ProblemDetails {
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the gateway stops")
        .retry_after(RETRY_AFTER)
}

/// Where to begin. What has been deleted or never was is found out here, so that the answer can say so. What is older than
/// `history` is as good as deleted.
pub(super) async fn begin(
    streams: &Streams,
    start: Start,
    history: Option<Duration>,
) -> Result<Beginning, ProblemDetails> {
    let beginning = begin_in_log(streams, start).await?;
    let Some(history) = history else { return Ok(beginning) };
    let oldest = streams.shared.log.at(ago(streams, history)).await.map_err(unreadable)?;
    if oldest <= beginning.position {
        return Ok(beginning);
    }
    let gap = (start != Start::Earliest).then_some(Gap::Expired);
    if beginning.gap.is_none() && gap.is_some() {
        streams.shared.metrics.gap();
    }
    Ok(Beginning { position: oldest, gap: beginning.gap.or(gap) })
}

fn ago(streams: &Streams, time: Duration) -> UnixMillis {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(streams.shared.options.clock.now().0.saturating_sub(millis))
}

async fn begin_in_log(streams: &Streams, start: Start) -> Result<Beginning, ProblemDetails> {
    let log = &streams.shared.log;
    let head = *log.head().borrow();
    let whole = |position| Beginning { position, gap: None };
    let (wanted, is_earliest) = match start {
        Start::Now => return Ok(whole(head)),
        Start::Earliest => (EventSeq(0), true),
        Start::At(time) if time > streams.shared.options.clock.now().after(AHEAD) => {
            let detail = "`from` is in the future; leave it out to begin with what comes";
            return Err(ProblemDetails::bad_request("invalid-query", detail));
        }
        Start::At(time) => {
            let position = log.at(time).await.map_err(unreadable)?;
            let kept = oldest(streams, EventSeq(0)).await?;
            // What was deleted is not known by its time, only that it was older than what is kept.
            if kept > EventSeq(0)
                && position <= kept
                && time < ago(streams, *streams.shared.retention.borrow())
            {
                streams.shared.metrics.gap();
                return Ok(Beginning { position: kept, gap: Some(Gap::Expired) });
            }
            (position, false)
        }
        Start::Behind(position) if position.is_of(&streams.shared.identity) && position.seq <= head => {
            (position.seq, false)
        }
        // What is in the store can be read a moment before the head of the log says so.
        Start::Behind(position)
            if position.is_of(&streams.shared.identity) && is_there(streams, position.seq).await? =>
        {
            (position.seq, false)
        }
        Start::Behind(_) | Start::Nowhere => {
            let known = match start {
                Start::Behind(position) => position.shared(&streams.shared.identity),
                _ => EventSeq(0),
            };
            let oldest = oldest(streams, known).await?;
            streams.shared.metrics.gap();
            return Ok(Beginning { position: oldest, gap: Some(Gap::Unknown) });
        }
    };
    let oldest = oldest(streams, wanted).await?;
    if oldest == wanted || is_earliest {
        return Ok(whole(oldest));
    }
    streams.shared.metrics.gap();
    Ok(Beginning { position: oldest, gap: Some(Gap::Expired) })
}

/// Whether the log reaches as far as a position.
async fn is_there(streams: &Streams, position: EventSeq) -> Result<bool, ProblemDetails> {
    let before = EventSeq(position.0.saturating_sub(1));
    match streams.shared.log.read(before, 1, 0).await {
        Ok(entries) => Ok(!entries.is_empty()),
        Err(ReadError::Gap { .. }) => Ok(false),
        Err(error) => Err(unreadable(error)),
    }
}

/// The position, or the first one behind it from which on nothing is missing.
async fn oldest(streams: &Streams, position: EventSeq) -> Result<EventSeq, ProblemDetails> {
    match streams.shared.log.read(position, 1, 0).await {
        Ok(_) => Ok(position),
        Err(ReadError::Gap { oldest, .. }) => Ok(EventSeq(oldest.0.saturating_sub(1)).max(position)),
        Err(error) => Err(unreadable(error)),
    }
}

fn unreadable(error: ReadError) -> ProblemDetails {
    match error {
        ReadError::Store(error) => error.into(),
        gap @ ReadError::Gap { .. } => {
            tracing::error!(error = %gap, "the log has a gap where it was just whole");
            internal("the log cannot be read; see the log")
        }
    }
}

/// The answer to who asks for what is not there any more.
pub(super) fn gone(streams: &Streams, gap: Gap, oldest: EventSeq) -> ProblemDetails {
    ProblemDetails::new(StatusCode::GONE, gap.code(), gap.detail()).member("oldest", at(streams, oldest))
}

/// A position as readers name it.
pub(super) fn at(streams: &Streams, seq: EventSeq) -> String {
    Position::new(&streams.shared.identity, seq).to_string()
}

/// A value of a header field that is known to be one.
pub(super) fn field(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// When a stream ends for its reader to begin another: about as long as is configured.
pub(super) fn rotation(streams: &Streams) -> tokio::time::Instant {
    let whole = streams.shared.options.rotate_after;
    tokio::time::Instant::now() + whole.mul_f64(fastrand::f64().mul_add(0.2, 0.9))
}

/// When there is something to say, if nothing comes.
pub(super) fn silence(streams: &Streams) -> tokio::time::Instant {
    tokio::time::Instant::now() + streams.shared.options.heartbeat
}

impl From<TooManyReaders> for ProblemDetails {
    fn from(refused: TooManyReaders) -> Self {
        let status = match refused {
            TooManyReaders::All => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::TOO_MANY_REQUESTS,
        };
        Self::new(status, TooManyReaders::CODE, refused.to_string()).retry_after(RETRY_AFTER)
    }
}

impl From<OpenError> for ProblemDetails {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooManyReaders(refused) => refused.into(),
            OpenError::Filter(problems) => {
                tracing::error!(?problems, "the filter of a stream does not compile");
                internal("the filter does not compile; see the log")
            }
        }
    }
}
