//! One request's turn: what somebody else left is settled, or an attempt is made and written down.

use super::CallError;
use super::api::ReadyApi;
use super::calls::Shared;
use super::exchange::{Exchanged, exchange};
use super::lane::Place;
use super::ledger::{Change, history};
use crate::outbound::Watch;
use crate::store::{CallAnswer, StoredCall};
use anglerfish_core::call::{
    AttemptEnd, CallHistory, CallRecord, CallState, Happened, Todo, expired, interrupted, judge, standing,
    unanswered,
};
use anglerfish_core::config::{ApiConfig, CallPolicy, read_call_policy};
use anglerfish_core::policy::{AttemptOutcome, FailureKind, retry_after};
use anglerfish_core::request::UnixMillis;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much longer than it may take an attempt is nobody else's: what is recorded of it has to be written, too.
const GRACE: Duration = Duration::from_secs(30);

/// How long the store is left alone that cannot be written.
const PAUSE: Duration = Duration::from_millis(500);

/// A request whose turn it is.
pub(super) enum Turn {
    /// Something is due.
    Due(StoredCall),
    /// It was written with this attempt, which is to be made.
    Begun(StoredCall, u32),
}

/// Takes a request's turn. Whatever is dropped of it half-way is found as an attempt without an end.
pub(super) async fn run(shared: Arc<Shared>, turn: Turn, place: Place) {
    let (Turn::Due(call) | Turn::Begun(call, _)) = &turn;
    let id = call.head.id.clone();
    let taken = match turn {
        Turn::Due(call) => take_turn(&shared, call, &place).await,
        Turn::Begun(call, attempt) => make(&shared, call, attempt, &place).await,
    };
    if let Err(error @ CallError::Unreadable(..)) = &taken {
        tracing::error!(call = id, api = place.lane.name, %error, "a call is left aside");
        place.lane.leave_aside(&id);
    } else if let Err(error) = taken {
        tracing::warn!(call = id, api = place.lane.name, %error, "a call cannot go on now");
        place.lane.rest(PAUSE);
    }
}

async fn take_turn(shared: &Shared, call: StoredCall, place: &Place) -> Result<(), CallError> {
    let policy = policy(&call, &place.api)?;
    let history = history(&call)?;
    let now = shared.now();
    let is_ours = |attempt| place.lane.runs(&call.head.id, attempt);
    if history.pending().next().is_some() || history.awaited().any(|attempt| !is_ours(attempt)) {
        // Whoever made these is gone.
        let records = interrupted(&policy, &history, now, fastrand::u64(..));
        shared.write(Change::new(call, records)).await?;
        return Ok(());
    }
    // It was found due. By the clock of its last record it may not be: that may have been put back since.
    let due = history.due().unwrap_or(now).max(now);
    let Todo::Attempt(attempt) = history.poll(due) else { return Ok(()) };
    let (record, until) = begun(&policy, attempt, now);
    let change = Change { holder: Some((shared.owner.clone(), until)), ..Change::new(call, vec![record]) };
    // Somebody else was quicker: it is theirs.
    let Some(call) = shared.write(change).await? else { return Ok(()) };
    Attempt { shared, api: &place.api, policy: &policy, number: attempt, place }.make(call).await;
    Ok(())
}

async fn make(shared: &Shared, call: StoredCall, number: u32, place: &Place) -> Result<(), CallError> {
    let policy = policy(&call, &place.api)?;
    Attempt { shared, api: &place.api, policy: &policy, number, place }.make(call).await;
    Ok(())
}

/// What is written down of an attempt before it is made, and until when it is nobody else's.
pub(super) fn begun(policy: &CallPolicy, attempt: u32, now: UnixMillis) -> (CallRecord, UnixMillis) {
    let deadline = now.after(policy.timeout);
    let record = CallRecord { at: now.0, happened: Happened::Attempt { attempt, deadline: deadline.0 } };
    (record, deadline.after(policy.wait_after_timeout).after(GRACE))
}

/// The policy that a request was made with.
fn policy(call: &StoredCall, api: &ReadyApi) -> Result<CallPolicy, CallError> {
    if call.head.policy == api.written {
        // As a rule it is that of its API still, and need not be read again.
        return Ok(api.policy.clone());
    }
    let unreadable = |reason: String| CallError::Unreadable(call.head.id.clone(), reason);
    let document: Value =
        serde_json::from_str(&call.head.policy).map_err(|error| unreadable(error.to_string()))?;
    read_call_policy(&document, "policy").map_err(|problems| {
        unreadable(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })
}

/// An attempt that is written down.
struct Attempt<'a> {
    shared: &'a Shared,
    api: &'a ReadyApi,
    policy: &'a CallPolicy,
    number: u32,
    place: &'a Place,
}

impl Attempt<'_> {
    async fn make(&self, call: StoredCall) {
        let Self { policy, api, place, .. } = self;
        let (watch, begun) = (Watch::default(), Instant::now());
        let sent = call.clone();
        let mut exchange = std::pin::pin!(watch.over(exchange(api, &sent, policy, self.shared.now())));
        tokio::select! {
            biased;
            () = place.token.cancelled() => return,
            exchanged = &mut exchange => {
                self.shared.ledger.metrics.attempt(begun.elapsed());
                self.throttle(&exchanged);
                self.tell(exchanged.outcome());
                self.record(call, &End::Exchanged(&exchanged)).await;
                return;
            }
            () = tokio::time::sleep(policy.timeout) => {}
        }
        if watch.waits_here() {
            self.record(call, &End::Waited).await;
            return;
        }
        self.tell(AttemptOutcome::Failed(FailureKind::Timeout));
        self.record(call.clone(), &End::Expired).await;
        if policy.wait_after_timeout.is_zero() {
            return;
        }
        // The next attempt goes out beside it, and the first answer counts.
        place.be_late();
        place.lane.wake();
        self.shared.woken.notify_one();
        tokio::select! {
            biased;
            () = place.token.cancelled() => {}
            exchanged = &mut exchange => {
                self.throttle(&exchanged);
                // That its time was over was told; that it is there after all is news.
                if matches!(exchanged.outcome(), AttemptOutcome::Answered(answer) if policy.success.contains(answer.status)) {
                    self.tell(exchanged.outcome());
                }
                self.record(call, &End::Exchanged(&exchanged)).await;
            }
            () = tokio::time::sleep(policy.wait_after_timeout) => self.record(call, &End::Unanswered).await,
        }
    }

    /// Leaves the API alone if its answer asks for that.
    fn throttle(&self, exchanged: &Exchanged) {
        let AttemptOutcome::Answered(answer) = exchanged.outcome() else { return };
        // Where each call names its own host, one of them has not spoken for the others: this call alone waits.
        if self.api.definition.config.any_url {
            return;
        }
        if self.api.definition.config.throttle_on.contains(answer.status) {
            let longest = self.policy.retry.max_retry_after;
            let asked =
                exchanged.retry_after().and_then(|text| retry_after(text, self.shared.now(), longest));
            self.place.lane.throttle(asked.unwrap_or_default());
        }
    }

    /// What it says of the API: its breaker opens or closes.
    fn tell(&self, outcome: AttemptOutcome<'_>) {
        let ApiConfig { name, .. } = &self.api.definition.config;
        let Some(is_open) = self.place.tell(standing(&self.api.definition.config, self.policy, outcome))
        else {
            return;
        };
        self.shared.ledger.metrics.breaker(name, is_open);
        if is_open {
            tracing::warn!(
                api = name,
                "the breaker opens: one attempt after another finds out when it works again"
            );
        } else {
            tracing::info!(api = name, "the breaker closes: calls go on");
        }
    }

    /// Writes how it ended, however long the store takes, unless it does not matter any more.
    async fn record(&self, mut call: StoredCall, end: &End<'_>) {
        loop {
            match self.try_record(call.clone(), end).await {
                Ok(true) => return,
                // Something happened to it meanwhile.
                Ok(false) => match self.shared.ledger.store.call(&call.head.id).await {
                    Ok(Some(now)) => {
                        call = now;
                        continue;
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(call = call.head.id, %error, "an attempt cannot be recorded now")
                    }
                },
                Err(error @ CallError::Unreadable(..)) => {
                    tracing::error!(call = call.head.id, %error, "an attempt cannot be recorded");
                    return;
                }
                Err(error) => {
                    tracing::warn!(call = call.head.id, %error, "an attempt cannot be recorded now");
                }
            }
            tokio::select! {
                () = self.place.token.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Whether it is written or does not matter; `false` if the request is not what it was taken for.
    async fn try_record(&self, call: StoredCall, end: &End<'_>) -> Result<bool, CallError> {
        let history = history(&call)?;
        if !history.awaits(self.number) || history.state() != CallState::Pending {
            tracing::debug!(
                call = call.head.id,
                attempt = self.number,
                "an attempt ended that nobody awaits"
            );
            return Ok(true);
        }
        let (record, answer) = self.end(&history, end);
        let change = Change { answer, ..Change::new(call, vec![record]) };
        let Some(call) = self.shared.write(change).await? else { return Ok(false) };
        if call.head.state == CallState::Failure {
            // The API does not want it: what runs beside is of no use.
            self.place.lane.cancel(&call.head.id);
        }
        if call.head.state != CallState::Pending {
            self.place.be_last();
        }
        Ok(true)
    }

    fn end(&self, history: &CallHistory, end: &End<'_>) -> (CallRecord, Option<CallAnswer>) {
        let (now, random): (UnixMillis, u64) = (self.shared.now(), fastrand::u64(..));
        let judged = |end| judge(self.policy, history, self.number, end, now, random);
        match end {
            End::Expired => (expired(self.policy, history, self.number, now, random), None),
            End::Unanswered => (unanswered(self.number, now), None),
            End::Waited => {
                let outcome = AttemptOutcome::Failed(FailureKind::Connection);
                let reason = "its time was over while it waited for a connection or a name";
                (judged(AttemptEnd { outcome, reason, status: None }), None)
            }
            End::Exchanged(exchanged) => {
                let reason = exchanged.reason();
                let (outcome, status) = (exchanged.outcome(), exchanged.status());
                let end = AttemptEnd { outcome, reason: &reason, status };
                (judged(end), exchanged.answer.clone())
            }
        }
    }
}

/// How an attempt ended.
enum End<'a> {
    Exchanged(&'a Exchanged),
    /// Its time is over.
    Expired,
    /// Nor did an answer come as long as one counted after that.
    Unanswered,
    /// Its time is over, and it had not left this machine.
    Waited,
}
