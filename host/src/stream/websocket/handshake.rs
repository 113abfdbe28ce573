//! From a request to a WebSocket: RFC 6455, section 4.2.

use super::deflate::{self, Deflate};
use super::socket::{Socket, SocketOptions};
use crate::server::ConnectionWatch;
use crate::stream::handler::field;
use crate::stream::router::StreamOut;
use crate::web::ProblemDetails;
use anglerfish_core::stomp::Version;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::upgrade::OnUpgrade;
use yawc::{UpgradeFut, WebSocket};

/// The subprotocol of JSON messages.
const JSON: &str = "anglerfish.v1";

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum Subprotocol {
    /// JSON messages.
    Json,
    /// STOMP; the version is settled by its own frames, and this one is what the name says.
    Stomp(Version),
}

impl Subprotocol {
    const ALL: [Self; 4] =
        [Self::Json, Self::Stomp(Version::V1_2), Self::Stomp(Version::V1_1), Self::Stomp(Version::V1_0)];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Stomp(Version::V1_2) => "v12.stomp",
            Self::Stomp(Version::V1_1) => "v11.stomp",
            Self::Stomp(Version::V1_0) => "v10.stomp",
        }
    }
}

/// A request that asks for a WebSocket, and may have one.
pub(in crate::stream) struct Handshake {
    request: Request<()>,
    /// What is spoken; `None` if the other side named nothing, which stands for JSON.
    protocol: Option<Subprotocol>,
    /// How messages are compressed, if they are.
    deflate: Option<Deflate>,
}

/// The WebSocket that a request asks for, if it does.
pub(in crate::stream) struct MaybeWebSocket(pub(in crate::stream) Option<Handshake>);

impl FromRequestParts<StreamOut> for MaybeWebSocket {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, _: &StreamOut) -> Result<Self, Self::Rejection> {
        match parts.method == Method::GET && names(&parts.headers, &UPGRADE, "websocket") {
            true => Handshake::try_new(parts).map(|handshake| Self(Some(handshake))),
            false => Ok(Self(None)),
        }
    }
}

impl Handshake {
    fn try_new(parts: &mut Parts) -> Result<Self, ProblemDetails> {
        let invalid = |detail: &str| ProblemDetails::bad_request("invalid-handshake", detail);
        let headers = &parts.headers;
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            let detail = "the version of WebSocket that is spoken here is 13";
            let problem = ProblemDetails::new(StatusCode::UPGRADE_REQUIRED, "unknown-version", detail);
            return Err(problem.header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
        }
        if !names(headers, &CONNECTION, "upgrade") {
            return Err(invalid(
                "`Connection` does not say `Upgrade`: a proxy in front may have left it out",
            ));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key.as_bytes()).ok());
        if key.is_none_or(|key| key.len() != 16) {
            return Err(invalid("`Sec-WebSocket-Key` is missing, or has not 16 bytes in base64"));
        }
        let protocol = protocol(headers)?;
        let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
            return Err(invalid("a WebSocket begins with a request of HTTP/1.1"));
        };
        let deflate = Deflate::choose(headers);
        let mut request = Request::new(());
        *request.headers_mut() = headers.clone();
        request.extensions_mut().insert(upgrade);
        // The library is told what was decided here: it takes any parameters, and of several offers none.
        request.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
        if deflate.is_some() {
            request.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(deflate::NAME));
        }
        Ok(Self { request, protocol, deflate })
    }

    pub(in crate::stream) fn protocol(&self) -> Subprotocol {
        self.protocol.unwrap_or(Subprotocol::Json)
    }

    /// The answer, and the connection that follows it.
    pub(in crate::stream) fn accept(
        self,
        options: &SocketOptions,
    ) -> Result<(Response, Upgrading), ProblemDetails> {
        let compresses = self.deflate.is_some_and(Deflate::compresses);
        let accepted = WebSocket::upgrade_with_options(self.request, options.options(compresses));
        let (response, upgrade) =
            accepted.map_err(|error| ProblemDetails::bad_request("invalid-handshake", error.to_string()))?;
        let mut response = response.map(|_| Body::empty());
        if let Some(window) = self.deflate.and_then(|deflate| deflate.window)
            && let Some(agreed) = response.headers_mut().get_mut(SEC_WEBSOCKET_EXTENSIONS)
        {
            let text = format!("{}; server_max_window_bits={window}", agreed.to_str().unwrap_or_default());
            *agreed = field(&text);
        }
        if let Some(protocol) = self.protocol {
            let name = HeaderValue::from_static(protocol.name());
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
        }
        Ok((response, Upgrading { upgrade, options: options.clone() }))
    }
}

/// A connection that is a WebSocket once the answer has been sent.
pub(in crate::stream) struct Upgrading {
    upgrade: UpgradeFut,
    options: SocketOptions,
}

impl Upgrading {
    /// The WebSocket; `None` if the other side hung up.
    pub(in crate::stream) async fn finish(self, watch: ConnectionWatch) -> Option<Socket> {
        let socket = self.upgrade.await;
        let told = socket.inspect_err(|error| tracing::debug!(%error, "a WebSocket did not come about"));
        told.ok().map(|socket| Socket::new(socket, &self.options, watch))
    }
}

/// What is spoken: the first of what the other side names that is spoken here; nothing if it names nothing.
fn protocol(headers: &HeaderMap) -> Result<Option<Subprotocol>, ProblemDetails> {
    let mut is_said = false;
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        for name in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            is_said = true;
            if let Some(known) = Subprotocol::ALL.into_iter().find(|known| known.name() == name) {
                return Ok(Some(known));
            }
        }
    }
    match is_said {
        false => Ok(None),
        true => Err(ProblemDetails::bad_request(
            "unknown-subprotocol",
            format!("the subprotocols are {}", Subprotocol::ALL.map(Subprotocol::name).join(", ")),
        )),
    }
}

/// Whether a field that lists words has one of them.
fn names(headers: &HeaderMap, field: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(field).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|named| named.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(offered: &'static str) -> Result<Option<Subprotocol>, String> {
        let headers = HeaderMap::from_iter([(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offered))]);
        protocol(&headers).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn the_first_subprotocol_that_is_known_is_spoken() {
        assert_eq!(protocol(&HeaderMap::new()).unwrap(), None);
        assert_eq!(chosen("v12.stomp, v11.stomp"), Ok(Some(Subprotocol::Stomp(Version::V1_2))));
        assert_eq!(chosen("mqtt, v11.stomp,anglerfish.v1"), Ok(Some(Subprotocol::Stomp(Version::V1_1))));
        assert_eq!(chosen("mqtt"), Err("unknown-subprotocol".to_owned()));
    }
}
