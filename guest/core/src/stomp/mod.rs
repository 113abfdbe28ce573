//! STOMP, the Simple Text Oriented Messaging Protocol: frames and what is agreed on, without a connection.
//!
//! Sources: "STOMP Protocol Specification", versions 1.2, 1.1 and 1.0.

mod command;
mod decoder;
mod encode;
mod error;
mod frame;
mod heart_beat;
#[cfg(test)]
mod tests;
mod version;

pub use command::Command;
pub use decoder::{Decoder, Limits};
pub use error::FrameError;
pub use frame::Frame;
pub use heart_beat::{HeartBeat, HeartBeats};
pub use version::{UnknownVersion, Version};
