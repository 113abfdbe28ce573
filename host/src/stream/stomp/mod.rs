//! STOMP 1.2, 1.1 and 1.0, over WebSocket and over TCP. The frames are the core's.

mod answering;
mod beat;
mod connection;
mod failure;
mod listener;
mod message;
mod subscribe;
mod transaction;
mod wire;

pub(super) use connection::converse;
pub use listener::StompListener;
pub(super) use wire::Wire;
