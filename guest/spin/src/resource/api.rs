//! `/v1/documents/{url}`: a document, put, shown and deleted as by the management API of the native gateway.

use super::change::{ChangeError, LONGEST, change, read};
use crate::diagnostic;
use crate::ingress::read_body;
use crate::setting::Settings;
use crate::table::{TableError, table};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::exchange::RETRY_AFTER;
use anglerfish_core::problem::Problem;
use anglerfish_core::resource::DocumentUrl;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;
use spin_sdk::http::{Method, Request};
use std::borrow::Cow;

/// How the paths of documents begin.
const DOCUMENTS: &str = "/v1/documents/";

/// What is asked for of a document.
pub(crate) enum Ask {
    Show,
    Put,
    Delete,
}

/// A document, as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    url: &'a str,
    resource: &'a str,
    revision: String,
    updated: Option<String>,
    content: &'a RawValue,
}

/// What is asked for, if it is a document; the methods are `GET, PUT, DELETE`.
pub(crate) fn ask(path: &str, method: &Method) -> Option<Result<Ask, ()>> {
    // Its URL is one part of the path.
    path.strip_prefix(DOCUMENTS).filter(|url| !url.is_empty() && !url.contains('/'))?;
    Some(match *method {
        Method::GET => Ok(Ask::Show),
        Method::PUT => Ok(Ask::Put),
        Method::DELETE => Ok(Ask::Delete),
        _ => Err(()),
    })
}

/// Answers it.
pub(crate) async fn answer(ask: Ask, request: Request, settings: &Settings) -> Reply {
    respond(ask, request, settings).await.unwrap_or_else(|refusal| refusal)
}

async fn respond(ask: Ask, request: Request, settings: &Settings) -> Result<Reply, Reply> {
    let url = url(request.uri().path())?;
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Reply::problem(
            400,
            "invalid-query",
            "the query cannot be read: there are no parameters",
        ));
    }
    match ask {
        Ask::Show => show(&url).await,
        Ask::Put => {
            let body = body(request, settings).await?;
            change(&url, Some(body)).await.map(|()| taken()).map_err(refused)
        }
        Ask::Delete => change(&url, None).await.map(|()| taken()).map_err(refused),
    }
}

fn url(path: &str) -> Result<DocumentUrl, Reply> {
    let invalid =
        |reason: String| Reply::problem(400, "invalid-path", &format!("the document's URL: {reason}"));
    let escaped = path.strip_prefix(DOCUMENTS).unwrap_or_default();
    let url = percent_decode_str(escaped).decode_utf8().map_err(|_| invalid("it is not UTF-8".to_owned()))?;
    DocumentUrl::parse(&url).map_err(|error| invalid(error.to_string()))
}

/// A body that says it is JSON, and is.
async fn body(request: Request, settings: &Settings) -> Result<Vec<u8>, Reply> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, settings.max_body.min(LONGEST), settings.body_timeout).await;
    let body = body.map_err(Fault::reply)?;
    if !is_json(&parts.headers) {
        let reason = "the body must be sent as `content-type: application/json`";
        return Err(Reply::problem(415, "unsupported-media-type", reason));
    }
    let text = std::str::from_utf8(&body);
    let text = text.map_err(|_| Reply::problem(400, "invalid-json", "the body is not UTF-8"))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| Reply::problem(400, "invalid-json", &format!("the body is not JSON: {error}")))?;
    Ok(body.to_vec())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

async fn show(url: &DocumentUrl) -> Result<Reply, Reply> {
    let table = table().await.map_err(|error| match error {
        TableError::Store(reason) => refused(ChangeError::Unavailable(reason)),
        other => refused(ChangeError::Unusable(other.to_string())),
    })?;
    let found = read(&table, url).map_err(|reason| refused(ChangeError::Unavailable(reason)))?;
    let Some((resource, document)) = found else {
        return Err(Reply::problem(404, "unknown-document", &format!("there is no document `{url}`")));
    };
    let defect = || Reply::problem(500, "internal", "the document cannot be read");
    let content: &RawValue = serde_json::from_slice(&document.content).map_err(|_| defect())?;
    let shown = Shown {
        url: &document.url,
        resource: &resource,
        revision: document.revision.text(),
        updated: document.updated.rfc3339(),
        content,
    };
    let body = serde_json::to_vec(&shown).map_err(|_| defect())?;
    let headers = vec![(Cow::Borrowed("content-type"), "application/json".to_owned())];
    Ok(Reply { status: 200, headers, body })
}

/// It is kept, with what follows.
fn taken() -> Reply {
    Reply { status: 202, headers: Vec::new(), body: Vec::new() }
}

fn refused(error: ChangeError) -> Reply {
    match error {
        ChangeError::Rejected(rejection) if rejection.status == 404 => {
            Reply::problem(404, "unknown-resource", &rejection.detail)
        }
        ChangeError::Rejected(rejection) if rejection.status < 500 => {
            invalid(Problem::new("", format!("{}: {}", rejection.title, rejection.detail)))
        }
        ChangeError::TooMuch => invalid(Problem::new(
            "",
            "the document is too long for as many subscribers: what each of them has is written with it",
        )),
        ChangeError::Rejected(rejection) => unavailable(&rejection.detail, "the state cannot be used now"),
        ChangeError::Unavailable(reason) => unavailable(&reason, "the state cannot be used now"),
        ChangeError::Contended => {
            let reason = "others change the document at the same time";
            unavailable(reason, reason)
        }
        ChangeError::Unusable(reason) => {
            diagnostic::report(&reason);
            Fault::Internal.reply()
        }
    }
}

/// What may pass later. What the store says of itself is for the operator.
fn unavailable(reason: &str, public: &str) -> Reply {
    diagnostic::report(&format!("a document was not taken: {reason}"));
    let mut reply = Reply::problem(503, "unavailable", public);
    reply.headers.push((Cow::Borrowed("retry-after"), RETRY_AFTER.as_secs().max(1).to_string()));
    reply
}

/// A document with a problem, as the management API tells it.
fn invalid(problem: Problem) -> Reply {
    let mut reply = Reply::problem(422, "invalid-document", &problem.to_string());
    if let Ok(serde_json::Value::Object(mut members)) = serde_json::from_slice(&reply.body) {
        members.insert("problems".to_owned(), json!([problem]));
        reply.body = serde_json::Value::Object(members).to_string().into_bytes();
    }
    reply
}
