//! A gateway whose management API is behind TLS.

use super::SOURCES;
use anglerfish_tests::{Gateway, Ran, Request, send};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

/// Ends TLS before `behind` with a certificate for `localhost`, and writes the certificate into a file. It takes
/// requests without a body and passes on method, path and query.
fn front(behind: SocketAddr, certificate: &Path) -> u16 {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, cert.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(signing_key.serialize_der().into()))
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            // A client that does not trust the certificate hangs up.
            std::thread::spawn(move || drop(pass_on(config, stream, behind)));
        }
    });
    port
}

fn pass_on(config: Arc<ServerConfig>, stream: TcpStream, behind: SocketAddr) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        lines.push(line);
    }
    let Some(first) = lines.first() else { return Ok(()) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let answer = send(behind, &Request { method, path, ..Request::default() })?;
    let head = format!(
        "HTTP/1.1 {} Passed\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[test]
fn it_is_asked_if_its_certificate_is_trusted_and_else_the_reason_is_told() {
    let gateway = Gateway::start(SOURCES);
    let certificate = gateway.directory().join("certificate.pem");
    let port = front(gateway.admin(), &certificate);
    let list = |host: &str, trusted: bool| {
        let api = format!("https://{host}:{port}");
        let mut command = gateway.beside(&["deliveries", "show", "7", "--api", &api]);
        if trusted {
            command.env("SSL_CERT_FILE", &certificate);
        }
        Ran::of(&mut command).expect(1)
    };
    let asked = list("localhost", true);
    assert_eq!(asked.stderr, "error: there is no delivery `7`\n");
    for (host, trusted) in [("localhost", false), ("127.0.0.1", true)] {
        let refused = list(host, trusted);
        assert!(refused.stderr.contains("invalid peer certificate"), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("hint: ") && refused.stderr.contains("SSL_CERT_FILE"),
            "{}",
            refused.stderr
        );
    }
}
