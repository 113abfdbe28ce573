//! Deliveries: attempts that are due are made, signed and settled by the policy, and written down.

use crate::outbox::outbox;
use crate::table::{Destination, Table};
use crate::{clock, convert, diagnostic, pause, request};
use anglerfish_core::edge::{AttemptRecord, DeliveryRecord, DeliveryStatus, ErrorRecord, Unit, delivery_id};
use anglerfish_core::event::Event;
use anglerfish_core::policy::{self, Answered, AttemptOutcome, FailureKind, Past, Settled};
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::Rendered;
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use http::header::RETRY_AFTER;
use serde::Serialize;
use spin_sdk::http::send;
use spin_sdk::time::sleep;
use std::collections::HashMap;
use std::pin::pin;

/// How many characters of an error are kept.
const LONGEST_ERROR: usize = 300;

/// What came of some deliveries.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Attempts that were made.
    pub(crate) attempted: usize,
    /// Deliveries that ended well.
    pub(crate) delivered: usize,
    /// Deliveries that are to be tried again.
    pub(crate) pending: usize,
    /// Deliveries that nobody insists on.
    pub(crate) discarded: usize,
    /// Deliveries without an attempt left.
    pub(crate) dead: usize,
}

impl Tally {
    fn count(&mut self, status: DeliveryStatus) {
        match status {
            DeliveryStatus::Pending => self.pending += 1,
            DeliveryStatus::Delivered => self.delivered += 1,
            DeliveryStatus::Discarded => self.discarded += 1,
            DeliveryStatus::Dead => self.dead += 1,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.attempted += other.attempted;
        self.delivered += other.delivered;
        self.pending += other.pending;
        self.discarded += other.discarded;
        self.dead += other.dead;
    }
}

/// What an event's deliveries share.
struct Context<'a> {
    table: &'a Table,
    event: &'a Event,
    data: &'a Bytes,
    /// When the event was accepted.
    received: u64,
    /// Until when nobody else sends it.
    until: u64,
    /// Until when subscriptions are left alone.
    paused: HashMap<String, u64>,
}

/// Makes the attempts that are due, and writes down what came of them.
pub(crate) async fn run(table: &Table, mut unit: Unit) -> Tally {
    let now = clock::now();
    let names = unit.due(now).map(|delivery| delivery.subscription.clone()).collect::<Vec<_>>();
    let paused = pause::paused(names.iter().map(String::as_str), table.version()).unwrap_or_else(|error| {
        diagnostic::report(&error);
        HashMap::new()
    });
    let data = Bytes::from(std::mem::take(&mut unit.data));
    let event = unit.event.event.clone();
    let context = Context {
        table,
        event: &event,
        data: &data,
        received: unit.event.received,
        until: unit.until,
        paused,
    };
    let tried = join_all(unit.due(now).map(|delivery| deliver(&context, delivery))).await;
    let mut tally =
        Tally { attempted: tried.iter().filter(|tried| tried.is_some()).count(), ..Tally::default() };
    let errors = tried.into_iter().flatten().flatten();
    let errors = errors.map(|error| (clock::random(), error)).collect();
    unit.work.deliveries.iter().for_each(|delivery| tally.count(delivery.status));
    if let Err(error) = outbox(|outbox| outbox.settle(&mut unit, errors)) {
        diagnostic::report(&format!("how event {:?} was sent was not kept: {error}", event.id));
    }
    tally
}

/// Makes one attempt: `None` if there was none, else what went wrong, if it did.
async fn deliver(context: &Context<'_>, delivery: &mut DeliveryRecord) -> Option<Option<ErrorRecord>> {
    let Context { table, event, .. } = context;
    let started = clock::now();
    if let Some(until) = context.paused.get(&delivery.subscription) {
        delivery.due = Some(*until);
        return None;
    }
    let Some(destination) = table.destination(&delivery.subscription) else {
        let error = "the subscription is not there any more".to_owned();
        (delivery.status, delivery.due) = (DeliveryStatus::Dead, None);
        delivery.last =
            Some(AttemptRecord { started, duration_ms: 0, status: None, error: Some(error.clone()) });
        return Some(Some(failed(event, delivery, started, error)));
    };
    let timeout = u64::try_from(destination.delivery.timeout.as_millis()).unwrap_or(u64::MAX);
    if started.saturating_add(timeout) > context.until {
        // Somebody else may take it before this attempt has ended.
        return None;
    }
    let rendered = render(context, &destination, &delivery.subscription, started);
    let tried = match &rendered {
        Ok(rendered) => attempt(&destination, context, rendered.as_ref(), UnixMillis(started)).await,
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
    let past = Past { before: delivery.attempts, created: UnixMillis(context.received) };
    let consequences =
        policy::classify(&destination.delivery, outcome, past, UnixMillis(ended), clock::random());
    delivery.attempts = delivery.attempts.saturating_add(1);
    (delivery.status, delivery.due) = match consequences.map(|consequences| consequences.settled) {
        Some(Settled::Delivered) => (DeliveryStatus::Delivered, None),
        Some(Settled::Discarded) => (DeliveryStatus::Discarded, None),
        Some(Settled::Retry(due)) => (DeliveryStatus::Pending, Some(due.0)),
        Some(Settled::Dead) => (DeliveryStatus::Dead, None),
        // Nobody breaks an attempt off here.
        Some(Settled::Interrupted) => (DeliveryStatus::Pending, None),
        // Spin does not say whether an attempt failed on its own side, so there is none that does not count.
        None => (DeliveryStatus::Pending, None),
    };
    let (status, error) = match tried {
        Ok(answer) => (Some(answer.status), None),
        Err(Unanswered { reason, .. }) => {
            (None, Some(reason.chars().take(LONGEST_ERROR).collect::<String>()))
        }
    };
    let answered = status.unwrap_or(0);
    if let Some(consequences) = consequences {
        let subscription = &delivery.subscription;
        let throttled = consequences.throttle.map(|asked| pause::throttle(subscription, asked, answered));
        let gone = consequences.gone.map(|status| pause::disable(subscription, table.version(), status));
        for error in [throttled, gone].into_iter().flatten().filter_map(Result::err) {
            diagnostic::report(&format!("{subscription:?} is not left alone: {error}"));
        }
    }
    let duration_ms = ended.saturating_sub(started);
    delivery.last = Some(AttemptRecord { started, duration_ms, status, error: error.clone() });
    let is_failure = matches!(delivery.status, DeliveryStatus::Pending | DeliveryStatus::Dead);
    let reason = error.unwrap_or_else(|| format!("the endpoint answered {answered}"));
    Some(is_failure.then(|| failed(event, delivery, ended, reason)))
}

/// Says to the operator what went wrong.
fn failed(event: &Event, delivery: &DeliveryRecord, at: u64, error: String) -> ErrorRecord {
    let id = delivery_id(&delivery.subscription, &event.source, &event.id);
    diagnostic::report(&format!("delivery {id:?} failed: {error}"));
    ErrorRecord { at, delivery: id, status: delivery.status, error }
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
    context: &Context<'_>,
    destination: &Destination,
    subscription: &str,
    now: u64,
) -> Result<Option<Rendered>, String> {
    if !destination.outgoing.needs_rendering() {
        return Ok(None);
    }
    let event = convert::event_out(context.event);
    let made = context.table.router.render(subscription, &event, &[], context.data, now)?;
    Ok(Some(Rendered { body: made.body, values: made.values }))
}

/// The head of the endpoint's answer, or why there was none.
async fn attempt(
    destination: &Destination,
    context: &Context<'_>,
    rendered: Option<&Rendered>,
    now: UnixMillis,
) -> Result<Received, Unanswered> {
    let unanswered = |kind, reason| Unanswered { kind: Some(kind), reason };
    let request = request::build(destination, context.event, context.data.clone(), rendered, now)
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
