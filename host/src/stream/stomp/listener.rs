//! STOMP over a connection of its own.

use super::connection::{converse, turn_away};
use super::failure::Failure;
use super::wire::Wire;
use crate::server::{AcceptLimits, Acceptor, ConnectionWatch, Ending, Overflow};
use crate::stream::place::Protocol;
use crate::stream::router::StreamOut;
use crate::stream::session::Caller;
use crate::supervision::Supervisor;
use anglerfish_core::stomp::Version;
use bytes::Bytes;
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A socket where STOMP is spoken. It knows no TLS: a proxy in front of it may.
#[derive(Debug)]
pub struct StompListener {
    acceptor: Acceptor,
}

impl StompListener {
    /// Binds an address; port 0 takes a free one. So many connections may be open, and of these so many from one address that is
    /// none of `proxies`.
    ///
    /// # Errors
    ///
    /// As the operating system says.
    pub async fn bind(
        address: SocketAddr,
        connections: usize,
        per_address: usize,
        proxies: &[IpNet],
    ) -> io::Result<Self> {
        let message = "as many connections are open as there may be";
        let overflow = Overflow::Refuse(refusal(message));
        let limits = AcceptLimits { connections, overflow, per_address, proxies: proxies.into() };
        Ok(Self { acceptor: Acceptor::bind(address, limits).await? })
    }

    /// The address that it is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Counts those who are turned away because their address has as many connections as it may; the first counter stays.
    pub fn count_refusals(&self, counter: Counter) {
        self.acceptor.count_refusals(counter);
    }

    /// Serves until it is told to end; returns when no connection is open any more.
    pub async fn serve(self: Arc<Self>, out: StreamOut, ending: Ending, supervisor: Supervisor) {
        let patience = out.streams.shared.options.stall;
        let talk = move |stream, peer: SocketAddr| {
            let door = out.door.clone();
            async move {
                let wire = Wire::Tcp { stream, patience };
                let address = peer.ip().to_canonical();
                match door.streams.seat(address) {
                    Ok(seat) => {
                        let watch = ConnectionWatch::alone();
                        let caller = Caller { protocol: Protocol::Stomp, address, agent: None, watch };
                        converse(wire, door, caller, None, seat).await;
                    }
                    Err(refused) => turn_away(wire, refused.into()).await,
                }
            }
        };
        let message = "as many connections are open from this address as one may have";
        self.acceptor.serve("STOMP connection", refusal(message), talk, ending, supervisor).await;
    }
}

/// What is said to whoever is one connection too many, before a frame is read.
fn refusal(message: &str) -> Bytes {
    Failure::new("too-many-connections", message).frame().encode(Version::V1_2).into()
}
