//! Readers that say no more: whether they are still there.

use super::reader::{Next, Reader};
use crate::server::ConnectionWatch;
use std::time::Duration;
use tokio::time::Instant;

/// Something is said to a reader at the end of what it says, and again after these pauses: one that is gone answers the first
/// word by breaking the connection off, which the next one finds.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// Says something to a reader soon after it said its last, so that one that is gone is found out. One that has only closed its
/// side of the connection goes on reading.
pub(super) struct Probe {
    watch: ConnectionWatch,
    /// When to say something next, once the reader says no more.
    due: Option<Instant>,
    /// How often that was.
    said: usize,
}

impl Probe {
    pub(super) fn of(reader: &Reader) -> Self {
        Self { watch: reader.place.watch().clone(), due: None, said: 0 }
    }

    /// What the reader comes upon. [`Next::Nothing`] comes also when it is to be said that this side is alive. Whoever drops this
    /// has read nothing that the next call does not read again.
    pub(super) async fn next(&mut self, reader: &mut Reader, until: Instant) -> Next {
        let until = self.due.map_or(until, |due| due.min(until));
        let (next, is_end) = tokio::select! {
            biased;
            next = reader.next(usize::MAX, until) => (next, false),
            () = self.watch.half_closed(), if self.said == 0 => (Next::Nothing, true),
        };
        // What was just read is something that is said, too.
        if is_end || self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = PAUSES.get(self.said).map(|pause| Instant::now() + *pause);
            self.said += 1;
        }
        next
    }
}
