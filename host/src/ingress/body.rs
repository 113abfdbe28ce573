//! Reading a body: whole or not at all.

use anglerfish_core::answer::Fault;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::time::Duration;

/// How much of a body that is too large is read and thrown away, so that its sender, still writing, gets to read why.
const DISCARDED: u64 = 16 << 20;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Reads a body of at most `limit` bytes, whether its length was announced or it comes in chunks.
///
/// # Errors
///
/// What to answer: the body is too large, too slow, or broke off.
pub(super) async fn read(mut body: Incoming, limit: u64, timeout: Duration) -> Result<Bytes, Fault> {
    let announced = body.size_hint().lower();
    let read = if announced > limit {
        Err(Fault::TooLarge { limit })
    } else {
        tokio::time::timeout(timeout, collect(&mut body, limit)).await.unwrap_or(Err(Fault::BodyTimeout))
    };
    if matches!(read, Err(Fault::TooLarge { .. })) && announced <= DISCARDED {
        // However this ends, the answer is the same.
        let _ = tokio::time::timeout(DISCARD_TIME, discard(body)).await;
    }
    read
}

async fn discard(mut body: Incoming) {
    let mut length: u64 = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length = length.saturating_add(frame.data_ref().map_or(0, |data| data.len() as u64));
        if length > DISCARDED {
            return;
        }
    }
}

async fn collect(body: &mut Incoming, limit: u64) -> Result<Bytes, Fault> {
    let announced = body.size_hint().exact();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut length: u64 = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Fault::UnreadableBody) };
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len() as u64);
        if length > limit {
            return Err(Fault::TooLarge { limit });
        }
        // A body that came in one piece, as most do, is not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0));
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
