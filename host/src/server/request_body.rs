//! The body of a request that somebody may not want.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How much of a body that nobody wants is read and thrown away, in bytes.
const DISCARDED: u64 = 16 << 20;

/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// A body as it comes in.
///
/// What is not read of it when it is dropped is read and thrown away within bounds: closing the connection instead
/// would reset it under a sender that is still writing, which would then never see why it was refused.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    /// Whether its sender sends it without being asked to.
    comes: bool,
}

impl RequestBody {
    /// Takes a body. `waits` says that its sender waits for `100 Continue`, which reading it would send.
    pub(super) fn new(incoming: Incoming, waits: bool) -> Self {
        Self { incoming: Some(incoming), comes: !waits }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Now its sender was asked to.
        self.comes = true;
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take().filter(|_| self.comes) else { return };
        if incoming.is_end_stream() || incoming.size_hint().lower() > DISCARDED {
            return;
        }
        // Outside of a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DISCARD_TIME, discard(incoming)));
        }
    }
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
