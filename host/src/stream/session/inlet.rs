//! Where a subscription of a connection gets what it is given.

use crate::delivery::{LeaseError, LeasedMessage, PassiveSubscription, Wanted};
use crate::store::EventSeq;
use crate::stream::item::Item;
use crate::stream::metric::Closed;
use crate::stream::place::Place;
use crate::stream::reader::{Next, Reader};
use anglerfish_core::config::AccessToken;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How many messages are leased at once: the others who lease from the same subscription are to have some too.
const LEASED_AT_ONCE: usize = 10;

/// How long somebody waits for a message to lease before a place of those who wait is given to another.
const LEASE_WAIT: Duration = Duration::from_secs(30);

/// When it is tried again to lease where too many wait, or too much is leased.
const CROWDED: Duration = Duration::from_secs(1);

/// What a subscription comes upon.
pub(in crate::stream) enum Arrival {
    /// Entries of the log, in order, none left out.
    Events(Vec<Arc<Item>>),
    /// Messages that are leased, to be answered for.
    Messages(Vec<LeasedMessage>),
    /// Nothing came for a while; a reader of the log is here now.
    Quiet(Option<EventSeq>),
    /// What was behind the position has been deleted; behind this one nothing is missing.
    Gap(EventSeq),
    /// The gateway stops, or the subscription is another one now.
    Ended,
    /// The store cannot be used.
    Failed,
}

/// Where a subscription of a connection gets what it is given.
pub(in crate::stream) enum Inlet {
    /// The log, from a position on.
    Stream(Box<Reader>),
    /// The deliveries that are kept for a passive subscription.
    Passive {
        /// It.
        subscription: PassiveSubscription,
        /// What its reader has shown. Whatever it was right for once, nothing is leased when it has ended.
        token: AccessToken,
        /// How long a message is leased.
        lease: Duration,
        /// Its place among those who read.
        place: Place,
    },
}

impl Inlet {
    /// What comes next, up to so many. Whoever drops this has been given nothing.
    pub(super) async fn next(&mut self, most: usize, patience: Duration) -> Arrival {
        match self {
            Self::Stream(reader) => match reader.next(most, Instant::now() + patience).await {
                Next::Items(items) => Arrival::Events(items),
                Next::Nothing => Arrival::Quiet(Some(reader.position)),
                Next::Gap { to } => Arrival::Gap(to),
                Next::Ended => Arrival::Ended,
                Next::Failed(error) => {
                    tracing::warn!(%error, "a subscription of a connection ends because the log cannot be read");
                    Arrival::Failed
                }
            },
            Self::Passive { subscription, token, lease, place } => {
                let wanted = Wanted { max: most.min(LEASED_AT_ONCE), lease: *lease, wait: LEASE_WAIT };
                let given = tokio::select! {
                    biased;
                    () = subscription.ended(token) => return Arrival::Ended,
                    given = subscription.lease(wanted, |subscription| subscription.has_token(token)) => given,
                };
                match given {
                    Ok(given) if given.messages.is_empty() => Arrival::Quiet(None),
                    Ok(given) => {
                        place.gave(given.messages.len());
                        Arrival::Messages(given.messages)
                    }
                    Err(LeaseError::TooManyWaiting | LeaseError::TooManyLeases) => {
                        sleep(CROWDED).await;
                        Arrival::Quiet(None)
                    }
                    Err(LeaseError::Gone | LeaseError::TokenEnded) => Arrival::Ended,
                    Err(LeaseError::Store(error)) => {
                        tracing::warn!(%error, "a subscription of a connection ends because nothing can be leased");
                        Arrival::Failed
                    }
                }
            }
        }
    }

    /// Waits until nothing more can come, while nothing is wanted.
    pub(super) async fn ended(&mut self) {
        match self {
            Self::Stream(reader) => reader.ended.cancelled().await,
            Self::Passive { subscription, token, .. } => subscription.ended(token).await,
        }
    }

    /// The subscription that messages are leased from, if that is how they come.
    pub(in crate::stream) fn passive(&self) -> Option<PassiveSubscription> {
        match self {
            Self::Passive { subscription, .. } => Some(subscription.clone()),
            Self::Stream(_) => None,
        }
    }

    /// Why it ends, if its reader does not just leave.
    pub(in crate::stream) fn close(&mut self, closed: Closed) {
        match self {
            Self::Stream(reader) => reader.place.close(closed),
            Self::Passive { place, .. } => place.close(closed),
        }
    }
}
