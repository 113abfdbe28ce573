//! `/v1/events`.

use super::{Bench, new_event, request};
use crate::store::{Settled, Store};
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

fn ids(listing: &Value) -> Vec<&str> {
    listing["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_newest_first_in_parts_and_by_source_and_type() {
    let bench = Bench::new().await;
    for (source, id) in [("shop", "e1"), ("git", "e2"), ("shop", "e3"), ("shop", "e4")] {
        bench.event(source, id, &[]).await;
    }
    let first = bench.get("/v1/events?limit=2&source=shop").await.json();
    assert_eq!(ids(&first), ["e4", "e3"]);
    let next = first["next"].as_str().unwrap();
    let last = bench.get(&format!("/v1/events?limit=2&source=shop&cursor={next}")).await.json();
    assert_eq!(ids(&last), ["e1"]);
    assert_eq!(last["next"], Value::Null);
    assert_eq!(ids(&bench.get("/v1/events").await.json()), ["e4", "e3", "e2", "e1"]);
    assert_eq!(ids(&bench.get("/v1/events?type=order.created&source=git").await.json()), ["e2"]);
    assert!(ids(&bench.get("/v1/events?type=none").await.json()).is_empty());
    assert_eq!(bench.get(&format!("/v1/deliveries?cursor={next}")).await.problem().0, 400);
}

#[tokio::test]
async fn shows_an_event_with_its_request_and_deliveries() {
    let bench = Bench::new().await;
    let deliveries = bench.event("shop", "e1", &["a"]).await;
    assert_eq!(
        bench.get("/v1/events/e1").await.json(),
        json!({
            "event": {
                "id": "e1", "source": "shop", "type": "order.created", "subject": null,
                "time": "2023-11-14T22:13:20Z", "datacontenttype": "application/json",
                "received": "2023-11-14T22:13:20Z", "size": 14, "delivery_count": 1, "position": 1
            },
            "request": {
                "method": "POST", "url": "https://hooks.example/in/shop", "headers": [["x-kind", "a"]]
            },
            "origin": "request", "secret": null, "failures": [],
            "repetitions": {"count": 0, "times": []},
            "deliveries": {
                "items": [{
                    "id": deliveries[0], "subscription": "a", "status": "pending", "attempt_count": 0,
                    "event": {"id": "e1", "source": "shop", "type": "order.created"},
                    "created": "2023-11-14T22:13:20Z", "due": "2023-11-14T22:13:20Z", "reason": "its subscription was removed; it waits for it to come back"
                }],
                "next": null
            }
        })
    );
    assert_eq!(bench.get("/v1/events/e2").await.problem(), (404, "unknown-event".into()));
    assert_eq!(bench.get("/v1/events/e1?source=git").await.problem(), (404, "unknown-event".into()));
}

#[tokio::test]
async fn ids_may_have_any_characters() {
    let bench = Bench::new().await;
    for (id, path) in [
        ("a/b?c#d%2F", "a%2Fb%3Fc%23d%252F"),
        ("..", ".."),
        ("é \u{1f41f}", "%C3%A9%20%F0%9F%90%9F"),
        ("a+b&c=d", "a+b&c=d"),
    ] {
        bench.event("shop", id, &[]).await;
        assert_eq!(bench.get(&format!("/v1/events/{path}")).await.json()["event"]["id"], id);
        assert_eq!(bench.get(&format!("/v1/events/{path}/data")).await.status, 200);
    }
}

#[tokio::test]
async fn an_id_that_several_sources_have_needs_a_choice() {
    let bench = Bench::new().await;
    bench.event("shop", "1", &["a"]).await;
    bench.event("git", "1", &["a"]).await;
    for path in ["/v1/events/1", "/v1/events/1/data", "/v1/events/1/explain", "/v1/deliveries?event=1"] {
        let answer = bench.get(path).await;
        assert_eq!(answer.problem(), (409, "ambiguous-event".into()), "{path}");
        assert_eq!(answer.json()["sources"], json!(["git", "shop"]));
    }
    assert_eq!(bench.get("/v1/events/1?source=git").await.json()["event"]["source"], "git");
    let deliveries = bench.get("/v1/deliveries?event=1&source=shop").await.json();
    assert_eq!(deliveries["items"].as_array().unwrap().len(), 1);
    assert_eq!(deliveries["items"][0]["event"]["source"], "shop");
}

#[tokio::test]
async fn gives_the_data_byte_for_byte_as_something_to_save() {
    let bench = Bench::new().await;
    let mut html = new_event("shop", "page", &[]);
    html.event.datacontenttype = Some("text/html".into());
    html.data = (&b"<script>\xff\0</script>"[..]).into();
    let bytes = html.data.clone();
    bench.commit(html).await;
    let mut bare = new_event("shop", "bare", &[]);
    bare.event.datacontenttype = None;
    bench.commit(bare).await;

    let answer = bench.get("/v1/events/page/data").await;
    assert_eq!(answer.body, bytes);
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    let answer = bench.get("/v1/events/bare/data").await;
    assert_eq!(answer.headers["content-type"], "application/octet-stream");
}

#[tokio::test]
async fn replays_to_those_that_had_deliveries_or_to_those_named() {
    let bench = Bench::new().await;
    for id in ["a", "b", "c"] {
        let document = json!({"id": id, "endpoint": {"url": "http://example.com/"}});
        assert_eq!(bench.post("/v1/subscriptions", &document).await.status, 201);
    }
    for delivery in bench.commit(new_event("shop", "e1", &["a", "b", "gone"])).await {
        bench.settle(&delivery, Settled::Delivered).await;
    }
    let path = "/v1/events/e1/replay";
    let answer = bench.send(request(Method::POST, path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 202);
    let replayed = answer.json();
    assert_eq!(replayed["gone"], json!(["gone"]));
    let made = replayed["deliveries"].as_array().unwrap();
    assert_eq!(made.iter().map(|one| &one["subscription"]).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(bench.queues.woken(), ["a", "b"]);
    let shown = bench.get(&format!("/v1/deliveries/{}", made[0]["id"])).await.json();
    assert_eq!(
        (&shown["delivery"]["status"], &shown["delivery"]["subscription"]),
        (&json!("pending"), &json!("a"))
    );

    let answer = bench.post(path, &json!({"subscriptions": ["c", "c"]})).await;
    assert_eq!((answer.status.as_u16(), answer.json()["deliveries"].as_array().unwrap().len()), (202, 1));
    assert_eq!(bench.queues.woken(), ["c"]);

    let answer = bench.post(path, &json!({"subscriptions": ["x", "a", "y"]})).await;
    assert_eq!(answer.problem(), (422, "invalid-document".into()));
    let problems = answer.json()["problems"].clone();
    assert_eq!(problems[0]["path"], "subscriptions[0]");
    assert_eq!(problems[1]["path"], "subscriptions[2]");
    assert!(bench.queues.woken().is_empty());

    assert_eq!(bench.post(path, &json!({"subscriptions": []})).await.problem().0, 422);
    assert_eq!(bench.post(path, &json!({"subscription": ["a"]})).await.problem().0, 422);
    assert_eq!(bench.post("/v1/events/e2/replay", &json!({})).await.problem().0, 404);
    bench.event("shop", "lonely", &[]).await;
    let answer = bench.post("/v1/events/lonely/replay", &json!({})).await;
    assert_eq!(answer.problem(), (409, "nothing-to-replay".into()));
}

#[tokio::test]
async fn explains_a_stored_event() {
    let bench = Bench::new().await;
    for (id, filter) in [("a", "order.created"), ("b", "order.deleted")] {
        let document = json!({"id": id, "filter": filter, "endpoint": {"url": "http://example.com/"}});
        assert_eq!(bench.post("/v1/subscriptions", &document).await.status, 201);
    }
    bench.event("shop", "e1", &["a"]).await;
    assert_eq!(
        bench.get("/v1/events/e1/explain").await.json(),
        json!({
            "event": {"id": "e1", "source": "shop", "type": "order.created"},
            "failures": [],
            "subscriptions": [
                {"id": "a", "outcome": "match", "reason": "14 bytes"},
                {"id": "b", "outcome": "no-match", "reason": "14 bytes"}
            ],
            "failures": []
        })
    );
    let one = bench.get("/v1/events/e1/explain?subscription=b").await.json();
    assert_eq!(one["subscriptions"].as_array().unwrap().len(), 1);
    let answer = bench.get("/v1/events/e1/explain?subscription=x").await;
    assert_eq!(answer.problem(), (404, "unknown-subscription".into()));
}

#[tokio::test]
async fn a_store_that_is_gone_is_a_problem_that_passes() {
    let bench = Bench::new().await;
    bench.store.close().await;
    let answer = bench.get("/v1/events").await;
    assert_eq!(answer.problem(), (503, "unavailable".into()));
    assert_eq!(answer.headers["retry-after"], "1");
}
