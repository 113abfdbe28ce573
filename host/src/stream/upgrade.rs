//! Requests that ask for a WebSocket.

use super::access::{Opened, Sender, Shown};
use super::ad_hoc::AdHocQuery;
use super::handler::{answer, at, field, stopping};
use super::place::Protocol;
use super::request::{LAST_EVENT_ID, StreamQuery};
use super::router::StreamOut;
use super::session::{Caller, Request};
use super::stomp::{self, Wire};
use super::websocket::{First, Handshake, MaybeWebSocket, Subprotocol, converse};
use crate::web::{ProblemDetails, Query, bearer, wrong_token};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::header::{AUTHORIZATION, HeaderValue, UPGRADE};
use http::{HeaderMap, StatusCode};

/// What a message has besides data, in bytes.
const AROUND: usize = 64 << 10;

/// Opens a WebSocket that holds any number of subscriptions, or reads the log without a subscription.
///
/// The WebSocket speaks JSON messages (subprotocol `anglerfish.v1`, and where none is named) or STOMP (`v12.stomp`, `v11.stomp`,
/// `v10.stomp`). A token that is shown here opens what it opens on the whole connection; each subscription may show its own.
///
/// Without a WebSocket it is a stream of the sources and the filter that the request names, as `/out/{subscription}` is one of
/// a subscription. It is for whoever shows the token of the management API, in `Authorization`; where there is no such token, for
/// nobody.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        get, path = "/out", operation_id = "connect", tag = "out",
        params(AdHocQuery),
        responses(
            (
                status = 200,
                description = "The events. `Last-Event-ID` says which position it begins behind.",
                content(
                    (String = "text/event-stream"),
                    (String = "application/x-ndjson"),
                    (super::openapi::BatchDocument = "application/json"),
                    (Vec<Object> = "application/cloudevents-batch+json"),
                ),
                headers(("Last-Event-ID" = String, description = "The position that it begins behind."))
            ),
            (status = 101, description = "The connection is a WebSocket now."),
            (status = 406, description = "None of these formats is accepted: `not-acceptable`."),
            (status = 410, description = "What was asked for is no longer there: `position-expired`, `position-unknown`."),
            (status = 422, description = "There is no such source, or the filter does not compile: `invalid-document`."),
            (
                status = 426,
                description = "The request asks neither for a WebSocket nor for a stream, or for another version of the protocol: \
                    `upgrade-required`, `unknown-version`."
            ),
            (
                status = 429,
                description = "Too many read or are connected already, with this token or from this address: `too-many-readers`; or too \
                    many tokens that are not right came from there: `too-many-wrong-tokens`.",
                headers(("Retry-After" = String, description = "When to come again, in seconds."))
            ),
            (status = 503, description = "Too many read already: `too-many-readers`. Or the gateway stops: `unavailable`."),
        )
    )
)]
pub(super) async fn connect(
    State(out): State<StreamOut>,
    MaybeWebSocket(handshake): MaybeWebSocket,
    headers: HeaderMap,
    Shown(token): Shown,
    sender: Sender,
    Query(query): Query<AdHocQuery>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ProblemDetails> {
    let Some(handshake) = handshake else {
        return read_ad_hoc(&out, &headers, token, sender, query, asked.as_deref()).await;
    };
    if query.is_for_a_stream() {
        let detail =
            "a WebSocket says in its messages what it reads; only `access_token` may stand in its address";
        return Err(ProblemDetails::bad_request("invalid-query", detail));
    }
    if out.streams.is_stopping() {
        return Err(stopping());
    }
    start(&out, handshake, sender, token, None)
}

async fn read_ad_hoc(
    out: &StreamOut,
    headers: &HeaderMap,
    token: Option<String>,
    sender: Sender,
    query: AdHocQuery,
    asked: Option<&str>,
) -> Result<Response, ProblemDetails> {
    let is_shown = headers.contains_key(AUTHORIZATION);
    if !is_shown && !query.is_for_a_stream() {
        let detail = "this address is for a WebSocket, or for a stream with the token of the management API; \
            `GET /out/{subscription}` reads a subscription";
        return Err(ProblemDetails::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", detail)
            .header(UPGRADE, HeaderValue::from_static("websocket")));
    }
    // Addresses are kept in places where nobody looks for a token that opens everything.
    let Some(token) = token.filter(|_| is_shown) else {
        out.door.refusals.note();
        return Err(bearer(headers, |_| false).err().unwrap_or_else(wrong_token));
    };
    out.door.operator(&token, sender.address)?;
    let (wanted, query) = query.split();
    let target = wanted.target(&out.streams, &*out.is_source)?;
    // When the token is changed those are let go who read by it: who was let in just before that is found out here.
    out.door.operator(&token, sender.address)?;
    answer(out, Opened { target, token, sender }, None, headers, &query, asked).await
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
    let request = Request { start: query.start_if_said(headers)?, mode: None, lease: None };
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
    let mut seat = out.streams.seat(sender.address)?;
    if let Some(token) = &token {
        seat.show(token)?;
    }
    let (response, upgrading) = handshake.accept(&out.sockets.taking(largest(out)))?;
    let door = out.door.clone();
    tokio::spawn(async move {
        let Some(socket) = upgrading.finish(sender.watch.clone()).await else { return };
        match protocol {
            Subprotocol::Json => {
                let caller = caller(&sender, Protocol::WebSocket);
                converse(socket, door, caller, (token, seat), first).await;
            }
            Subprotocol::Stomp(_) => {
                let caller = caller(&sender, Protocol::Stomp);
                stomp::converse(Wire::WebSocket(Box::new(socket)), door, caller, token, seat).await;
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
    let Sender { address, agent, watch } = sender.clone();
    Caller { protocol, address, agent, watch }
}
