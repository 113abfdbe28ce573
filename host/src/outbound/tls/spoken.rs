//! TLS by rustls.

use super::EndpointTlsError;
use super::pinned::Pinned;
use anglerfish_core::config::EndpointTls;
use hyper_rustls::HttpsConnector;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::sync::Arc;

/// One certificate of an authority.
pub type Root = CertificateDer<'static>;

/// Why TLS cannot be spoken at all.
pub type TlsError = rustls::Error;

/// What TLS is spoken by.
pub(crate) type Tls = Arc<ClientConfig>;

/// Connections of `C`, with TLS on them where the URL asks for it.
pub(crate) type Connector<C> = HttpsConnector<C>;

/// Connects with TLS where the URL asks for it.
pub(crate) fn over<C>(connector: C, tls: Tls) -> Connector<C> {
    HttpsConnector::from((connector, tls))
}

/// Whether a host is a name that a certificate can be for.
pub(in crate::outbound) fn is_server_name(host: &str) -> bool {
    ServerName::try_from(host).is_ok()
}

/// What of TLS with an endpoint cannot be used, with its key.
pub(in crate::outbound) fn problem(tls: &EndpointTls) -> Option<(&'static str, String)> {
    let none = Arc::new(RootCertStore::empty());
    endpoint_tls(tls, &none, &[]).err().map(|error| (error.key(), error.to_string()))
}

/// Whom everything that leaves trusts.
#[derive(Debug)]
pub(in crate::outbound) struct Authorities {
    roots: Arc<RootCertStore>,
    /// Which of them the system did not have.
    given: Vec<Root>,
    /// Shared by all clients without rules of their own, so that sessions are resumed.
    tls: Tls,
}

impl Authorities {
    /// Those of the system and `more`, or only these.
    ///
    /// # Errors
    ///
    /// One of those that were given is not a certificate.
    pub(in crate::outbound) fn try_new(only: Option<Vec<Root>>, more: Vec<Root>) -> Result<Self, TlsError> {
        let (roots, given) = match only {
            Some(given) => (given_roots(&given)?, given),
            None => (system_roots(&more)?, more),
        };
        Ok(Self { tls: tls_with(Arc::clone(&roots), &given)?, roots, given })
    }

    /// TLS that holds others to them.
    pub(in crate::outbound) fn tls(&self) -> Tls {
        Arc::clone(&self.tls)
    }

    /// TLS with an endpoint: its own where it has rules of its own, else that of all others.
    ///
    /// # Errors
    ///
    /// What of the rules cannot be used.
    pub(in crate::outbound) fn endpoint(&self, tls: &EndpointTls) -> Result<Tls, EndpointTlsError> {
        if *tls == EndpointTls::default() {
            return Ok(self.tls());
        }
        endpoint_tls(tls, &self.roots, &self.given)
    }
}

/// TLS that holds others to the authorities of the system.
///
/// # Errors
///
/// The library cannot speak it.
#[cfg(feature = "cli")]
pub(crate) fn tls() -> Result<Tls, TlsError> {
    tls_with(system_roots(&[])?, &[])
}

/// The authorities of the system, so that one inside the company works as it does for every other program on the machine
/// (`SSL_CERT_FILE` is honoured), and these besides. A system without a store, such as an empty container, gets Mozilla's
/// authorities as compiled in, and a log line that says so.
///
/// # Errors
///
/// One of `roots` is not a certificate.
fn system_roots(roots: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, rustls::Error> {
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
    Ok(Arc::new(store))
}

/// These authorities and no others.
///
/// # Errors
///
/// One of them is not a certificate.
fn given_roots(roots: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, rustls::Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    Ok(Arc::new(store))
}

/// TLS 1.2 and 1.3, offering HTTP/2 and HTTP/1.1, that holds others to these authorities. What of them was given by the operator,
/// and not by the system, may also be the server's own certificate.
///
/// # Errors
///
/// The library cannot speak it.
fn tls_with(
    roots: Arc<RootCertStore>,
    given: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    Ok(Arc::new(with_alpn(builder(roots, given)?.with_no_client_auth())))
}

/// TLS with one endpoint that has rules of its own; `roots` are those of all others, of which the operator gave some.
///
/// # Errors
///
/// What of the rules cannot be used.
fn endpoint_tls(
    tls: &EndpointTls,
    roots: &Arc<RootCertStore>,
    given: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, EndpointTlsError> {
    let error = EndpointTlsError::new::<String>;
    let own = match &tls.roots {
        None => None,
        Some(pem) => Some(read_roots(pem).map_err(|problem| error("roots", problem))?),
    };
    let roots = match &own {
        None => Arc::clone(roots),
        Some(own) => given_roots(own).map_err(|problem| error("roots", unfit(&problem)))?,
    };
    let builder = builder(roots, own.as_deref().unwrap_or(given))
        .map_err(|problem| error("roots", problem.to_string()))?;
    let Some(client) = &tls.client else { return Ok(Arc::new(with_alpn(builder.with_no_client_auth()))) };
    let chain = certificates(&client.chain).map_err(|problem| error("certificate", problem))?;
    let key = PrivateKeyDer::from_pem_slice(client.key.reveal().as_bytes())
        .map_err(|_| error("key", "holds no private key in PEM that can be read".to_owned()))?;
    let config = builder.with_client_auth_cert(chain, key);
    let config = config.map_err(|problem| match problem {
        rustls::Error::InconsistentKeys(_) => error("key", "is not the key of the certificate".to_owned()),
        rustls::Error::InvalidCertificate(_) => error("certificate", unfit(&problem)),
        // What it says of a key does not show the key.
        problem => error("key", format!("cannot be used: {problem}")),
    })?;
    Ok(Arc::new(with_alpn(config)))
}

/// The authorities in a PEM text.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(in crate::outbound) fn read_roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let roots = certificates(pem)?;
    given_roots(&roots).map_err(|error| unfit(&error))?;
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err("holds no certificate".to_owned()),
        Ok(found) => Ok(found),
        Err(_) => Err("holds a certificate in PEM that cannot be read".to_owned()),
    }
}

fn unfit(error: &rustls::Error) -> String {
    format!("holds a certificate that cannot be used: {error}")
}

fn builder(
    roots: Arc<RootCertStore>,
    given: &[CertificateDer<'static>],
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    if given.is_empty() {
        return Ok(builder.with_root_certificates(roots));
    }
    let verifier = Pinned::try_new(roots, given, provider)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
