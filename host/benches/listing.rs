//! How long the listings of the management API take beside ten million deliveries, a million of them open.
//!
//! `cargo bench -p anglerfish --bench listing` fills a store of about 3 GB in the working directory first.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use anglerfish::store::{
    Attempt, Commit, CommitOutcome, DeliveryId, DeliveryQuery, DeliveryStatus, DeliveryStore, EventQuery,
    EventSeq, LogStore, NewEvent, Order, Settled, Settlement, SqliteOptions, SqliteStore,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use std::time::{Duration, Instant};

const START: u64 = 1_700_000_000_000;

/// Subscriptions that each event is for.
const SUBSCRIPTIONS: usize = 100;

/// Events that come at the same time.
const LOT: u64 = 100;

/// How often each listing is asked for.
const ROUNDS: usize = 20;

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let events: u64 = if is_bench { 100_000 } else { 200 };
    let directory = tempfile::tempdir_in(".").unwrap();
    let path = directory.path().join("store.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let begun = Instant::now();
    for first in (0..events).step_by(usize::try_from(LOT).unwrap()) {
        fill(&store, first, events).await;
    }
    println!(
        "{} deliveries of {events} events, {:.1} GB, filled within {:.0?}",
        events * SUBSCRIPTIONS as u64,
        directory.path().read_dir().unwrap().map(|file| size(&file.unwrap())).sum::<f64>() / 1e9,
        begun.elapsed()
    );
    deliveries(&store, events).await;
    log(&store, events).await;
}

#[expect(clippy::cast_precision_loss, reason = "it is shown to people")]
fn size(file: &std::fs::DirEntry) -> f64 {
    file.metadata().unwrap().len() as f64
}

fn time(number: u64) -> UnixMillis {
    UnixMillis(START + number * 100)
}

/// Commits some events and ends nine of ten of their deliveries: of a thousand 989 are delivered, 10 dead, 1 discarded.
async fn fill(store: &SqliteStore, first: u64, events: u64) {
    let new = (first..first + LOT).map(|number| {
        let event = Event {
            id: format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            source: format!("source-{}", number % 7),
            kind: format!("type-{}", number % 11),
            time: time(number),
            ..Event::default()
        };
        NewEvent {
            subscriptions: (0..SUBSCRIPTIONS).map(|which| format!("subscription-{which:03}")).collect(),
            ..NewEvent::new(event, Bytes::from_static(b"{}"), time(number))
        }
    });
    let commit = Commit { events: new.collect(), ..Commit::new(time(first)) };
    let CommitOutcome::Committed { deliveries, .. } = store.commit(commit).await.unwrap() else {
        panic!("a new event is no repetition");
    };
    // The newest tenth stays open.
    let (open, ended): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(|_| first >= events - events / 10);
    store.release(&open.iter().map(|delivery| delivery.lease()).collect::<Vec<_>>()).await.unwrap();
    let settlements = ended.iter().enumerate().map(|(count, delivery)| {
        let settled = match count % 1000 {
            0..10 => Settled::Dead,
            10 => Settled::Discarded,
            _ => Settled::Delivered,
        };
        let attempt = Attempt {
            number: 0,
            started: time(first),
            duration: Duration::from_millis(3),
            status: Some(200),
            error: None,
            answer: None,
        };
        Settlement { lease: delivery.lease(), now: time(first + LOT), attempt, settled }
    });
    store.record(settlements.collect()).await.unwrap();
}

async fn deliveries(store: &SqliteStore, events: u64) {
    let all = DeliveryQuery { limit: 500, ..DeliveryQuery::default() };
    let one = DeliveryQuery { subscription: Some("subscription-042".to_owned()), ..all.clone() };
    let dead = DeliveryQuery { status: Some(DeliveryStatus::Dead), ..all.clone() };
    let hour = |query: &DeliveryQuery| DeliveryQuery {
        since: Some(time(events / 2)),
        until: Some(time(events / 2 + 36_000)),
        ..query.clone()
    };
    let middle = Some(DeliveryId(i64::try_from(events * SUBSCRIPTIONS as u64 / 2).unwrap()));
    let with = |status| DeliveryQuery { status: Some(status), ..all.clone() };
    for (what, query) in [
        ("all", all.clone()),
        ("all, from the middle on", DeliveryQuery { cursor: middle, ..all.clone() }),
        ("of a subscription", one.clone()),
        ("of a subscription, from the middle on", DeliveryQuery { cursor: middle, ..one.clone() }),
        ("of an event", DeliveryQuery { event: Some(EventSeq(7)), ..all.clone() }),
        ("pending", with(DeliveryStatus::Pending)),
        ("delivered", with(DeliveryStatus::Delivered)),
        ("dead", dead.clone()),
        ("discarded", with(DeliveryStatus::Discarded)),
        ("dead of a subscription", DeliveryQuery { subscription: one.subscription.clone(), ..dead.clone() }),
        (
            "pending of a subscription",
            DeliveryQuery { subscription: one.subscription.clone(), ..with(DeliveryStatus::Pending) },
        ),
        ("of an hour", hour(&all)),
        ("of a subscription and an hour", hour(&one)),
        ("dead of an hour", hour(&dead)),
    ] {
        let mut times = Times::default();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let page = store.deliveries(query.clone()).await.unwrap();
            times.add(begun.elapsed(), page.items.len());
        }
        times.print(&format!("deliveries, {what}"));
    }
}

async fn log(store: &SqliteStore, events: u64) {
    let all = EventQuery { limit: 500, ..EventQuery::default() };
    let source = EventQuery { source: Some("source-3".to_owned()), ..all.clone() };
    let kind = EventQuery { kind: Some("type-5".to_owned()), ..all.clone() };
    let hour = EventQuery {
        since: Some(time(events / 2)),
        until: Some(time(events / 2 + 36_000)),
        ..source.clone()
    };
    for (what, query) in [
        ("all", all.clone()),
        ("oldest first", EventQuery { order: Order::Oldest, ..all }),
        ("of a source", source.clone()),
        ("of a type", kind.clone()),
        ("of a source and a type", EventQuery { source: source.source, ..kind }),
        ("of a source and an hour", hour),
    ] {
        let mut times = Times::default();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let page = store.events(query.clone()).await.unwrap();
            times.add(begun.elapsed(), page.items.len());
        }
        times.print(&format!("events, {what}"));
    }
}

/// How long a listing took each time, and how much it showed.
#[derive(Default)]
struct Times {
    each: Vec<Duration>,
    items: usize,
}

impl Times {
    fn add(&mut self, time: Duration, items: usize) {
        self.each.push(time);
        self.items = items;
    }

    fn print(mut self, what: &str) {
        let first = *self.each.first().unwrap();
        self.each.sort_unstable();
        let (median, most) = (self.each.get(self.each.len() / 2).unwrap(), self.each.last().unwrap());
        println!("{what}: {} items, first {first:.1?}, median {median:.1?}, most {most:.1?}", self.items);
    }
}
