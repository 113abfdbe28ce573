//! Why a gateway does not start.

use crate::config::ConfigError;
use crate::engine::StartError;
use crate::outbound::OutboundError;
use crate::store::StoreError;
use std::io;
use std::net::SocketAddr;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The configuration has problems that only the component can see.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no store: this build has none of its own, and none was given.
    #[error("there is no store: give one, or build with the feature `sqlite`")]
    NoStore,
    /// The component cannot be run.
    #[error(transparent)]
    Engine(StartError),
    /// Nothing can be called.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// An address cannot be listened on.
    #[error("failed to listen on {address} ({key}): {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key of the configuration that names it.
        key: &'static str,
        /// What the operating system says.
        error: io::Error,
    },
}
