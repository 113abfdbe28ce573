//! WebSocket: RFC 6455, with messages compressed as RFC 7692 has it.
//!
//! A connection speaks one of the subprotocols: JSON messages, or STOMP.

mod close;
mod connection;
mod deflate;
mod handshake;
mod message;
mod socket;

pub(super) use close::CloseReason;
pub(super) use connection::{First, converse};
pub(super) use handshake::{Handshake, MaybeWebSocket, Subprotocol};
pub(super) use socket::{Heard, Lost, Socket, SocketOptions};
