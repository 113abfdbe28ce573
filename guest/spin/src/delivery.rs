//! Deliveries after the answer: each is sent once, and how it went is kept.

use crate::record::{AttemptRecord, DeliveryRecord, DeliveryStatus, RecordError, Records};
use crate::table::{Destination, Table};
use crate::{clock, convert, diagnostic, request};
use anglerfish_core::event::Event;
use anglerfish_core::policy::{self, Answered, AttemptOutcome, FailureKind, Past, Settled};
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::Rendered;
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use http::header::RETRY_AFTER;
use spin_sdk::http::send;
use spin_sdk::time::sleep;
use std::pin::pin;
use std::rc::Rc;

/// Starts the deliveries of an event that is kept. They go on after the answer, as long as the instance lives.
pub(crate) fn spawn(table: Rc<Table>, event: Event, data: Bytes, subscriptions: Vec<String>) {
    spin_sdk::wasip3::spawn(async move {
        join_all(subscriptions.iter().map(|id| deliver(&table, &event, &data, id))).await;
    });
}

async fn deliver(table: &Table, event: &Event, data: &Bytes, subscription: &str) {
    // The router was loaded from the same document, so an unknown subscription is a defect; its record stays pending.
    let Some(destination) = table.destinations.get(subscription) else {
        diagnostic::report(&format!("there is no subscription {subscription:?}; its delivery stays pending"));
        return;
    };
    let started = clock::now();
    let rendered = render(table, subscription, event, data, started);
    let tried = match &rendered {
        Ok(rendered) => attempt(destination, event, data, rendered.as_ref(), UnixMillis(started)).await,
        Err(reason) => Err(Unanswered { kind: None, reason: reason.clone() }),
    };
    let ended = clock::now();
    let outcome = match &tried {
        Ok(answer) => AttemptOutcome::Answered(Answered {
            status: answer.status,
            retry_after: answer.retry_after.as_deref(),
            rate_limit_reset: answer.rate_limit_reset.as_deref(),
            is_abort: answer.is_abort,
        }),
        Err(Unanswered { kind: Some(kind), .. }) => AttemptOutcome::Failed(*kind),
        Err(Unanswered { kind: None, .. }) => AttemptOutcome::Unsendable,
    };
    // The delivery was made with the event's record, just before the attempt. That a subscription is to be left alone,
    // or that nobody is there any more, has no effect here: see docs/spin.md.
    let past = Past { before: 0, created: UnixMillis(started) };
    let consequences =
        policy::classify(&destination.delivery, outcome, past, UnixMillis(ended), clock::random());
    let (status, due) = match consequences.map(|consequences| consequences.settled) {
        Some(Settled::Delivered) => (DeliveryStatus::Delivered, None),
        Some(Settled::Discarded) => (DeliveryStatus::Discarded, None),
        Some(Settled::Retry(due)) => (DeliveryStatus::Pending, Some(due.0)),
        Some(Settled::Dead) => (DeliveryStatus::Dead, None),
        // Spin does not say whether an attempt failed on its own side, so there is none that does not count.
        None => (DeliveryStatus::Pending, None),
    };
    let (http_status, error) = match tried {
        Ok(answer) => (Some(answer.status), None),
        Err(Unanswered { reason, .. }) => (None, Some(reason)),
    };
    if matches!(status, DeliveryStatus::Pending | DeliveryStatus::Dead) {
        let why =
            error.clone().unwrap_or_else(|| format!("the endpoint answered {}", http_status.unwrap_or(0)));
        diagnostic::report(&format!("event {:?} for {subscription:?} was not delivered: {why}", event.id));
    }
    let duration_ms = ended.saturating_sub(started);
    let attempt = AttemptRecord { started, duration_ms, status: http_status, error };
    if let Err(error) = record(event, &DeliveryRecord { subscription, status, due, attempt }) {
        diagnostic::report(&format!(
            "how event {:?} went to {subscription:?} was not kept: {error}",
            event.id
        ));
    }
}

/// What an endpoint answered.
struct Received {
    status: u16,
    retry_after: Option<String>,
    rate_limit_reset: Option<String>,
    is_abort: bool,
}

/// Why there was no answer.
struct Unanswered {
    /// `None` if there was nothing to send.
    kind: Option<FailureKind>,
    reason: String,
}

/// What the subscription makes of the event, if it makes anything. The header fields that came with it are not kept here.
fn render(
    table: &Table,
    subscription: &str,
    event: &Event,
    data: &Bytes,
    now: u64,
) -> Result<Option<Rendered>, String> {
    let needed = table.destinations.get(subscription).is_some_and(|to| to.outgoing.needs_rendering());
    if !needed {
        return Ok(None);
    }
    let event = convert::event_out(event);
    let made = table.router.render(subscription, &event, &[], data, now)?;
    Ok(Some(Rendered { body: made.body, values: made.values }))
}

/// The head of the endpoint's answer, or why there was none.
async fn attempt(
    destination: &Destination,
    event: &Event,
    data: &Bytes,
    rendered: Option<&Rendered>,
    now: UnixMillis,
) -> Result<Received, Unanswered> {
    let unanswered = |kind, reason| Unanswered { kind: Some(kind), reason };
    let request = request::build(destination, event, data.clone(), rendered, now)
        .map_err(|error| Unanswered { kind: None, reason: error.to_string() })?;
    let timeout = destination.delivery.timeout;
    // The head of the answer settles an attempt; its body is not read.
    match select(pin!(send(request)), pin!(sleep(timeout))).await {
        Either::Left((Ok(response), _)) => {
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            let rate_limit_reset = text("x-ratelimit-reset").or_else(|| text("ratelimit-reset"));
            Ok(Received {
                status: response.status().as_u16(),
                retry_after: text(RETRY_AFTER.as_str()).map(str::to_owned),
                rate_limit_reset: rate_limit_reset.map(str::to_owned),
                is_abort: text("webhook-delivery")
                    .is_some_and(|advice| advice.trim().eq_ignore_ascii_case("abort")),
            })
        }
        Either::Left((Err(error), _)) => {
            Err(unanswered(FailureKind::Connection, format!("no answer: {error}")))
        }
        Either::Right(_) => Err(unanswered(FailureKind::Timeout, format!("no answer within {timeout:?}"))),
    }
}

fn record(event: &Event, delivery: &DeliveryRecord<'_>) -> Result<(), RecordError> {
    Records::open()?.set_delivery(event, delivery)
}
