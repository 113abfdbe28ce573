//! When deliveries arrive at their receiver.

use crate::loopback::receiver;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// An event's id, and when a delivery of it arrived.
pub(crate) type Arrivals = UnboundedReceiver<(String, Instant)>;

/// Starts a receiver that tells what arrives.
pub(crate) fn arrivals() -> (SocketAddr, Arrivals) {
    let (arrived, arrivals) = unbounded_channel();
    let address = receiver(move |headers| {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let _ = arrived.send((id.to_owned(), Instant::now()));
    });
    (address, arrivals)
}
