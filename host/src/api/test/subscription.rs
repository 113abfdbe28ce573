//! `/v1/subscriptions`.

use super::rooms::read;
use super::{Bench, NOW, request};
use crate::store::{DeliveryStatus, Store, SubscriptionStore};
use crate::subscription::Declared;
use anglerfish_core::delivery::{DisableCause, Standing};
use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tempfile::TempDir;

const ALL: &str = "/v1/subscriptions";

fn document(id: &str, filter: &str) -> Value {
    json!({"id": id, "filter": filter, "endpoint": {"url": format!("http://example.com/{id}")}})
}

fn declared(id: &str) -> Declared {
    let mut document = document(id, "from.file");
    document["endpoint"]["secret"] = "whsec_hunter2".into();
    Declared { config: read(document.to_string().as_bytes()).unwrap(), document }
}

#[tokio::test]
async fn creates_reads_replaces_and_deletes_in_every_room() {
    let bench = Bench::new().await;
    let answer = bench.post(ALL, &document("a", "x")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["location"]),
        (201, &"/v1/subscriptions/a".parse().unwrap())
    );
    let shown = json!({
        "id": "a", "origin": "api", "state": "active", "open_deliveries": 0, "updated": "2023-11-14T22:13:20Z",
        "subscription": document("a", "x")
    });
    assert_eq!(answer.json(), shown);
    let mut one = bench.get("/v1/subscriptions/a").await.json();
    assert!(one.as_object_mut().unwrap().remove("queue").is_some());
    assert_eq!(one, shown);
    assert_eq!(bench.table.filters()["a"].as_deref(), Some("x"));
    assert_eq!(bench.queues.urls()["a"], "http://example.com/a");
    assert_eq!(bench.post(ALL, &document("a", "y")).await.problem(), (409, "subscription-exists".into()));
    assert_eq!(bench.table.filters()["a"].as_deref(), Some("x"));

    let mut without_id = document("a", "y");
    without_id.as_object_mut().unwrap().remove("id");
    let answer = bench.write(Method::PUT, "/v1/subscriptions/a", &without_id).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["subscription"]), (200, &document("a", "y")));
    assert_eq!(bench.table.filters()["a"].as_deref(), Some("y"));
    let answer = bench.write(Method::PUT, "/v1/subscriptions/new", &document("new", "z")).await;
    assert_eq!(answer.status, 201);
    let answer = bench.write(Method::PUT, "/v1/subscriptions/a", &document("b", "y")).await;
    assert_eq!((answer.problem().0, &answer.json()["problems"][0]["path"]), (422, &json!("id")));

    let delivery = bench.event("shop", "e1", &["a"]).await[0];
    assert_eq!(bench.delete("/v1/subscriptions/a").await.json(), json!({"abandoned": 1, "waiting": 0}));
    let ended = bench.get(&format!("/v1/deliveries/{delivery}")).await.json();
    assert_eq!(ended["delivery"]["status"], json!(DeliveryStatus::Dead));
    assert_eq!(ended["delivery"]["reason"], "the subscription was deleted");
    assert!(!bench.table.filters().contains_key("a") && !bench.queues.urls().contains_key("a"));
    for answer in [bench.get("/v1/subscriptions/a").await, bench.delete("/v1/subscriptions/a").await] {
        assert_eq!(answer.problem(), (404, "unknown-subscription".into()));
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let bench = Bench::new().await;
    bench.post(ALL, &document("a", "x")).await;
    bench.post(ALL, &document("b", "x")).await;
    bench.write(Method::PUT, "/v1/subscriptions/b", &document("b", "y")).await;
    bench.post(ALL, &document("c", "x")).await;
    bench.delete("/v1/subscriptions/c").await;
    let before = bench.get(ALL).await.json();
    let bench = bench.restart(Vec::new()).await;
    assert_eq!(bench.get(ALL).await.json(), before);
    assert_eq!(
        bench.table.filters().into_iter().collect::<Vec<_>>(),
        [("a".into(), Some("x".into())), ("b".into(), Some("y".into()))]
    );
    assert_eq!(bench.queues.urls().len(), 2);
}

#[tokio::test]
async fn tells_all_problems_of_a_document_at_once_and_changes_nothing() {
    let bench = Bench::new().await;
    let answer = bench.post(ALL, &json!({"endpoint": {"headers": {"authorization": "…"}}})).await;
    assert_eq!(answer.problem(), (422, "invalid-document".into()));
    let body = answer.json();
    let problems = body["problems"].as_array().unwrap();
    let paths = problems.iter().map(|problem| problem["path"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(paths, ["endpoint.headers.authorization", "id", "endpoint.url"]);

    let answer = bench.post(ALL, &json!({"id": "a", "filter": ")", "endpoint": {}})).await;
    let body = answer.json();
    let problems = body["problems"].as_array().unwrap();
    let paths = problems.iter().map(|problem| problem["path"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(paths, ["endpoint.url", "filter"], "the filter's problems are told beside the others");

    let answer = bench.post(ALL, &document("a", ")")).await;
    assert_eq!(
        answer.json()["problems"],
        json!([{"path": "filter", "message": "unexpected `)`", "line": 1, "column": 1}])
    );
    let twice = request(Method::POST, ALL).header("content-type", "application/json");
    let body = r#"{"id":"a","filter":"x","filter":"y","endpoint":{"url":"http://example.com/"}}"#;
    let answer = bench.send(twice.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.problem().0, 422);
    assert!(answer.json()["detail"].as_str().unwrap().contains("`filter` occurs twice"));
    assert!(bench.store.subscriptions().await.unwrap().is_empty());
    assert!(bench.table.filters().is_empty() && bench.queues.urls().is_empty());
}

#[tokio::test]
async fn a_change_that_cannot_be_applied_is_taken_back_everywhere() {
    let bench = Bench::new().await;
    bench.post(ALL, &document("a", "x")).await;
    let before = bench.get("/v1/subscriptions/a").await.json();
    let stored = bench.store.subscriptions().await.unwrap();
    bench.table.broken.store(true, Ordering::Relaxed);
    let mut changed = document("a", "y");
    changed["endpoint"]["url"] = "http://elsewhere.example/".into();
    let answer = bench.write(Method::PUT, "/v1/subscriptions/a", &changed).await;
    assert_eq!(answer.problem(), (503, "unavailable".into()));
    assert_eq!(bench.post(ALL, &document("b", "y")).await.problem(), (503, "unavailable".into()));
    bench.table.broken.store(false, Ordering::Relaxed);
    let mut refused = document("a", "y");
    refused["endpoint"]["url"] = "http://undeliverable.example/".into();
    let answer = bench.write(Method::PUT, "/v1/subscriptions/a", &refused).await;
    assert_eq!(answer.problem(), (422, "invalid-document".into()));

    assert_eq!(bench.get("/v1/subscriptions/a").await.json(), before);
    assert_eq!(bench.store.subscriptions().await.unwrap(), stored);
    assert_eq!(bench.table.filters().into_iter().collect::<Vec<_>>(), [("a".into(), Some("x".into()))]);
    assert_eq!(bench.queues.urls()["a"], "http://example.com/a");
    assert!(!bench.queues.urls().contains_key("b"));
}

#[tokio::test]
async fn what_cannot_be_persisted_is_not_applied() {
    let bench = Bench::new().await;
    bench.post(ALL, &document("a", "x")).await;
    bench.store.close().await;
    assert_eq!(bench.post(ALL, &document("b", "x")).await.problem().0, 503);
    assert_eq!(bench.delete("/v1/subscriptions/a").await.problem().0, 503);
    assert_eq!(bench.table.filters().into_keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(bench.queues.urls().into_keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(bench.get("/v1/subscriptions/a").await.status, 200);
}

#[tokio::test]
async fn those_of_the_file_are_shown_and_not_changed() {
    let bench = Bench::with(TempDir::new().unwrap(), vec![declared("a")], None).await;
    let shown = bench.get("/v1/subscriptions/a").await.json();
    assert_eq!((&shown["origin"], &shown["updated"]), (&json!("file"), &Value::Null));
    assert_eq!(shown["subscription"]["endpoint"]["secret"], "…");
    for answer in [
        bench.post(ALL, &document("a", "x")).await,
        bench.write(Method::PUT, "/v1/subscriptions/a", &document("a", "x")).await,
        bench.delete("/v1/subscriptions/a").await,
    ] {
        assert_eq!(answer.problem(), (409, "subscription-from-file".into()));
        assert!(answer.json()["detail"].as_str().unwrap().contains("configuration file"));
    }
    assert_eq!(bench.table.filters()["a"].as_deref(), Some("from.file"));
}

#[tokio::test]
async fn the_file_goes_before_the_store_and_leaves_it_alone() {
    let bench = Bench::new().await;
    bench.post(ALL, &document("a", "x")).await;
    let bench = bench.restart(vec![declared("a")]).await;
    assert_eq!(bench.get("/v1/subscriptions/a").await.json()["origin"], "file");
    assert_eq!(bench.table.filters()["a"].as_deref(), Some("from.file"));
    let bench = bench.restart(Vec::new()).await;
    assert_eq!(bench.get("/v1/subscriptions/a").await.json()["origin"], "api");
    assert_eq!(bench.table.filters()["a"].as_deref(), Some("x"));
}

#[tokio::test]
async fn a_stored_one_that_is_no_longer_valid_stops_nothing_else() {
    let bench = Bench::new().await;
    bench.post(ALL, &document("fine", "x")).await;
    let mut broken = document("broken", "x");
    broken["endpoint"]["secret"] = "env:GONE".into();
    let stored =
        crate::store::StoredSubscription { id: "broken".into(), document: broken.to_string(), updated: NOW };
    bench.store.put_subscription(stored).await.unwrap();
    let bench = bench.restart(Vec::new()).await;
    let shown = bench.get("/v1/subscriptions/broken").await.json();
    assert_eq!(
        (&shown["state"], &shown["problems"][0]["path"]),
        (&json!("invalid"), &json!("endpoint.secret"))
    );
    assert_eq!(bench.get("/v1/subscriptions/fine").await.json()["state"], "active");
    assert!(!bench.table.filters().contains_key("broken"));
    let answer = bench.write(Method::PUT, "/v1/subscriptions/broken", &document("broken", "y")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("active")));
}

#[tokio::test]
async fn a_stored_one_that_breaks_what_builds_it_is_listed_as_invalid_and_can_be_replaced_or_deleted() {
    let bench = Bench::new().await;
    for id in ["broken", "worse"] {
        let mut document = document(id, "x");
        document["endpoint"]["url"] = "http://explosive.example/".into();
        let document = document.to_string();
        let stored = crate::store::StoredSubscription { id: id.into(), document, updated: NOW };
        bench.store.put_subscription(stored).await.unwrap();
    }
    bench.post(ALL, &document("fine", "x")).await;
    let bench = bench.restart(Vec::new()).await;
    for id in ["broken", "worse"] {
        let shown = bench.get(&format!("/v1/subscriptions/{id}")).await.json();
        assert_eq!(shown["state"], "invalid");
        assert!(!shown["problems"][0]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(bench.table.filters().into_keys().collect::<Vec<_>>(), ["fine"]);
    let answer = bench.write(Method::PUT, "/v1/subscriptions/broken", &document("broken", "y")).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("active")));
    assert_eq!(bench.delete("/v1/subscriptions/worse").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_built_is_not_stored() {
    let bench = Bench::new().await;
    let mut refused = document("a", "y");
    refused["endpoint"]["url"] = "http://undeliverable.example/".into();
    assert_eq!(bench.post(ALL, &refused).await.problem(), (422, "invalid-document".into()));
    let long = json!({"id": "a", "endpoint": {"url": "http://example.com/"}, "filter": "x".repeat(300_000)});
    assert_eq!(bench.post(ALL, &long).await.problem(), (422, "invalid-document".into()));
    assert!(bench.store.subscriptions().await.unwrap().is_empty());
}

#[tokio::test]
async fn open_deliveries_of_one_that_is_gone_can_be_ended() {
    let bench = Bench::new().await;
    bench.event("shop", "e1", &["orphan"]).await;
    assert_eq!(bench.delete("/v1/subscriptions/orphan").await.json(), json!({"abandoned": 1, "waiting": 0}));
    assert_eq!(bench.delete("/v1/subscriptions/orphan").await.problem().0, 404);
}

#[tokio::test]
async fn open_deliveries_of_one_that_is_taken_out_of_the_file_end_with_the_reason() {
    let bench = Bench::with(TempDir::new().unwrap(), vec![declared("a"), declared("b")], None).await;
    let [delivery, other] = bench.event("shop", "e1", &["a", "b"]).await[..] else { panic!() };
    let bench = bench.restart(vec![declared("b")]).await;
    let ended = bench.get(&format!("/v1/deliveries/{delivery}")).await.json();
    assert_eq!(ended["delivery"]["status"], "dead");
    assert_eq!(ended["delivery"]["reason"], "the subscription was removed from the configuration file");
    let kept = bench.get(&format!("/v1/deliveries/{other}")).await.json();
    assert_eq!(kept["delivery"]["status"], "pending");
    // Once it is back it gets events again, and what ended can be retried.
    let bench = bench.restart(vec![declared("a"), declared("b")]).await;
    let again = bench.event("shop", "e2", &["a"]).await[0];
    let fresh = bench.get(&format!("/v1/deliveries/{again}")).await.json();
    assert_eq!(fresh["delivery"]["status"], "pending");
    let retried = bench.post(&format!("/v1/deliveries/{delivery}/retry"), &json!({})).await;
    assert_eq!(retried.status, 202);
}

#[tokio::test]
async fn no_answer_holds_a_secret() {
    let bench = Bench::with(TempDir::new().unwrap(), vec![declared("file")], None).await;
    let secret = json!({
        "id": "a",
        "endpoint": {
            "url": "http://user:hunter2@example.com/",
            "headers": {"authorization": "Bearer hunter2", "x-key": "env:KEY"},
            "secret": "whsec_hunter2"
        }
    });
    let mut answers = vec![bench.post(ALL, &secret).await];
    assert_eq!(answers[0].status, 201);
    assert_eq!(answers[0].json()["subscription"]["endpoint"]["headers"]["x-key"], "env:KEY");
    let mut wrong = secret.clone();
    wrong["endpoint"].as_object_mut().unwrap().remove("url");
    answers.push(bench.post(ALL, &secret).await);
    answers.push(bench.post(ALL, &wrong).await);
    answers.push(bench.write(Method::PUT, "/v1/subscriptions/a", &secret).await);
    answers.push(bench.write(Method::PUT, "/v1/subscriptions/b", &secret).await);
    for path in [ALL, "/v1/subscriptions/a", "/v1/subscriptions/file", "/metrics"] {
        answers.push(bench.get(path).await);
    }
    answers.push(bench.delete("/v1/subscriptions/a").await);
    for answer in answers {
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!text.contains("hunter2"), "{} {text}", answer.status);
    }
}

#[tokio::test]
async fn lists_by_id_in_parts() {
    let bench = Bench::new().await;
    for id in ["c", "a", "b"] {
        bench.post(ALL, &document(id, "x")).await;
    }
    let part = bench.get("/v1/subscriptions?limit=2").await.json();
    let next = part["next"].as_str().unwrap();
    let rest = bench.get(&format!("/v1/subscriptions?limit=2&cursor={next}")).await.json();
    let ids = |listing: &Value| {
        listing["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&part), ids(&rest)), (vec![json!("a"), json!("b")], vec![json!("c")]));
    assert_eq!(rest["next"], Value::Null);
}

#[tokio::test]
async fn writers_at_once_leave_one_of_their_documents_everywhere() {
    let bench = Bench::new().await;
    let writes = (0..16).map(|n| {
        let (bench, filter) = (&bench, format!("f{n}"));
        async move {
            let mut one = document("a", &filter);
            one["endpoint"]["url"] = format!("http://example.com/{filter}").into();
            bench.write(Method::PUT, "/v1/subscriptions/a", &one).await.status.as_u16()
        }
    });
    let mut statuses = futures_util::future::join_all(writes).await;
    statuses.sort_unstable();
    assert_eq!((statuses[..15].iter().all(|status| *status == 200), statuses[15]), (true, 201));
    let shown = bench.get("/v1/subscriptions/a").await.json();
    let filter = shown["subscription"]["filter"].as_str().unwrap();
    assert_eq!(bench.table.filters()["a"].as_deref(), Some(filter));
    assert_eq!(bench.queues.urls()["a"], format!("http://example.com/{filter}"));
    let stored: Value =
        serde_json::from_str(&bench.store.subscriptions().await.unwrap()[0].document).unwrap();
    assert_eq!(stored["filter"], filter);
}

#[tokio::test]
async fn a_subscription_may_be_called_test() {
    let bench = Bench::new().await;
    assert_eq!(bench.post(ALL, &document("test", "x")).await.status, 201);
    assert_eq!(bench.get("/v1/subscriptions/test").await.json()["id"], "test");
    assert_eq!(bench.delete("/v1/subscriptions/test").await.status, 200);
}

#[tokio::test]
async fn tries_a_filter_on_a_stored_event_or_one_written_out() {
    let bench = Bench::new().await;
    bench.event("shop", "e1", &[]).await;
    let path = "/v1/subscriptions/test";
    let verdict = bench.post(path, &json!({"filter": "order.created", "event_id": "e1"})).await.json();
    assert_eq!(verdict, json!({"outcome": "match", "reason": "14 bytes"}));
    let written = json!({"id": "e", "source": "shop", "type": "x", "data": {"a": 1}, "headers": {"h": "v"}});
    let verdict = bench.post(path, &json!({"filter": "order.created", "event": written})).await.json();
    assert_eq!(verdict, json!({"outcome": "no-match", "reason": "7 bytes"}));
    let bytes = json!({"id": "e", "source": "order.created", "data_base64": "/w=="});
    let verdict = bench.post(path, &json!({"filter": "order.created", "event": bytes})).await.json();
    assert_eq!(verdict, json!({"outcome": "match", "reason": "1 bytes"}));

    assert_eq!(bench.post(path, &json!({"filter": ")", "event_id": "e1"})).await.problem().0, 422);
    assert_eq!(bench.post(path, &json!({"filter": "x", "event_id": "e2"})).await.problem().0, 404);
    for (body, place) in [
        (json!({"filter": "x"}), "event"),
        (json!({"event": bytes, "event_id": "e1"}), "event"),
        (json!({"event": bytes, "source": "shop"}), "source"),
        (json!({"event": {"id": "e", "source": "s", "data_base64": "!"}}), "event.data_base64"),
        (json!({"event": {"id": "e", "source": "s", "data": 1, "data_base64": ""}}), "event.data_base64"),
        (json!({"event": {"id": "e", "source": "s", "time": "1969-12-31T23:59:59.9Z"}}), "event.time"),
        (json!({"event": {"id": "e", "source": "s", "time": "now"}}), "event.time"),
        (json!({"event": {"id": 1}}), ""),
        (json!([]), ""),
    ] {
        let answer = bench.post(path, &body).await;
        assert_eq!(answer.problem(), (422, "invalid-document".into()), "{body}");
        assert_eq!(answer.json()["problems"][0]["path"], place, "{body}");
    }
    assert!(bench.table.filters().is_empty());
}

#[tokio::test]
async fn one_that_says_so_leaves_its_deliveries_waiting_until_it_comes_back_or_is_deleted_again() {
    let bench = Bench::new().await;
    let mut waits = document("a", "x");
    waits["when_removed"] = "wait".into();
    bench.post(ALL, &document("b", "x")).await;
    bench.post(ALL, &waits).await;
    let delivery = bench.event("shop", "e1", &["a"]).await[0];
    assert_eq!(bench.get("/v1/subscriptions/a").await.json()["open_deliveries"], 1);
    assert_eq!(bench.delete("/v1/subscriptions/a").await.json(), json!({"abandoned": 0, "waiting": 1}));

    let removed = json!({
        "id": "a", "origin": null, "state": "removed", "open_deliveries": 1, "updated": null, "subscription": null
    });
    assert_eq!(bench.get("/v1/subscriptions/a").await.json(), removed);
    let listed = bench.get(ALL).await.json();
    assert_eq!((&listed["items"][0], &listed["items"][1]["id"]), (&removed, &json!("b")));
    let first = bench.get(&format!("{ALL}?limit=1")).await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), &first["items"][0]), (1, &removed));
    let next = bench.get(&format!("{ALL}?limit=1&cursor={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((&next["items"][0]["id"], &next["next"]), (&json!("b"), &Value::Null));
    let address = format!("/v1/deliveries/{delivery}");
    let waiting = bench.get(&address).await.json();
    assert_eq!(waiting["delivery"]["status"], "pending");
    assert_eq!(waiting["delivery"]["reason"], "its subscription was removed; it waits for it to come back");

    bench.post(ALL, &waits).await;
    assert_eq!(bench.get(&address).await.json()["delivery"]["reason"], Value::Null);
    bench.delete("/v1/subscriptions/a").await;
    assert_eq!(bench.delete("/v1/subscriptions/a").await.json(), json!({"abandoned": 1, "waiting": 0}));
    assert_eq!(bench.get(&address).await.json()["delivery"]["reason"], "the subscription was deleted");
    assert_eq!(bench.get("/v1/subscriptions/a").await.problem().0, 404);
}

#[tokio::test]
async fn is_paused_and_resumed_and_says_so() {
    let bench = Bench::new().await;
    bench.post("/v1/subscriptions", &document("a", "order.created")).await;
    let shown = bench.get("/v1/subscriptions/a").await.json();
    assert_eq!((&shown["state"], shown.get("stopped")), (&json!("active"), None));
    let queue = json!({"running": 1, "ready": 2, "waits_for": "rate", "until": "2023-11-14T22:13:20Z"});
    assert_eq!(shown["queue"], queue);
    let paused = bench.post("/v1/subscriptions/a/pause", &json!({})).await.json();
    assert_eq!(paused["state"], "paused");
    assert_eq!(paused["stopped"], json!({"since": "2023-11-14T22:13:20Z", "reason": "a test says so"}));
    let cause = DisableCause::Gone(410);
    bench.queues.standings.lock().unwrap().insert("a".into(), Standing::Disabled(cause));
    assert_eq!(bench.get("/v1/subscriptions").await.json()["items"][0]["state"], "disabled");
    assert_eq!(bench.post("/v1/subscriptions/a/resume", &json!({})).await.json()["state"], "active");
    for verb in ["pause", "resume"] {
        let answer = bench.post(&format!("/v1/subscriptions/nobody/{verb}"), &json!({})).await;
        assert_eq!(answer.problem(), (404, "unknown-subscription".into()));
    }
    bench.post("/v1/subscriptions", &document("unwritable", "order.created")).await;
    assert_eq!(bench.post("/v1/subscriptions/unwritable/pause", &json!({})).await.problem().0, 503);
    bench.post("/v1/subscriptions/a/pause", &json!({})).await;
    bench.delete("/v1/subscriptions/a").await;
    bench.post("/v1/subscriptions", &document("a", "order.created")).await;
    assert_eq!(bench.get("/v1/subscriptions/a").await.json()["state"], "active");
}

#[tokio::test]
async fn every_attempt_of_a_policy_can_be_seen_before_it_is_used() {
    let bench = Bench::new().await;
    bench.post("/v1/subscriptions", &document("a", "order.created")).await;
    let planned = bench.get("/v1/subscriptions/a/schedule").await.json();
    assert_eq!(planned["attempts"].as_array().unwrap().len(), 10);
    let last = json!({"number": 2, "wait_s": 5.0, "at_s": 5.0, "earliest_s": 4.0, "latest_s": 6.0});
    assert_eq!(planned["attempts"][1], last);
    assert_eq!(bench.get("/v1/subscriptions/b/schedule").await.problem().0, 404);

    let retry =
        json!({"backoff": "exponential", "first": "1s", "max_attempts": 4, "jitter": 0, "max_age": "5s"});
    let planned = bench.post("/v1/schedule", &json!({"delivery": {"retry": retry}})).await.json();
    let waits: Vec<_> = planned["attempts"].as_array().unwrap().iter().map(|one| &one["at_s"]).collect();
    assert_eq!((waits, &planned["max_age_s"]), (vec![&json!(0.0), &json!(1.0), &json!(3.0)], &json!(5.0)));
    assert_eq!(bench.post("/v1/schedule", &json!({})).await.json()["attempts"][9]["number"], 10);
    let wrong = json!({"delivery": {"retry": {"backoff": "cubic", "jitter": 2}}});
    let answer = bench.post("/v1/schedule", &wrong).await;
    let paths: Vec<_> =
        answer.json()["problems"].as_array().unwrap().iter().map(|one| one["path"].clone()).collect();
    assert_eq!(paths, ["delivery.retry.backoff", "delivery.retry.jitter"]);
}
