//! TLS for everything that leaves. Built without the feature `tls` the room has the same doors, and nothing behind them: what needs
//! TLS is refused.

#[cfg(feature = "tls")]
mod failure;
#[cfg(not(feature = "tls"))]
mod missing;
#[cfg(feature = "tls")]
mod pinned;
#[cfg(feature = "tls")]
mod spoken;

#[cfg(not(feature = "tls"))]
use missing as room;
#[cfg(feature = "tls")]
use spoken as room;

#[cfg(feature = "tls")]
pub(super) use failure::{is_local, words};
#[cfg(not(feature = "tls"))]
pub(super) use missing::{is_local, words};
pub(crate) use room::Tls;
#[cfg(feature = "cli")]
pub(crate) use room::tls;
pub(super) use room::{Authorities, is_server_name, problem, read_roots};
pub(crate) use room::{Connector, over};
pub use room::{Root, TlsError};

/// What of TLS with an endpoint cannot be used. Never names a value: it may be a key.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct EndpointTlsError {
    key: &'static str,
    message: String,
}

impl EndpointTlsError {
    fn new<T: Into<String>>(key: &'static str, message: T) -> Self {
        Self { key, message: message.into() }
    }

    /// The key of `endpoint.tls` that it is about.
    pub(crate) fn key(&self) -> &'static str {
        self.key
    }
}

/// Why this program, as it was built, cannot call a URL; nothing if it can.
pub(super) fn unspoken(url: &str) -> Option<&'static str> {
    let is_tls = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    (is_tls && !cfg!(feature = "tls")).then_some(UNSPOKEN)
}

/// What is said where TLS is needed and was not built in.
const UNSPOKEN: &str = "it needs TLS, and this program was built without the feature `tls`";
