//! What everything that leaves shares.

use super::connections::Connections;
use super::guard::NetworkError;
use super::names::{LOOK_UPS, Names};
use super::proxy::Proxy;
use super::server::NameServers;
use super::tls::{Authorities, EndpointTlsError, Root, Tls, TlsError};
use crate::random::NoRandomNumbers;
use anglerfish_core::config::EndpointTls;
use std::sync::Arc;
use std::time::Duration;

/// One for each family of addresses, at two name servers at once.
const DESCRIPTORS_OF_A_LOOK_UP: usize = 4;

/// How this gateway calls others.
#[derive(Debug, Clone)]
pub struct OutboundOptions {
    /// Authorities to trust besides those of the system.
    pub roots: Vec<Root>,
    /// Authorities to trust in the place of all those.
    pub only_roots: Option<Vec<Root>>,
    /// Who is asked for the addresses of names.
    pub name_servers: NameServers,
    /// How many names may be looked up at once; each takes up to four file descriptors for its time.
    pub max_look_ups: usize,
    /// How many connections may be open in all, idle ones included.
    pub max_connections: usize,
    /// How many of them to one host and port; no bound of its own by default.
    pub max_connections_per_host: Option<usize>,
    /// How long a call waits for a connection to become free.
    pub connection_wait: Duration,
    /// A proxy through which everything goes out.
    pub proxy: Option<Proxy>,
}

impl OutboundOptions {
    /// The defaults within so many file descriptors: a quarter of them at most for names, the rest for connections.
    #[must_use]
    pub fn within(descriptors: usize) -> Self {
        let max_look_ups = LOOK_UPS.min(descriptors / 4 / DESCRIPTORS_OF_A_LOOK_UP).max(1);
        let max_connections = descriptors.saturating_sub(max_look_ups * DESCRIPTORS_OF_A_LOOK_UP).max(1);
        Self {
            roots: Vec::new(),
            only_roots: None,
            name_servers: NameServers::default(),
            max_look_ups,
            max_connections,
            max_connections_per_host: None,
            connection_wait: Duration::from_secs(5),
            proxy: None,
        }
    }
}

impl Default for OutboundOptions {
    /// Within four thousand descriptors.
    fn default() -> Self {
        Self::within(4096)
    }
}

/// Why nothing can be called at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// TLS cannot be set up: an authority to trust is not a certificate.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// A network that may be called cannot be read.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What subscribers name their leases by could be guessed.
    #[error(transparent)]
    Random(#[from] NoRandomNumbers),
}

/// What everything that leaves shares: authorities, names, connections. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    authorities: Authorities,
    names: Names,
    connections: Connections,
    proxy: Option<Proxy>,
}

impl Outbound {
    /// Opens nothing yet.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn try_new(options: OutboundOptions) -> Result<Self, OutboundError> {
        let per_host = options.max_connections_per_host.unwrap_or(options.max_connections);
        let shared = Shared {
            authorities: Authorities::try_new(options.only_roots, options.roots)?,
            names: Names::new(options.name_servers, options.max_look_ups),
            connections: Connections::new(options.max_connections, per_host, options.connection_wait),
            proxy: options.proxy,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How many connections may be open in all.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.shared.connections.most()
    }

    pub(super) fn names(&self) -> &Names {
        &self.shared.names
    }

    /// Whether a proxy is given names, and decides which addresses may be called.
    pub(crate) fn proxy_resolves(&self) -> bool {
        self.proxy().is_some_and(Proxy::resolves)
    }

    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.shared.proxy.as_ref()
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    pub(super) fn tls(&self) -> Tls {
        self.shared.authorities.tls()
    }

    /// TLS with an endpoint: its own where it has rules of its own, else that of all others.
    pub(crate) fn endpoint_tls(&self, tls: &EndpointTls) -> Result<Tls, EndpointTlsError> {
        self.shared.authorities.endpoint(tls)
    }
}
