//! The leases that one subscriber holds.

use super::MessageToken;
use crate::store::Lease;
use anglerfish_core::policy::Past;
use anglerfish_core::request::UnixMillis;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How many leases a subscription may have out at once. Each lease looks through all of them, so that the bound is one of
/// time as well.
pub const MOST_LEASES: usize = 10_000;

/// A lease that a subscriber holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldLease {
    pub(super) lease: Lease,
    /// What the delivery had behind it.
    pub(super) past: Past,
    /// When it was leased, by both clocks.
    pub(super) started: UnixMillis,
    pub(super) begun: Duration,
    /// When it comes back, by the time that passes.
    pub(super) deadline: Duration,
}

/// The leases of one subscription. What is taken out may be put back; only who has taken it out answers for it.
#[derive(Debug, Default)]
pub(super) struct LeaseTable {
    held: HashMap<MessageToken, HeldLease>,
    deadlines: BTreeSet<(Duration, MessageToken)>,
    /// Places of leases that are being asked for.
    reserved: usize,
    /// When somebody looks for expired leases, as far as that was arranged.
    pub(super) watched: Option<Duration>,
    /// Whether nothing is leased any more.
    pub(super) is_closed: bool,
}

impl LeaseTable {
    /// Sets places aside, as many as there are.
    pub(super) fn reserve(&mut self, wanted: usize) -> usize {
        let reserved = MOST_LEASES.saturating_sub(self.held.len() + self.reserved).min(wanted);
        self.reserved += reserved;
        reserved
    }

    /// Gives places back.
    pub(super) fn free(&mut self, reserved: usize) {
        self.reserved = self.reserved.saturating_sub(reserved);
    }

    pub(super) fn insert(&mut self, token: MessageToken, held: HeldLease) {
        self.deadlines.insert((held.deadline, token));
        self.held.insert(token, held);
    }

    pub(super) fn get(&self, token: MessageToken) -> Option<&HeldLease> {
        self.held.get(&token)
    }

    pub(super) fn take(&mut self, token: MessageToken) -> Option<HeldLease> {
        let held = self.held.remove(&token)?;
        self.deadlines.remove(&(held.deadline, token));
        Some(held)
    }

    /// Moves a deadline; `false` if the lease is not held any more.
    pub(super) fn extend(&mut self, token: MessageToken, deadline: Duration) -> bool {
        let Some(held) = self.take(token) else { return false };
        self.insert(token, HeldLease { deadline, ..held });
        true
    }

    /// Takes what is past its deadline.
    pub(super) fn take_expired(&mut self, now: Duration) -> Vec<(MessageToken, HeldLease)> {
        let mut expired = Vec::new();
        while let Some((deadline, token)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(deadline, token));
            expired.extend(self.held.remove(&token).map(|held| (token, held)));
        }
        expired
    }

    /// Takes everything.
    pub(super) fn take_all(&mut self) -> Vec<Lease> {
        self.deadlines.clear();
        self.held.drain().map(|(_, held)| held.lease).collect()
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::message_token::TokenSequence;
    use super::*;
    use crate::store::{DeliveryId, LeaseToken};

    fn held(deadline: u64) -> HeldLease {
        HeldLease {
            lease: Lease { delivery: DeliveryId(1), token: LeaseToken(deadline) },
            past: Past { before: 0, created: UnixMillis(0) },
            started: UnixMillis(0),
            begun: Duration::ZERO,
            deadline: Duration::from_secs(deadline),
        }
    }

    #[test]
    fn expired_leases_are_taken_once_in_the_order_of_their_deadlines() {
        let (tokens, mut table) = (TokenSequence::try_new().unwrap(), LeaseTable::default());
        let [a, b, c] = [30, 10, 20].map(|deadline| {
            let token = tokens.next();
            table.insert(token, held(deadline));
            token
        });
        assert_eq!(table.next(), Some(Duration::from_secs(10)));
        assert!(table.extend(b, Duration::from_secs(40)));
        let expired: Vec<_> =
            table.take_expired(Duration::from_secs(30)).into_iter().map(|(token, _)| token).collect();
        assert_eq!(expired, [c, a]);
        assert!(table.take_expired(Duration::from_secs(39)).is_empty());
        assert!(!table.extend(a, Duration::from_secs(50)), "it was taken");
        assert!(table.take(b).is_some() && table.take(b).is_none());
        assert_eq!((table.len(), table.next()), (0, None));
    }

    #[test]
    fn no_more_leases_are_out_than_may_be_whoever_asks_at_the_same_time() {
        let (tokens, mut table) = (TokenSequence::try_new().unwrap(), LeaseTable::default());
        for _ in 0..MOST_LEASES - 5 {
            table.insert(tokens.next(), held(1));
        }
        assert_eq!((table.reserve(3), table.reserve(3), table.reserve(1)), (3, 2, 0));
        table.free(3);
        assert_eq!(table.reserve(10), 3);
    }
}
