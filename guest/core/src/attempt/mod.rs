//! One attempt to deliver an event: what is sent.

mod batch;
mod cloudevent;
mod document;
mod field;
mod fill;
mod outgoing;

pub use batch::Batch;
pub use cloudevent::{CloudEvent, DataForm, Envelope};
pub use document::{telling_event, telling_policy};
pub use field::HeaderError;
pub use fill::FillError;
pub use outgoing::{Outgoing, OutgoingError, Sending, made};
