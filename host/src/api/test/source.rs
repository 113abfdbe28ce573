//! Sources that are written at run time.

use super::Bench;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn github() -> Value {
    json!({"scheme": "github", "secrets": ["env:SHOP_KEY", {"value": "hunter2", "label": "old"}]})
}

#[tokio::test]
async fn a_source_is_created_replaced_and_deleted_and_its_secrets_are_not_shown() {
    let bench = Bench::new().await;
    let answer = bench.write(Method::PUT, "/v1/sources/hub", &github()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers["location"], "/v1/sources/hub");
    let shown = answer.json();
    assert_eq!((&shown["origin"], &shown["scheme"]), (&json!("api"), &json!("github")));
    let written = json!({"name": "hub", "scheme": "github", "secrets": ["env:SHOP_KEY", {"value": "…", "label": "old"}]});
    assert_eq!(shown["source"], written);
    assert!(!shown.to_string().contains("hunter2"));
    assert_eq!(bench.get("/v1/sources/hub").await.json(), shown);

    // What is shown cannot be sent back where something was hidden.
    let answer = bench.write(Method::PUT, "/v1/sources/hub", &shown["source"]).await;
    assert_eq!(answer.problem(), (422, "invalid-document".into()));
    assert_eq!(answer.json()["problems"][0]["path"], "secrets[1].value");
    let answer = bench.write(Method::PUT, "/v1/sources/hub", &json!({"scheme": "none"})).await;
    assert_eq!((answer.status, &answer.json()["scheme"]), (StatusCode::OK, &json!("none")));

    let bench = bench.restart(Vec::new()).await;
    assert_eq!(bench.get("/v1/sources/hub").await.json()["scheme"], "none");
    assert_eq!(bench.delete("/v1/sources/hub").await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.delete("/v1/sources/hub").await.problem(), (404, "unknown-source".into()));
    let bench = bench.restart(Vec::new()).await;
    assert_eq!(bench.get("/v1/sources/hub").await.problem(), (404, "unknown-source".into()));
}

#[tokio::test]
async fn sources_of_the_file_and_sources_that_are_named_stay() {
    let bench = Bench::new().await;
    let answer = bench.write(Method::PUT, "/v1/sources/shop", &github()).await;
    assert_eq!(answer.problem(), (409, "source-from-file".into()));
    assert_eq!(bench.delete("/v1/sources/shop").await.problem(), (409, "source-from-file".into()));
    assert_eq!(bench.get("/v1/sources/shop").await.json()["origin"], "file");
    assert_eq!(bench.write(Method::PUT, "/v1/sources/named", &github()).await.status, StatusCode::CREATED);
    assert_eq!(bench.delete("/v1/sources/named").await.problem(), (409, "source-in-use".into()));
    assert_eq!(bench.get("/v1/sources/named").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_document_with_problems_is_refused_with_all_of_them_and_nothing_is_stored() {
    let bench = Bench::new().await;
    for (document, paths) in [
        (json!({"scheme": "github", "secrets": ["env:OTHER"]}), vec!["secrets[0]"]),
        (json!({"scheme": "github", "secrets": ["env:SHOP_GONE"]}), vec!["secrets[0]"]),
        (json!({"scheme": "github", "secrets": []}), vec!["secrets"]),
        (json!({"scheme": "gihub", "secrets": ["env:SHOP_KEY"]}), vec!["scheme"]),
        (json!({"secrets": ["env:SHOP_KEY"], "odd": 1}), vec!["odd", "scheme"]),
        (json!({"name": "other", "scheme": "none"}), vec!["name"]),
    ] {
        let answer = bench.write(Method::PUT, "/v1/sources/hub", &document).await;
        assert_eq!(answer.problem(), (422, "invalid-document".into()), "{document}");
        let problems = answer.json()["problems"].clone();
        let mut found: Vec<&str> =
            problems.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, paths, "{document}");
    }
    assert_eq!(bench.get("/v1/sources/hub").await.problem(), (404, "unknown-source".into()));
    assert!(bench.store_sources().await.is_empty());
}

#[tokio::test]
async fn what_the_table_does_not_take_is_not_stored() {
    let bench = Bench::new().await;
    bench.table.broken.store(true, Ordering::Relaxed);
    let answer = bench.write(Method::PUT, "/v1/sources/hub", &github()).await;
    assert_eq!(answer.problem(), (503, "unavailable".into()));
    assert!(bench.store_sources().await.is_empty());
}
