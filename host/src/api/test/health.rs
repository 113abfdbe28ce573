//! `/live`, `/ready`, `/metrics`.

use super::Bench;
use crate::store::Store;
use serde_json::json;

#[tokio::test]
async fn is_ready_when_no_latch_is_held_and_the_store_works() {
    let bench = Bench::new().await;
    let engine = bench.readiness.latch("the engine is loading");
    let answer = bench.get("/ready").await;
    assert_eq!(answer.problem(), (503, "not-ready".into()));
    assert_eq!(answer.json()["reasons"], json!(["the engine is loading"]));
    drop(engine);
    assert_eq!(bench.get("/ready").await.json(), json!({"status": "ready"}));
    bench.store.close().await;
    let answer = bench.get("/ready").await;
    assert_eq!(answer.problem(), (503, "not-ready".into()));
    assert_eq!(answer.json()["reasons"], json!(["the store cannot be used"]));
    assert_eq!(bench.get("/live").await.json(), json!({"status": "live"}));
}

#[tokio::test]
async fn metrics_show_backlogs_and_survive_a_store_that_is_gone() {
    let bench = Bench::new().await;
    bench.event("shop", "e1", &["a", "b"]).await;
    bench.event("shop", "e2", &["a"]).await;
    let answer = bench.get("/metrics").await;
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("anglerfish_backlog_deliveries{subscription=\"a\"} 2\n"), "{text}");
    assert!(text.contains("anglerfish_backlog_deliveries{subscription=\"b\"} 1\n"), "{text}");
    assert!(text.contains("anglerfish_store_up 1\n") && !text.contains("# EOF"), "{text}");
    bench.store.close().await;
    let text = String::from_utf8(bench.get("/metrics").await.body.to_vec()).unwrap();
    assert!(text.contains("anglerfish_store_up 0\n") && !text.contains("subscription=\"a\""), "{text}");
}

#[tokio::test]
async fn a_configuration_with_a_problem_is_refused_with_its_place() {
    let bench = Bench::new().await;
    let status = bench.get("/v1/config/status").await.json();
    assert_eq!((&status["generation"], &status["file"]), (&json!(1), &json!("a.toml")));
    assert_eq!(status["since"], "2023-11-14T22:13:20Z");
    let answer = bench.post("/v1/config/reload", &json!({})).await;
    assert_eq!(answer.problem(), (422, "invalid-configuration".into()));
    assert_eq!(answer.json()["problems"][0]["path"], "a.toml:3:1: source[0].scheme");
}
