//! What is recorded of an attempt that has ended.

use super::{CallHistory, CallRecord, Happened};
use crate::config::CallPolicy;
use crate::policy::{AttemptOutcome, FailureKind, Past, Settled, classify};
use crate::request::UnixMillis;
use std::time::Duration;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptEnd<'a> {
    /// As the policy sees it. [`AttemptOutcome::Local`] counts as a failure like any other: the attempt was written down.
    pub outcome: AttemptOutcome<'a>,
    /// In words, why it is no answer.
    pub reason: &'a str,
    /// The status of an answer that came and cannot be kept; one that the outcome has goes before.
    pub status: Option<u16>,
}

/// The record of an attempt that has ended by itself. `random` places the wait within its jitter.
#[must_use]
pub fn judge(
    policy: &CallPolicy,
    history: &CallHistory,
    attempt: u32,
    end: AttemptEnd<'_>,
    now: UnixMillis,
    random: u64,
) -> CallRecord {
    let outcome = match end.outcome {
        AttemptOutcome::Local => AttemptOutcome::Failed(FailureKind::Connection),
        outcome => outcome,
    };
    let status = match outcome {
        AttemptOutcome::Answered(answered) => Some(answered.status),
        _ => end.status,
    };
    let settled = settle(policy, history, attempt, outcome, now, random);
    let happened = match (settled, status) {
        (Settled::Delivered, Some(status)) => Happened::Response { attempt, status },
        (settled, status) => {
            Happened::Failure { attempt, status, reason: end.reason.to_owned(), next: next(settled) }
        }
    };
    CallRecord { at: now.0, happened }
}

/// The record of an attempt to which no answer came in time. As long as the policy says so, one still counts.
#[must_use]
pub fn expired(
    policy: &CallPolicy,
    history: &CallHistory,
    attempt: u32,
    now: UnixMillis,
    random: u64,
) -> CallRecord {
    let outcome = AttemptOutcome::Failed(FailureKind::Timeout);
    let settled = settle(policy, history, attempt, outcome, now, random);
    let awaited = (!policy.wait_after_timeout.is_zero())
        .then(|| now.after(policy.wait_after_timeout))
        .map(|until| until.0);
    CallRecord { at: now.0, happened: Happened::Timeout { attempt, next: next(settled), awaited } }
}

/// The record of an attempt to which no answer came after its time either.
#[must_use]
pub const fn unanswered(attempt: u32, now: UnixMillis) -> CallRecord {
    CallRecord { at: now.0, happened: Happened::Timeout { attempt, next: None, awaited: None } }
}

/// The records of attempts that somebody else had under way who is gone: each has timed out if its time is over, and was
/// interrupted if not. What became of them nobody knows; so the next one goes out with the same key.
#[must_use]
pub fn interrupted(
    policy: &CallPolicy,
    history: &CallHistory,
    now: UnixMillis,
    random: u64,
) -> Vec<CallRecord> {
    let end = AttemptEnd {
        outcome: AttemptOutcome::Failed(FailureKind::Connection),
        reason: "interrupted: whoever made this attempt ended before an answer came",
        status: None,
    };
    // Nobody waits for their answers any more.
    let over = CallPolicy { wait_after_timeout: Duration::ZERO, ..policy.clone() };
    let pending = history.pending().map(|(attempt, deadline)| match deadline <= now {
        true => expired(&over, history, attempt, now, random),
        false => judge(policy, history, attempt, end, now, random),
    });
    history.awaited().map(|attempt| unanswered(attempt, now)).chain(pending).collect()
}

fn settle(
    policy: &CallPolicy,
    history: &CallHistory,
    attempt: u32,
    outcome: AttemptOutcome<'_>,
    now: UnixMillis,
    random: u64,
) -> Settled {
    let (before, created) = history.before(attempt);
    let consequences = classify(&policy.classifying(), outcome, Past { before, created }, now, random);
    // Only what is local has none, and here nothing is.
    consequences.map_or(Settled::Dead, |consequences| consequences.settled)
}

const fn next(settled: Settled) -> Option<u64> {
    match settled {
        Settled::Retry(due) => Some(due.0),
        _ => None,
    }
}
