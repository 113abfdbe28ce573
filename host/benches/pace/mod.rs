//! Events that are sent at their time, whether those before them are answered or not.

use crate::arrival::Arrivals;
use crate::binary::Sender;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Sends an event with each of these members, one in each interval, and waits for `wanted` deliveries. Returns how long each
/// took from the sender's answer to its receiver; 0 where it was there before.
pub(crate) async fn ways(
    sender: &Sender,
    interval: Duration,
    events: impl Iterator<Item = String>,
    wanted: usize,
    arrivals: &mut Arrivals,
) -> Vec<Duration> {
    let mut interval = tokio::time::interval(interval);
    let mut sent = Vec::new();
    for members in events {
        interval.tick().await;
        let sender = sender.clone();
        sent.push(tokio::spawn(async move { sender.send(&members).await }));
    }
    let answered: HashMap<String, Instant> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    let mut ways = Vec::with_capacity(wanted);
    while ways.len() < wanted {
        let (id, at) = arrivals.recv().await.unwrap();
        ways.push(at.saturating_duration_since(answered[&id]));
    }
    ways
}
