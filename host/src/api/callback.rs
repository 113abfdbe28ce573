//! `/v1/callbacks`: addresses that programs await, for programs in every language.

mod stream;

pub(super) use stream::{__path_stream, stream};

use super::document::pairs;
use super::query::{NoParameters, Query, Segment, duration, limit};
use super::{Api, Json, ProblemDetails};
use crate::callback::{CallbackError, CallbackOptions, CallbackReply, Next, ReceivedCallback, Rules};
use crate::store::{EventSeq, StoredCallback};
use anglerfish_core::config::{Node, Problems, is_header_value};
use anglerfish_core::problem::Problem;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The longest that a request waits for a callback.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest that a sender waits for the answer that a program chooses: senders give up after some seconds.
const LONGEST_REPLY: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A callback to be held. Where it is there, what is asked of those who come (`verify`, `filter`, `once`, `max_waiting` and
/// `reply_within`) goes on to be asked if none of these is said, and is said anew if one of them is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCallback)]
pub(super) struct NewCallbackDocument {
    /// Its name: 1 to 128 of `a-z A-Z 0-9 . _ - /`; drawn where none is given.
    name: Option<String>,
    /// After how long it takes nothing any more, such as `1h`; counts from when it was first made.
    expires: Option<String>,
    /// How requests are verified: the keys of a source (`scheme`, `secrets`, …) but its name.
    #[schema(value_type = Option<Object>)]
    verify: Option<Map<String, Value>>,
    /// A CEL expression; what it does not want is not kept.
    filter: Option<String>,
    /// Whether it takes one only.
    #[schema(default = false)]
    once: Option<bool>,
    /// How many may wait to be done with; whoever comes then is asked to come again.
    #[schema(minimum = 1, maximum = 1_000_000, default = 10_000)]
    max_waiting: Option<u64>,
    /// How long whoever comes waits for the answer that is chosen, such as `5s`.
    reply_within: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those behind this name.
    after: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NextQuery {
    /// How long to wait for one, such as `30s`; 60 s at most.
    wait: Option<String>,
    /// Who asks: `holder` as it was told. Somebody else who holds it by now makes it a conflict.
    holder: Option<u64>,
}

/// A callback.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Callback)]
pub(super) struct CallbackDocument {
    name: String,
    /// Where it is reached. Whoever knows it may come.
    url: String,
    /// Who holds it: grows with each who begins to.
    holder: u64,
    /// Whether it takes what comes.
    open: bool,
    #[schema(required, format = DateTime)]
    created: Option<String>,
    #[schema(required, format = DateTime)]
    expires: Option<String>,
    #[schema(required, format = DateTime)]
    closed: Option<String>,
    /// The last position in the log that is done with.
    acked: i64,
    /// How many came in and are not done with.
    waiting: u64,
    /// How those who come are verified, without secrets that are written out.
    #[schema(required, value_type = Option<Object>)]
    verify: Option<Value>,
    /// What of them is kept.
    #[schema(required)]
    filter: Option<String>,
    /// Whether it takes one only.
    once: bool,
    /// How many may wait to be done with.
    max_waiting: u64,
    /// How long whoever comes waits for the answer that is chosen.
    #[schema(required)]
    reply_within: Option<String>,
    /// Where it is held, shown or listed: why those who come cannot be verified now, if they cannot. They are asked to come again.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Of an acknowledgement with an answer: whether whoever came has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    reply: Option<ReplyWord>,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CallbackReply)]
pub(super) enum ReplyWord {
    /// Whoever came waited, and it was handed to their connection. Whether it arrived there nobody knows.
    Sent,
    /// They waited no more: they had an answer already, or their time was over.
    Late,
}

/// The callbacks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Callbacks {
    items: Vec<CallbackDocument>,
    /// Whether there are more behind the last one.
    more: bool,
}

/// Something that came in at a callback.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReceivedCallback)]
pub(super) struct ReceivedDocument {
    /// Its position in the log, to acknowledge it.
    position: i64,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[schema(required)]
    datacontenttype: Option<String>,
    /// The header fields that were kept of its request, in the order received.
    #[schema(schema_with = pairs)]
    headers: Vec<(String, String)>,
    /// The data, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The data as base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

/// What is done with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AckDocument {
    /// All up to this position.
    #[schema(minimum = 0)]
    position: i64,
    /// Who acknowledges it.
    holder: u64,
    /// The answer for whoever came with the one at this position, if they wait still: its status, 200 if only its body or
    /// its media type is said. Without any of these they are told that it was taken, and so is whoever came before.
    status: Option<u16>,
    /// Its media type.
    content_type: Option<String>,
    /// Its body.
    body: Option<String>,
}

impl CallbackDocument {
    fn of(api: &Api, callback: &StoredCallback) -> Self {
        let time = |time: Option<anglerfish_core::request::UnixMillis>| time.and_then(|time| time.rfc3339());
        let Rules { verify, filter, once, max_waiting, reply_within } = api.callbacks.rules(callback);
        Self {
            name: callback.name.clone(),
            url: api.callbacks.url(callback),
            holder: callback.holder,
            open: callback.is_open(api.now()),
            created: callback.created.rfc3339(),
            expires: time(callback.expires),
            closed: time(callback.closed),
            acked: callback.acked.0,
            waiting: callback.waiting,
            verify,
            filter,
            once,
            max_waiting,
            reply_within: reply_within.map(|time| humantime::format_duration(time).to_string()),
            problem: None,
            reply: None,
        }
    }

    /// The same with what keeps it from taking anything.
    fn with_problem(api: &Api, callback: &StoredCallback) -> Self {
        Self { problem: api.callbacks.problem(callback), ..Self::of(api, callback) }
    }
}

impl From<ReceivedCallback> for ReceivedDocument {
    fn from(received: ReceivedCallback) -> Self {
        let ReceivedCallback { position, event, headers, data } = received;
        let (data, data_base64) = match String::from_utf8(data.into()) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        Self {
            position: position.0,
            id: event.id,
            kind: event.kind,
            datacontenttype: event.datacontenttype,
            headers,
            data,
            data_base64,
        }
    }
}

/// Takes hold of the callback of a name, or of a new one. It is on disk when this is answered, the same name has the same
/// address for as long as it is open, and whoever held it before is fenced off.
#[utoipa::path(
    post, path = "/v1/callbacks", operation_id = "holdCallback", tag = "callbacks",
    request_body = NewCallbackDocument,
    responses(
        (status = 200, description = "It was there already.", body = CallbackDocument),
        (status = 201, description = "It is made.", body = CallbackDocument),
        (status = 409, description = "The configuration does not say `server.public_url`: `no-address`."),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
    )
)]
pub(super) async fn hold(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    Json(document): Json<NewCallbackDocument>,
) -> Result<Response, ProblemDetails> {
    let (name, options) = options(document)?;
    let held = api.callbacks.hold(name, &options).await?;
    let status = if held.holder == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(CallbackDocument::with_problem(&api, &held))).into_response())
}

/// Reads what is asked for.
fn options(document: NewCallbackDocument) -> Result<(Option<String>, CallbackOptions), ProblemDetails> {
    let NewCallbackDocument { name, expires, verify, filter, once, max_waiting, reply_within } = document;
    let says_nothing = verify.is_none()
        && filter.is_none()
        && once.is_none()
        && max_waiting.is_none()
        && reply_within.is_none();
    let problems = Problems::default();
    let time = |key: &str, text: Option<String>, longest: Duration| {
        let value = Value::from(text?);
        Node::root(&value, key, &problems).duration(Duration::from_millis(1)..=longest)
    };
    let options = CallbackOptions {
        expires: time("expires", expires, LONGEST_LIFE),
        reply_within: time("reply_within", reply_within, LONGEST_REPLY),
        verify: verify.map(Value::Object),
        filter,
        once: once.unwrap_or_default(),
        max_waiting,
        keeps_rules: says_nothing,
    };
    let problems = problems.into_vec();
    if !problems.is_empty() {
        return Err(ProblemDetails::invalid(&problems));
    }
    Ok((name, options))
}

/// Lists callbacks, by name. One that is over is listed for as long as events are kept.
#[utoipa::path(
    get, path = "/v1/callbacks", operation_id = "listCallbacks", tag = "callbacks", params(ListQuery),
    responses((status = 200, description = "A part of the listing.", body = Callbacks))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(ListQuery { after, limit: most }): Query<ListQuery>,
) -> Result<Answer<Callbacks>, ProblemDetails> {
    let most = limit(most)?;
    let mut found = api.callbacks.list(after.as_deref(), most + 1).await?;
    let more = found.len() > most;
    found.truncate(most);
    Ok(Answer(Callbacks {
        items: found.iter().map(|one| CallbackDocument::with_problem(&api, one)).collect(),
        more,
    }))
}

/// Shows a callback.
#[utoipa::path(
    get, path = "/v1/callbacks/{name}", operation_id = "showCallback", tag = "callbacks",
    params(("name" = String, Path, description = "Its name; a slash in it is written `%2F`.")),
    responses(
        (status = 200, description = "The callback.", body = CallbackDocument),
        (status = 404, description = "There is none of this name: `unknown-callback`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<CallbackDocument>, ProblemDetails> {
    let callback = api.callbacks.get(&name).await?;
    Ok(Answer(CallbackDocument::with_problem(&api, &callback)))
}

/// The first that came in and is not done with. The same again gives the same, until it is acknowledged.
#[utoipa::path(
    get, path = "/v1/callbacks/{name}/next", operation_id = "nextCallback", tag = "callbacks",
    params(("name" = String, Path, description = "Its name."), NextQuery),
    responses(
        (status = 200, description = "This one.", body = ReceivedDocument),
        (status = 204, description = "None came within the time."),
        (status = 404, description = "There is none of this name: `unknown-callback`."),
        (status = 409, description = "Somebody else holds it by now: `fenced`."),
        (status = 410, description = "None came, and none will: it is closed, or its time is over: `callback-over`."),
    )
)]
pub(super) async fn next(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NextQuery { wait, holder }): Query<NextQuery>,
) -> Result<Response, ProblemDetails> {
    let wait = duration("wait", wait.as_deref(), LONGEST_WAIT)?.unwrap_or_default();
    match api.callbacks.next(&name, holder, wait).await? {
        Next::Received(received) => Ok(Answer(ReceivedDocument::from(*received)).into_response()),
        Next::Nothing => Ok(StatusCode::NO_CONTENT.into_response()),
        Next::Over => {
            let detail = format!("nothing comes at `{name}` any more");
            Err(ProblemDetails::new(StatusCode::GONE, "callback-over", detail))
        }
    }
}

/// Is done with all that came in up to a position, and answers whoever came with that one, if they wait; who came before and waits
/// is told that it was taken. An answer that comes too late is said to be (`reply`), and the rest is done all the same.
#[utoipa::path(
    post, path = "/v1/callbacks/{name}/ack", operation_id = "ackCallback", tag = "callbacks",
    params(("name" = String, Path, description = "Its name.")),
    request_body = AckDocument,
    responses(
        (status = 200, description = "It is done with.", body = CallbackDocument),
        (status = 404, description = "There is none of this name: `unknown-callback`."),
        (status = 409, description = "Somebody else holds it by now: `fenced`."),
        (status = 422, description = "The status or the media type cannot be answered, or there is an answer and what is at this position did not come in there: `invalid-document`."),
    )
)]
pub(super) async fn ack(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    Json(AckDocument { position, holder, status, content_type, body }): Json<AckDocument>,
) -> Result<Answer<CallbackDocument>, ProblemDetails> {
    if position < 0 {
        return Err(ProblemDetails::invalid(&[Problem::new("position", "must not be negative")]));
    }
    let position = EventSeq(position);
    let word = if status.is_some() || content_type.is_some() || body.is_some() {
        let reply = reply(status, content_type, body)?;
        let is_sent = api.callbacks.ack_with(&name, holder, position, reply).await?;
        Some(if is_sent { ReplyWord::Sent } else { ReplyWord::Late })
    } else {
        api.callbacks.ack(&name, holder, position).await?;
        None
    };
    let callback = api.callbacks.get(&name).await?;
    Ok(Answer(CallbackDocument { reply: word, ..CallbackDocument::of(&api, &callback) }))
}

/// Reads the answer for whoever came.
fn reply(
    status: Option<u16>,
    content_type: Option<String>,
    body: Option<String>,
) -> Result<CallbackReply, ProblemDetails> {
    let status = status.unwrap_or(200);
    let mut problems = Vec::new();
    if !(200..=599).contains(&status) {
        problems.push(Problem::new("status", "must be from 200 to 599"));
    }
    if content_type.as_deref().is_some_and(|kind| kind.is_empty() || !is_header_value(kind)) {
        problems.push(Problem::new("content_type", "must be printable ASCII without spaces around it"));
    }
    match problems.is_empty() {
        true => Ok(CallbackReply { status, content_type, body: Bytes::from(body.unwrap_or_default()) }),
        false => Err(ProblemDetails::invalid(&problems)),
    }
}

/// Takes nothing there any more. What came in stays, and so does the callback, as long as events are kept.
#[utoipa::path(
    post, path = "/v1/callbacks/{name}/cancel", operation_id = "cancelCallback", tag = "callbacks",
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "It is closed.", body = CallbackDocument),
        (status = 404, description = "There is none of this name: `unknown-callback`."),
    )
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<CallbackDocument>, ProblemDetails> {
    let callback = api.callbacks.close(&name).await?;
    Ok(Answer(CallbackDocument::of(&api, &callback)))
}

impl From<CallbackError> for ProblemDetails {
    fn from(error: CallbackError) -> Self {
        let detail = error.to_string();
        match error {
            CallbackError::Invalid(problems) => Self::invalid(&problems),
            CallbackError::NoAddress => Self::conflict("no-address", detail),
            CallbackError::Unknown(_) => Self::not_found("unknown-callback", detail),
            CallbackError::Fenced(_) => Self::conflict("fenced", detail),
            CallbackError::Answered(_) => Self::conflict("answered", detail),
            CallbackError::Elsewhere(..) => Self::invalid(&[Problem::new("position", detail)]),
            CallbackError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail),
            CallbackError::NoRandomNumbers => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
            CallbackError::Store(error) => error.into(),
        }
    }
}
