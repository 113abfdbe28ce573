//! Who may read.

use super::router::StreamOut;
use super::session::{Refused, Target};
use crate::server::{ConnectionWatch, Peer, sender};
use crate::web::{ProblemDetails, Segment, bearer, wrong_token};
use axum::extract::{FromRequestParts, Query};
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use serde::Deserialize;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

/// How much is kept of how a reader calls itself, in characters.
const AGENT: usize = 200;

/// A subscription that the request opened with one of its tokens, and who did.
pub(super) struct Opened {
    pub(super) target: Target,
    /// The token that was shown.
    pub(super) token: String,
    pub(super) sender: Sender,
}

/// The same of a topic.
pub(super) struct OpenedTopic(pub(super) Opened);

/// Who sends a request.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) address: IpAddr,
    pub(super) agent: Option<String>,
    /// The connection.
    pub(super) watch: ConnectionWatch,
}

impl FromRequestParts<StreamOut> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, out: &StreamOut) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>();
        let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        let address = sender(&parts.headers, peer, &out.trusted);
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.map(|agent| agent.chars().take(AGENT).collect());
        let watch = parts.extensions.get::<ConnectionWatch>().cloned().unwrap_or_default();
        Ok(Self { address, agent, watch })
    }
}

#[derive(Deserialize)]
struct TokenQuery {
    access_token: Option<String>,
}

/// The token that a request shows, in its header or in its address; nothing if it shows none.
pub(super) struct Shown(pub(super) Option<String>);

impl FromRequestParts<StreamOut> for Shown {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, _: &StreamOut) -> Result<Self, Self::Rejection> {
        // What is wrong with the other parameters is said to whoever may read.
        let asked = Query::<TokenQuery>::try_from_uri(&parts.uri).ok().and_then(|query| query.0.access_token);
        match (asked, parts.headers.contains_key(AUTHORIZATION)) {
            (Some(_), true) => Err(ProblemDetails::bad_request(
                "invalid-query",
                "there are an `access_token` and an `Authorization` header field; send one of them",
            )),
            (Some(shown), false) => Ok(Self(Some(shown))),
            (None, false) => Ok(Self(None)),
            (None, true) => {
                let mut token = None;
                bearer(&parts.headers, |shown| {
                    // Tokens are ASCII: what is not opens nothing, as one in its place does not.
                    token = Some(String::from_utf8_lossy(shown).into_owned());
                    true
                })?;
                Ok(Self(token))
            }
        }
    }
}

impl Shown {
    /// The token, where there has to be one.
    pub(super) async fn required(parts: &mut Parts, out: &StreamOut) -> Result<String, ProblemDetails> {
        match Self::from_request_parts(parts, out).await {
            Ok(Self(Some(token))) => Ok(token),
            Ok(Self(None)) => {
                out.door.refusals.note();
                Err(bearer(&parts.headers, |_| false).err().unwrap_or_else(wrong_token))
            }
            Err(problem) => {
                out.door.refusals.note();
                Err(problem)
            }
        }
    }
}

impl Opened {
    async fn read(
        parts: &mut Parts,
        out: &StreamOut,
        find: impl FnOnce(&str, &str, IpAddr) -> Result<Target, Refused>,
    ) -> Result<Self, ProblemDetails> {
        let Segment(name) = Segment::from_request_parts(parts, out).await?;
        let token = Shown::required(parts, out).await?;
        let Ok(sender) = Sender::from_request_parts(parts, out).await;
        let target = find(&name, &token, sender.address).map_err(ProblemDetails::from)?;
        Ok(Self { target, token, sender })
    }
}

impl FromRequestParts<StreamOut> for Opened {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, out: &StreamOut) -> Result<Self, Self::Rejection> {
        Self::read(parts, out, |name, token, address| out.door.find(name, token, address)).await
    }
}

impl FromRequestParts<StreamOut> for OpenedTopic {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, out: &StreamOut) -> Result<Self, Self::Rejection> {
        Opened::read(parts, out, |name, token, address| out.door.find_topic(name, token, address))
            .await
            .map(Self)
    }
}
