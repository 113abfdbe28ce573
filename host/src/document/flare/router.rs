//! The addresses.

use super::fault::Fault;
use super::{document, resource, subscription};
use crate::api::Access;
use crate::document::backfill;
use crate::document::changes::Documents;
use crate::document::port::DocumentDecider;
use crate::document::resources::Resources;
use crate::store::Store;
use crate::subscription::Subscriptions;
use anglerfish_core::request::UnixMillis;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

pub(super) type Answer = Response;

/// What the addresses look at and change. Cheap to clone.
#[derive(Clone)]
pub struct Flare {
    /// The resources.
    pub resources: Resources,
    /// The documents.
    pub documents: Documents,
    /// The subscriptions.
    pub subscriptions: Subscriptions,
    /// The component.
    pub decider: Arc<dyn DocumentDecider>,
    /// Who subscribed when.
    pub store: Arc<dyn Store>,
    /// Who may ask.
    pub access: Access,
    /// The longest body, in bytes.
    pub body_limit: usize,
    /// Held by the one who makes a subscription.
    pub writer: Arc<Mutex<()>>,
}

impl fmt::Debug for Flare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flare").finish_non_exhaustive()
    }
}

impl Flare {
    /// Tells subscribers of what was there before they subscribed; runs for as long as the gateway does.
    pub async fn backfill(self) {
        backfill::run(self.documents, self.decider, self.store).await;
    }
}

/// The whole API.
pub fn router(flare: Flare) -> Router {
    Router::new().fallback(handle).with_state(flare)
}

async fn handle(State(flare): State<Flare>, request: Request) -> Response {
    if let Err(problem) = flare.access.check(&request) {
        let fault = Fault::new(problem.status(), problem.code(), problem.detail());
        let challenge = HeaderValue::from_static("Bearer");
        return match problem.status() {
            StatusCode::UNAUTHORIZED => fault.header(WWW_AUTHENTICATE, challenge).into_response(),
            _ => fault.into_response(),
        };
    }
    let mut response = answer(&flare, request).await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn answer(flare: &Flare, request: Request) -> Result<Answer, Fault> {
    let (head, body) = request.into_parts();
    let query = head.uri.query();
    // One slash at the end is none.
    let path = head.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    let method = &head.method;
    if let Some(url) = path.strip_prefix("documents/") {
        let is_known = [Method::GET, Method::PUT, Method::DELETE].contains(method);
        if !is_known {
            return Err(not_allowed());
        }
        let url = document::url(url, query)?;
        return match *method {
            Method::GET => document::show(flare, &url),
            Method::PUT => document::put(flare, url, read(flare, body).await?).await,
            _ => document::delete(flare, url).await,
        };
    }
    let parts: Vec<&str> = path.split('/').collect();
    match (parts.as_slice(), method) {
        ([""], &Method::GET) => Ok(json_answer(
            StatusCode::OK,
            &json!({"go": "anglerfish", "version": env!("CARGO_PKG_VERSION")}),
        )),
        (["resources"], &Method::GET) => resource::list(flare, query),
        (["resources"], &Method::POST) => resource::create(flare, &read(flare, body).await?).await,
        (["resources", id], &Method::GET) => resource::show(flare, id),
        (["resources", id], &Method::DELETE) => resource::delete(flare, id).await,
        (["resources", id, "documents"], &Method::GET) => document::list(flare, id, query).await,
        (["resources", id, "subscriptions"], &Method::GET) => subscription::list(flare, id, query).await,
        (["resources", id, "subscriptions"], &Method::POST) => {
            subscription::create(flare, id, &read(flare, body).await?).await
        }
        (["resources", id, "subscriptions", own], &Method::GET) => subscription::show(flare, id, own).await,
        (["resources", id, "subscriptions", own], &Method::DELETE) => {
            subscription::delete(flare, id, own).await
        }
        (["resources", id, "subscriptions", own, "resync"], &Method::POST) => {
            subscription::resync(flare, id, own).await
        }
        (["resources", id, "subscriptions", own, "explain"], &Method::GET) => {
            subscription::explain(flare, id, own, query).await
        }
        (
            [""]
            | ["resources"]
            | ["resources", _]
            | ["resources", _, "documents" | "subscriptions"]
            | ["resources", _, "subscriptions", _]
            | ["resources", _, "subscriptions", _, "resync" | "explain"],
            _,
        ) => Err(not_allowed()),
        _ => Err(Fault::of_address(StatusCode::NOT_FOUND, "not found")),
    }
}

/// As the service answers it.
fn not_allowed() -> Fault {
    Fault::of_address(StatusCode::BAD_REQUEST, "method not allowed")
}

async fn read(flare: &Flare, body: Body) -> Result<Bytes, Fault> {
    let limit = flare.body_limit;
    to_bytes(body, limit).await.map_err(|error| {
        let mut cause: &(dyn std::error::Error + 'static) = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        if cause.is::<http_body_util::LengthLimitError>() {
            let detail = format!("the body is longer than {limit} bytes");
            return Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid body", detail);
        }
        Fault::bad("invalid body", "the body broke off")
    })
}

/// An instant as the service writes it, to the second.
pub(super) fn seconds(time: UnixMillis) -> String {
    UnixMillis::from_seconds(time.seconds()).rfc3339().unwrap_or_default()
}

pub(super) fn json_answer<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    (status, Json(body)).into_response()
}

/// The answer to what was made, with where it is.
pub(super) fn created(body: &Value, location: &str) -> Answer {
    let mut answer = json_answer(StatusCode::CREATED, body);
    if let Ok(location) = HeaderValue::try_from(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}
