//! Deliveries: attempts that are due are made, signed and settled by the policy, and written down.

use crate::outbox::outbox;
use crate::table::{Destination, Table};
use crate::{clock, convert, diagnostic, pause, plugin, request, resource};
use anglerfish_core::attempt::Outgoing;
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
use spin_sdk::wasip3::http::types::ErrorCode;
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

/// How many characters of an error are kept.
const LONGEST_ERROR: usize = 300;

/// How long a delivery waits whose plugin is not there, in milliseconds.
const AWAIT_PLUGIN: u64 = 60_000;

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
    /// What subscribers of resources were told.
    told: RefCell<Vec<resource::Told>>,
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
        told: RefCell::default(),
    };
    let tried = join_all(unit.due(now).map(|delivery| deliver(&context, delivery))).await;
    let mut tally =
        Tally { attempted: tried.iter().filter(|tried| tried.is_some()).count(), ..Tally::default() };
    let errors = tried.into_iter().flatten().flatten();
    let errors = errors.map(|error| (clock::random(), error)).collect();
    // Those that were not due are told of by whoever tries them.
    let were_due = unit.work.deliveries.iter().filter(|delivery| names.contains(&delivery.subscription));
    were_due.for_each(|delivery| tally.count(delivery.status));
    let told = context.told.into_inner();
    let settled = match told.is_empty() {
        true => outbox(|outbox| outbox.settle(&mut unit, errors)),
        false => resource::settle(&mut unit, &data, errors, told).await,
    };
    if let Err(error) = settled {
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
    let timeout = millis(destination.delivery.timeout);
    if started.saturating_add(timeout) > context.until {
        // Somebody else may take it before this attempt has ended.
        return None;
    }
    let (tried, told) = match destination.is_told() {
        true => match tell(context, &destination, delivery, timeout).await {
            Some((tried, told)) => (tried, Some(told)),
            None => return None,
        },
        false => (send_judged(context, &destination, &delivery.subscription, started).await, None),
    };
    let ended = clock::now();
    let outcome = match &tried {
        Ok(answer) => AttemptOutcome::Answered(Answered {
            status: answer.status,
            retry_after: answer.retry_after.as_deref(),
            rate_limit_reset: answer.rate_limit_reset.as_deref(),
            is_abort: answer.is_abort,
        }),
        Err(Unanswered { why: Why::Failed(kind) | Why::Unreached(kind), .. }) => {
            AttemptOutcome::Failed(*kind)
        }
        Err(Unanswered { why: Why::Unsendable, .. }) => AttemptOutcome::Unsendable,
        Err(Unanswered { why: Why::Unneeded, .. }) => AttemptOutcome::Unneeded,
        Err(Unanswered { why: Why::Unwanted, .. }) => AttemptOutcome::Unwanted,
        Err(Unanswered { why: Why::Local, .. }) => AttemptOutcome::Local,
    };
    if let Some(told) = told {
        let is_had = match &tried {
            Ok(answer) => {
                let policy = &destination.delivery;
                let status = answer.status;
                policy.success.contains(status) || policy.discard.contains(status) || answer.is_abort
            }
            Err(unanswered) => unanswered.why == Why::Unneeded,
        };
        let is_in_doubt = matches!(&tried, Err(Unanswered { why: Why::Failed(_), .. }));
        context.told.borrow_mut().push(told.ended(resource::End::of(is_had, is_in_doubt)));
    }
    let past = Past { before: delivery.attempts, created: UnixMillis(context.received) };
    let consequences =
        policy::classify(&destination.delivery, outcome, past, UnixMillis(ended), clock::random());
    if consequences.is_some() {
        delivery.attempts = delivery.attempts.saturating_add(1);
    }
    (delivery.status, delivery.due) = match consequences.map(|consequences| consequences.settled) {
        Some(Settled::Delivered) => (DeliveryStatus::Delivered, None),
        Some(Settled::Discarded) => (DeliveryStatus::Discarded, None),
        Some(Settled::Retry(due)) => (DeliveryStatus::Pending, Some(due.0)),
        Some(Settled::Dead) => (DeliveryStatus::Dead, None),
        // Nobody breaks an attempt off here.
        Some(Settled::Interrupted) => (DeliveryStatus::Pending, None),
        // A plugin that is not there is the only failure that is known to be this side's: Spin tells of no other.
        None => (DeliveryStatus::Pending, Some(ended.saturating_add(AWAIT_PLUGIN))),
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
pub(crate) struct Unanswered {
    pub(crate) why: Why,
    pub(crate) reason: String,
}

/// What kept an answer away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Something on the way; the endpoint may have acted on the request.
    Failed(FailureKind),
    /// The same, and no connection was made.
    Unreached(FailureKind),
    /// There was nothing that can be sent.
    Unsendable,
    /// There was nothing to tell.
    Unneeded,
    /// A plugin does not let it through.
    Unwanted,
    /// A plugin is not there: this side has to put that right.
    Local,
}

/// Asks the subscription's plugins, and makes an attempt to send what they let through.
async fn send_judged(
    context: &Context<'_>,
    destination: &Destination,
    subscription: &str,
    started: u64,
) -> Result<Received, Unanswered> {
    let Context { table, event, data, .. } = context;
    let timeout = destination.delivery.timeout;
    let sent = (*event, Bytes::clone(data));
    if destination.plugins.is_empty() {
        return send_event(table, destination, subscription, sent, (started, timeout)).await;
    }
    let asked = plugin::Asked { table, subscription, until: started.saturating_add(millis(timeout)) };
    let (event, data) = plugin::judge(&asked, &destination.plugins, sent).await?;
    let now = clock::now();
    let left = timeout.saturating_sub(Duration::from_millis(now.saturating_sub(started)));
    send_event(table, destination, subscription, (&event, data), (now, left)).await
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Makes an attempt to send an event.
async fn send_event(
    table: &Table,
    destination: &Destination,
    subscription: &str,
    (event, data): (&Event, Bytes),
    (now, timeout): (u64, Duration),
) -> Result<Received, Unanswered> {
    let rendered = render(table, destination, subscription, (event, &data), now)
        .map_err(|reason| Unanswered { why: Why::Unsendable, reason })?;
    attempt(&destination.outgoing, timeout, (event, data), rendered.as_ref(), UnixMillis(now)).await
}

/// Makes an attempt to tell the subscriber of a resource what is news to it; `None` if it is to be made later.
async fn tell(
    context: &Context<'_>,
    destination: &Destination,
    delivery: &mut DeliveryRecord,
    timeout: u64,
) -> Option<(Result<Received, Unanswered>, resource::Told)> {
    let Context { table, event, data, until, .. } = context;
    let subscription = &delivery.subscription;
    let begun = resource::begin(table, destination, subscription, (event, data), (*until, timeout)).await;
    let none = |why, reason| Err(Unanswered { why, reason });
    match begun {
        Ok(resource::Begun::Tell(telling, told)) => {
            let resource::Telling { outgoing, event, data, values } = *telling;
            let now = UnixMillis(clock::now());
            let sent = (&event, data);
            Some((attempt(&outgoing, destination.delivery.timeout, sent, Some(&values), now).await, told))
        }
        Ok(resource::Begun::Nothing(reason, told)) => Some((none(Why::Unneeded, reason), told)),
        Ok(resource::Begun::Unfit(reason, told)) => Some((none(Why::Unsendable, reason), told)),
        Ok(resource::Begun::Later(due)) => {
            delivery.due = Some(due);
            None
        }
        Err(reason) => {
            diagnostic::report(&format!("what {subscription:?} is to be told is not known now: {reason}"));
            None
        }
    }
}

/// What the subscription makes of the event, if it makes anything. The header fields that came with it are not kept here.
fn render(
    table: &Table,
    destination: &Destination,
    subscription: &str,
    (event, data): (&Event, &Bytes),
    now: u64,
) -> Result<Option<Rendered>, String> {
    if !destination.outgoing.needs_rendering() {
        return Ok(None);
    }
    let event = convert::event_out(event);
    let made = table.router.render(subscription, &event, &[], data, now)?;
    Ok(Some(Rendered { body: made.body, values: made.values }))
}

/// The head of the endpoint's answer, or why there was none.
async fn attempt(
    outgoing: &Outgoing,
    timeout: Duration,
    (event, data): (&Event, Bytes),
    rendered: Option<&Rendered>,
    now: UnixMillis,
) -> Result<Received, Unanswered> {
    let request = request::build(outgoing, event, data, rendered, now)
        .map_err(|error| Unanswered { why: Why::Unsendable, reason: error.to_string() })?;
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
            let why = match is_unreached(&error) {
                true => Why::Unreached(FailureKind::Connection),
                false => Why::Failed(FailureKind::Connection),
            };
            Err(Unanswered { why, reason: format!("no answer: {error}") })
        }
        Either::Right(_) => {
            let why = Why::Failed(FailureKind::Timeout);
            Err(Unanswered { why, reason: format!("no answer within {timeout:?}") })
        }
    }
}

/// Whether nothing was sent: no connection was made.
pub(crate) fn is_unreached(error: &ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::DnsTimeout
            | ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTimeout
            | ErrorCode::TlsProtocolError
            | ErrorCode::TlsCertificateError
            | ErrorCode::HttpRequestDenied
            | ErrorCode::HttpRequestUriInvalid
    )
}
