//! Server-Sent Events: "HTML Standard", section 9.2.

use super::gzip::{Gzip, Packed};
use super::handler::{Gap, at, rotation, silence};
use super::item::{Item, SseStyle};
use super::metric::Closed;
use super::probe::Probe;
use super::reader::{Next, Reader};
use super::registry::Streams;
use crate::store::EventSeq;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::time::Instant;

/// When a reader comes again after the connection broke, in milliseconds.
const RETRY: u64 = 2000;

/// The same when its stream was ended for it to begin another.
const ROTATE: u64 = 50;

/// The same when the gateway stops, or the store has trouble: so that not all come at once.
const AWAY: std::ops::RangeInclusive<u64> = 1000..=5000;

struct State {
    streams: Streams,
    reader: Reader,
    style: SseStyle,
    rotate: Instant,
    probe: Probe,
    /// What the reader knows of where it is.
    told: EventSeq,
    greeting: Option<Bytes>,
    is_over: bool,
    /// What packs it, if it is packed.
    gzip: Option<Gzip>,
}

/// What comes next.
enum Part {
    /// The stream's own words.
    Text(Bytes),
    Items(Vec<Arc<Item>>),
}

/// A stream of a reader's events.
pub(super) fn answer(
    streams: Streams,
    reader: Reader,
    style: SseStyle,
    gap: Option<Gap>,
    gzip: Option<Gzip>,
) -> Response {
    let position = at(&streams, reader.position);
    // An id without data is no event, and the reader has it when the connection breaks before the first one. Behind a gap it
    // must not have it before it was told: who comes again with it is told nothing.
    let begun = match gap {
        None => format!("id: {position}\n\n"),
        Some(gap) => gap_text(gap, &position),
    };
    let greeting = Some(format!("retry: {RETRY}\n{begun}").into());
    let rotate = rotation(&streams);
    let told = reader.position;
    let probe = Probe::of(&reader);
    let state = State { streams, reader, style, rotate, probe, told, greeting, is_over: false, gzip };
    // What is dropped half-way has moved nobody: the reader is in the state, which goes with it.
    let body = stream::unfold(Box::new(state), |mut state| async move {
        let part = state.next().await?;
        Some((Ok::<_, Infallible>(part), state))
    });
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
    (kind, Body::from_stream(body)).into_response()
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        let part = self.part().await;
        let (log, style) = (&self.streams.shared.identity, self.style);
        match (part, &mut self.gzip) {
            (Some(Part::Text(text)), None) => Some(text),
            (Some(Part::Items(items)), None) => Some(match items.as_slice() {
                [only] => only.sse(log, style),
                several => {
                    let texts: Vec<Bytes> = several.iter().map(|item| item.sse(log, style)).collect();
                    let mut part = BytesMut::with_capacity(texts.iter().map(Bytes::len).sum());
                    texts.iter().for_each(|text| part.extend_from_slice(text));
                    part.freeze()
                }
            }),
            (Some(Part::Text(text)), Some(gzip)) => Some(gzip.text(&text)),
            (Some(Part::Items(items)), Some(gzip)) => {
                let packed: Vec<Arc<Packed>> = items.iter().map(|item| item.packed_sse(log, style)).collect();
                Some(gzip.add(packed.iter().map(|packed| &**packed)))
            }
            (None, None) => None,
            (None, Some(_)) => self.gzip.take().map(|gzip| gzip.end()),
        }
    }

    async fn part(&mut self) -> Option<Part> {
        if let Some(greeting) = self.greeting.take() {
            return Some(Part::Text(greeting));
        }
        if self.is_over {
            return None;
        }
        let until = silence(&self.streams).min(self.rotate);
        let next = self.probe.next(&mut self.reader, until).await;
        Some(Part::Text(match next {
            Next::Items(items) => {
                self.told = self.reader.position;
                return Some(Part::Items(items));
            }
            Next::Nothing if Instant::now() >= self.rotate => self.end(Closed::Rotated, "rotated", ROTATE),
            Next::Nothing if self.told == self.reader.position => Bytes::from_static(b":\n\n"),
            // What the subscription does not want is behind it, too: it need not be read again.
            Next::Nothing => {
                self.told = self.reader.position;
                Bytes::from(format!("id: {}\n\n", at(&self.streams, self.told)))
            }
            Next::Gap { to } => {
                self.told = to;
                self.streams.shared.metrics.gap();
                let position = at(&self.streams, to);
                Bytes::from(gap_text(Gap::Expired, &position))
            }
            Next::Ended if self.streams.is_stopping() => {
                self.end(Closed::Stopping, "stopping", fastrand::u64(AWAY))
            }
            Next::Ended => self.end(Closed::Changed, "changed", RETRY),
            Next::Failed(error) => {
                tracing::warn!(%error, "a stream ends because the log cannot be read");
                self.end(Closed::Failed, "unavailable", fastrand::u64(AWAY))
            }
        }))
    }

    fn end(&mut self, closed: Closed, reason: &str, retry: u64) -> Bytes {
        self.is_over = true;
        self.reader.place.close(closed);
        let position = at(&self.streams, self.reader.position);
        let data = json!({"reason": reason, "position": position, "retry": retry});
        Bytes::from(format!("retry: {retry}\nid: {position}\nevent: end\ndata: {data}\n\n"))
    }
}

/// A gap, in one event with the position that the reader goes on behind.
fn gap_text(gap: Gap, oldest: &str) -> String {
    let data = json!({"code": gap.code(), "detail": gap.detail(), "oldest": oldest});
    format!("id: {oldest}\nevent: gap\ndata: {data}\n\n")
}
