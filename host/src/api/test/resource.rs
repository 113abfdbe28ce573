//! `/v1/resources`, `/v1/documents`, and what subscriptions of resources are told.

use super::*;
use crate::store::ResourceStore;
use serde_json::json;

fn items(tombstones: &str) -> Value {
    json!({"endpoint": "http://h/items/{id}", "change": {"field": "v"}, "tombstones": tombstones})
}

const ONE: &str = "/v1/documents/http%3A%2F%2Fh%2Fitems%2F1";

#[tokio::test]
async fn a_resource_is_written_shown_listed_and_deleted() {
    let bench = Bench::new().await;
    let made = bench.write(Method::PUT, "/v1/resources/items", &items("7days")).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.headers["location"], "/v1/resources/items");
    let shown = bench.get("/v1/resources/items").await.json();
    assert_eq!(shown, made.json());
    assert_eq!(
        (&shown["origin"], &shown["tombstones"], &shown["subscriptions"], &shown["change"]),
        (&json!("api"), &json!("7days"), &json!(0), &json!({"field": "v", "format": null}))
    );
    let again = bench.write(Method::PUT, "/v1/resources/items", &items("2h")).await;
    assert_eq!((again.status, &again.json()["tombstones"]), (StatusCode::OK, &json!("2h")));
    let named =
        bench.post("/v1/resources", &json!({"endpoint": "http://h/x/{a}", "change": {"field": "v"}})).await;
    assert_eq!(named.status, StatusCode::CREATED);
    assert_eq!(named.json()["id"].as_str().unwrap().len(), 36);

    let first = bench.get("/v1/resources?limit=2").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let rest =
        bench.get(&format!("/v1/resources?limit=2&cursor={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));

    assert_eq!(bench.delete("/v1/resources/items").await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get("/v1/resources/items").await.problem(), (404, "unknown-resource".into()));
}

#[tokio::test]
async fn what_cannot_be_a_resource_is_refused_with_every_problem() {
    let bench = Bench::new().await;
    let refused =
        bench.post("/v1/resources", &json!({"endpoint": "http://h/x", "change": {}, "colour": 1})).await;
    assert_eq!(refused.problem(), (422, "invalid-document".into()));
    assert!(refused.json()["problems"].as_array().unwrap().len() >= 3, "{}", refused.json());
    let put = async |id: &str, body: Value| bench.write(Method::PUT, id, &body).await;
    let _ = put("/v1/resources/items", items("1h")).await;
    let mut misnamed = items("1h");
    misnamed["id"] = json!("other");
    assert_eq!(put("/v1/resources/items", misnamed).await.problem(), (422, "invalid-document".into()));
    let mut renamed = items("1h");
    renamed["endpoint"] = json!("http://h/items/{other}");
    assert_eq!(put("/v1/resources/two", renamed.clone()).await.problem(), (409, "endpoint-taken".into()));
    assert_eq!(put("/v1/resources/items", renamed).await.status, StatusCode::OK, "the same documents");
    let mut twice = items("1h");
    twice["id"] = json!("items");
    assert_eq!(bench.post("/v1/resources", &twice).await.problem(), (409, "resource-exists".into()));
    assert_eq!(
        put("/v1/resources/declared", items("1h")).await.problem(),
        (409, "resource-from-file".into())
    );
    assert_eq!(bench.delete("/v1/resources/declared").await.problem(), (409, "resource-from-file".into()));
    assert_eq!(bench.delete("/v1/resources/none").await.problem(), (404, "unknown-resource".into()));
    assert_eq!(bench.get("/v1/resources/none/documents").await.problem(), (404, "unknown-resource".into()));
}

#[tokio::test]
async fn a_document_is_put_listed_explained_and_told_again() {
    let bench = Bench::new().await;
    let _ = bench.write(Method::PUT, "/v1/resources/items", &items("1h")).await;
    let subscription = json!({"endpoint": {"url": "http://h/a"}});
    let _ = bench.write(Method::PUT, "/v1/subscriptions/a", &subscription).await;
    assert_eq!(
        bench.post("/v1/subscriptions/a/resync", &json!({})).await.problem(),
        (409, "not-of-a-resource".into())
    );
    bench.store.enrol("a", "items", false, None, NOW).await.unwrap();

    let put = bench.write(Method::PUT, ONE, &json!({"v": 9_007_199_254_740_993_i64, "text": "ü"})).await;
    assert_eq!((put.status, put.body.len()), (StatusCode::ACCEPTED, 0));
    assert_eq!(bench.queues.offered(), ["a"]);
    let shown = bench.get(ONE).await.json();
    assert_eq!((&shown["url"], &shown["resource"]), (&json!("http://h/items/1"), &json!("items")));
    assert_eq!((&shown["revision"], &shown["content"]["text"]), (&json!("9007199254740993"), &json!("ü")));
    let listed = bench.get("/v1/resources/items/documents?limit=1").await.json();
    assert_eq!((&listed["items"][0]["url"], &listed["next"]), (&json!("http://h/items/1"), &Value::Null));

    let explained = bench.get("/v1/subscriptions/a/explain?document=http://h/items/1").await.json();
    assert_eq!((&explained["action"], &explained["active"]), (&json!("create"), &json!(true)));
    let other = bench.get("/v1/subscriptions/a/explain?document=http://h/items/2").await.json();
    assert_eq!(
        (&other["action"], &other["reason"]),
        (&Value::Null, &json!("the document is gone, and it has not got it"))
    );
    assert_eq!(bench.get("/v1/subscriptions/a/explain").await.problem().0, 400);
    assert_eq!(bench.get("/v1/subscriptions/b/explain?document=http://h/items/1").await.problem().0, 404);

    let followers = async || bench.get("/v1/resources/items/subscriptions").await.json()["items"].clone();
    assert_eq!(followers().await[0]["catching_up"], false);
    assert_eq!(bench.post("/v1/subscriptions/a/resync", &json!({})).await.status, StatusCode::ACCEPTED);
    assert_eq!(followers().await[0]["catching_up"], true);
    let inhabited = json!({"endpoint": "http://h/others/{id}", "change": {"field": "v"}});
    let moved = bench.write(Method::PUT, "/v1/resources/items", &inhabited).await;
    assert_eq!(moved.problem(), (409, "resource-has-documents".into()));
    assert_eq!(bench.delete("/v1/resources/items").await.problem(), (409, "resource-in-use".into()));

    assert_eq!(bench.delete(ONE).await.status, StatusCode::ACCEPTED);
    assert_eq!(bench.get(ONE).await.problem(), (404, "unknown-document".into()));
}

#[tokio::test]
async fn a_bad_document_is_refused_with_the_reason() {
    let bench = Bench::new().await;
    let _ = bench.write(Method::PUT, "/v1/resources/items", &items("1h")).await;
    bench.store.enrol("a", "items", false, None, NOW).await.unwrap();
    for (path, body, problem) in [
        (ONE, json!({}), (422, "invalid-document")),
        (ONE, json!([]), (422, "invalid-document")),
        (ONE, json!({"v": "1"}), (422, "invalid-document")),
        ("/v1/documents/http%3A%2F%2Fh%2Felsewhere", json!({"v": 1}), (404, "unknown-resource")),
        ("/v1/documents/ftp%3A%2F%2Fh%2Fitems%2F1", json!({"v": 1}), (400, "invalid-path")),
    ] {
        let refused = bench.write(Method::PUT, path, &body).await.problem();
        assert_eq!((refused.0, refused.1.as_str()), problem, "{path} {body}");
    }
    assert!(bench.queues.offered().is_empty());
}
