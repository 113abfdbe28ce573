//! What the log says of attempts.

use crate::store::Attempt;
use anglerfish_core::delivery::{DisableCause, Standing};
use anglerfish_core::policy::Settled;
use anglerfish_core::request::UnixMillis;
use std::time::Duration;

/// Says what followed from an attempt, as loudly as it matters.
pub(super) fn settled(
    subscription: &str,
    delivery: i64,
    number: u32,
    attempt: &Attempt,
    settled: Settled,
    now: UnixMillis,
) {
    let duration_s = seconds(attempt.duration);
    let error = attempt.error.as_deref().unwrap_or_default();
    match settled {
        Settled::Delivered => tracing::debug!(subscription, delivery, number, duration_s, "delivered"),
        Settled::Discarded => {
            tracing::info!(subscription, delivery, number, duration_s, error, "discarded by policy");
        }
        Settled::Retry(at) => {
            let wait_s = seconds(Duration::from_millis(at.0.saturating_sub(now.0)));
            tracing::info!(subscription, delivery, number, duration_s, error, wait_s, "attempt failed");
        }
        Settled::Interrupted => {
            tracing::info!(subscription, delivery, number, duration_s, error, "broken off");
        }
        Settled::Dead => {
            tracing::warn!(subscription, delivery, number, duration_s, error, "given up: no attempt follows");
        }
    }
}

/// In seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// Why attempts of a subscription were stopped, in words.
pub(super) fn reason(standing: Standing) -> Option<String> {
    match standing {
        Standing::Active => None,
        Standing::Paused => Some("somebody paused it".to_owned()),
        Standing::Disabled(DisableCause::Gone(status)) => {
            Some(format!("the endpoint answered {status}: nobody is there any more"))
        }
        Standing::Disabled(DisableCause::Failing(lasted)) => {
            let lasted = humantime::format_duration(Duration::from_secs(lasted.as_secs().max(1)));
            Some(format!("nothing but failures for {lasted}"))
        }
    }
}

/// Says how a subscription stands from now on.
pub(super) fn stands(subscription: &str, standing: Standing) {
    let reason = reason(standing).unwrap_or_default();
    match standing {
        Standing::Active => tracing::info!(subscription, "deliveries go on"),
        Standing::Paused => tracing::info!(subscription, "deliveries are paused"),
        Standing::Disabled(_) => {
            tracing::warn!(subscription, reason, "the subscription is disabled until somebody resumes it");
        }
    }
}

/// Says that a breaker opened or closed.
pub(super) fn breaks(subscription: &str, is_open: bool) {
    if is_open {
        tracing::warn!(
            subscription,
            "the breaker opens: one attempt after another finds out when it works again"
        );
    } else {
        tracing::info!(subscription, "the breaker closes: deliveries go on");
    }
}
