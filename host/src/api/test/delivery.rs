//! `/v1/deliveries`.

use super::{Bench, NOW, new_event, request};
use crate::store::{DeliveryStore, LeaseTerms, Settled};
use anglerfish_core::request::UnixMillis;
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

async fn retry(bench: &Bench, id: impl std::fmt::Display) -> super::Answer {
    bench
        .send(request(Method::POST, &format!("/v1/deliveries/{id}/retry")).body(Body::empty()).unwrap())
        .await
}

#[tokio::test]
async fn lists_by_subscription_status_and_event_in_parts() {
    let bench = Bench::new().await;
    let first = bench.commit(new_event("shop", "e1", &["a", "b"])).await;
    bench.settle(&first[0], Settled::Dead).await;
    bench.event("shop", "e2", &["a"]).await;
    let ids = |listing: &Value| listing["items"].as_array().unwrap().len();
    for (query, count) in [
        ("", 3),
        ("?subscription=a", 2),
        ("?status=dead", 1),
        ("?status=pending", 2),
        ("?event=e1", 2),
        ("?event=e1&subscription=b&status=pending", 1),
        ("?subscription=x", 0),
    ] {
        let listing = bench.get(&format!("/v1/deliveries{query}")).await.json();
        assert_eq!(ids(&listing), count, "{query}");
        assert_eq!(listing["next"], Value::Null);
    }
    let part = bench.get("/v1/deliveries?limit=2").await.json();
    let rest = bench.get(&format!("/v1/deliveries?cursor={}", part["next"].as_str().unwrap())).await.json();
    assert_eq!((ids(&part), ids(&rest)), (2, 1));
    assert!(part["items"][1]["id"].as_i64() > rest["items"][0]["id"].as_i64());
    assert_eq!(bench.get("/v1/deliveries?event=e9").await.problem(), (404, "unknown-event".into()));
}

#[tokio::test]
async fn shows_a_delivery_with_its_attempts() {
    let bench = Bench::new().await;
    let delivery = bench.commit(new_event("shop", "e1", &["a"])).await.remove(0);
    bench.settle(&delivery, Settled::Retry(UnixMillis(NOW.0 + 5000))).await;
    assert_eq!(
        bench.get(&format!("/v1/deliveries/{}", delivery.id)).await.json(),
        json!({
            "delivery": {
                "id": delivery.id.0, "subscription": "a", "status": "pending", "attempt_count": 1,
                "event": {"id": "e1", "source": "shop", "type": "order.created"},
                "created": "2023-11-14T22:13:20Z", "due": "2023-11-14T22:13:25Z", "reason": "its subscription was removed; it waits for it to come back"
            },
            "attempts": [{
                "number": 1, "started": "2023-11-14T22:13:20Z", "duration_ms": 1234.567,
                "status": 500, "error": "status 500", "answer": "try later"
            }]
        })
    );
    for id in ["999", "x", "-1", "+1", "01", "99999999999999999999"] {
        let answer = bench.get(&format!("/v1/deliveries/{id}")).await;
        assert_eq!(answer.problem(), (404, "unknown-delivery".into()), "{id}");
    }
}

#[tokio::test]
async fn retries_what_is_not_being_attempted() {
    let bench = Bench::new().await;
    let document = json!({"id": "a", "endpoint": {"url": "http://example.com/"}});
    assert_eq!(bench.post("/v1/subscriptions", &document).await.status, 201);
    let leased = bench.commit(new_event("shop", "e1", &["a", "gone"])).await;
    let (own, gone) = (&leased[0], &leased[1]);
    assert_eq!(retry(&bench, own.id).await.problem(), (409, "attempt-in-progress".into()));
    bench.settle(own, Settled::Dead).await;
    let answer = retry(&bench, own.id).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json(), json!({"id": own.id.0, "status": "pending"}));
    assert_eq!(bench.queues.woken(), ["a"]);
    let due = bench.store.lease("a", NOW, 10, LeaseTerms::default()).await.unwrap().deliveries;
    assert_eq!(due.len(), 1);
    assert_eq!(retry(&bench, gone.id).await.problem(), (409, "subscription-gone".into()));
    assert_eq!(retry(&bench, 999).await.problem(), (404, "unknown-delivery".into()));
    assert_eq!(retry(&bench, "x").await.problem(), (404, "unknown-delivery".into()));
}
