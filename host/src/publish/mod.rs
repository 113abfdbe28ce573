//! Events that come from no source's request: published through the management API, as CloudEvents, or told by the gateway
//! of itself.

mod cloudevent;
mod operational;
mod publisher;

pub(crate) use cloudevent::{Message, Published, Sources, Unreadable, checked, event_of, read, read_event};
pub(crate) use operational::OperationalEvents;
pub use publisher::{PublishError, Publisher, Receipt};
