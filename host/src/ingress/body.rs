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
    let mut pieces = Pieces::default();
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
        pieces.push(data);
    }
    Ok(pieces.join())
}

/// How much memory is taken at a time for a body that comes in pieces, in bytes.
///
/// Not as much as it announces, which it may never send. It is large enough to be mapped for itself by the program's
/// allocator, so that it goes back to the system with the body; of what is mapped only what is written takes memory.
const BLOCK: usize = 128 * 1024;

/// What has come of a body. One that came in one piece, as most do, is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    blocks: Vec<BytesMut>,
}

impl Pieces {
    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() && self.blocks.is_empty() {
            self.first = data;
            return;
        }
        if self.blocks.is_empty() {
            let first = std::mem::take(&mut self.first);
            self.copy(&first);
        }
        self.copy(&data);
    }

    fn copy(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let full = self.blocks.last().is_none_or(|block| block.len() == BLOCK);
            if full {
                self.blocks.push(BytesMut::with_capacity(BLOCK));
            }
            let Some(block) = self.blocks.last_mut() else { return };
            let (now, later) = data.split_at(data.len().min(BLOCK - block.len()));
            block.extend_from_slice(now);
            data = later;
        }
    }

    fn join(self) -> Bytes {
        let Self { first, blocks } = self;
        if blocks.is_empty() {
            return first;
        }
        let mut whole = BytesMut::with_capacity(blocks.iter().map(BytesMut::len).sum());
        blocks.iter().for_each(|block| whole.extend_from_slice(block));
        whole.freeze()
    }
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

    #[tokio::test]
    async fn a_body_that_comes_in_pieces_is_put_together_as_it_was_sent() {
        let budget = BodyBudget::new(1 << 20);
        for sizes in [vec![], vec![5], vec![1; 100], vec![40_000, 1, 70_000], vec![BLOCK, BLOCK, 3]] {
            let mut sent = Vec::new();
            let mut frames = Vec::new();
            for (number, size) in sizes.iter().enumerate() {
                let piece = vec![u8::try_from(number % 251).unwrap(); *size];
                sent.extend_from_slice(&piece);
                frames.push(Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
            }
            let body = StreamBody::new(stream::iter(frames));
            let (whole, _share) = read(body, 0, 1 << 20, LONG, &budget).await.unwrap();
            assert_eq!(whole, sent, "{sizes:?}");
        }
    }
}
