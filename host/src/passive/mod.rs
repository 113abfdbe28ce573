//! `/out`: where the subscribers of passive subscriptions get what is kept for them, and where others read streams. It has a
//! listener of its own, which may be public; whoever asks shows a token of the subscription.

mod access;
#[cfg(feature = "api")]
mod body;
mod document;
mod guess;
mod handler;
#[cfg(feature = "api")]
mod openapi;
mod origin;
mod request;
mod router;
mod section;

pub(crate) use access::too_many;
pub use access::{OutMetrics, Refusals};
#[cfg(feature = "api")]
pub(crate) use openapi::description;
pub(crate) use request::{LEASE, LEASES, returned};
pub use router::{Out, router};
pub use section::OutConfig;
