//! `/v1/calls`: requests to other systems' APIs; `/v1/apis`: those that there are.

mod document;

use self::document::{ApiDocument, Apis, CallDocument, StateWord, Summary};
use super::cursor::{self, Kind, Listing};
use super::query::{NoParameters, Query, Segment, duration, limit};
use super::{Api, Json, ProblemDetails};
use crate::call::{CallError, NewCall};
use crate::store::{CallQuery, EventSeq};
use anglerfish_core::call::{CallRequest, CallState};
use anglerfish_core::problem::Problem;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The longest that a request waits for a call.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The field in which a caller may give the key (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those that stand so.
    #[param(inline)]
    state: Option<StateWord>,
    /// Only those to this API.
    api: Option<String>,
    /// Only the one with this key; `api` says of which API.
    external_uuid: Option<String>,
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// How long to wait for the end of the call, such as `10s`; 60 s at most.
    #[param(example = "10s")]
    wait: Option<String>,
}

/// A request to an API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCall)]
pub(super) struct NewCallDocument {
    /// The API, as it is named in the configuration.
    api: String,
    /// What tells it from other requests to this API: the same again is the same request. The field `Idempotency-Key`
    /// may say it instead.
    external_uuid: Option<String>,
    /// The method; the API's own if it is not given.
    method: Option<String>,
    /// What follows the URL of the API.
    #[serde(default)]
    path: String,
    /// The whole URL, of a call to an API with `any_url`.
    url: Option<String>,
    /// Header fields beside those of the API.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What is sent, as text.
    body: Option<String>,
    /// What is sent, as base64.
    body_base64: Option<String>,
}

/// Lists calls, newest first.
///
/// One that has ended is listed for as long as events are kept.
#[utoipa::path(
    get, path = "/v1/calls", operation_id = "listCalls", tag = "calls", params(ListQuery),
    responses((status = 200, description = "A part of the listing.", body = Listing<Summary>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<Summary>>, ProblemDetails> {
    let ListQuery { state, api: name, external_uuid, cursor, limit: most } = query;
    let most = limit(most)?;
    if let Some(key) = external_uuid {
        let Some(name) = name else {
            let detail = "`external_uuid` is one of an API: `api` says which";
            return Err(ProblemDetails::bad_request("invalid-query", detail));
        };
        let found = api.store.call_of_key(&name, &key).await?.map(|call| call.head);
        let state = state.map(CallState::from);
        let items = found.filter(|head| state.is_none_or(|state| state == head.state)).map(Summary::from);
        return Ok(Answer(Listing { items: items.into_iter().collect(), next: None }));
    }
    let cursor = cursor.as_deref().map(|cursor| cursor::read(Kind::Call, cursor)).transpose()?;
    let query =
        CallQuery { state: state.map(CallState::from), api: name, cursor: cursor.map(EventSeq), limit: most };
    let page = api.store.calls(query).await?;
    let next = page.items.last().filter(|_| page.more).map(|head| cursor::write(Kind::Call, head.seq));
    Ok(Answer(Listing { items: page.items.into_iter().map(Summary::from).collect(), next }))
}

/// Makes a request to an API: it is on disk when this is answered, and attempted until it has an answer or none will come.
///
/// With `wait` the answer comes when the call has ended, when the time is over, or when the gateway stops.
#[utoipa::path(
    post, path = "/v1/calls", operation_id = "createCall", tag = "calls",
    params(WaitQuery, ("Idempotency-Key" = Option<String>, Header, description = "The key, as `external_uuid`.")),
    request_body = NewCallDocument,
    responses(
        (status = 200, description = "It was there already.", body = CallDocument),
        (
            status = 201, description = "It is made.", body = CallDocument,
            headers(("Location" = String, description = "Its address."))
        ),
        (
            status = 422,
            description = "It cannot be sent, with all problems in `problems`: `invalid-document`; there is no such \
                API: `unknown-api`; or another request has its key: `idempotency-key-reused`."
        ),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Query(WaitQuery { wait }): Query<WaitQuery>,
    headers: HeaderMap,
    Json(document): Json<NewCallDocument>,
) -> Result<Response, ProblemDetails> {
    let wait = duration("wait", wait.as_deref(), LONGEST_WAIT)?;
    let (call, is_new) = api.calls.add(read(document, &headers)?).await?;
    let call = match wait {
        Some(wait) => api.calls.wait_until_stop(&call.head.id, wait).await?,
        None => call,
    };
    let location = [(LOCATION, format!("/v1/calls/{}", call.head.id))];
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, Answer(CallDocument::of(&api, call))).into_response())
}

/// The key of a field that is a string as the draft has it (RFC 8941, section 3.3.3), or the key itself, as most write it.
fn unquoted(field: &str) -> String {
    let field = field.trim();
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => field.to_owned(),
    }
}

fn read(document: NewCallDocument, headers: &HeaderMap) -> Result<NewCall, ProblemDetails> {
    let NewCallDocument { api, external_uuid, method, path, url, headers: fields, body, body_base64 } =
        document;
    let mut problems = Vec::new();
    let path = match url {
        Some(_) if !path.is_empty() => {
            problems.push(Problem::new("url", "give either `path` or `url`"));
            path
        }
        Some(url) if !url.contains("://") => {
            problems.push(Problem::new("url", "must be a whole URL, such as https://partner.example/orders"));
            path
        }
        Some(url) => url,
        None if !path.is_empty() && !path.starts_with(['/', '?']) => {
            let message = "must begin with / or ?: it follows the url of the api";
            problems.push(Problem::new("path", message).with_hint("a whole URL is given as `url`"));
            path
        }
        None => path,
    };
    if headers.get_all(IDEMPOTENCY_KEY).iter().count() > 1 {
        problems.push(Problem::new("external_uuid", "the field `Idempotency-Key` is there more than once"));
    }
    // One that is no ASCII text is refused as an empty key is.
    let given = headers.get(IDEMPOTENCY_KEY).map(|value| unquoted(value.to_str().unwrap_or_default()));
    let key = match (external_uuid, given) {
        (Some(one), Some(other)) if one != other => {
            problems.push(Problem::new("external_uuid", "the field `Idempotency-Key` says another one"));
            Some(one)
        }
        (one, other) => one.or(other),
    };
    let body = match (body, body_base64) {
        (Some(_), Some(_)) => {
            problems.push(Problem::new("body_base64", "give either `body` or `body_base64`"));
            Bytes::new()
        }
        (Some(text), None) => Bytes::from(text),
        (None, Some(text)) => match STANDARD.decode(text) {
            Ok(bytes) => Bytes::from(bytes),
            Err(_) => {
                problems.push(Problem::new("body_base64", "not base64"));
                Bytes::new()
            }
        },
        (None, None) => Bytes::new(),
    };
    if !problems.is_empty() {
        return Err(ProblemDetails::invalid(&problems));
    }
    let request = CallRequest {
        method,
        path,
        headers: fields.into_iter().collect(),
        api_method: None,
        key_field: None,
    };
    Ok(NewCall { api, key, request, body })
}

/// Shows a call: how it stands, and what has happened to it.
#[utoipa::path(
    get, path = "/v1/calls/{id}", operation_id = "showCall", tag = "calls",
    params(("id" = String, Path, description = "The call's id."), WaitQuery),
    responses(
        (status = 200, description = "The call.", body = CallDocument),
        (status = 404, description = "There is no such call: `unknown-call`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(WaitQuery { wait }): Query<WaitQuery>,
) -> Result<Answer<CallDocument>, ProblemDetails> {
    let wait = duration("wait", wait.as_deref(), LONGEST_WAIT)?;
    let call = match wait {
        Some(wait) => api.calls.wait_until_stop(&id, wait).await?,
        None => api.calls.get(&id).await?,
    };
    Ok(Answer(CallDocument::of(&api, call)))
}

/// Ends a call that nobody wants any more. An attempt under way is broken off; whether the API has done what was asked for
/// is not known then.
#[utoipa::path(
    post, path = "/v1/calls/{id}/cancel", operation_id = "cancelCall", tag = "calls",
    params(("id" = String, Path, description = "The call's id.")),
    responses(
        (status = 200, description = "No attempt follows.", body = CallDocument),
        (status = 404, description = "There is no such call: `unknown-call`."),
        (status = 409, description = "It has ended already: `call-ended`."),
    )
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<CallDocument>, ProblemDetails> {
    let call = api.calls.cancel(&id).await?;
    Ok(Answer(CallDocument::of(&api, call)))
}

/// Opens a call again that ended without an answer: under its key, with all attempts that its API gives now.
#[utoipa::path(
    post, path = "/v1/calls/{id}/retry", operation_id = "retryCall", tag = "calls",
    params(("id" = String, Path, description = "The call's id.")),
    responses(
        (status = 202, description = "It is attempted again.", body = CallDocument),
        (status = 404, description = "There is no such call: `unknown-call`."),
        (status = 409, description = "It has not ended, or has an answer: `call-ended`."),
        (status = 422, description = "Its API is gone: `unknown-api`."),
    )
)]
pub(super) async fn retry(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<(StatusCode, Answer<CallDocument>), ProblemDetails> {
    let call = api.calls.reopen(&id).await?;
    Ok((StatusCode::ACCEPTED, Answer(CallDocument::of(&api, call))))
}

/// Lists the APIs, by name.
#[utoipa::path(
    get, path = "/v1/apis", operation_id = "listApis", tag = "calls",
    responses((status = 200, description = "All of them.", body = Apis))
)]
pub(super) async fn apis(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<Apis>, ProblemDetails> {
    let open = api.calls.open_calls().await?;
    let items =
        api.calls.apis().into_iter().map(|report| ApiDocument::of(report, &open, api.now())).collect();
    Ok(Answer(Apis { items }))
}

/// Says how calls to an API are judged and repeated that are made from now on.
///
/// Each key (`retries`, `timeout`, `retry`, `success`, `discard`, `wait_after_timeout`, `answer_limit`) goes before that of the
/// configuration, also after a restart; `null` takes back what was said. Calls that are there keep what they were made with.
#[utoipa::path(
    patch, path = "/v1/apis/{name}", operation_id = "configureApi", tag = "calls",
    params(("name" = String, Path, description = "The API's name.")),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, description = "It holds for what is made from now on.", body = ApiDocument),
        (status = 404, description = "There is no such API: `unknown-api`."),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
    )
)]
pub(super) async fn configure(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    Json(said): Json<Map<String, Value>>,
) -> Result<Answer<ApiDocument>, ProblemDetails> {
    let report = match api.calls.configure(&name, said).await {
        Err(error @ CallError::UnknownApi(_)) => {
            return Err(ProblemDetails::not_found("unknown-api", error.to_string()));
        }
        done => done?,
    };
    let open = api.calls.open_calls().await?;
    Ok(Answer(ApiDocument::of(report, &open, api.now())))
}

/// Lets attempts to an API start again that has asked to be left alone (`throttled`), also those of the calls that it told so.
#[utoipa::path(
    post, path = "/v1/apis/{name}/resume", operation_id = "resumeApi", tag = "calls",
    params(("name" = String, Path, description = "The API's name.")),
    responses(
        (status = 200, description = "What is due is attempted.", body = ApiDocument),
        (status = 404, description = "There is no such API: `unknown-api`."),
    )
)]
pub(super) async fn resume(
    State(api): State<Api>,
    Segment(name): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<ApiDocument>, ProblemDetails> {
    let report = match api.calls.resume(&name).await {
        Err(error @ CallError::UnknownApi(_)) => {
            return Err(ProblemDetails::not_found("unknown-api", error.to_string()));
        }
        done => done?,
    };
    let open = api.calls.open_calls().await?;
    Ok(Answer(ApiDocument::of(report, &open, api.now())))
}

impl From<CallError> for ProblemDetails {
    fn from(error: CallError) -> Self {
        let detail = error.to_string();
        match error {
            CallError::Invalid(problems) => Self::invalid(&problems),
            CallError::Unknown(_) => Self::not_found("unknown-call", detail),
            CallError::UnknownApi(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-api", detail),
            CallError::KeyReused(call) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
                    .member("call", call.head.id)
            }
            CallError::State(..) => Self::conflict("call-ended", detail),
            CallError::Contended => super::fault::unavailable(detail),
            CallError::Unreadable(..) => super::internal(detail),
            CallError::Routing(error) => error.into(),
            CallError::Store(error) => error.into(),
        }
    }
}
