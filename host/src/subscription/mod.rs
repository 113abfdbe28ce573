//! The subscriptions of a running gateway: those of the configuration file and those written at run time.
//!
//! [`Subscriptions`] keeps the routing table, the delivery queues and the store in step. It reaches the first two
//! through [`Routing`] and [`Dispatch`].

mod document;
mod error;
mod port;
mod registry;
mod reload;
mod removal;
mod rotate;
mod start;
mod strict;
mod write;

pub use document::shown;
pub(crate) use document::{Addressed, addressed, refuse_hidden_at, shown_without};
pub use error::SubscriptionError;
pub use port::{
    Dispatch, LeaseReport, PastEvent, QueueReport, Reader, Routing, RoutingError, SendError, SendReport,
    StandingError, SubscriptionStanding, Verdict, VerdictOutcome, WaitReason,
};
pub use registry::{Declared, Origin, Subscription, Subscriptions};
pub use reload::{Reload, SubscriptionChanges};
pub use start::position;
pub(crate) use start::{future as future_start, problem as start_problem};
#[cfg(feature = "api")]
pub(crate) use strict::parse as parse_strictly;
pub use write::Deletion;
