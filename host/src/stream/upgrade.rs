//! Requests that ask for a WebSocket.

use super::access::{Opened, Sender, Shown};
use super::handler::{at, field, stopping};
use super::place::Protocol;
use super::request::{LAST_EVENT_ID, StreamQuery};
use super::router::StreamOut;
use super::session::{Caller, Request};
use super::stomp::{self, Wire};
use super::websocket::{First, Handshake, MaybeWebSocket, Subprotocol, converse};
use crate::api::{ProblemDetails, Query};
use crate::passive::LEASE;
use axum::extract::State;
use axum::response::Response;
use http::header::{HeaderValue, UPGRADE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

/// What a message has besides data, in bytes.
const AROUND: usize = 64 << 10;

/// The parameters of a WebSocket that names no subscription.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConnectQuery {
    /// The token, where no `Authorization` can be sent: browsers send none with a WebSocket.
    #[param(required = false)]
    #[expect(dead_code, reason = "it is read before the others")]
    access_token: Option<String>,
}

/// Opens a WebSocket that holds any number of subscriptions.
///
/// It speaks JSON messages (subprotocol `anglerfish.v1`, and where none is named) or STOMP (`v12.stomp`, `v11.stomp`,
/// `v10.stomp`). A token that is shown here opens what it opens on the whole connection; each subscription may show its own.
#[utoipa::path(
    get, path = "/out", operation_id = "connect", tag = "out",
    params(ConnectQuery),
    responses(
        (status = 101, description = "The connection is a WebSocket now."),
        (
            status = 426,
            description = "The request does not ask for a WebSocket, or for another version of it: `upgrade-required`, \
                `unknown-version`."
        ),
    )
)]
pub(super) async fn connect(
    State(out): State<StreamOut>,
    MaybeWebSocket(handshake): MaybeWebSocket,
    Shown(token): Shown,
    sender: Sender,
    Query(ConnectQuery { .. }): Query<ConnectQuery>,
) -> Result<Response, ProblemDetails> {
    let Some(handshake) = handshake else {
        let detail = "this address is for a WebSocket; `GET /out/{subscription}` reads without one";
        return Err(ProblemDetails::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", detail)
            .header(UPGRADE, HeaderValue::from_static("websocket")));
    };
    if out.streams.is_stopping() {
        return Err(stopping());
    }
    start(&out, handshake, sender, token, None)
}

/// The same with the subscription that the address names.
pub(super) async fn read(
    out: &StreamOut,
    opened: Opened,
    headers: &HeaderMap,
    query: &StreamQuery,
    handshake: Handshake,
) -> Result<Response, ProblemDetails> {
    let Opened { target, token, sender } = opened;
    let style = query.message_style()?;
    let request = Request { start: query.start_if_said(headers)?, mode: None, lease: LEASE };
    if let Subprotocol::Stomp(_) = handshake.protocol() {
        let detail = "STOMP names its destinations itself: connect to `/out`";
        return Err(ProblemDetails::bad_request("invalid-handshake", detail));
    }
    let caller = caller(&sender, Protocol::WebSocket);
    let begun = out.door.open(&target, &token, &caller, request).await?;
    let position = begun.position;
    let first = First { id: (*target.readable.id).to_owned(), inlet: begun.inlet, position, style };
    let mut response = start(out, handshake, sender, Some(token), Some(first))?;
    if let Some(position) = position {
        response.headers_mut().insert(LAST_EVENT_ID, field(&at(&out.streams, position)));
    }
    Ok(response)
}

fn start(
    out: &StreamOut,
    handshake: Handshake,
    sender: Sender,
    token: Option<String>,
    first: Option<First>,
) -> Result<Response, ProblemDetails> {
    let protocol = handshake.protocol();
    let (response, upgrading) = handshake.accept(&out.sockets.taking(largest(out)))?;
    let door = out.door.clone();
    tokio::spawn(async move {
        let Some(socket) = upgrading.finish().await else { return };
        match protocol {
            Subprotocol::Json => {
                let caller = caller(&sender, Protocol::WebSocket);
                converse(socket, door, caller, token, first).await;
            }
            Subprotocol::Stomp(_) => {
                let caller = caller(&sender, Protocol::Stomp);
                stomp::converse(Wire::WebSocket(Box::new(socket)), door, caller, token).await;
            }
        }
    });
    Ok(response)
}

/// The largest message that is taken, in bytes: one for a topic may be twice as long as its data, in JSON or as a frame.
fn largest(out: &StreamOut) -> usize {
    let topics = usize::try_from(out.door.topics.largest()).unwrap_or(usize::MAX);
    topics.saturating_mul(2).saturating_add(AROUND)
}

fn caller(sender: &Sender, protocol: Protocol) -> Caller {
    Caller { protocol, address: sender.address, agent: sender.agent.clone() }
}
