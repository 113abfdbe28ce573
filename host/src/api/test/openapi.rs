//! `/openapi.json` against what is served.

use super::{Bench, request};
use axum::body::Body;
use http::Method;

#[tokio::test]
async fn every_address_takes_the_methods_that_the_document_says() {
    let bench = Bench::new().await;
    let document = bench.get("/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let described = operations.get(method.as_str().to_lowercase()).is_some();
            let answer = bench
                .send(request(method.clone(), &path.replace("{id}", "1")).body(Body::empty()).unwrap())
                .await;
            let served = answer.status != 405;
            // `test` is where a subscription of that name is, too.
            if path != "/v1/subscriptions/test" || method == Method::POST {
                assert_eq!(served, described, "{method} {path}: {}", answer.status);
            }
        }
    }
}

/// What is held against the description is every answer of these tests; here the description is one.
#[tokio::test]
async fn every_kind_of_answer_is_described() {
    let bench = Bench::new().await;
    let id = bench.event("shop", "e1", &["a"]).await[0];
    let subscription = serde_json::json!({"id": "a", "endpoint": {"url": "http://example.com/"}});
    assert_eq!(bench.post("/v1/subscriptions", &subscription).await.status, 201);
    let addresses = [
        "/live",
        "/ready",
        "/metrics",
        "/v1/events",
        "/v1/events/e1",
        "/v1/events/e1/data",
        "/v1/events/e1/explain",
        "/v1/deliveries",
        &format!("/v1/deliveries/{id}"),
        "/v1/subscriptions",
        "/v1/subscriptions/a",
    ];
    for path in addresses {
        assert_eq!(bench.get(path).await.status, 200, "{path}");
    }
    assert_eq!(bench.get("/v1/nothing").await.status, 404);
    let answer = bench.send(request(Method::PATCH, "/v1/events").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, "GET,HEAD,POST"));
    for (path, allowed) in [("a", "GET,HEAD,PUT,DELETE"), ("test", "GET,HEAD,PUT,DELETE,POST")] {
        let path = format!("/v1/subscriptions/{path}");
        let answer = bench.send(request(Method::PATCH, &path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, allowed));
    }
}
