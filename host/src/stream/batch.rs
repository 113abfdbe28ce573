//! One batch that is waited for: long poll.

use super::gzip::Gzip;
use super::handler::{Gap, at, gone};
use super::item::DataStyle;
use super::metric::Closed;
use super::reader::{LOOK, Next, Reader};
use super::registry::Streams;
use crate::store::EventSeq;
use crate::web::ProblemDetails;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::time::Duration;
use tokio::time::Instant;

/// How much text an answer has, in bytes; its last events may go beyond.
const BYTES: usize = 1 << 20;

/// The next events: those that are there, or those that come first while it waits. Also says where to go on.
pub(super) async fn answer(
    streams: &Streams,
    mut reader: Reader,
    data: DataStyle,
    max: usize,
    wait: Duration,
    is_cloudevents: bool,
    gzip: Option<Gzip>,
) -> Result<(Response, EventSeq), ProblemDetails> {
    let begun = Instant::now();
    let (mut events, mut length) = (Vec::new(), 0);
    // Up to here nothing is left out.
    let mut position = reader.position;
    let mut is_hurried = false;
    while events.len() < max && length < BYTES {
        // Only the first event is waited for.
        let until = if events.is_empty() && !is_hurried { begun + wait } else { begun };
        // One time for the whole answer: where little is wanted each event would be looked for as long again.
        let watch = reader.place.watch().clone();
        let next = tokio::select! {
            biased;
            next = reader.next_within(max - events.len(), until, begun + LOOK) => next,
            // Whoever says no more may be gone, and another word to find that out there is none: it gets what there is.
            () = watch.half_closed(), if until > begun && !is_hurried => {
                is_hurried = true;
                continue;
            }
        };
        match next {
            Next::Items(items) => {
                position = reader.position;
                for item in &items {
                    let text = item.json(data);
                    length += text.len();
                    events.push(text);
                }
            }
            Next::Nothing | Next::Ended => {
                position = reader.position;
                break;
            }
            // What is there is handed out first; the next request is told.
            Next::Gap { .. } if !events.is_empty() => break,
            Next::Gap { to } => {
                streams.shared.metrics.gap();
                return Err(gone(streams, Gap::Expired, to));
            }
            Next::Failed(_) if !events.is_empty() => break,
            Next::Failed(error) => {
                reader.place.close(Closed::Failed);
                return Err(error.into());
            }
        }
    }
    reader.place.close(Closed::Answered);
    let events = events.join(",");
    let (kind, text) = match is_cloudevents {
        true => ("application/cloudevents-batch+json", format!("[{events}]")),
        false => {
            let position = at(streams, position);
            ("application/json", format!("{{\"events\":[{events}],\"position\":\"{position}\"}}"))
        }
    };
    let body = match gzip {
        None => Bytes::from(text),
        Some(mut gzip) => [gzip.text(text.as_bytes()), gzip.end()].concat().into(),
    };
    let mut response = (StatusCode::OK, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok((response, position))
}
