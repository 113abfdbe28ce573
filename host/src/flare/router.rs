//! The addresses.

use super::fault::Fault;
use super::schema::ServiceShape;
use super::url_table::UrlTable;
use super::{document, openapi, resource, subscription};
use crate::document::Documents;
use crate::store::Store;
use crate::subscription::Subscriptions;
use crate::web::Access;
use anglerfish_core::request::UnixMillis;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
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
    /// The documents, and their resources.
    pub(super) documents: Documents,
    /// The subscriptions.
    pub(super) subscriptions: Subscriptions,
    /// Who subscribed when.
    pub(super) store: Arc<dyn Store>,
    /// Who may ask.
    pub(super) access: Access,
    /// The longest body, in bytes.
    pub(super) body_limit: usize,
    /// The URLs of the subscriptions; held by the one who makes one.
    pub(super) urls: Arc<Mutex<UrlTable>>,
}

impl Flare {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        documents: Documents,
        subscriptions: Subscriptions,
        store: Arc<dyn Store>,
        access: Access,
        body_limit: usize,
    ) -> Self {
        Self { documents, subscriptions, store, access, body_limit, urls: Arc::default() }
    }
}

impl fmt::Debug for Flare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flare").finish_non_exhaustive()
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
            // Whether there is a resource comes first; without one nobody looks at the body.
            Method::PUT if flare.documents.resources().of(&url).is_empty() => {
                document::put(flare, &url, Bytes::new()).await
            }
            Method::PUT => document::put(flare, &url, read(flare, body).await?).await,
            _ => document::delete(flare, &url).await,
        };
    }
    let parts: Vec<&str> = path.split('/').collect();
    match (parts.as_slice(), method) {
        ([""], &Method::GET) => Ok(service()),
        (["openapi.json"], &Method::GET) => {
            Ok(([(CONTENT_TYPE, "application/json")], openapi::text()).into_response())
        }
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
            | ["openapi.json"]
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

/// Says which service this is.
#[utoipa::path(
    get, path = "/", operation_id = "showService", tag = "resources",
    responses((status = 200, description = "This one.", body = ServiceShape))
)]
pub(super) fn service() -> Answer {
    json_answer(StatusCode::OK, &json!({"go": "anglerfish", "version": env!("CARGO_PKG_VERSION")}))
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
