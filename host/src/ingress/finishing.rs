//! Work that goes on when nobody waits for it any more.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future that is driven to its end in a task of its own if it is dropped before. As long as somebody waits for it, it
/// costs no task.
pub(super) struct Finishing<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Finishing<F> {
    /// Begins with the first poll, as any future does: one that is dropped unpolled is run as well.
    pub(super) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Finishing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that what panics is not begun again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let poll = work.as_mut().poll(context);
        if poll.is_pending() {
            self.0 = Some(work);
        }
        poll
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Finishing<F> {
    fn drop(&mut self) {
        // Outside of a runtime nothing goes on any more.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;
    use tokio::sync::oneshot;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_is_dropped_half_way_is_done_nevertheless() {
        for polls in [0, 1] {
            let (go_on, told) = oneshot::channel();
            let (done, ended) = oneshot::channel();
            let mut work = Box::pin(Finishing::new(async move {
                let _ = told.await;
                let _ = done.send(7);
            }));
            for _ in 0..polls {
                assert!(futures_util::poll!(&mut work).is_pending());
            }
            drop(work);
            go_on.send(()).unwrap();
            assert_eq!(tokio::time::timeout(PATIENCE, ended).await.unwrap(), Ok(7));
        }
    }

    #[tokio::test]
    async fn what_ends_is_done_once() {
        let count = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&count);
        let done = Finishing::new(async move { shared.fetch_add(1, Ordering::SeqCst) });
        assert_eq!(done.await, 0);
        tokio::task::yield_now().await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
