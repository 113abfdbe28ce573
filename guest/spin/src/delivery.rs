//! Deliveries after the answer: each is sent once, and how it went is kept.

use crate::record::{AttemptRecord, DeliveryRecord, DeliveryStatus, RecordError, Records};
use crate::table::{Destination, Table};
use crate::{diagnostic, ingress, request};
use anglerfish_core::config::DeliveryConfig;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
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
    let started = ingress::now();
    let outcome = attempt(destination, event, data, UnixMillis(started)).await;
    let duration_ms = ingress::now().saturating_sub(started);
    let (http_status, error) = match outcome {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    let status = settle(&destination.delivery, http_status);
    if status == DeliveryStatus::Pending {
        let why =
            error.clone().unwrap_or_else(|| format!("the endpoint answered {}", http_status.unwrap_or(0)));
        diagnostic::report(&format!("event {:?} for {subscription:?} was not delivered: {why}", event.id));
    }
    let attempt = AttemptRecord { started, duration_ms, status: http_status, error };
    if let Err(error) = record(event, &DeliveryRecord { subscription, status, attempt: Some(attempt) }) {
        diagnostic::report(&format!(
            "how event {:?} went to {subscription:?} was not kept: {error}",
            event.id
        ));
    }
}

/// The status of the endpoint's answer, or why there was none.
async fn attempt(
    destination: &Destination,
    event: &Event,
    data: &Bytes,
    now: UnixMillis,
) -> Result<u16, String> {
    let request = request::build(destination, event, data.clone(), now).map_err(|error| error.to_string())?;
    let timeout = destination.delivery.timeout;
    // The head of the answer settles an attempt; its body is not read.
    match select(pin!(send(request)), pin!(sleep(timeout))).await {
        Either::Left((Ok(response), _)) => Ok(response.status().as_u16()),
        Either::Left((Err(error), _)) => Err(format!("no answer: {error}")),
        Either::Right(_) => Err(format!("no answer within {timeout:?}")),
    }
}

fn settle(policy: &DeliveryConfig, status: Option<u16>) -> DeliveryStatus {
    match status {
        Some(status) if policy.success.contains(status) => DeliveryStatus::Delivered,
        Some(status) if policy.discard.contains(status) => DeliveryStatus::Discarded,
        _ => DeliveryStatus::Pending,
    }
}

fn record(event: &Event, delivery: &DeliveryRecord<'_>) -> Result<(), RecordError> {
    Records::open()?.set_delivery(event, delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_success_nor_discarded_stays_pending() {
        let policy = DeliveryConfig::default();
        assert_eq!(settle(&policy, Some(204)), DeliveryStatus::Delivered);
        for status in [Some(302), Some(404), Some(500), None] {
            assert_eq!(settle(&policy, status), DeliveryStatus::Pending, "{status:?}");
        }
    }
}
