//! What subscriptions cost that nobody sends to: alone in its process, because memory is counted for all of it.

use anglerfish::delivery::{Deliveries, DeliveryOptions};
use anglerfish::store::{SqliteOptions, SqliteStore};
use anglerfish_core::config::{DeliveryConfig, EndpointConfig, StartPoint, SubscriptionConfig, WhenRemoved};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many there are.
const COUNT: usize = 100_000;
/// What each may take, in bytes.
const MOST: usize = 1536;

fn subscription(number: usize) -> SubscriptionConfig {
    SubscriptionConfig {
        id: format!("s{number}"),
        sources: Vec::new(),
        filter: None,
        endpoint: Some(EndpointConfig {
            url: format!("https://receiver-{number}.example.com/hooks").into(),
            method: "POST".into(),
            templates: anglerfish_core::config::EndpointTemplates::default(),
            headers: Vec::new(),
            signature: anglerfish_core::config::SignatureStyle::default(),
            rotation_overlap: anglerfish_core::config::SignatureStyle::OVERLAP,
            secrets: Vec::new(),
            allow_private: false,
            allow_networks: Vec::new(),
            ..EndpointConfig::new("")
        }),
        flow: None,
        tokens: Vec::new(),
        notification: None,
        delivery: DeliveryConfig::default(),
        start: StartPoint::Now,
        plugins: Vec::new(),
        when_removed: WhenRemoved::End,
    }
}

/// Resident memory of this process in bytes; 0 where that cannot be read.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

#[tokio::test]
async fn a_hundred_thousand_idle_subscriptions_are_data() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("anglerfish.db"), SqliteOptions::default()).unwrap();
    let deliveries = Deliveries::try_new(Arc::new(store), DeliveryOptions::default()).unwrap();
    let (before, begun) = (resident(), Instant::now());
    for number in 0..COUNT {
        deliveries.put(&subscription(number)).unwrap();
    }
    let put = begun.elapsed();
    deliveries.start();
    // Whoever is removed has been taken in before.
    deliveries.remove("s0").await;
    let each = resident().saturating_sub(before) / COUNT;
    println!(
        "{COUNT} subscriptions: put in {put:.1?}, started in {:.1?}, {each} bytes each",
        begun.elapsed() - put
    );
    assert!(each < MOST, "{each} bytes each");
    deliveries.shutdown(Duration::from_secs(10)).await;
}
