//! Calls and APIs as they are shown.

use crate::api::Api;
use crate::call::ApiReport;
use crate::store::{CallAnswer, CallHead, StoredCall};
use anglerfish_core::call::{CallRecord, CallState, Happened};
use anglerfish_core::request::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a call stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CallState)]
pub(in crate::api) enum StateWord {
    /// It is not decided yet.
    Pending,
    /// An answer came.
    Success,
    /// The last attempt failed, and no other one follows.
    Failure,
    /// The last attempt got no answer in time, and no other one follows.
    Timeout,
    /// Somebody cancelled it.
    Cancelled,
}

impl From<CallState> for StateWord {
    fn from(state: CallState) -> Self {
        match state {
            CallState::Pending => Self::Pending,
            CallState::Success => Self::Success,
            CallState::Failure => Self::Failure,
            CallState::Timeout => Self::Timeout,
            CallState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<StateWord> for CallState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Pending => Self::Pending,
            StateWord::Success => Self::Success,
            StateWord::Failure => Self::Failure,
            StateWord::Timeout => Self::Timeout,
            StateWord::Cancelled => Self::Cancelled,
        }
    }
}

/// A call as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallSummary)]
pub(in crate::api) struct Summary {
    id: String,
    api: String,
    external_uuid: String,
    #[schema(inline)]
    state: StateWord,
    /// How many attempts were begun.
    attempts: u32,
    #[schema(required, format = DateTime)]
    created: Option<String>,
    /// When it ended, the last time that it did.
    #[schema(required, format = DateTime)]
    ended: Option<String>,
    /// When the next attempt is due; `null` while one is under way, and once it has ended.
    #[schema(required, format = DateTime)]
    next: Option<String>,
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Call)]
pub(in crate::api) struct CallDocument {
    id: String,
    api: String,
    external_uuid: String,
    #[schema(inline)]
    state: StateWord,
    /// How many attempts were begun.
    attempts: u32,
    #[schema(required, format = DateTime)]
    created: Option<String>,
    /// When it ended, the last time that it did.
    #[schema(required, format = DateTime)]
    ended: Option<String>,
    /// When the next attempt is due; `null` while one is under way, and once it has ended.
    #[schema(required, format = DateTime)]
    next: Option<String>,
    /// Its position in the log.
    position: i64,
    /// What holds it up, if something does that is not its own.
    #[schema(required)]
    waits_for: Option<String>,
    /// The method by which it is sent; `null`, of one that an earlier version made, is the one that the API has then.
    #[schema(required)]
    method: Option<String>,
    path: String,
    /// The whole URL, if the call named it.
    #[schema(required)]
    url: Option<String>,
    /// The answer that counts, or the last one that does not.
    #[schema(required)]
    answer: Option<AnswerDocument>,
    /// The policy that it was made with, as a document.
    #[schema(value_type = Object)]
    policy: Value,
    /// What has happened to it, in order.
    history: Vec<RecordDocument>,
}

/// What an API answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallAnswer)]
pub(in crate::api) struct AnswerDocument {
    status: u16,
    headers: BTreeMap<String, String>,
    /// The body, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The body as base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// Something that happened to a call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallRecord)]
pub(in crate::api) struct RecordDocument {
    #[schema(required, format = DateTime)]
    time: Option<String>,
    /// `request`, `api-request`, `api-response`, `api-failure`, `api-timeout`, `cancelled` or `reopened`.
    class: &'static str,
    /// The position of its log entry.
    #[schema(required)]
    position: Option<i64>,
    /// The attempt, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When an attempt times out, or the next one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// An API that is called on behalf of others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Api)]
pub(in crate::api) struct ApiDocument {
    name: String,
    /// How many attempts a request has that is made now.
    attempts: u32,
    /// The policy of requests that are made now: the configuration's keys under those said at run time.
    #[schema(value_type = Object)]
    policy: Value,
    /// What was said at run time.
    #[schema(value_type = Object)]
    settings: Value,
    /// Keys that were said at run time and do not go with what is configured now. They hold again once they do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_aside: Vec<String>,
    /// How many attempts are under way, without those whose answers are awaited after their time: of these there may be as many
    /// again.
    running: usize,
    /// How many may be.
    concurrency: usize,
    /// How many of its calls have not ended.
    open: u64,
    /// Why no attempt starts now: `breaker` (the last ones failed, and one after another finds out), `throttled` (the API
    /// has asked to be left alone), or, while something waits, `rate` (it is used up) or `concurrency` (as many attempts run as
    /// may).
    #[schema(required)]
    waits_for: Option<&'static str>,
    /// Until when, if that is known.
    #[schema(required, format = DateTime)]
    waits_until: Option<String>,
}

/// The APIs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Apis {
    pub(super) items: Vec<ApiDocument>,
}

fn attempts(records: &[CallRecord]) -> u32 {
    let begun = records.iter().filter(|record| matches!(record.happened, Happened::Attempt { .. }));
    u32::try_from(begun.count()).unwrap_or(u32::MAX)
}

impl From<CallHead> for Summary {
    fn from(head: CallHead) -> Self {
        Self {
            attempts: attempts(&head.records),
            next: next(&head),
            id: head.id,
            api: head.api,
            external_uuid: head.key,
            state: head.state.into(),
            created: head.created.rfc3339(),
            ended: head.ended.and_then(UnixMillis::rfc3339),
        }
    }
}

fn next(head: &CallHead) -> Option<String> {
    head.due.filter(|_| head.owner.is_none()).and_then(UnixMillis::rfc3339)
}

impl CallDocument {
    pub(super) fn of(api: &Api, call: StoredCall) -> Self {
        let StoredCall { head, answer, .. } = call;
        let is_idle = head.state == CallState::Pending && head.owner.is_none();
        let positions = head.entries.iter().map(|seq| Some(seq.0)).chain(std::iter::repeat(None));
        Self {
            attempts: attempts(&head.records),
            next: next(&head),
            waits_for: Some(&head).filter(|_| is_idle).and_then(|head| api.calls.waits_for(head)),
            history: { head.records.iter().zip(positions) }
                .map(|(record, position)| RecordDocument::of(record, position))
                .collect(),
            policy: serde_json::from_str(&head.policy).unwrap_or(Value::Null),
            position: head.seq.0,
            id: head.id,
            api: head.api,
            external_uuid: head.key,
            state: head.state.into(),
            created: head.created.rfc3339(),
            ended: head.ended.and_then(UnixMillis::rfc3339),
            url: head.request.url().map(str::to_owned),
            method: head.request.method().map(str::to_owned),
            path: if head.request.url().is_some() { String::new() } else { head.request.path },
            answer: answer.map(AnswerDocument::from),
        }
    }
}

impl From<CallAnswer> for AnswerDocument {
    fn from(CallAnswer { status, headers, body }: CallAnswer) -> Self {
        let mut members: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in headers {
            // As they may be sent (RFC 9110, section 5.3).
            let whole = members.entry(name).or_default();
            if !whole.is_empty() {
                whole.push_str(", ");
            }
            whole.push_str(&value);
        }
        let (body, body_base64) = match String::from_utf8(body.into()) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        Self { status, headers: members, body, body_base64 }
    }
}

impl RecordDocument {
    fn of(record: &CallRecord, position: Option<i64>) -> Self {
        let happened = &record.happened;
        let (mut status, mut reason, mut until) = (None, None, None);
        match happened {
            Happened::Attempt { deadline, .. } => until = Some(*deadline),
            Happened::Response { status: answered, .. } => status = Some(*answered),
            Happened::Failure { status: answered, reason: why, next, .. } => {
                (status, reason, until) = (*answered, Some(why.clone()), *next);
            }
            Happened::Timeout { next, awaited, .. } => {
                until = *next;
                reason = awaited.map(|_| "its time is over, and an answer still counts".to_owned());
            }
            Happened::Cancelled { reason: why } => reason = Some(why.clone()),
            Happened::Request { .. } | Happened::Reopened { .. } => {}
        }
        Self {
            time: UnixMillis(record.at).rfc3339(),
            class: happened.class().0,
            position,
            attempt: happened.attempt(),
            status,
            reason,
            until: until.and_then(|millis| UnixMillis(millis).rfc3339()),
        }
    }
}

impl ApiDocument {
    pub(super) fn of(report: ApiReport, open: &[(String, u64)], now: UnixMillis) -> Self {
        let ApiReport { name, policy, settings, aside, attempts, running, concurrency, waits } = report;
        let until = waits.and_then(|(_, left)| now.after(left?).rfc3339());
        let open = open.iter().find(|(api, _)| *api == name).map_or(0, |(_, open)| *open);
        Self {
            name,
            attempts,
            policy,
            settings,
            left_aside: aside,
            running,
            concurrency,
            open,
            waits_for: waits.map(|(word, _)| word),
            waits_until: until,
        }
    }
}
