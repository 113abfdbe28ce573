//! Events that come from no source's request: published through the management API, as CloudEvents.

mod cloudevent;
mod publisher;

pub(crate) use cloudevent::{Message, Published, Unreadable, read};
pub use publisher::{PublishError, Publisher, Receipt};
