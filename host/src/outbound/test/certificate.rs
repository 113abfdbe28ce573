//! TLS with endpoints that have an authority of their own, or want to see who calls.

use crate::outbound::tls::problem as tls_problem;
use crate::outbound::{Client, Guard, Outbound, OutboundOptions, words};
use anglerfish_core::config::{ClientCertificate, EndpointTls, Secret};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Each has a name of its own: one of the same name would be taken for one whose signature is wrong.
fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a name and its key, both PEM.
fn issue(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate, key)
}

/// A server for `localhost` that answers 200, to those alone who have a certificate of `clients` if there are some.
async fn serve(authority: &Authority, clients: Option<&Authority>) -> u16 {
    let (certificate, key) = issue(authority, "localhost");
    serve_with(certificate.der().clone(), &key, clients).await
}

/// The same with a certificate of the test's own.
async fn serve_with(certificate: CertificateDer<'static>, key: &KeyPair, clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = builder.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

fn client(outbound: &Outbound, tls: &EndpointTls) -> Client {
    let guard = Guard::try_new(true, &[]).unwrap();
    outbound.client_with(guard, Arc::default(), 1, outbound.endpoint_tls(tls).unwrap())
}

async fn call(outbound: &Outbound, tls: &EndpointTls, port: u16) -> Result<u16, String> {
    let request = Request::post(format!("https://localhost:{port}/")).body(Full::<Bytes>::default()).unwrap();
    let called = client(outbound, tls).request(request).await;
    called.map(|answer| answer.status().as_u16()).map_err(|error| words(&error))
}

fn roots(authority: &Authority) -> EndpointTls {
    EndpointTls { roots: Some(authority.pem()), client: None }
}

#[tokio::test]
async fn an_endpoint_with_a_private_authority_is_held_to_that_one_alone() {
    let (ours, other) = (authority("ours"), authority("other"));
    let port = serve(&ours, None).await;
    let outbound = Outbound::try_new(OutboundOptions::default()).unwrap();
    assert_eq!(call(&outbound, &roots(&ours), port).await, Ok(200));
    let said = "tls: certificate is from an unknown issuer".to_owned();
    assert_eq!(call(&outbound, &EndpointTls::default(), port).await, Err(said.clone()));
    assert_eq!(call(&outbound, &roots(&other), port).await, Err(said.clone()));

    // What is given for all others takes the place of the system's, and what an endpoint has goes first.
    let given = OutboundOptions { only_roots: Some(vec![ours.der().clone()]), ..OutboundOptions::default() };
    let given = Outbound::try_new(given).unwrap();
    assert_eq!(call(&given, &EndpointTls::default(), port).await, Ok(200));
    assert_eq!(call(&given, &roots(&other), port).await, Err(said));
}

#[tokio::test]
async fn an_endpoint_that_wants_a_certificate_gets_it_and_says_what_it_misses() {
    let (ours, clients, other) = (authority("ours"), authority("clients"), authority("other"));
    let port = serve(&ours, Some(&clients)).await;
    let outbound = Outbound::try_new(OutboundOptions::default()).unwrap();
    let with = |authority: &Authority| {
        let (certificate, key) = issue(authority, "gateway.test");
        let key = Secret::new(key.serialize_pem());
        EndpointTls { client: Some(ClientCertificate { chain: certificate.pem(), key }), ..roots(&ours) }
    };
    assert_eq!(call(&outbound, &with(&clients), port).await, Ok(200));
    let error = call(&outbound, &roots(&ours), port).await.unwrap_err();
    assert!(error.contains("the endpoint asks for a client certificate"), "{error}");
    let error = call(&outbound, &with(&other), port).await.unwrap_err();
    assert!(error.contains("client certificate"), "{error}");
}

/// As `openssl req -x509` makes them: a certificate of its own that says that it is an authority's.
fn self_signed(names: &[&str], from: i32, to: i32) -> (rcgen::Certificate, KeyPair) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_good_where_it_is_named_and_for_its_own_names_and_time() {
    let outbound = Outbound::try_new(OutboundOptions::default()).unwrap();
    let named =
        |certificate: &rcgen::Certificate| EndpointTls { roots: Some(certificate.pem()), client: None };
    let (own, key) = self_signed(&["localhost"], 2020, 2090);
    let port = serve_with(own.der().clone(), &key, None).await;
    assert_eq!(call(&outbound, &named(&own), port).await, Ok(200));
    let given = OutboundOptions { only_roots: Some(vec![own.der().clone()]), ..OutboundOptions::default() };
    let given = Outbound::try_new(given).unwrap();
    assert_eq!(call(&given, &EndpointTls::default(), port).await, Ok(200));

    // Nobody else's is taken for it, and where it is not named it is told what to do.
    let (other, _) = self_signed(&["localhost"], 2020, 2090);
    for tls in [EndpointTls::default(), named(&other)] {
        let said = call(&outbound, &tls, port).await.unwrap_err();
        assert!(said.contains("name this very certificate in `endpoint.tls.roots`"), "{said}");
    }
    for (names, from, to, word) in [
        (&["other.test"][..], 2020, 2090, "certificate is for another host: other.test"),
        (&[], 2020, 2090, "certificate names no host: it has no subject alternative name"),
        (&["localhost"], 2020, 2021, "certificate has expired on 2021-01-01T00:00:00Z"),
    ] {
        let (own, key) = self_signed(names, from, to);
        let port = serve_with(own.der().clone(), &key, None).await;
        let said = call(&outbound, &named(&own), port).await.unwrap_err();
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn what_cannot_be_used_is_told_with_its_key_and_without_its_value() {
    let ours = authority("ours");
    let (certificate, key) = issue(&ours, "gateway.test");
    let (_, other) = issue(&ours, "gateway.test");
    let client = |chain: &str, key: &str| {
        let client = ClientCertificate { chain: chain.to_owned(), key: Secret::new(key) };
        EndpointTls { roots: None, client: Some(client) }
    };
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (tls, place, said) in [
        (EndpointTls { roots: Some("-----BEGIN ".into()), client: None }, "roots", "cannot be read"),
        (EndpointTls { roots: Some(key.serialize_pem()), client: None }, "roots", "holds no certificate"),
        (EndpointTls { roots: Some(junk.into()), client: None }, "roots", "cannot be used"),
        (client(&certificate.pem(), "-----BEGIN "), "key", "holds no private key"),
        (client(&certificate.pem(), &other.serialize_pem()), "key", "is not the key of the certificate"),
        (client("-----BEGIN ", &key.serialize_pem()), "certificate", "cannot be read"),
    ] {
        let (told, problem) = tls_problem(&tls).unwrap();
        assert_eq!(told, place, "{problem}");
        assert!(problem.contains(said) && !problem.contains("BEGIN "), "{place}: {problem}");
    }
    assert!(tls_problem(&client(&certificate.pem(), &key.serialize_pem())).is_none());
    assert!(tls_problem(&EndpointTls::default()).is_none());
}
