//! Requests as providers sign and send them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;

/// A secret of Standard Webhooks: `whsec_` and its key in base64.
pub(crate) const WHSEC: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const WHSEC_KEY: &[u8] = b"01234567890123456789012345678901";

/// The signing secret of the Slack app.
pub(crate) const SLACK: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The value of `webhook-signature`.
pub(crate) fn standard_webhooks_signature(id: &str, timestamp: &str, body: &[u8]) -> String {
    let signature = mac(WHSEC_KEY, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(signature))
}

/// A request signed the Standard Webhooks way.
pub(crate) fn standard_webhooks(id: &str, body: &str) -> http::request::Builder {
    let timestamp = now().to_string();
    let signature = standard_webhooks_signature(id, &timestamp, body.as_bytes());
    http::Request::post("/in/shop")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
}

/// A request signed the Slack way.
pub(crate) fn slack(body: &str) -> http::request::Builder {
    let timestamp = now().to_string();
    let signature =
        hex::encode(mac(SLACK.as_bytes(), &[b"v0:", timestamp.as_bytes(), b":", body.as_bytes()]));
    http::Request::post("/in/chat")
        .header("content-type", "application/json")
        .header("x-slack-request-timestamp", timestamp)
        .header("x-slack-signature", format!("v0={signature}"))
}

/// Sends a request whose body has a length.
pub(crate) async fn send(to: SocketAddr, request: http::request::Builder, body: &str) -> Answer {
    exchange(to, request.body(Full::new(Bytes::from(body.to_owned())).boxed()).unwrap()).await
}

/// Sends a request whose body comes in chunks, its length unsaid.
pub(crate) async fn send_chunked(
    to: SocketAddr,
    request: http::request::Builder,
    chunks: Vec<Bytes>,
) -> Answer {
    let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
    exchange(to, request.body(StreamBody::new(futures_util::stream::iter(frames)).boxed()).unwrap()).await
}

/// Sends the head of a request and nothing of its body.
pub(crate) async fn send_nothing(to: SocketAddr, request: http::request::Builder) -> Answer {
    exchange(to, request.body(StreamBody::new(futures_util::stream::pending()).boxed()).unwrap()).await
}

async fn exchange(to: SocketAddr, request: http::Request<BoxBody<Bytes, Infallible>>) -> Answer {
    try_exchange(to, request).await.unwrap()
}

/// Sends a request whose body has a length to somebody who may end before the answer.
pub(crate) async fn try_send(
    to: SocketAddr,
    request: http::request::Builder,
    body: &str,
) -> std::io::Result<Answer> {
    try_exchange(to, request.body(Full::new(Bytes::from(body.to_owned())).boxed()).unwrap()).await
}

async fn try_exchange(
    to: SocketAddr,
    mut request: http::Request<BoxBody<Bytes, Infallible>>,
) -> std::io::Result<Answer> {
    request.headers_mut().insert("host", to.to_string().parse().unwrap());
    let stream = TcpStream::connect(to).await?;
    let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
    let status = response.status().as_u16();
    let field = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (content_type, retry_after) = (field("content-type"), field("retry-after"));
    let body = response.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    Ok(Answer { status, content_type, retry_after, body: String::from_utf8(body.to_vec()).unwrap() })
}
