//! A JSON Web Token in a header that carries the body's hash, signed with ES256 (RFC 7515, 7518).

use super::algorithm::equal;
use super::context::Scope;
use super::key::BASE64_URL;
use super::pin::{Document, document};
use super::template::{Body, Template};
use crate::decision::Fetch;
use crate::request::UnixMillis;
use base64::Engine as _;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Where the token's key comes from and what the token must say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Jwt {
    /// The URL that gives the key.
    pub(crate) url: Template,
    /// The document that is posted to it; `{id}` is the key's id.
    pub(crate) post: Body,
    /// Where in the answer the key is, by JSON pointer.
    pub(crate) key: String,
    /// The claim that is the hexadecimal SHA-256 of the body.
    pub(crate) body_hash: String,
}

/// What came of a token.
pub(crate) enum TokenCheck {
    /// The signature and the body's hash hold; this is when it was issued.
    Holds(UnixMillis),
    /// The key must be fetched first.
    Wanted(Fetch),
    /// The key could not be had; another time it may.
    Unavailable(String),
    /// Something is missing or malformed.
    Malformed(String),
    /// The signature does not match.
    Mismatch,
}

impl Jwt {
    /// Checks a token.
    pub(crate) fn check(&self, token: &[u8], scope: &Scope<'_>) -> TokenCheck {
        let malformed = |text: &str| TokenCheck::Malformed(text.to_owned());
        let Ok(token) = std::str::from_utf8(token) else { return malformed("the token is malformed") };
        let mut parts = token.split('.');
        let (Some(head), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return malformed("the token is malformed");
        };
        let Some(header) = decode(head) else { return malformed("the token's header is malformed") };
        if text(&header, "alg") != "ES256" {
            return malformed("the token is not signed with ES256");
        }
        let kid = text(&header, "kid");
        let plain = kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain || !(1..=64).contains(&kid.len()) {
            return malformed("the token's key id is malformed");
        }
        let answer = match self.fetch(kid, scope) {
            Ok(wish) => match document(&scope.context.request.fetched, wish) {
                Document::Here(answer) => answer,
                Document::Wanted(wish) => return TokenCheck::Wanted(wish),
                Document::Unavailable(reason) => return TokenCheck::Unavailable(reason),
            },
            Err(reason) => return TokenCheck::Malformed(reason),
        };
        let key = match self.key(answer, kid, scope.context.request.received) {
            Ok(key) => key,
            Err(reason) => return TokenCheck::Malformed(reason),
        };
        let signed = format!("{head}.{claims}");
        let holds = BASE64_URL
            .decode(signature)
            .ok()
            .and_then(|signature| Signature::from_slice(&signature).ok())
            .is_some_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok());
        if !holds {
            return TokenCheck::Mismatch;
        }
        let Some(claims) = decode(claims) else {
            return malformed("the token's claims are malformed");
        };
        let hash = hex::encode(Sha256::digest(scope.context.request.body));
        if !equal(hash.as_bytes(), text(&claims, &self.body_hash).as_bytes()) {
            return TokenCheck::Mismatch;
        }
        match claims.get("iat").and_then(Value::as_u64) {
            Some(issued) => TokenCheck::Holds(UnixMillis::from_seconds(issued)),
            None => malformed("the token does not say when it was issued"),
        }
    }

    fn fetch(&self, kid: &str, scope: &Scope<'_>) -> Result<Fetch, String> {
        let scope = Scope { id: Some(kid.as_bytes()), ..*scope };
        let url = String::from_utf8(self.url.bytes(&scope)?).map_err(|_| "the key's URL is not text")?;
        // The fragment is not sent; it tells the keys of one address apart.
        Ok(Fetch { url: format!("{url}#{kid}"), post: Some(self.post.bytes(&scope)?), cache_seconds: 3600 })
    }

    fn key(&self, answer: &[u8], kid: &str, now: UnixMillis) -> Result<VerifyingKey, String> {
        let unreadable = || "the provider's key is unreadable".to_owned();
        let answer: Value = serde_json::from_slice(answer).map_err(|_| unreadable())?;
        let key = answer.pointer(&self.key).ok_or_else(unreadable)?;
        if text(key, "kty") != "EC" || text(key, "crv") != "P-256" || text(key, "kid") != kid {
            return Err(unreadable());
        }
        match key.get("expired_at") {
            None | Some(Value::Null) => {}
            Some(end) if end.as_u64().is_some_and(|end| end > now.seconds()) => {}
            Some(_) => return Err("the provider's key has expired".to_owned()),
        }
        let (x, y) = (BASE64_URL.decode(text(key, "x")), BASE64_URL.decode(text(key, "y")));
        let (Ok(x), Ok(y)) = (x, y) else { return Err(unreadable()) };
        if x.len() != 32 || y.len() != 32 {
            return Err(unreadable());
        }
        // SEC 1: an uncompressed point.
        VerifyingKey::from_sec1_bytes(&[vec![4], x, y].concat()).map_err(|_| unreadable())
    }
}

/// The text of a member; empty if there is none.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL.decode(part).ok()?).ok()
}
