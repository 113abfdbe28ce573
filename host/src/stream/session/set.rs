//! The subscriptions of one connection, and what comes next of all of them.

use super::inlet::{Arrival, Inlet};
use crate::stream::metric::Closed;
use crate::stream::registry::Streams;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Subscriptions of one connection.
pub(in crate::stream) const MOST_SUBSCRIPTIONS: usize = 100;

/// How many entries one subscription is given before the next one has its turn.
const PART: u64 = 256;

/// One that has waited: which, where it gets what it is given, and what for.
type Waited = (u64, Inlet, Woken);

/// Why one waits no longer.
enum Woken {
    /// Something came.
    Came(Arrival),
    /// Its reader wanted nothing, and wants more now.
    Granted,
    /// It was ended.
    Removed,
}

/// The subscriptions of one connection. Nothing is read for one until what came before was sent, and while its reader
/// wants no more: so a connection holds one part of each at most.
pub(in crate::stream) struct Session {
    waiting: FuturesUnordered<BoxFuture<'static, Waited>>,
    members: BTreeMap<u64, Member>,
    last: u64,
    /// After how long without anything that is said.
    patience: Duration,
    stopping: CancellationToken,
}

struct Member {
    /// It is here while nothing is waited for.
    inlet: Option<Inlet>,
    /// How many more its reader wants; without it as many as there are.
    credit: Option<u64>,
    /// Told when its reader wants more.
    granted: Arc<Notify>,
    ended: CancellationToken,
}

impl Session {
    pub(in crate::stream) fn new(streams: &Streams) -> Self {
        let (patience, stopping) = (streams.shared.options.heartbeat, streams.stopping());
        Self { waiting: FuturesUnordered::new(), members: BTreeMap::new(), last: 0, patience, stopping }
    }

    /// Adds one, and begins to wait for what comes. It is named by the number.
    pub(in crate::stream) fn add(&mut self, inlet: Inlet, credit: Option<u64>) -> u64 {
        self.last += 1;
        let (granted, ended) = (Arc::default(), CancellationToken::new());
        let member = Member { inlet: Some(inlet), credit, granted, ended };
        self.members.insert(self.last, member);
        self.resume(self.last);
        self.last
    }

    /// Ends one.
    pub(in crate::stream) fn remove(&mut self, number: u64) {
        if let Some(member) = self.members.remove(&number) {
            member.ended.cancel();
        }
    }

    /// The reader wants so many more.
    pub(in crate::stream) fn grant(&mut self, number: u64, count: u64) {
        if let Some(member) = self.members.get_mut(&number) {
            member.credit = member.credit.map(|credit| credit.saturating_add(count));
            member.granted.notify_one();
            self.resume(number);
        }
    }

    /// What came for one was sent: it waits for more; if its reader wants no more, for its end, which is told at once all the same.
    pub(in crate::stream) fn resume(&mut self, number: u64) {
        let Some(member) = self.members.get_mut(&number) else { return };
        let most = member.credit.unwrap_or(PART).min(PART);
        let Some(mut inlet) = member.inlet.take() else { return };
        let (ended, granted, patience) = (member.ended.clone(), Arc::clone(&member.granted), self.patience);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.waiting.push(Box::pin(async move {
            let waiting = async {
                if most > 0 {
                    return Woken::Came(inlet.next(most, patience).await);
                }
                tokio::select! {
                    biased;
                    () = inlet.ended() => Woken::Came(Arrival::Ended),
                    () = granted.notified() => Woken::Granted,
                }
            };
            let woken = tokio::select! {
                // First: nothing is leased for a subscription that has been ended.
                biased;
                () = ended.cancelled() => Woken::Removed,
                woken = waiting => woken,
            };
            (number, inlet, woken)
        }));
    }

    /// What comes next, of any of them. Of one that has come to its end there is no more. Whoever drops this has missed
    /// nothing.
    pub(in crate::stream) async fn next(&mut self) -> (u64, Arrival) {
        loop {
            let Some((number, mut inlet, woken)) = self.waiting.next().await else {
                // With none that waits there is nothing to come.
                return pending().await;
            };
            let Some(member) = self.members.get_mut(&number) else { continue };
            let arrival = match woken {
                Woken::Came(arrival) => arrival,
                Woken::Granted => {
                    member.inlet = Some(inlet);
                    self.resume(number);
                    continue;
                }
                Woken::Removed => continue,
            };
            let given = match &arrival {
                Arrival::Events(items) => items.len(),
                Arrival::Messages(messages) => messages.len(),
                Arrival::Quiet(_) => 0,
                Arrival::Gap(_) | Arrival::Ended | Arrival::Failed => {
                    match arrival {
                        Arrival::Failed => inlet.close(Closed::Failed),
                        // All end with the gateway; that is not for each of them to say.
                        Arrival::Ended if !self.stopping.is_cancelled() => inlet.close(Closed::Changed),
                        _ => {}
                    }
                    self.members.remove(&number);
                    return (number, arrival);
                }
            };
            let given = u64::try_from(given).unwrap_or(u64::MAX);
            member.credit = member.credit.map(|credit| credit.saturating_sub(given));
            member.inlet = Some(inlet);
            return (number, arrival);
        }
    }
}
