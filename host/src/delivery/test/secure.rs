//! TLS and HTTP/2.

use super::rig::{Config, Rig, subscription};
use crate::delivery::DeliveryOptions;
use crate::outbound::{Outbound, OutboundOptions};
use crate::store::DeliveryStatus;
use anglerfish_core::config::Schedule;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Secure {
    port: u16,
    certificate: CertificateDer<'static>,
    versions: Arc<Mutex<Vec<http::Version>>>,
}

/// A receiver with a certificate for a name.
async fn start(name: &str, protocols: &[&[u8]]) -> Secure {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let versions = Arc::new(Mutex::new(Vec::new()));
    let log = versions.clone();
    let app = Router::new()
        .fallback(move |version: http::Version| async move { log.lock().unwrap().push(version) });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, app) = (acceptor.clone(), app.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).await;
            });
        }
    });
    Secure { port, certificate, versions }
}

fn config(port: u16) -> Config {
    let mut config = subscription("a", format!("https://localhost:{port}/"));
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    config
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered_and_http1_elsewhere() {
    for (protocols, version) in
        [(&[b"h2".as_slice(), b"http/1.1"][..], http::Version::HTTP_2), (&[], http::Version::HTTP_11)]
    {
        let receiver = start("localhost", protocols).await;
        let roots = vec![receiver.certificate.clone()];
        let rig = Rig::with(DeliveryOptions {
            outbound: Some(Outbound::try_new(OutboundOptions { roots, ..Default::default() }).unwrap()),
            ..Default::default()
        });
        rig.deliveries.put(&config(receiver.port)).unwrap();
        let (delivery, attempts) = rig.settled("a").await;
        assert_eq!(delivery.status, DeliveryStatus::Delivered, "{attempts:?}");
        assert_eq!(*receiver.versions.lock().unwrap(), [version]);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_an_error_in_words() {
    let rig = Rig::new();
    rig.deliveries.put(&config(start("localhost", &[]).await.port)).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!(delivery.status, DeliveryStatus::Dead);
    assert_eq!(attempts[0].error.as_deref(), Some("tls: certificate is from an unknown issuer"));
}

#[tokio::test]
async fn a_certificate_for_another_host_is_an_error_in_words() {
    let receiver = start("elsewhere.test", &[]).await;
    let roots = vec![receiver.certificate.clone()];
    let rig = Rig::with(DeliveryOptions {
        outbound: Some(Outbound::try_new(OutboundOptions { roots, ..Default::default() }).unwrap()),
        ..Default::default()
    });
    rig.deliveries.put(&config(receiver.port)).unwrap();
    let (_, attempts) = rig.settled("a").await;
    assert_eq!(attempts[0].error.as_deref(), Some("tls: certificate is for another host: elsewhere.test"));
}

#[tokio::test]
async fn a_server_without_tls_is_an_error_in_words() {
    let rig = Rig::new();
    let receiver = super::receiver::Receiver::with_status(200).await;
    let url = receiver.url("/").replace("http:", "https:");
    let mut config = subscription("a", url);
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (_, attempts) = rig.settled("a").await;
    assert_eq!(attempts[0].error.as_deref(), Some("tls: the endpoint does not speak tls"));
}
