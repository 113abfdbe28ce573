//! One connection that holds several subscriptions, whatever its protocol is.

mod door;
mod inlet;
mod lease;
mod set;

pub(super) use door::{Caller, Door, Refused, Request, Target, Way};
pub(super) use inlet::{Arrival, Inlet};
pub(super) use lease::{Leases, Parting};
pub(super) use set::{MOST_SUBSCRIPTIONS, Session};
