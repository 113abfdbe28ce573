//! What the writer is handed: something to write and someone who waits for it.

use super::batch::Batch;
use crate::store::StoreError;
use tokio::sync::oneshot;

/// Something to write in a transaction that others share.
pub(super) trait Write: Send + 'static {
    /// What the caller gets once it is on disk.
    type Out: Send + 'static;

    /// Writes it. An error undoes the whole transaction, and those who share it are then written one by one; so
    /// whatever is to be expected (a conflict, a missing row) is an answer, given with nothing written.
    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Self::Out>;

    /// Roughly how many bytes it adds.
    fn weight(&self) -> usize {
        0
    }
}

/// A [`Write`] of any kind with the one who waits for it.
pub(super) trait Job: Send {
    /// Writes it and keeps the answer.
    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()>;

    /// Forgets the answer, because the transaction was undone.
    fn undo(&mut self);

    /// Answers, once the transaction has ended like this.
    fn answer(self: Box<Self>, ended: Result<(), StoreError>);

    /// Roughly how many bytes it adds.
    fn weight(&self) -> usize;
}

/// The receiving end of an answer.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

/// Pairs a write with a channel for its answer.
pub(super) fn job<W: Write>(write: W) -> (Box<dyn Job>, Answer<W::Out>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { write, out: None, reply }), answer)
}

struct Call<W: Write> {
    write: W,
    out: Option<W::Out>,
    reply: oneshot::Sender<Result<W::Out, StoreError>>,
}

impl<W: Write> Job for Call<W> {
    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<()> {
        self.out = Some(self.write.apply(batch)?);
        Ok(())
    }

    fn undo(&mut self) {
        self.out = None;
    }

    fn answer(self: Box<Self>, ended: Result<(), StoreError>) {
        let Self { write, out, reply } = *self;
        // The caller may want to take back what it shares with the write.
        drop(write);
        let answer = ended.and_then(|()| {
            out.ok_or_else(|| StoreError::Internal("a transaction ended without its part".to_owned()))
        });
        // A caller that is gone needs no answer; what it would have got is dropped.
        drop(reply.send(answer));
    }

    fn weight(&self) -> usize {
        self.write.weight()
    }
}
