//! The HTTP client of one subscription.

use super::connector::{FixedNames, GuardedConnector};
use super::guard::Guard;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection stays open without a request.
const IDLE: Duration = Duration::from_secs(30);
/// The most that the head of an answer may take.
const HEAD_LIMIT: usize = 64 * 1024;

/// A client with its own pool of connections.
///
/// Each subscription has one: connections opened under one guard never serve another, and a slow endpoint that fills
/// an HTTP/2 connection's streams does not hold up another subscription on the same host.
pub(super) type Client = PooledClient<HttpsConnector<GuardedConnector>, Full<Bytes>>;

/// Builds a client. It opens nothing before the first request.
pub(super) fn client(guard: Guard, names: FixedNames, tls: Arc<ClientConfig>, concurrency: usize) -> Client {
    PooledClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(concurrency)
        .http1_max_buf_size(HEAD_LIMIT)
        .http2_max_header_list_size(64 * 1024)
        .build(HttpsConnector::from((GuardedConnector::new(guard, names), tls)))
}

/// TLS 1.2 and 1.3, offering HTTP/2 and HTTP/1.1; shared by all clients, so that sessions are resumed.
///
/// Certificates are checked against the system's store, so that an authority inside the company works as it does for
/// every other program on the machine (`SSL_CERT_FILE` is honoured). A system without a store, such as an empty
/// container, gets Mozilla's authorities as compiled in, and a log line that says so. `roots` are trusted besides.
pub(crate) fn tls(roots: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut store = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a certificate of the system's store cannot be read");
    }
    store.add_parsable_certificates(native.certs);
    if store.is_empty() {
        tracing::info!("the system has no certificate store: using the authorities compiled in");
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in roots {
        store.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
