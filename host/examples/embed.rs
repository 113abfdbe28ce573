//! A gateway within a program: a source, a function that takes its events, one request, one published event.
//!
//! `cargo run -p anglerfish --example embed`

use anglerfish::{Anglerfish, Delivery, NewEvent, Source, Subscription};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use std::error::Error;
use tokio::sync::mpsc;
use tower::ServiceExt;

/// Takes one event in and publishes another; returns what the function got of both.
async fn run() -> Result<Vec<Delivery>, Box<dyn Error>> {
    let (arrived, mut arrivals) = mpsc::channel(1);
    // The store and the compiled component are kept here.
    let directory = tempfile::tempdir()?;

    let take = move |delivery: Delivery| {
        let arrived = arrived.clone();
        // On disk until this is `Ok`; tried again by the subscription's policy otherwise.
        async move { arrived.send(delivery).await }
    };
    // All that can fail comes first: what was said is checked, the store is open, and nothing acts yet.
    let built = Anglerfish::builder()
        .data_dir(directory.path())
        .source(Source::new("shop", "bearer").secret("the token of the shop"))
        .subscription(Subscription::to_function("large-orders", take).filter("message.total > 100"))
        .build()
        .await?;
    let gateway = built.start();

    // As a server would hand it on: see examples/axum.rs.
    let request = Request::post("/in/shop")
        .header("host", "hooks.example")
        .header("authorization", "Bearer the token of the shop")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"order": 7, "total": 120}"#)))?;
    let answer = gateway.ingress().oneshot(request).await?;
    let (status, receipt) = (answer.status(), answer.into_body().collect().await?.to_bytes());
    println!("accepted with {status}: {}", String::from_utf8_lossy(&receipt));

    // An event of the program's own goes the same way.
    let order = serde_json::json!({"order": 8, "total": 240});
    gateway.publish(NewEvent::new("/orders", "order.created").id("order-8").json(&order)?).await?;

    let mut delivered = Vec::new();
    while delivered.len() < 2 {
        delivered.push(arrivals.recv().await.ok_or("nothing was delivered")?);
    }
    // What is under way may end; a gateway that is dropped ends at once, and loses nothing either.
    gateway.shutdown().await;
    Ok(delivered)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for delivery in run().await? {
        println!("delivered {}: {}", delivery.event.id, String::from_utf8_lossy(&delivery.data));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn events_go_through_a_gateway_within_the_process() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let delivered = runtime.block_on(super::run()).unwrap();
        let mut totals: Vec<_> =
            delivered.iter().map(|one| one.json::<serde_json::Value>().unwrap()).collect();
        totals.sort_by_key(|order| order["order"].as_u64());
        assert_eq!(totals[0]["total"], 120);
        assert_eq!((&*delivered[1].event.id, &totals[1]["total"]), ("order-8", &240.into()));
    }
}
