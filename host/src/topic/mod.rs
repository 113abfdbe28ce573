//! Topics: named places that connected members publish to and read from.
//!
//! What is published to a topic is an event of the log whose source is the topic, `/topic/NAME`. So it is there before its
//! sender is told so, in one order for all, and for those who were away.

mod message;
mod table;

pub(crate) use message::TopicMessage;
pub use table::Topics;
pub(crate) use table::{Denied, Topic};
