//! `/request/{uuid}`: the API of the first of these brokers, for programs that know that one. It is there if the configuration
//! names an API for it (`admin.requests`).

use super::query::{NoParameters, Query, Segment};
use super::{Api, Json, ProblemDetails};
use crate::call::{CallError, NewCall};
use crate::store::StoredCall;
use crate::web::unknown_address;
use axum::Json as Answer;
use axum::extract::State;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is sent to the API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WrittenRequestData)]
pub(super) struct DataDocument {
    data: String,
}

/// A request that is written down.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WrittenRequest)]
pub(super) struct RequestDocument {
    #[schema(required, format = DateTime)]
    created: Option<String>,
    external_uuid: String,
}

impl From<StoredCall> for RequestDocument {
    fn from(call: StoredCall) -> Self {
        Self { created: call.head.created.rfc3339(), external_uuid: call.head.key }
    }
}

/// Tells whether a request is written down.
#[utoipa::path(
    get, path = "/request/{uuid}", operation_id = "showRequest", tag = "calls",
    params(("uuid" = String, Path, description = "The request's UUID.")),
    responses(
        (status = 200, description = "It is.", body = RequestDocument),
        (status = 400, description = "That is no UUID: `invalid-uuid`."),
        (status = 404, description = "It is not: `unknown-call`; or there is no such address."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(uuid): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    uri: Uri,
) -> Result<Answer<RequestDocument>, ProblemDetails> {
    let Some(name) = &api.requests else { return Err(unknown_address(uri).await) };
    let key = read(&uuid)?;
    let call = api.store.call_of_key(name, &key).await?;
    let call = call
        .ok_or_else(|| ProblemDetails::not_found("unknown-call", format!("there is no request `{key}`")))?;
    Ok(Answer(call.into()))
}

/// Writes a request down.
#[utoipa::path(
    post, path = "/request/{uuid}", operation_id = "createRequest", tag = "calls",
    params(("uuid" = String, Path, description = "The request's UUID.")),
    request_body = DataDocument,
    responses(
        (status = 201, description = "It is written down.", body = RequestDocument),
        (status = 400, description = "That is no UUID: `invalid-uuid`."),
        (status = 404, description = "There is no such address."),
        (status = 409, description = "It was there already: `request-exists`."),
        (status = 422, description = "The API is gone: `unknown-api`."),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Segment(uuid): Segment,
    Query(NoParameters {}): Query<NoParameters>,
    uri: Uri,
    Json(DataDocument { data }): Json<DataDocument>,
) -> Result<(StatusCode, Answer<RequestDocument>), ProblemDetails> {
    let Some(name) = &api.requests else { return Err(unknown_address(uri).await) };
    let key = read(&uuid)?;
    let exists = || ProblemDetails::conflict("request-exists", format!("there is a request `{key}` already"));
    if api.store.call_of_key(name, &key).await?.is_some() {
        return Err(exists());
    }
    let (call, is_new) = match api.calls.add(NewCall::new(name, data).key(&key)).await {
        // Another one came in between.
        Err(CallError::KeyReused(_)) => return Err(exists()),
        added => added?,
    };
    if is_new { Ok((StatusCode::CREATED, Answer(call.into()))) } else { Err(exists()) }
}

/// A UUID (RFC 9562, section 4), in lower case: both cases are one.
fn read(text: &str) -> Result<String, ProblemDetails> {
    let dashes = [8, 13, 18, 23];
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match dashes.contains(&index) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        });
    if !is_uuid {
        return Err(ProblemDetails::bad_request("invalid-uuid", "that is not a UUID"));
    }
    Ok(text.to_ascii_lowercase())
}
