//! The body of an answer that is being sent.

use super::activity::Activity;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// A body that tells the connection that it is asked for more, and when it is over.
pub(super) struct AnswerBody<B> {
    body: B,
    activity: Option<Arc<Activity>>,
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, activity: Option<Arc<Activity>>) -> Self {
        Self { body, activity }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(_)), Some(activity)) = (&frame, &self.activity) {
            activity.asked(Instant::now());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for AnswerBody<B> {
    fn drop(&mut self) {
        if let Some(activity) = &self.activity {
            activity.end(Instant::now());
        }
    }
}
