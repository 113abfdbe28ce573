//! Publishing to a topic by a request.

use super::access::{Sender, Shown};
use super::router::StreamOut;
use crate::topic::{Denied, TopicMessage};
use crate::web::{ProblemDetails, Query, Segment, read_body};
use anglerfish_core::problem::Problem;
use axum::Json as Answer;
use axum::extract::{FromRequestParts, Request, State};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What stands in front of attributes in header fields.
const PREFIX: &str = "ce-";

/// The parameters of a message for a topic.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct PublishQuery {
    /// The token, where no `Authorization` can be sent.
    #[cfg_attr(feature = "api", param(required = false))]
    #[expect(dead_code, reason = "it is read before the others")]
    access_token: Option<String>,
}

/// What became of a message for a topic.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = TopicReceipt))]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptDocument {
    id: String,
    source: String,
    /// `accepted`, or `duplicate` if a message of this id was there before.
    status: &'static str,
}

/// Publishes a message to a topic.
///
/// The body is its data, of the type that `Content-Type` says, coded as `Content-Encoding` says: it is kept as it comes, and
/// `contentencoding` tells readers of the coding. Its attributes may stand in `ce-` header fields, as in
/// CloudEvents' binary mode: `ce-type` is `message` where nothing is said, and `ce-id` is one of its own. A message of an id
/// that is there is not published again, so that sending the same twice is safe. When it is answered it is on disk.
#[cfg_attr(
    feature = "api",
    utoipa::path(
        post, path = "/topic/{topic}", operation_id = "publishToTopic", tag = "topic",
        params(("topic" = String, Path, description = "The topic's name."), PublishQuery),
        request_body(content = String, content_type = "*/*", description = "The message's data."),
        responses(
            (status = 202, description = "It is in the log.", body = ReceiptDocument),
            (status = 200, description = "It was there before.", body = ReceiptDocument),
            (status = 413, description = "It is larger than the topic's `max_size`: `body-too-large`."),
            (
                status = 415,
                description = "CloudEvents' structured and batched modes are not taken here: `unsupported-media-type`."
            ),
            (status = 422, description = "Its attributes have problems: `invalid-document`."),
            (status = 429, description = "Too many tokens that are not right came from there: `too-many-wrong-tokens`."),
        )
    )
)]
pub(super) async fn publish(
    State(out): State<StreamOut>,
    request: Request,
) -> Result<(StatusCode, Answer<ReceiptDocument>), ProblemDetails> {
    let (mut parts, body) = request.into_parts();
    let Segment(name) = Segment::from_request_parts(&mut parts, &out).await?;
    let token = Shown::required(&mut parts, &out).await?;
    let Ok(Sender { address, .. }) = Sender::from_request_parts(&mut parts, &out).await;
    let topic = out.door.topic_to_publish(&name, &token, address)?;
    let Query(PublishQuery { .. }) = Query::from_request_parts(&mut parts, &out).await?;
    let data = read_body(body).await?;
    let event = topic.event(message(&parts.headers, data)?, out.door.now())?;
    let receipts = out.door.publish(vec![event]).await?;
    let receipt = receipts.into_iter().next().ok_or_else(|| crate::web::internal("nothing was published"))?;
    let (status, word) = match receipt.deliveries {
        Some(_) => (StatusCode::ACCEPTED, "accepted"),
        None => (StatusCode::OK, "duplicate"),
    };
    Ok((status, Answer(ReceiptDocument { id: receipt.id, source: receipt.source, status: word })))
}

fn message(headers: &HeaderMap, data: Bytes) -> Result<TopicMessage, ProblemDetails> {
    let mut attributes = BTreeMap::new();
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default();
        if kind.to_ascii_lowercase().starts_with("application/cloudevents") {
            let detail = "send the data itself, with its attributes in `ce-` header fields";
            return Err(ProblemDetails::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                detail,
            ));
        }
        attributes.insert("datacontenttype".to_owned(), kind.to_owned());
    }
    if let Some(coding) = headers.get(CONTENT_ENCODING) {
        // The data is kept as it came: whoever reads it must know.
        let coding = coding.to_str().map(str::trim).map_err(|_| {
            ProblemDetails::bad_request("invalid-header", "the header field `content-encoding` is not ASCII")
        })?;
        if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
            attributes.insert("contentencoding".to_owned(), coding.to_owned());
        }
    }
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        if attribute == "datacontenttype" {
            let problem = "is the `content-type` header field in binary mode";
            return Err(ProblemDetails::invalid(&[Problem::new("datacontenttype", problem)]));
        }
        let text = percent_decode(value.as_bytes().trim_ascii()).decode_utf8();
        let text = text.map_err(|_| {
            ProblemDetails::bad_request("invalid-header", format!("the header field `{name}` is not UTF-8"))
        })?;
        attributes.insert(attribute.to_owned(), text.into_owned());
    }
    Ok(TopicMessage { attributes, data })
}

impl From<Denied> for ProblemDetails {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Size(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", denied.to_string()),
            Denied::Invalid(problems) => Self::invalid(&problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn the_coding_of_the_data_is_kept_beside_it() {
        let said = |coding: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
            message(&headers, Bytes::from_static(b"x")).unwrap().attributes.remove("contentencoding")
        };
        assert_eq!(said("gzip").as_deref(), Some("gzip"));
        assert_eq!(said("Identity"), None);
        let odd = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_bytes(b"\xff").unwrap())]);
        assert_eq!(message(&odd, Bytes::new()).unwrap_err().code(), "invalid-header");
    }

    #[test]
    fn the_type_of_the_data_is_said_once() {
        let other = HeaderName::from_static("ce-datacontenttype");
        let headers = HeaderMap::from_iter([(other, HeaderValue::from_static("text/plain"))]);
        assert_eq!(message(&headers, Bytes::new()).unwrap_err().code(), "invalid-document");
    }
}
