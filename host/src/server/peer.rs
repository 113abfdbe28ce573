//! Who is at the other end.

use std::net::SocketAddr;

/// The other end of the connection that a request came on, as an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);
