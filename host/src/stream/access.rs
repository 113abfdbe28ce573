//! Who may read.

use super::registry::Readable;
use super::router::StreamOut;
use crate::api::{ProblemDetails, Segment, bearer, wrong_token};
use crate::server::{Peer, sender};
use anglerfish_core::config::AccessToken;
use axum::extract::{FromRequestParts, Query};
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
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
            shown => out.refusals.check(parts, opens, |look| {
                let mut look = |shown: &[u8]| {
                    token = Sha256::digest(shown).into();
                    look(shown)
                };
                match shown {
                    Some(shown) if look(shown.as_bytes()) => Ok(()),
                    Some(_) => Err(wrong_token()),
                    None => bearer(&parts.headers, look),
                }
            }),
        };
        match (readable, checked) {
            (Some(readable), Ok(())) => {
                let peer = parts.extensions.get::<Peer>();
                let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
                let address = sender(&parts.headers, peer, &out.trusted);
                let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
                let agent = agent.map(|agent| agent.chars().take(AGENT).collect());
                Ok(Self { readable, token, address, agent })
            }
            (_, refused) => Err(refused.err().unwrap_or_else(wrong_token)),
        }
    }
}
