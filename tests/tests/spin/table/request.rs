//! Requests as the table has them.

use crate::sender::WHSEC;
use anglerfish_tests::{Headers, Request, now, standard};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::net::SocketAddr;

/// The secret of most sources.
pub(super) const KEY: &str = "a-long-random-secret";

pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request { method: method.to_owned(), path: path.to_owned(), headers, body: body.into(), chunked: false }
}

pub(super) fn post(path: &str, headers: Headers, body: impl Into<Vec<u8>>) -> Request {
    Request { method: "POST".to_owned(), path: path.to_owned(), headers, body: body.into(), chunked: false }
}

/// One that the shop has signed.
pub(super) fn shop(id: &str, body: &str) -> Request {
    post("/in/shop", standard(WHSEC, id, now(), body.as_bytes()), body)
}

pub(super) trait Change: Sized {
    fn with(self, name: &str, value: &str) -> Self;
    fn by(self, method: &str) -> Self;
    fn at(self, path: &str) -> Self;
    fn in_chunks(self) -> Self;
}

impl Change for Request {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn by(self, method: &str) -> Self {
        Self { method: method.to_owned(), ..self }
    }

    fn at(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    fn in_chunks(self) -> Self {
        Self { chunked: true, ..self }
    }
}

fn mac(parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}

/// Mailgun's: the signature stands in the body, and its token serves once.
pub(super) fn mail(token: &str, event: &str) -> Request {
    let timestamp = now().to_string();
    let signature = hex::encode(mac(&[&timestamp, token]));
    let signature = json!({ "timestamp": timestamp, "token": token, "signature": signature });
    let body = json!({ "signature": signature, "event-data": { "id": event, "event": "opened" } });
    request("POST", "/in/mail", &[("content-type", "application/json")], &body.to_string())
}

/// Square's: the address that is called is signed.
pub(super) fn till(address: SocketAddr, signed: &str, called: &str, body: &str) -> Request {
    let signature = STANDARD.encode(mac(&[&format!("http://{address}{signed}"), body]));
    request("POST", called, &[("x-square-hmacsha256-signature", &signature)], body)
}
