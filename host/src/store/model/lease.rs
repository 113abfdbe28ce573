//! The right to work on deliveries.

use super::{DeliveryId, LeasedDelivery};
use anglerfish_core::delivery::Lines;
use anglerfish_core::request::UnixMillis;
use std::fmt;
use std::sync::Arc;

/// Who works on deliveries: one for each running process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// An owner of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Default for Owner {
    /// The only process that there is.
    fn default() -> Self {
        Self::new("gateway")
    }
}

/// Tells one lease of a delivery from every other one, earlier or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseToken(pub u64);

impl fmt::Display for LeaseToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A lease as its holder names it to the store.
///
/// It is stale once it was given back, its delivery was settled with it, or it was past its deadline and another lease
/// of the same delivery was handed out. A stale lease changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Which lease of it.
    pub token: LeaseToken,
}

/// For whom and how long deliveries are leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseTerms {
    /// Who gets them.
    pub owner: Owner,
    /// From when on somebody else may lease them.
    pub until: UnixMillis,
    /// How many there may be of each line. Of a line with none nothing is found out either.
    pub most: Lines<usize>,
    /// Whether they are leased ahead of their attempts: until [`DeliveryStore::begin`](crate::store::DeliveryStore::begin) says
    /// that one has begun, the lease keeps nobody from ending the delivery or from having it made due by hand, and ends then.
    pub is_ahead: bool,
}

impl LeaseTerms {
    /// The same as by default, ahead of the attempts.
    #[must_use]
    pub fn ahead() -> Self {
        Self { is_ahead: true, ..Self::default() }
    }
}

impl Default for LeaseTerms {
    /// For the only process there is, for as long as it runs; as many of each line as there may be in all.
    fn default() -> Self {
        let (owner, until) = (Owner::default(), UnixMillis(u64::MAX));
        Self { owner, until, most: Lines::both(usize::MAX), is_ahead: false }
    }
}

/// What a subscription's queue gets when it asks for work.
#[derive(Debug, Clone, Default)]
pub struct Leased {
    /// The deliveries: of each line in turn, those of a line oldest due first.
    pub deliveries: Vec<LeasedDelivery>,
    /// When the next one of each line falls due that nobody has leased; at or before `now` if more was due than was handed
    /// out.
    pub next: Lines<Option<UnixMillis>>,
}

impl Leased {
    /// When the next one falls due that nobody has leased.
    #[must_use]
    pub fn next(&self) -> Option<UnixMillis> {
        [self.next.firsts, self.next.retries].into_iter().flatten().min()
    }
}

/// Where there is work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Subscriptions with deliveries that are due and not leased, those that wait longest first.
    pub subscriptions: Vec<String>,
    /// When the next delivery of any subscription that is not listed falls due.
    pub next: Option<UnixMillis>,
}
