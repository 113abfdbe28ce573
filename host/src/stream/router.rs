//! The address of streams.

use super::registry::Streams;
use super::session::Door;
use super::websocket::SocketOptions;
use super::{handler, publish, upgrade};
use crate::delivery::Deliveries;
use crate::passive::Refusals;
use crate::publish::Publisher;
use crate::topic::Topics;
use crate::web::Access;
use axum::Router;
use axum::routing::get;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// Whether there is a source of a name.
pub(crate) type KnowsSource = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What the address of streams looks at. Cheap to clone.
#[derive(Clone)]
pub struct StreamOut {
    pub(super) streams: Streams,
    /// Proxies whose `X-Forwarded-For` counts.
    pub(super) trusted: Arc<[IpNet]>,
    /// What connections that hold several subscriptions are let in to.
    pub(super) door: Door,
    pub(super) sockets: SocketOptions,
    /// Whether there is a source of this name.
    pub(super) is_source: KnowsSource,
}

impl StreamOut {
    /// These streams and topics, and what is kept in these deliveries, behind these proxies. Whoever has this access may read
    /// everything.
    #[must_use]
    pub fn new(
        streams: Streams,
        deliveries: Deliveries,
        (topics, publisher): (Topics, Publisher),
        refusals: Arc<Refusals>,
        (access, is_source): (Access, KnowsSource),
        trusted: &[IpNet],
    ) -> Self {
        let sockets = SocketOptions::new(streams.shared.options.heartbeat, streams.shared.options.stall);
        let door = Door { streams: streams.clone(), deliveries, refusals, topics, publisher, access };
        Self { streams, trusted: trusted.into(), door, sockets, is_source }
    }
}

impl fmt::Debug for StreamOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamOut").finish_non_exhaustive()
    }
}

/// What is added to the addresses below `/out`.
pub(crate) fn addresses() -> Router<StreamOut> {
    Router::new()
        .route("/out/{subscription}", get(handler::read))
        .route("/out", get(upgrade::connect))
        .route("/topic/{topic}", get(handler::read_topic).post(publish::publish))
}
