//! What an operator reads in the log about a request.

use crate::engine::InboundRequest;
use crate::store::KeyOverlay;
use crate::telemetry::SharedRepeated;
use anglerfish_core::decision::RejectionCode;
use anglerfish_core::exchange::Cause;
use http::header::CONTENT_TYPE;
use serde::de::IgnoredAny;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a handshake wrote for an operator to copy: names and values.
pub(super) fn copies(source: &str, keys: &KeyOverlay) -> Vec<(String, String)> {
    let prefix = format!("copy/{source}/");
    keys.writes
        .iter()
        .filter_map(|(key, value)| {
            let value = String::from_utf8_lossy(value.as_ref()?).into_owned();
            // The newest is the last.
            let (_, value) = value.lines().last()?.split_once(' ')?;
            Some((key.strip_prefix(&prefix)?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// When an operator was last told something of a source, in milliseconds since 1970; 0 is never.
#[derive(Debug, Default)]
pub(super) struct LastTold(AtomicU64);

impl LastTold {
    /// How often an operator is told the same of a source, in milliseconds.
    const EVERY: u64 = 60_000;

    /// Whether it is time to tell it again. Of two at the same moment one tells.
    fn is_due(&self, now: u64) -> bool {
        let before = self.0.load(Ordering::Relaxed);
        let due = before == 0 || now < before || now - before >= Self::EVERY;
        due && self.0.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What an operator was told of one source.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// That its bodies are not what they say.
    pub(super) odd_bodies: LastTold,
    /// What its handshakes come with.
    pub(super) copies: LastTold,
}

/// Shows the operator what a handshake came with: no page of the provider's does, and the provider waits for it. Anybody can
/// send one, so that it is shown once in a while only; all are listed with the source.
pub(super) fn tell(request: &InboundRequest, copies: &[(String, String)], told: &LastTold) {
    if copies.is_empty() || !told.is_due(request.received.0) {
        return;
    }
    let source = &request.source;
    for (name, value) in copies {
        tracing::info!(
            source,
            name,
            value,
            "the handshake came with a value to copy into the provider's page or the configuration; \
             `anglerfish sources show` lists it, and any that follow within a minute"
        );
    }
}

/// Whether a body is JSON and says that it is a form, as `curl -d` sends it: filters on `message` are never true of it then.
pub(super) fn is_json_as_form(request: &InboundRequest) -> bool {
    let first = request.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let form = "application/x-www-form-urlencoded";
    first.is_some_and(|byte| b"{[".contains(byte))
        && { request.headers.get(CONTENT_TYPE) }
            .and_then(|value| value.as_bytes().get(..form.len()))
            .is_some_and(|essence| essence.eq_ignore_ascii_case(form.as_bytes()))
        && serde_json::from_slice::<IgnoredAny>(&request.body).is_ok()
}

/// Tells the operator of such a body, once in a while.
pub(super) fn tell_json_as_form(request: &InboundRequest, told: &LastTold) {
    let source = &request.source;
    if told.is_due(request.received.0) {
        tracing::info!(
            source,
            "a body is JSON and came with the media type of a form, so `message` is one field with a name like it; \
             the sender should send `content-type: application/json`"
        );
    } else {
        tracing::debug!(source, "JSON came with the media type of a form");
    }
}

/// Tells the operator why there is no event. What stands in the way of all requests is told once in a while, with how often
/// it did.
pub(super) fn log(source: &str, cause: &Cause, trouble: &SharedRepeated) {
    match cause {
        Cause::Defect(reason) => tracing::error!(source, reason, "no decision"),
        Cause::Rejected(rejection) if rejection.code == RejectionCode::StateUnavailable => {
            if let Some(requests) = trouble.note("state") {
                tracing::error!(source, requests, reason = rejection.reason, "the state cannot be used");
            }
        }
        Cause::Rejected(rejection) => {
            tracing::debug!(source, code = %rejection.code, reason = rejection.reason, "rejected");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LastTold;

    #[test]
    fn what_comes_often_is_told_once_a_minute() {
        let told = LastTold::default();
        let due: Vec<bool> = [1, 2, 60_000, 60_001, 60_002, 50, 51].map(|now| told.is_due(now)).to_vec();
        assert_eq!(
            due,
            [true, false, false, true, false, true, false],
            "a clock that is set back tells at once"
        );
    }
}
