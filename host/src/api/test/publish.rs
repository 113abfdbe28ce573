//! Events that are published, in every mode of CloudEvents.

use super::{Answer, Bench, request};
use crate::store::Store;
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

const ALL: &str = "/v1/events";

async fn publish(bench: &Bench, kind: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut builder = request(Method::POST, ALL).header("content-type", kind);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    bench.send(builder.body(Body::from(body.to_owned())).unwrap()).await
}

fn event(id: &str, kind: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/orders", "type": kind, "data": {"n": 1}, "team": "red"})
}

const ONE: &str = "application/cloudevents+json";
const MANY: &str = "application/cloudevents-batch+json";

#[tokio::test]
async fn a_published_event_is_in_the_log_and_goes_to_who_wants_it() {
    let bench = Bench::new().await;
    for (id, filter) in [("wants", "order.created"), ("other", "order.deleted")] {
        let subscription = json!({"id": id, "filter": filter, "endpoint": {"url": "http://example.com/"}});
        assert_eq!(bench.post("/v1/subscriptions", &subscription).await.status, 201);
    }
    let answer = publish(&bench, ONE, &[], &event("e1", "order.created").to_string()).await;
    let accepted = json!({"id": "e1", "source": "/orders", "status": "accepted", "deliveries": 1});
    assert_eq!((answer.status.as_u16(), answer.json()), (202, accepted));
    assert_eq!(bench.queues.offered(), ["wants"]);
    let shown = bench.get("/v1/events/e1").await.json();
    assert_eq!(
        (&shown["event"]["source"], &shown["event"]["type"]),
        (&json!("/orders"), &json!("order.created"))
    );
    assert_eq!((&shown["origin"], &shown["request"]), (&json!("published"), &Value::Null));
    assert_eq!(shown["event"]["extensions"], json!({"team": "red"}));
    assert_eq!(bench.get("/v1/events/e1/data").await.json(), json!({"n": 1}));

    let again = publish(&bench, ONE, &[], &event("e1", "order.created").to_string()).await;
    let duplicate = json!({"id": "e1", "source": "/orders", "status": "duplicate"});
    assert_eq!((again.status.as_u16(), again.json()), (200, duplicate));
    assert!(bench.queues.offered().is_empty());
}

#[tokio::test]
async fn attributes_can_stand_in_header_fields() {
    let bench = Bench::new().await;
    let fields = [("ce-specversion", "1.0"), ("ce-id", "b1"), ("ce-source", "shop"), ("ce-type", "t")];
    let answer = publish(&bench, "text/plain", &fields, "as it is").await;
    assert_eq!(answer.status, 202);
    let data = bench.get("/v1/events/b1/data").await;
    assert_eq!(
        (data.headers["content-type"].to_str().unwrap(), &data.body[..]),
        ("text/plain", &b"as it is"[..])
    );
}

#[tokio::test]
async fn a_batch_is_published_as_a_whole_and_each_event_once() {
    let bench = Bench::new().await;
    let batch = json!([event("a", "t"), event("b", "t"), event("a", "t")]).to_string();
    let answer = publish(&bench, MANY, &[], &batch).await;
    let statuses = |answer: &Answer| -> Vec<String> {
        let answer = answer.json();
        answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["status"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (answer.status.as_u16(), statuses(&answer)),
        (202, vec!["accepted".into(), "accepted".into(), "duplicate".into()])
    );
    let again = publish(&bench, MANY, &[], &json!([event("a", "t"), event("c", "t")]).to_string()).await;
    assert_eq!((again.status.as_u16(), statuses(&again)), (202, vec!["duplicate".into(), "accepted".into()]));
    let wrong =
        publish(&bench, MANY, &[], &json!([event("d", "t"), {"specversion": "1.0"}]).to_string()).await;
    assert_eq!(wrong.problem(), (422, "invalid-document".into()));
    assert_eq!(bench.get("/v1/events/d").await.status, 404);
    let ids: Vec<Value> = bench.get(ALL).await.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(ids, ["c", "b", "a"]);
    assert_eq!(publish(&bench, MANY, &[], "[]").await.status, 200);
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_the_reason() {
    let bench = Bench::new().await;
    assert_eq!(publish(&bench, "application/json", &[], "{}").await.problem().0, 415);
    assert_eq!(publish(&bench, ONE, &[], "{").await.problem(), (400, "invalid-json".into()));
    let answer = publish(&bench, ONE, &[], "{}").await;
    assert_eq!(answer.problem(), (422, "invalid-document".into()));
    assert_eq!(answer.json()["problems"].as_array().unwrap().len(), 4);
    bench.store.close().await;
    assert_eq!(publish(&bench, ONE, &[], &event("e1", "t").to_string()).await.problem().0, 503);
}

#[tokio::test]
async fn publishers_of_one_event_at_once_publish_it_once() {
    let bench = Bench::new().await;
    let text = event("e1", "t").to_string();
    let all = (0..16).map(|_| publish(&bench, ONE, &[], &text));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(all).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!((&statuses[..15], statuses[15]), (&[200; 15][..], 202));
}
