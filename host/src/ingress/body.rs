//! Reading a body: whole or not at all.

use super::budget::{BodyBudget, Share};
use anglerfish_core::answer::Fault;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use std::time::Duration;

/// When to come back after there was no room for a body.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Reads a body of at most `limit` bytes, whether its length was announced or it comes in chunks. `head` is what its
/// request holds already.
///
/// What it holds of the budget comes back with it, to be dropped once the request is verified.
///
/// # Errors
///
/// What to answer: the body is too large, too slow, broke off, or had to give way to others.
pub(super) async fn read<B>(
    body: B,
    head: usize,
    limit: u64,
    timeout: Duration,
    budget: &BodyBudget,
) -> Result<(Bytes, Share), Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limit {
        return Err(Fault::TooLarge { limit });
    }
    let mut share = budget.open(head).ok_or(Fault::Overloaded { retry_after: RETRY_AFTER })?;
    let revoked = share.revoked();
    let body = tokio::select! {
        read = tokio::time::timeout(timeout, collect(body, limit, &mut share)) => {
            read.unwrap_or(Err(Fault::BodyTimeout))?
        }
        () = revoked.cancelled() => return Err(Fault::Overloaded { retry_after: RETRY_AFTER }),
    };
    // Between its last byte and here it may have been told to give way; then it is not whole.
    if share.complete() { Ok((body, share)) } else { Err(Fault::Overloaded { retry_after: RETRY_AFTER }) }
}

async fn collect<B>(mut body: B, limit: u64, share: &mut Share) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
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
        if !share.grow(data.len()) {
            return Err(Fault::Overloaded { retry_after: RETRY_AFTER });
        }
        // A body that came in one piece, as most do, is not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use std::convert::Infallible;

    const LONG: Duration = Duration::from_secs(600);

    /// A body of one piece that never ends.
    fn unfinished(piece: usize) -> impl Body<Data = Bytes> + Unpin {
        let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; piece])));
        StreamBody::new(Box::pin(futures_util::StreamExt::chain(stream::iter([frame]), stream::pending())))
    }

    #[tokio::test]
    async fn unfinished_bodies_give_way_to_whole_ones() {
        let budget = BodyBudget::new(1 << 20);
        let mut hanging = Vec::new();
        for _ in 0..100 {
            let budget = budget.clone();
            let task = async move { read(unfinished(60_000), 100, 1 << 20, LONG, &budget).await.map(|_| ()) };
            hanging.push(tokio::spawn(task));
        }
        for _ in 0..100 {
            let body = Full::new(Bytes::from(vec![b'y'; 200_000]));
            let (body, share) = read(body, 100, 1 << 20, LONG, &budget).await.expect("it is whole");
            assert_eq!(body.len(), 200_000);
            drop(share);
            assert!(budget.held() <= 1 << 20);
            tokio::task::yield_now().await;
        }
        let ended = hanging.iter().filter(|task| task.is_finished()).count();
        assert!(ended >= 80, "only {ended} gave way");
        for task in hanging.into_iter().filter(tokio::task::JoinHandle::is_finished) {
            assert_eq!(task.await.unwrap(), Err(Fault::Overloaded { retry_after: RETRY_AFTER }));
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_announced_or_not() {
        let budget = BodyBudget::new(1 << 20);
        let announced = Full::new(Bytes::from_static(b"12345"));
        let refused = read(announced, 0, 4, LONG, &budget).await.map(|_| ());
        assert_eq!(refused, Err(Fault::TooLarge { limit: 4 }));
        assert_eq!(
            read(unfinished(5), 0, 4, LONG, &budget).await.map(|_| ()),
            Err(Fault::TooLarge { limit: 4 })
        );
        assert_eq!(budget.held(), 0);
    }
}
