//! The body of a request that somebody may not want.

use super::activity::Activity;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
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
    /// The connection that it comes on.
    activity: Arc<Activity>,
}

impl RequestBody {
    /// Takes a body. `waits` says that its sender waits for `100 Continue`, which reading it would send.
    pub(super) fn new(incoming: Incoming, waits: bool, activity: Arc<Activity>) -> Self {
        Self { incoming: Some(incoming), comes: !waits, activity }
    }
}

/// The next of a body. The connection knows whether there will be more.
fn poll_incoming(
    incoming: &mut Incoming,
    activity: &Activity,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    let frame = Pin::new(&mut *incoming).poll_frame(context);
    match &frame {
        Poll::Pending => activity.wait_for_body(context),
        Poll::Ready(Some(Ok(_))) if !incoming.is_end_stream() => {}
        Poll::Ready(_) => activity.end_body(),
    }
    frame
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let body = &mut *self;
        // Now its sender was asked to.
        body.comes = true;
        match &mut body.incoming {
            Some(incoming) => poll_incoming(incoming, &body.activity, context),
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
        let Some(incoming) = self.incoming.take() else { return };
        if incoming.is_end_stream() {
            self.activity.end_body();
            return;
        }
        // Outside of a runtime there is no connection either.
        let runtime = tokio::runtime::Handle::try_current().ok();
        match runtime.filter(|_| self.comes && incoming.size_hint().lower() <= DISCARDED) {
            Some(runtime) => {
                let activity = Arc::clone(&self.activity);
                runtime.spawn(async move {
                    let _ = tokio::time::timeout(DISCARD_TIME, discard(incoming, &activity)).await;
                    activity.drop_body();
                });
            }
            None => self.activity.drop_body(),
        }
    }
}

async fn discard(mut body: Incoming, activity: &Activity) {
    let mut length: u64 = 0;
    while let Some(Ok(frame)) = poll_fn(|context| poll_incoming(&mut body, activity, context)).await {
        length = length.saturating_add(frame.data_ref().map_or(0, |data| data.len() as u64));
        if length > DISCARDED {
            return;
        }
    }
}
