//! `/v1/flows`: functions of the program that survive.

use super::query::{NoParameters, Query, Segments, duration, limit};
use super::{Api, Json, ProblemDetails};
use crate::flow::{FlowError, StoredFlow};
use anglerfish_core::flow::{FlowRecord, FlowWait, StepOutcome, WaitOutcome, WrittenRecord};
use anglerfish_core::request::UnixMillis;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The longest that a request waits for a flow to end.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A flow to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFlow)]
pub(super) struct NewFlowDocument {
    /// The name of its code.
    flow: String,
    /// Its id: 1 to 72 of `a-z A-Z 0-9 . _ -`. The same again is the same flow.
    id: String,
    /// What it is started with.
    #[serde(default)]
    input: Value,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Those that have ended, rather than those that run.
    #[serde(default)]
    ended: bool,
    /// Only of this name.
    flow: Option<String>,
    /// Only those behind this one, as `NAME/ID`.
    after: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// How long to wait for it to end, such as `10s`; 60 s at most.
    wait: Option<String>,
}

/// A flow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Flow)]
pub(super) struct FlowDocument {
    flow: String,
    id: String,
    /// The version of the code that it was started with.
    version: String,
    /// `running`, `success`, `failure`, `differs` or `cancelled`.
    state: String,
    /// Whether this program runs it now; one that runs and is not waits for its code.
    here: bool,
    #[schema(required, format = DateTime)]
    created: Option<String>,
    #[schema(required, format = DateTime)]
    ended: Option<String>,
    /// Why it has no result.
    #[schema(required)]
    reason: Option<String>,
}

/// Flows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Flows {
    items: Vec<FlowDocument>,
    /// Whether there are more behind the last one.
    more: bool,
}

/// A flow with what it has done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlowDetails)]
pub(super) struct DetailsDocument {
    flow: FlowDocument,
    /// What it was started with.
    input: Value,
    /// Its result, if it has one.
    result: Value,
    /// What it has done, in order.
    journal: Vec<EntryDocument>,
}

/// Something that a flow has done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlowEntry)]
pub(super) struct EntryDocument {
    /// From 0.
    number: usize,
    #[schema(required, format = DateTime)]
    at: Option<String>,
    /// In words.
    what: String,
    /// How it ended, in words; empty where it has only begun.
    outcome: String,
}

impl FlowDocument {
    fn of(api: &Api, flow: &StoredFlow) -> Self {
        let end = flow.end.as_ref();
        Self {
            flow: flow.flow.clone(),
            id: flow.id.clone(),
            version: flow.version.clone(),
            state: flow.state().word().to_owned(),
            here: api.flows.is_running_here(flow),
            created: flow.started().rfc3339(),
            ended: end.and_then(|end| UnixMillis(end.at).rfc3339()),
            reason: end.and_then(|end| end.reason.clone()),
        }
    }
}

/// How much of a value is told in words.
const EXCERPT: usize = 200;

fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(EXCERPT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn outcome(record: &FlowRecord) -> String {
    match record {
        FlowRecord::Step { outcome: StepOutcome::Done(value), .. } => excerpt(&value.to_string()),
        FlowRecord::Step { outcome: StepOutcome::Failed(reason), .. } => {
            format!("failed: {}", excerpt(reason))
        }
        FlowRecord::Random { value } => value.to_string(),
        FlowRecord::Now { at } => UnixMillis(*at).rfc3339().unwrap_or_default(),
        FlowRecord::Begun { wait: FlowWait::Timer { until } } => {
            format!("until {}", UnixMillis(*until).rfc3339().unwrap_or_default())
        }
        FlowRecord::Begun { .. } => String::new(),
        FlowRecord::Ended { of, winner, outcome } => {
            let which = of.get(*winner).map(|number| format!("entry {number}: ")).unwrap_or_default();
            let how = match outcome {
                WaitOutcome::Called { state, status: Some(status), .. } => {
                    format!("{state}, status {status}")
                }
                WaitOutcome::Called { state, .. } => state.clone(),
                WaitOutcome::Refused { reason } => format!("refused: {}", excerpt(reason)),
                WaitOutcome::Received { id, .. } => format!("received {id}"),
                WaitOutcome::Over => "over".to_owned(),
                WaitOutcome::Time => "time".to_owned(),
            };
            format!("{which}{how}")
        }
    }
}

impl EntryDocument {
    fn of(number: usize, written: &WrittenRecord) -> Self {
        let WrittenRecord { at, record } = written;
        Self { number, at: UnixMillis(*at).rfc3339(), what: record.words(), outcome: outcome(record) }
    }
}

async fn details(api: &Api, flow: StoredFlow) -> Result<DetailsDocument, ProblemDetails> {
    let journal = api.flows.journal(&flow).await?;
    Ok(DetailsDocument {
        flow: FlowDocument::of(api, &flow),
        input: flow.input,
        result: flow.end.and_then(|end| end.result).unwrap_or_default(),
        journal: journal
            .iter()
            .enumerate()
            .map(|(number, written)| EntryDocument::of(number, written))
            .collect(),
    })
}

/// Starts a flow of the program that has this gateway inside it, or finds the one that has its id.
#[utoipa::path(
    post, path = "/v1/flows", operation_id = "startFlow", tag = "flows", request_body = NewFlowDocument,
    responses(
        (status = 200, description = "It was there already.", body = FlowDocument),
        (status = 201, description = "It is started, and on disk.", body = FlowDocument),
        (status = 404, description = "The program has no code of this name: `unknown-flow`."),
        (status = 422, description = "One of this id was started with another input (`other-input`), or the document has problems (`invalid-document`)."),
    )
)]
pub(super) async fn start(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    Json(NewFlowDocument { flow, id, input }): Json<NewFlowDocument>,
) -> Result<Response, ProblemDetails> {
    let (flow, is_new) = api.flows.start(&flow, &id, input).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(FlowDocument::of(&api, &flow))).into_response())
}

/// Lists flows, by name and id.
#[utoipa::path(
    get, path = "/v1/flows", operation_id = "listFlows", tag = "flows", params(ListQuery),
    responses((status = 200, description = "A part of the listing.", body = Flows))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(ListQuery { ended, flow, after, limit: most }): Query<ListQuery>,
) -> Result<Answer<Flows>, ProblemDetails> {
    let most = limit(most)?;
    let (name, after) = (flow.unwrap_or_default(), after.unwrap_or_default());
    let mut found = api.flows.list(ended, &name, &after, most + 1).await?;
    let more = found.len() > most;
    found.truncate(most);
    Ok(Answer(Flows { items: found.iter().map(|flow| FlowDocument::of(&api, flow)).collect(), more }))
}

/// Shows a flow with its journal, which is its time line.
#[utoipa::path(
    get, path = "/v1/flows/{flow}/{id}", operation_id = "showFlow", tag = "flows",
    params(("flow" = String, Path, description = "The name of its code."), ("id" = String, Path, description = "Its id."), WaitQuery),
    responses(
        (status = 200, description = "The flow, once it has ended or when the time is over.", body = DetailsDocument),
        (status = 404, description = "There is none: `unknown-flow`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segments(flow, id): Segments,
    Query(WaitQuery { wait }): Query<WaitQuery>,
) -> Result<Answer<DetailsDocument>, ProblemDetails> {
    let wait = duration("wait", wait.as_deref(), LONGEST_WAIT)?.unwrap_or_default();
    let flow = api.flows.wait(&flow, &id, wait).await?;
    Ok(Answer(details(&api, flow).await?))
}

/// Ends a flow where it waits. What it had begun is given up: its calls are cancelled, its callbacks closed.
#[utoipa::path(
    post, path = "/v1/flows/{flow}/{id}/cancel", operation_id = "cancelFlow", tag = "flows",
    params(("flow" = String, Path, description = "The name of its code."), ("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "It is cancelled.", body = DetailsDocument),
        (status = 404, description = "There is none: `unknown-flow`."),
        (status = 409, description = "It has ended already: `state`."),
    )
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Segments(flow, id): Segments,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<DetailsDocument>, ProblemDetails> {
    let flow = api.flows.cancel(&flow, &id).await?;
    Ok(Answer(details(&api, flow).await?))
}

/// Lets a flow go on that ended without a result: what it had done stays done, but for the failure that came last.
#[utoipa::path(
    post, path = "/v1/flows/{flow}/{id}/retry", operation_id = "retryFlow", tag = "flows",
    params(("flow" = String, Path, description = "The name of its code."), ("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "It runs again.", body = DetailsDocument),
        (status = 404, description = "There is none: `unknown-flow`."),
        (status = 409, description = "It runs, or has a result: `state`."),
    )
)]
pub(super) async fn retry(
    State(api): State<Api>,
    Segments(flow, id): Segments,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<DetailsDocument>, ProblemDetails> {
    let flow = api.flows.retry(&flow, &id).await?;
    Ok(Answer(details(&api, flow).await?))
}

impl From<FlowError> for ProblemDetails {
    fn from(error: FlowError) -> Self {
        let detail = error.to_string();
        match error {
            FlowError::Invalid(problems) => Self::invalid(&problems),
            FlowError::NoCode(_) | FlowError::Unknown(..) => Self::not_found("unknown-flow", detail),
            FlowError::OtherInput(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "other-input", detail),
            FlowError::State(..) | FlowError::NoResult(_) => Self::conflict("state", detail),
            FlowError::Contended => Self::conflict("contended", detail),
            FlowError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail),
            FlowError::Step(..) | FlowError::Json(..) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
            FlowError::Store(error) => error.into(),
        }
    }
}
