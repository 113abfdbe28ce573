//! JSON lines: one line for each event, without end.

use super::gzip::{Gzip, Packed};
use super::handler::{Gap, at, rotation, silence};
use super::item::{DataStyle, Item};
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

struct State {
    streams: Streams,
    reader: Reader,
    style: DataStyle,
    rotate: Instant,
    probe: Probe,
    /// What the reader knows of where it is; nothing at first.
    told: Option<EventSeq>,
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

/// A line for each of a reader's events.
pub(super) fn answer(streams: Streams, reader: Reader, style: DataStyle, gzip: Option<Gzip>) -> Response {
    let rotate = rotation(&streams);
    let probe = Probe::of(&reader);
    let state = State { streams, reader, style, rotate, probe, told: None, is_over: false, gzip };
    // What is dropped half-way has moved nobody: the reader is in the state, which goes with it.
    let body = stream::unfold(Box::new(state), |mut state| async move {
        let part = state.next().await?;
        Some((Ok::<_, Infallible>(part), state))
    });
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    (kind, Body::from_stream(body)).into_response()
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        let part = self.part().await;
        let (log, style) = (&self.streams.shared.identity, self.style);
        match (part, &mut self.gzip) {
            (Some(Part::Text(text)), None) => Some(text),
            (Some(Part::Items(items)), None) => {
                let mut part = BytesMut::new();
                items.iter().for_each(|item| part.extend_from_slice(&item.line(log, style)));
                Some(part.freeze())
            }
            (Some(Part::Text(text)), Some(gzip)) => Some(gzip.text(&text)),
            (Some(Part::Items(items)), Some(gzip)) => {
                let packed: Vec<Arc<Packed>> =
                    items.iter().map(|item| item.packed_line(log, style)).collect();
                Some(gzip.add(packed.iter().map(|packed| &**packed)))
            }
            (None, None) => None,
            (None, Some(_)) => self.gzip.take().map(|gzip| gzip.end()),
        }
    }

    async fn part(&mut self) -> Option<Part> {
        if self.is_over {
            return None;
        }
        if self.told.is_none() {
            return Some(Part::Text(self.place()));
        }
        let until = silence(&self.streams).min(self.rotate);
        let next = self.probe.next(&mut self.reader, until).await;
        Some(Part::Text(match next {
            Next::Items(items) => {
                self.told = Some(self.reader.position);
                return Some(Part::Items(items));
            }
            Next::Nothing if Instant::now() >= self.rotate => self.end(Closed::Rotated, "rotated"),
            Next::Nothing if self.told == Some(self.reader.position) => Bytes::from_static(b"\n"),
            // What the subscription does not want is behind it, too: it need not be read again.
            Next::Nothing => self.place(),
            Next::Gap { to } => {
                self.told = Some(to);
                self.streams.shared.metrics.gap();
                let oldest = at(&self.streams, to);
                let gap = Gap::Expired;
                let gap = json!({"code": gap.code(), "detail": gap.detail(), "oldest": oldest});
                line(&json!({"position": oldest, "gap": gap}))
            }
            Next::Ended if self.streams.is_stopping() => self.end(Closed::Stopping, "stopping"),
            Next::Ended => self.end(Closed::Changed, "changed"),
            Next::Failed(error) => {
                tracing::warn!(%error, "a stream ends because the log cannot be read");
                self.end(Closed::Failed, "unavailable")
            }
        }))
    }

    /// Where the reader is.
    fn place(&mut self) -> Bytes {
        self.told = Some(self.reader.position);
        line(&json!({"position": at(&self.streams, self.reader.position)}))
    }

    fn end(&mut self, closed: Closed, reason: &str) -> Bytes {
        self.is_over = true;
        self.reader.place.close(closed);
        line(&json!({"position": at(&self.streams, self.reader.position), "end": {"reason": reason}}))
    }
}

fn line(value: &serde_json::Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
