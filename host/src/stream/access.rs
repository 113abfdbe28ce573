//! Who may read.

use super::registry::Readable;
use super::router::StreamOut;
use crate::api::{ProblemDetails, Segment, bearer, wrong_token};
use crate::server::Peer;
use anglerfish_core::config::AccessToken;
use axum::extract::{FromRequestParts, Query};
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use ipnet::IpNet;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// How much is kept of how a reader calls itself, in characters.
const AGENT: usize = 200;

/// A subscription that the request opened with one of its tokens, and who did.
pub(super) struct Opened {
    pub(super) readable: Arc<Readable>,
    /// The token's hash.
    pub(super) token: [u8; 32],
    pub(super) address: IpAddr,
    pub(super) agent: Option<String>,
}

#[derive(Deserialize)]
struct TokenQuery {
    access_token: Option<String>,
}

impl FromRequestParts<StreamOut> for Opened {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, out: &StreamOut) -> Result<Self, Self::Rejection> {
        let Segment(name) = Segment::from_request_parts(parts, out).await?;
        let readable = out.streams.get(&name);
        let opens = |token: &[u8]| match &readable {
            Some(readable) => readable.opens(token),
            // It takes as long.
            None => AccessToken::is_one_of(&[], token),
        };
        // What is wrong with the other parameters is said to whoever may read.
        let shown = Query::<TokenQuery>::try_from_uri(&parts.uri).ok().and_then(|query| query.0.access_token);
        let mut token = [0; 32];
        let checked = match shown {
            Some(_) if parts.headers.contains_key(AUTHORIZATION) => {
                return Err(ProblemDetails::bad_request(
                    "invalid-query",
                    "there are an `access_token` and an `Authorization` header field; send one of them",
                ));
            }
            Some(shown) => {
                token = Sha256::digest(&shown).into();
                if opens(shown.as_bytes()) { Ok(()) } else { Err(wrong_token()) }
            }
            None => bearer(&parts.headers, |shown| {
                token = Sha256::digest(shown).into();
                opens(shown)
            }),
        };
        match (readable, checked) {
            (Some(readable), Ok(())) => {
                let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
                let agent = agent.map(|agent| agent.chars().take(AGENT).collect());
                Ok(Self { readable, token, address: address(parts, &out.trusted), agent })
            }
            (_, refused) => {
                out.refusals.note();
                Err(refused.err().unwrap_or_else(wrong_token))
            }
        }
    }
}

/// Where a request comes from: what the nearest trusted proxy says, or the connection.
fn address(parts: &Parts, trusted: &[IpNet]) -> IpAddr {
    let peer = parts.extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if !is_trusted(&peer) {
        return peer;
    }
    let forwarded = parts.headers.get_all("x-forwarded-for").iter().rev();
    let texts = forwarded.filter_map(|value| value.to_str().ok()).flat_map(|text| text.rsplit(','));
    let mut nearest = peer;
    for address in texts.map_while(|text| text.trim().parse::<IpAddr>().ok()) {
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_a_trusted_proxy_says_and_a_stranger_says_nothing() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("203.0.113.1", "192.0.2.1", "203.0.113.1"),
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "192.0.2.9, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("10.0.0.1", "192.0.2.9, nonsense", "10.0.0.1"),
            ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ] {
            let mut request = http::Request::new(());
            request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
            request.extensions_mut().insert(Peer((peer.parse::<IpAddr>().unwrap(), 1).into()));
            let (parts, ()) = request.into_parts();
            assert_eq!(address(&parts, &trusted), expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded}");
        }
    }
}
