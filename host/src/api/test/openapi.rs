//! `/openapi.json` against what is served.

use super::{Bench, request};
use axum::body::Body;
use http::Method;
use serde_json::Value;
use std::collections::BTreeSet;

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

#[tokio::test]
async fn answers_have_the_members_that_the_document_says() {
    let bench = Bench::new().await;
    let id = bench.event("shop", "e1", &["a"]).await[0];
    let document = bench.get("/openapi.json").await.json();
    let subscription = serde_json::json!({"id": "a", "endpoint": {"url": "http://example.com/"}});
    assert_eq!(bench.post("/v1/subscriptions", &subscription).await.status, 201);
    for (path, schema) in [
        ("/live".to_owned(), "Health"),
        ("/v1/events".to_owned(), "EventListing"),
        ("/v1/events/e1".to_owned(), "EventDetail"),
        ("/v1/events/e1/explain".to_owned(), "Explanation"),
        ("/v1/deliveries".to_owned(), "DeliveryListing"),
        (format!("/v1/deliveries/{id}"), "DeliveryDetail"),
        ("/v1/subscriptions".to_owned(), "SubscriptionListing"),
        ("/v1/subscriptions/a".to_owned(), "Subscription"),
        ("/v1/nothing".to_owned(), "Problem"),
    ] {
        let answer = bench.get(&path).await.json();
        check(&document, &document["components"]["schemas"][schema], &answer, &path);
    }
}

/// A check of members only: those that are required are there, and no others where the schema is closed.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(document, document.pointer(&reference[1..]).unwrap(), value, place);
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        values.iter().for_each(|value| check(document, items, value, place));
    }
    let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    let names = members.keys().cloned().collect::<BTreeSet<_>>();
    for required in schema["required"].as_array().unwrap() {
        assert!(names.contains(required.as_str().unwrap()), "{place}: no {required}");
    }
    for (name, member) in members {
        match properties.get(name) {
            Some(schema) => check(document, schema, member, &format!("{place} {name}")),
            None => {
                assert_ne!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{place}: {name}")
            }
        }
    }
}
