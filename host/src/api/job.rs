//! `/v1/jobs`: work on many deliveries.

use super::body::JsonText;
use super::cursor::{self, Kind, Listing};
use super::query::{NoParameters, Query, Segment, limit, number};
use super::{Api, ProblemDetails};
use crate::bulk::JobError;
use crate::store::{DeliveryStatus, Job, JobId, JobQuery, JobState, JobWork, NewJob};
use crate::subscription::{parse_strictly, position};
use anglerfish_core::config::{Node, Problems, StartPoint, Table, read_start};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those that stand so.
    #[param(inline)]
    state: Option<JobState>,
    /// `next` of the part before.
    cursor: Option<String>,
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// What a job does.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum JobKind {
    /// Deliveries are made due again, oldest first.
    Retry,
    /// New deliveries are made of a stretch of the log, in its order.
    Replay,
    /// A new subscription gets what is in the log already, as its `start` said.
    Start,
    /// A subscription gets what stayed in the log because its backlog was full.
    #[serde(rename = "catch-up")]
    CatchUp,
}

/// Work on many deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Job)]
pub(super) struct JobDocument {
    id: i64,
    kind: JobKind,
    state: JobState,
    /// Why it was cancelled, or failed.
    #[schema(required)]
    reason: Option<String>,
    /// What holds it up at this moment.
    #[schema(required)]
    waits_for: Option<String>,
    #[schema(required, format = DateTime)]
    created: Option<String>,
    #[schema(required, format = DateTime)]
    ended: Option<String>,
    /// The one subscription that it is for; `null` for several.
    #[schema(required)]
    subscription: Option<String>,
    /// Which deliveries are retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<DeliveryStatus>,
    /// Only those made from this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Only those made before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Events of which source are replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Events of which type are replayed.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind_of_event: Option<String>,
    /// Whether only events are replayed that have no delivery to the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<bool>,
    /// The last position in the log that is done with; of a retry, the number of a delivery.
    position: i64,
    /// The last position that it looks at.
    last: i64,
    /// How much of the way is done, from 0 to 1.
    progress: f64,
    /// How many events or deliveries were looked at.
    examined: u64,
    /// How many deliveries were made, or made due.
    done: u64,
    /// On how many events the filter failed: no delivery was made of them.
    failed: u64,
}

impl JobDocument {
    fn of(api: &Api, job: Job) -> Self {
        let subscription = job.work.subscription().map(str::to_owned);
        let mut document = Self {
            id: job.id.0,
            kind: JobKind::Start,
            state: job.state,
            progress: progress(&job),
            reason: job.reason,
            waits_for: api.jobs.waits_for(job.id).filter(|_| job.state == JobState::Running),
            created: job.created.rfc3339(),
            ended: job.ended.and_then(UnixMillis::rfc3339),
            subscription,
            status: None,
            since: None,
            until: None,
            source: None,
            kind_of_event: None,
            missing: None,
            position: job.place,
            last: job.last,
            examined: job.examined,
            done: job.done,
            failed: job.failed,
        };
        let time = |time: Option<u64>| time.and_then(|time| UnixMillis(time).rfc3339());
        match job.work {
            JobWork::Retry { status, since, until, .. } => {
                (document.kind, document.status) = (JobKind::Retry, Some(status));
                (document.since, document.until) = (time(since), time(until));
            }
            JobWork::Replay { source, kind, missing, .. } => {
                (document.kind, document.missing) = (JobKind::Replay, Some(missing));
                (document.source, document.kind_of_event) = (source, kind);
            }
            JobWork::Start { .. } => {}
            JobWork::CatchUp { .. } => document.kind = JobKind::CatchUp,
        }
        document
    }
}

/// How much of the way is done, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "it is shown to people")]
fn progress(job: &Job) -> f64 {
    if job.state == JobState::Finished {
        return 1.0;
    }
    let whole = job.last - job.first;
    if whole <= 0 {
        return 0.0;
    }
    // What was left for later is not done.
    let place = job.left.map_or(job.place, |left| left - 1);
    ((place - job.first) as f64 / whole as f64).clamp(0.0, 1.0)
}

/// Lists jobs, newest first.
///
/// One that has ended is listed for as long as events are kept.
#[utoipa::path(
    get, path = "/v1/jobs", operation_id = "listJobs", tag = "jobs", params(ListQuery),
    responses((status = 200, description = "A part of the listing.", body = Listing<JobDocument>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Listing<JobDocument>>, ProblemDetails> {
    let cursor = query.cursor.as_deref().map(|cursor| cursor::read(Kind::Job, cursor)).transpose()?;
    let query = JobQuery { state: query.state, cursor: cursor.map(JobId), limit: limit(query.limit)? };
    let page = api.store.jobs(query).await?;
    let next = page.items.last().filter(|_| page.more).map(|job| cursor::write(Kind::Job, job.id));
    Ok(Answer(Listing {
        items: page.items.into_iter().map(|job| JobDocument::of(&api, job)).collect(),
        next,
    }))
}

/// Makes a job, which begins at once and goes on until it is done, also after a restart.
#[utoipa::path(
    post, path = "/v1/jobs", operation_id = "createJob", tag = "jobs",
    request_body = JobBody,
    responses(
        (
            status = 202, description = "It is made.", body = JobDocument,
            headers(("Location" = String, description = "Its address."))
        ),
        (status = 409, description = "As many jobs run as may: `too-many-jobs`."),
        (status = 422, description = "The document has problems, all of them in `problems`: `invalid-document`."),
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
    JsonText(document): JsonText,
) -> Result<Response, ProblemDetails> {
    let document = parse_strictly(&document)
        .map_err(|error| ProblemDetails::invalid(&[Problem::new("", error.to_string())]))?;
    let now = api.now();
    let asked = {
        let problems = Problems::default();
        let asked = read(&Node::root(&document, "", &problems), &|id| api.subscriptions.takes_deliveries(id));
        let problems = problems.into_vec();
        asked.filter(|_| problems.is_empty()).ok_or_else(|| ProblemDetails::invalid(&problems))?
    };
    let after = position(&*api.store, asked.from).await?.unwrap_or_default();
    let last = position(&*api.store, asked.until).await?;
    let job = NewJob { work: asked.work, after, last, follows: false, created: now };
    let job = api.jobs.add(job).await?;
    let location = [(LOCATION, format!("/v1/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, location, Answer(JobDocument::of(&api, job))).into_response())
}

/// Shows a job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", operation_id = "showJob", tag = "jobs",
    params(("id" = String, Path, description = "The job's number.")),
    responses(
        (status = 200, description = "The job.", body = JobDocument),
        (status = 404, description = "There is no such job: `unknown-job`."),
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<JobDocument>, ProblemDetails> {
    let job = api.store.job(parse(&id)?).await?.ok_or_else(|| unknown(&id))?;
    Ok(Answer(JobDocument::of(&api, job)))
}

/// Ends a job. What it has done stays done.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", operation_id = "cancelJob", tag = "jobs",
    params(("id" = String, Path, description = "The job's number.")),
    responses(
        (status = 200, description = "It makes no more deliveries.", body = JobDocument),
        (status = 404, description = "There is no such job: `unknown-job`."),
        (status = 409, description = "It has ended already: `job-ended`."),
    )
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Segment(id): Segment,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<JobDocument>, ProblemDetails> {
    let job = api.jobs.cancel(parse(&id)?, api.now()).await?;
    Ok(Answer(JobDocument::of(&api, job)))
}

fn parse(id: &str) -> Result<JobId, ProblemDetails> {
    number(id).map(JobId).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ProblemDetails {
    ProblemDetails::not_found("unknown-job", format!("there is no job `{id}`"))
}

impl From<JobError> for ProblemDetails {
    fn from(error: JobError) -> Self {
        let detail = error.to_string();
        match error {
            JobError::Unknown(_) => Self::not_found("unknown-job", detail),
            JobError::Ended(_) => Self::conflict("job-ended", detail),
            JobError::TooMany(_) => Self::conflict("too-many-jobs", detail),
            JobError::Store(error) => error.into(),
        }
    }
}

/// A job as it is asked for.
#[derive(Debug)]
struct Asked {
    work: JobWork,
    from: StartPoint,
    /// Where it ends; [`StartPoint::Now`] is with the newest entry.
    until: StartPoint,
}

const RETRY: &[&str] = &["kind", "status", "subscription", "since", "until"];
const REPLAY: &[&str] = &["kind", "subscription", "from", "until", "source", "type", "missing"];

/// Reads a job, if nothing is wrong with it.
fn read(node: &Node<'_>, is_there: &dyn Fn(&str) -> bool) -> Option<Asked> {
    // Which keys there are depends on the kind.
    let kind = node.value().get("kind").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "retry" => retry(&node.table(RETRY)?, is_there),
        "replay" => replay(&node.table(REPLAY)?, is_there),
        _ => {
            let table = node.table(REPLAY)?;
            if let Some(kind) = table.require("kind").filter(|kind| kind.string().is_some()) {
                kind.report("must be \"retry\" or \"replay\"");
            }
            None
        }
    }
}

fn retry(table: &Table<'_>, is_there: &dyn Fn(&str) -> bool) -> Option<Asked> {
    let subscription = subscription(table, is_there);
    let status = table.require("status").and_then(|node| {
        let status = serde_json::from_value(node.value().clone()).ok();
        if status.is_none() {
            node.report("must be \"dead\", \"discarded\", \"delivered\" or \"pending\"");
        }
        status
    });
    let since = table.get("since").and_then(|node| instant(&node));
    let until = table.get("until").and_then(|node| instant(&node));
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        report_empty(table, "since");
    }
    let work = JobWork::Retry { status: status?, subscription: subscription?, since, until };
    Some(Asked { work, from: StartPoint::Earliest, until: StartPoint::Now })
}

fn replay(table: &Table<'_>, is_there: &dyn Fn(&str) -> bool) -> Option<Asked> {
    let subscription = subscription(table, is_there);
    let from = table.require("from").and_then(|node| {
        let point = read_start(&node);
        if point == Some(StartPoint::Now) {
            node.report_with_hint(
                "nothing is in the log behind it yet",
                "write \"earliest\", a position or a time",
            );
        }
        point
    });
    let until = table.get("until").and_then(|node| {
        let point = read_start(&node);
        if point == Some(StartPoint::Earliest) {
            node.report_with_hint("nothing is in the log before it", "write a position, a time or \"now\"");
        }
        point
    });
    if from.zip(until).is_some_and(|(from, until)| is_empty(from, until)) {
        report_empty(table, "from");
    }
    let text = |key: &'static str| table.get(key).and_then(|node| node.text().map(str::to_owned));
    let missing = table.get("missing").and_then(|node| node.boolean()).unwrap_or_default();
    if let Some(node) = table.get("missing").filter(|_| missing && table.get("subscription").is_none()) {
        node.report_with_hint("what is missing is missing to a subscription", "name it in \"subscription\"");
    }
    let work =
        JobWork::Replay { subscription: subscription?, source: text("source"), kind: text("type"), missing };
    Some(Asked { work, from: from?, until: until.unwrap_or_default() })
}

/// Whether nothing can be between two places, whatever is in the log: `until` is not looked at itself.
fn is_empty(from: StartPoint, until: StartPoint) -> bool {
    match (from, until) {
        (StartPoint::Position(from), StartPoint::Position(until)) => from >= until,
        (StartPoint::Time(from), StartPoint::Time(until)) => from >= until,
        _ => false,
    }
}

fn report_empty(table: &Table<'_>, begins: &str) {
    if let Some(node) = table.get("until") {
        node.report(format!("must be later than \"{begins}\": nothing is between the two"));
    }
}

/// The subscription that is named, if one is; `None` if it is not there.
fn subscription(table: &Table<'_>, is_there: &dyn Fn(&str) -> bool) -> Option<Option<String>> {
    let Some(node) = table.get("subscription") else { return Some(None) };
    let id = node.text()?;
    if !is_there(id) {
        node.report(format!("there is no subscription `{id}` that anything is delivered to"));
        return None;
    }
    Some(Some(id.to_owned()))
}

/// A time, in milliseconds since 1970.
fn instant(node: &Node<'_>) -> Option<u64> {
    let time = UnixMillis::from_rfc3339(node.string()?);
    if time.is_none() {
        node.report("not a time since 1970 such as \"2026-01-31T12:00:00Z\"");
    }
    time.map(|time| time.0)
}

/// A job to make. Which members belong to it depends on its `kind`.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schema(as = NewJob)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum JobBody {
    /// Deliveries are made due again, oldest first: those that have the status now. What dies once more is not retried
    /// once more.
    Retry {
        status: DeliveryStatus,
        /// Only those for this subscription.
        #[schema(required = false)]
        subscription: String,
        /// Only those made from this time on.
        #[schema(required = false, format = DateTime)]
        since: String,
        /// Only those made before this time.
        #[schema(required = false, format = DateTime)]
        until: String,
    },
    /// New deliveries are made of what is in the log, in its order.
    Replay {
        /// For this subscription, of those events that its sources and its filter want now. Left out, for all
        /// subscriptions that had a delivery of an event.
        #[schema(required = false)]
        subscription: String,
        /// Where it begins: `earliest`, a position, or a time.
        from: LogPlace,
        /// Where it ends: before this position, or before what was received from this time on. Left out, with the newest
        /// event there is.
        #[schema(required = false)]
        until: LogPlace,
        /// Only events of this source.
        #[schema(required = false)]
        source: String,
        /// Only events of this type.
        #[serde(rename = "type")]
        #[schema(required = false)]
        kind: String,
        /// Only events that have no delivery to the subscription.
        #[schema(required = false, default = false)]
        missing: bool,
    },
}

/// A place in the log.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum LogPlace {
    /// A position.
    Position(u64),
    /// A time (RFC 3339), `now` or `earliest`.
    Text(String),
}
