//! What comes in at a callback as Server-Sent Events ("HTML Standard", section 9.2).

use super::ReceivedDocument;
use crate::api::query::{Query, Segment};
use crate::api::{Api, ProblemDetails};
use crate::callback::{CallbackError, Callbacks, Next, ReceivedCallback};
use crate::store::EventSeq;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use utoipa::IntoParams;

/// How long nothing is said at most: proxies cut what is silent for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long one look into the inbox waits.
const LOOK: Duration = Duration::from_mins(1);

/// When a reader comes again after the connection broke.
const RETRY: Duration = Duration::from_secs(2);

/// The header field of `EventSource` that says up to where it has read.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells a proxy (nginx) to hand on at once what comes.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct StreamQuery {
    /// Who asks: `holder` as it was told. Somebody else who holds it by now makes it a conflict.
    holder: Option<u64>,
    /// The position to begin behind, of what is not done with. `Last-Event-ID` counts more.
    after: Option<i64>,
}

/// What came in and is not done with, and what comes, as Server-Sent Events.
///
/// The `id` of each is its position, and its data what `next` would give. Nothing is done with by being read: it is acknowledged
/// as ever, all up to a position, and what is not comes again to whoever begins anew. Who comes again with `Last-Event-ID` goes on
/// behind it. The last event is named `end`, with the `reason`: `over`, `fenced`, `stopping` or `unavailable`.
#[utoipa::path(
    get, path = "/v1/callbacks/{name}/stream", operation_id = "streamCallback", tag = "callbacks",
    params(
        ("name" = String, Path, description = "Its name; a slash in it is written `%2F`."),
        StreamQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "The position to go on behind, as `EventSource` sends it."),
    ),
    responses(
        (status = 200, description = "What comes.", content((String = "text/event-stream"))),
        (status = 204, description = "Nothing is there, and nothing will come: it is closed, or its time is over. `EventSource` does not come again."),
        (status = 400, description = "That is no position: `invalid-query`."),
        (status = 404, description = "There is none of this name: `unknown-callback`."),
        (status = 409, description = "Somebody else holds it by now: `fenced`."),
    )
)]
pub(in crate::api) async fn stream(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(StreamQuery { holder, after }): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, ProblemDetails> {
    let said = last(&headers)?.or(after);
    let position = EventSeq(said.unwrap_or_default());
    let callbacks = api.callbacks.clone();
    // What is wrong is answered before the stream begins.
    let first = match callbacks.next_behind(&name, holder, position, Duration::ZERO).await? {
        Next::Over => return Ok(StatusCode::NO_CONTENT.into_response()),
        Next::Received(received) => Some(received),
        Next::Nothing => None,
    };
    if said.is_some_and(|said| said < 0) || position > callbacks.newest() {
        let detail = format!("there is no position {} in the log", position.0);
        return Err(ProblemDetails::bad_request("invalid-query", detail));
    }
    let greeting = Event::default().retry(RETRY).id(position.0.to_string());
    let feed = Feed { callbacks, name, holder, position, greeting: Some(greeting), first, is_over: false };
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let buffering = [(BUFFERING, HeaderValue::from_static("no"))];
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok((buffering, events).into_response())
}

/// The position that a reader says it has come to.
fn last(headers: &HeaderMap) -> Result<Option<i64>, ProblemDetails> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    let detail = "`Last-Event-ID` is no position of this stream";
    position.map(Some).ok_or_else(|| ProblemDetails::bad_request("invalid-query", detail))
}

/// A stream that is being read.
struct Feed {
    callbacks: Callbacks,
    name: String,
    holder: Option<u64>,
    /// What the reader has been given.
    position: EventSeq,
    greeting: Option<Event>,
    first: Option<Box<ReceivedCallback>>,
    is_over: bool,
}

impl Feed {
    /// What comes next; `None` behind the end. It may be dropped while it waits.
    async fn next(&mut self) -> Option<Event> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        if let Some(first) = self.first.take() {
            return Some(self.give(*first));
        }
        if self.is_over {
            return None;
        }
        loop {
            match self.callbacks.next_behind(&self.name, self.holder, self.position, LOOK).await {
                Ok(Next::Received(received)) => return Some(self.give(*received)),
                Ok(Next::Nothing) => {}
                // It is forgotten once it is over for long.
                Ok(Next::Over) | Err(CallbackError::Unknown(_)) => return Some(self.end("over")),
                Err(CallbackError::Fenced(_)) => return Some(self.end("fenced")),
                Err(CallbackError::Stopping) => return Some(self.end("stopping")),
                Err(error) => {
                    tracing::warn!(callback = self.name, %error, "the stream of a callback ends");
                    return Some(self.end("unavailable"));
                }
            }
        }
    }

    fn give(&mut self, received: ReceivedCallback) -> Event {
        self.position = received.position;
        let event = Event::default().id(self.position.0.to_string());
        event.json_data(ReceivedDocument::from(received)).unwrap_or_else(|error| {
            tracing::error!(callback = self.name, %error, "a callback cannot be written as JSON");
            self.end("unavailable")
        })
    }

    fn end(&mut self, reason: &str) -> Event {
        self.is_over = true;
        let data = json!({"reason": reason, "position": self.position.0});
        Event::default().event("end").data(data.to_string())
    }
}
