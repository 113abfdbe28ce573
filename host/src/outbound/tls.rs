//! TLS for everything that leaves.

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// TLS 1.2 and 1.3, offering HTTP/2 and HTTP/1.1; shared by all clients, so that sessions are resumed.
///
/// Certificates are checked against the system's store, so that an authority inside the company works as it does for
/// every other program on the machine (`SSL_CERT_FILE` is honoured). A system without a store, such as an empty
/// container, gets Mozilla's authorities as compiled in, and a log line that says so. `roots` are trusted besides.
///
/// # Errors
///
/// One of `roots` is not a certificate.
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
