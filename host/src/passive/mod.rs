//! `/out`: where the subscribers of passive subscriptions get what is kept for them. It has a listener of its own, which
//! may be public; whoever asks shows a token of the subscription.

mod access;
mod document;
mod handler;
mod openapi;
mod request;
mod router;
mod section;

pub use access::OutMetrics;
pub use router::{Out, router};
pub use section::OutConfig;
