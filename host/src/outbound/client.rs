//! HTTP clients.

use super::Outbound;
use super::connector::{FixedNames, GuardedConnector};
use super::guard::Guard;
use super::tls::{Connector, Tls, over};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// How long a connection stays open without a request.
const IDLE: Duration = Duration::from_secs(30);
/// The most that the head of an answer may take.
const HEAD_LIMIT: usize = 64 * 1024;

/// A client with its own pool of connections.
///
/// Each subscription has one: connections opened under one guard never serve another, and a slow endpoint that fills
/// an HTTP/2 connection's streams does not hold up another subscription on the same host.
pub(crate) type Client = PooledClient<Connector<GuardedConnector>, Full<Bytes>>;

impl Outbound {
    /// A client that calls what `guard` permits and keeps up to `idle` connections open. It opens nothing before the
    /// first request.
    pub(crate) fn client(&self, guard: Guard, names: FixedNames, idle: usize) -> Client {
        self.client_with(guard, names, idle, self.tls())
    }

    /// The same with TLS of its own.
    pub(crate) fn client_with(&self, guard: Guard, names: FixedNames, idle: usize, tls: Tls) -> Client {
        let connector = GuardedConnector::new(self.clone(), guard, names);
        PooledClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(idle)
            .http1_max_buf_size(HEAD_LIMIT)
            .http2_max_header_list_size(64 * 1024)
            .build(over(connector, tls))
    }
}
