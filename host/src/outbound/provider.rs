//! Asking a provider's own host for a document.

use super::client::Client;
use super::failure::words;
use super::guard::Guard;
use super::{Outbound, OutboundError, OutboundOptions, Root};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Connections kept open to one host.
const CONNECTIONS: usize = 4;

/// Where providers' hosts are, if not where everybody finds them: behind a mirror inside the company, or in a test.
#[derive(Debug, Clone, Default)]
pub struct ProviderOptions {
    /// Authorities to trust besides those of the system.
    pub roots: Vec<Root>,
    /// Networks of addresses that are not public and may be called nevertheless, in CIDR notation.
    pub allow_networks: Vec<String>,
    /// Names with an address of their own, which the system's resolver is not asked for. The server's certificate is
    /// still held against the name.
    pub names: HashMap<String, SocketAddr>,
}

/// A client that connects to public addresses only and follows no redirect.
pub struct ProviderClient(Client);

impl ProviderClient {
    /// Opens nothing yet.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up or a network cannot be read.
    pub fn try_new(options: ProviderOptions) -> Result<Self, OutboundError> {
        let ProviderOptions { roots, allow_networks, names } = options;
        let outbound = Outbound::try_new(OutboundOptions { roots, ..OutboundOptions::default() })?;
        Self::with(&outbound, &allow_networks, names)
    }

    /// The same through what the whole gateway calls with.
    ///
    /// # Errors
    ///
    /// If a network cannot be read.
    pub fn with(
        outbound: &Outbound,
        allow_networks: &[String],
        names: HashMap<String, SocketAddr>,
    ) -> Result<Self, OutboundError> {
        let guard = Guard::try_new(false, allow_networks)?;
        Ok(Self(outbound.client(guard, Arc::new(names), CONNECTIONS)))
    }

    /// Sends one request.
    ///
    /// # Errors
    ///
    /// Why there was no answer, in words.
    pub async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        self.0.request(request).await.map_err(|error| words(&error))
    }
}
