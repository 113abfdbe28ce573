//! Which web pages may read: CORS, as "Fetch" has it, by a list.

use crate::web::ProblemDetails;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderValue, ORIGIN, VARY,
};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};
use std::sync::Arc;

/// Header fields that a page may send, beside the attributes of events.
const TAKEN: &str = "authorization, content-type, last-event-id";

/// What stands in front of the attributes of events (CloudEvents 1.0.2, HTTP Protocol Binding, section 3.1.3.1), and how many of
/// them are let in by name at once.
const ATTRIBUTE: &str = "ce-";
const MOST_ATTRIBUTES: usize = 100;

/// Every page.
const ANY: &str = "*";

/// The web pages that may read, by their origins. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins(Arc<[String]>);

impl Origins {
    pub(super) fn new(allowed: &[String]) -> Self {
        Self(allowed.into())
    }

    fn allows(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed == ANY || allowed.eq_ignore_ascii_case(origin))
    }
}

/// Whether a page is of the very address that it asks.
fn is_own(request: &Request, origin: &str) -> bool {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let asked = host.or_else(|| request.uri().authority().map(Authority::as_str));
    let own = origin.split_once("://").map(|(_, authority)| authority);
    matches!((asked, own), (Some(asked), Some(own)) if asked.eq_ignore_ascii_case(own))
}

/// Header fields that a page may send: of attributes those that it asks for, since extensions have any name. Only what can be a
/// header field's name is said back.
fn taken(headers: &HeaderMap) -> HeaderValue {
    let asked =
        headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|value| value.to_str().ok());
    let names = asked.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let is_attribute = |name: &String| {
        name.strip_prefix(ATTRIBUTE)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let named: Vec<String> = names.filter(is_attribute).take(MOST_ATTRIBUTES).collect();
    let listed = std::iter::once(TAKEN.to_owned()).chain(named).collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(listed).unwrap_or(HeaderValue::from_static(TAKEN))
}

/// Refuses pages of other sites that are not allowed, and tells browsers of those that are.
///
/// A browser would keep an answer from a page that is not allowed, but would have sent the request; here nothing is read for it.
pub(super) async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let mut sent = request.headers().get_all(ORIGIN).iter();
    let Some(origin) = sent.next().cloned() else { return next.run(request).await };
    let text = origin.to_str().unwrap_or_default();
    let is_allowed = sent.next().is_none() && origins.allows(text);
    if !is_allowed && !is_own(&request, text) {
        let detail = "pages of this origin may not read here: `out.allowed_origins` has no such one";
        return ProblemDetails::new(StatusCode::FORBIDDEN, "foreign-origin", detail).into_response();
    }
    let asks =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let taken = taken(request.headers());
    let mut response = match asks && is_allowed {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let fields = response.headers_mut();
    fields.append(VARY, HeaderValue::from_static("origin"));
    if is_allowed {
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let shown = HeaderValue::from_static("last-event-id, link, retry-after");
        fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, shown);
        if asks {
            fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, taken);
            fields.append(VARY, HeaderValue::from_static("access-control-request-headers"));
            fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_send_the_attributes_that_it_asks_for_and_no_other_fields() {
        let asked = HeaderValue::from_static("authorization, ce-from, Ce-SpecVersion,x-other, ce-, ce-a b");
        let headers = HeaderMap::from_iter([(ACCESS_CONTROL_REQUEST_HEADERS, asked)]);
        assert_eq!(taken(&headers), format!("{TAKEN}, ce-from, ce-specversion"));
        assert_eq!(taken(&HeaderMap::new()), TAKEN);
    }
}
