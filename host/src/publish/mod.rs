//! Events that come from no source's request: published through the management API, as CloudEvents, or told by the gateway
//! of itself.

mod cloudevent;
#[cfg(feature = "api")]
mod message;
mod operational;
mod publisher;

pub(crate) use cloudevent::{Published, Sources, checked, event_of, read_event};
#[cfg(feature = "api")]
pub(crate) use message::{Message, Unreadable, read};
pub(crate) use operational::OperationalEvents;
pub use publisher::{PublishError, Publisher, Receipt};
