//! Who may, and what becomes of requests that fit nothing.

use super::{Bench, request};
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use tempfile::TempDir;

const GUARDED: [&str; 12] = [
    "/metrics",
    "/openapi.json",
    "/v1/events",
    "/v1/events/x",
    "/v1/events/x/data",
    "/v1/events/x/explain",
    "/v1/deliveries",
    "/v1/deliveries/1",
    "/v1/subscriptions",
    "/v1/subscriptions/x",
    "/v1/nothing",
    "/",
];

#[tokio::test]
async fn everything_but_health_needs_the_token() {
    let bench = Bench::with(TempDir::new().unwrap(), Vec::new(), Some("s3cret")).await;
    for path in GUARDED {
        let answer = bench.get(path).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()), "{path}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let right = request(Method::GET, path).header("authorization", "Bearer s3cret");
        let answer = bench.send(right.body(Body::empty()).unwrap()).await;
        assert_ne!(answer.status, 401, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/v1/events/x/replay"),
        (Method::POST, "/v1/deliveries/1/retry"),
        (Method::POST, "/v1/subscriptions"),
        (Method::POST, "/v1/subscriptions/test"),
        (Method::PUT, "/v1/subscriptions/x"),
        (Method::DELETE, "/v1/subscriptions/x"),
    ] {
        assert_eq!(bench.write(method, path, &json!({})).await.problem().0, 401, "{path}");
    }
    assert_eq!(bench.get("/live").await.status, 200);
    assert_eq!(bench.get("/ready").await.status, 200);
}

#[tokio::test]
async fn without_a_token_web_pages_are_kept_out() {
    let bench = Bench::new().await;
    for path in GUARDED {
        let rebound = Request::builder().uri(path).header("host", "evil.example:8081");
        let answer = bench.send(rebound.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.problem(), (403, "foreign-host".into()), "{path}");
        let crossing = request(Method::GET, path).header("origin", "https://evil.example");
        let answer = bench.send(crossing.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.problem(), (403, "foreign-origin".into()), "{path}");
    }
    assert_eq!(bench.get("/v1/events").await.status, 200);
}

#[tokio::test]
async fn a_host_in_the_request_target_counts_too() {
    let bench = Bench::new().await;
    let absolute = request(Method::GET, "http://evil.example/v1/events").body(Body::empty()).unwrap();
    assert_eq!(bench.send(absolute).await.problem(), (403, "foreign-host".into()));
}

#[tokio::test]
async fn unknown_addresses_methods_and_parameters_are_problems() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/v2/events").await.problem(), (404, "unknown-address".into()));
    assert_eq!(bench.get("/v1/events/").await.problem(), (404, "unknown-address".into()));
    let answer = bench.delete("/v1/events").await;
    assert_eq!(answer.problem(), (405, "method-not-allowed".into()));
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    assert_eq!(bench.delete("/live").await.problem(), (405, "method-not-allowed".into()));
    let answer = bench.post("/v1/subscriptions/other", &json!({})).await;
    assert_eq!(answer.problem(), (405, "method-not-allowed".into()));
    assert_eq!(answer.headers["allow"], "GET,HEAD,PUT,DELETE");
    for path in [
        "/live?x=1",
        "/ready?x=1",
        "/metrics?x=1",
        "/v1/events?sorce=shop",
        "/v1/events?source=a&source=b",
        "/v1/events?limit=0",
        "/v1/events?limit=501",
        "/v1/events?limit=-1",
        "/v1/events?limit=many",
        "/v1/events?cursor=nonsense",
        "/v1/events/x?limit=1",
        "/v1/deliveries?status=sent",
        "/v1/deliveries?source=shop",
        "/v1/deliveries/1?x",
        "/v1/subscriptions?id=x",
    ] {
        assert_eq!(bench.get(path).await.problem(), (400, "invalid-query".into()), "{path}");
    }
    assert_eq!(bench.get("/v1/events/%ff").await.problem(), (400, "invalid-path".into()));
}

#[tokio::test]
async fn bodies_are_json_of_a_bounded_size() {
    let bench = Bench::new().await;
    let path = "/v1/subscriptions";
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        let mut request = request(Method::POST, path);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = bench.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.problem(), (415, "unsupported-media-type".into()), "{kind:?}");
    }
    let json = || request(Method::POST, path).header("content-type", "Application/JSON; charset=utf-8");
    let large = "x".repeat(1024 * 1024 + 1);
    let answer = bench.send(json().body(Body::from(large)).unwrap()).await;
    assert_eq!(answer.problem(), (413, "body-too-large".into()));
    for body in [&b"{"[..], b"", b"\xff", b"{} {}"] {
        let answer = bench.send(json().body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.problem(), (400, "invalid-json".into()));
    }
    let answer = bench.send(json().body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.problem(), (422, "invalid-document".into()));
}
