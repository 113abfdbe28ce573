//! Calls. Nothing attempts them here: they stand as they were made.

use super::*;
use crate::call::{ApiDefinition, NewCall};
use crate::store::{CallWrite, Commit};
use anglerfish_core::call::{CallHistory, CallRecord, CallState, Happened};
use anglerfish_core::config::read_api;
use anglerfish_tests::{Receiver, Reply};
use serde_json::json;

/// The API that there is.
pub(super) fn api() -> ApiDefinition {
    let document = json!({"name": "billing", "url": "https://billing.example.com/v1", "retries": 1});
    ApiDefinition::of(read_api(&document, "").unwrap(), &document)
}

/// The calls of a gateway on this store, to an API at `url`.
pub(super) async fn calls_on(store: &Arc<dyn Store>, url: &str) -> Calls {
    let (table, queues) = (Arc::new(Table::default()), Arc::new(Queues::default()));
    let subscriptions = Subscriptions::open(
        Vec::new(),
        Arc::new(read),
        store.clone(),
        table.clone(),
        queues.clone(),
        WallClock::default(),
    );
    let parts = CallParts {
        store: store.clone(),
        subscriptions: subscriptions.await.unwrap(),
        outlet: queues,
        outbound: Outbound::try_new(OutboundOptions::default()).unwrap(),
        host_rates: Default::default(),
        supervisor: Supervisor::default(),
        metrics: CallMetrics::default(),
        clock: WallClock::default(),
    };
    let document =
        json!({"name": "billing", "url": url, "allow_private": true, "allow_ports": [9], "concurrency": 20});
    let api = ApiDefinition::of(read_api(&document, "").unwrap(), &document);
    Calls::open(parts, vec![api]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_work_on_one_store_one_makes_each_attempt() {
    const CALLS: usize = 60;
    let receiver = Receiver::with(|_, _| Reply::status(200).body(b"yes"));
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(&directory.path().join("a.db"), SqliteOptions::default()).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let (one, other) =
        (calls_on(&store, &receiver.url("/")).await, calls_on(&store, &receiver.url("/")).await);
    let mut ids = Vec::new();
    for _ in 0..CALLS {
        ids.push(one.add(NewCall::new("billing", "x")).await.unwrap().0.head.id);
    }
    // Both find all of them due.
    let running = [tokio::spawn(one.clone().run()), tokio::spawn(other.clone().run())];
    for id in &ids {
        let call = loop {
            let call = one.wait(id, Duration::from_millis(20)).await.unwrap();
            if call.head.state != CallState::Pending {
                break call;
            }
        };
        assert_eq!((call.head.state, call.head.records.len()), (CallState::Success, 3), "{:?}", call.head);
    }
    assert_eq!(receiver.requests().len(), CALLS);
    running.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_a_clock_has_planned_which_was_put_back_do_not_wait_for_it() {
    const DAY: u64 = 24 * 3_600_000;
    let receiver = Receiver::with(|_, _| Reply::status(200));
    let directory = TempDir::new().unwrap();
    let store = SqliteStore::open(&directory.path().join("a.db"), SqliteOptions::default()).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let calls = calls_on(&store, &receiver.url("/")).await;
    let mut ids = Vec::new();
    // One that was just made, and one that waits for its second attempt; both by a clock that is a day ahead.
    for is_tried in [false, true] {
        let (mut call, _) = calls.add(NewCall::new("billing", "x")).await.unwrap();
        let at = call.head.created.0 + DAY;
        let mut history = CallHistory::begin(2, UnixMillis(at));
        if is_tried {
            let failure =
                Happened::Failure { attempt: 0, status: None, reason: "no".into(), next: Some(at + 50) };
            for happened in [Happened::Attempt { attempt: 0, deadline: at }, failure] {
                history.take(CallRecord { at, happened }).unwrap();
            }
        }
        call.head.records = history.records().to_vec();
        (call.head.due, call.head.planned) = (history.due(), UnixMillis(at));
        ids.push(call.head.id.clone());
        let write = CallWrite { expected: Some(call.head.revision), call };
        store.commit(Commit { calls: vec![write], ..Commit::new(UnixMillis(at)) }).await.unwrap();
    }
    let running = tokio::spawn(calls.clone().run());
    for (id, attempts) in ids.iter().zip([1, 2]) {
        let call = calls.wait(id, Duration::from_secs(60)).await.unwrap();
        assert_eq!(call.head.state, CallState::Success, "{:?}", call.head);
        let begun = call.head.records.iter().filter(|one| matches!(one.happened, Happened::Attempt { .. }));
        assert_eq!(begun.count(), attempts);
    }
    running.abort();
}

#[tokio::test]
async fn a_key_is_said_once() {
    let bench = Bench::new().await;
    let doubled = request(Method::POST, "/v1/calls")
        .header("content-type", "application/json")
        .header("idempotency-key", "a")
        .header("idempotency-key", "a")
        .body(Body::from(json!({"api": "billing"}).to_string()))
        .unwrap();
    assert_eq!(bench.send(doubled).await.problem(), (422, "invalid-document".to_owned()));
}

#[tokio::test]
async fn a_call_is_made_once_for_its_key_and_looked_at() {
    let bench = Bench::new().await;
    let new = json!({"api": "billing", "external_uuid": "k", "path": "/orders", "body": "{}"});
    let made = bench.post("/v1/calls", &new).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let call = made.json();
    assert_eq!(
        (&call["state"], &call["external_uuid"], &call["attempts"]),
        (&json!("pending"), &json!("k"), &json!(0))
    );
    let id = call["id"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/v1/calls/{id}"));
    let again = bench.post("/v1/calls", &new).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::OK, &call["id"]));
    let shown = bench.get(&format!("/v1/calls/{id}")).await.json();
    assert_eq!(
        (&shown["history"][0]["class"], &shown["policy"]),
        (&json!("request"), &json!({"retries": 1}))
    );
    let listed = bench.get("/v1/calls?state=pending&api=billing").await.json();
    assert_eq!(listed["items"][0]["id"], call["id"]);
    let of_key = "/v1/calls?api=billing&external_uuid=k";
    assert_eq!(bench.get(of_key).await.json()["items"][0]["id"], call["id"]);
    assert_eq!(bench.get(&format!("{of_key}&state=pending")).await.json()["items"][0]["id"], call["id"]);
    assert_eq!(bench.get(&format!("{of_key}&state=success")).await.json()["items"], json!([]));
    assert_eq!(bench.get("/v1/calls?state=success").await.json()["items"], json!([]));
    // The log tells of it.
    let event = bench.get(&format!("/v1/events/{id}")).await.json();
    assert_eq!(
        (&event["event"]["type"], &event["origin"]),
        (&json!("anglerfish.call.request"), &json!("call"))
    );

    // The field may say the key as a string, and names of fields have no case.
    let mut same = new.clone();
    same.as_object_mut().unwrap().remove("external_uuid");
    let request = super::request(Method::POST, "/v1/calls").header("content-type", "application/json");
    let request = request.header("idempotency-key", "\"k\"").body(Body::from(same.to_string())).unwrap();
    let quoted = bench.send(request).await;
    assert_eq!((quoted.status, &quoted.json()["id"]), (StatusCode::OK, &call["id"]));
    let mut other = new.clone();
    other["body"] = json!("[]");
    let refused = bench.post("/v1/calls", &other).await;
    assert_eq!(refused.problem(), (422, "idempotency-key-reused".to_owned()));
    assert_eq!(refused.json()["call"], call["id"]);
}

#[tokio::test]
async fn a_call_is_cancelled_and_opened_again_under_its_key() {
    let bench = Bench::new().await;
    let new = json!({"api": "billing", "external_uuid": "k"});
    let id = bench.post("/v1/calls", &new).await.json()["id"].as_str().unwrap().to_owned();
    let early = bench.post(&format!("/v1/calls/{id}/retry"), &json!({})).await;
    assert_eq!(early.problem(), (409, "call-ended".to_owned()));
    let cancelled = bench.post(&format!("/v1/calls/{id}/cancel"), &json!({})).await.json();
    assert_eq!(cancelled["state"], "cancelled");
    let again = bench.post(&format!("/v1/calls/{id}/cancel"), &json!({})).await;
    assert_eq!(again.problem(), (409, "call-ended".to_owned()));
    // With `wait` an ended one is answered at once.
    let waited = bench.post("/v1/calls?wait=60s", &new).await;
    assert_eq!((waited.status, &waited.json()["state"]), (StatusCode::OK, &json!("cancelled")));
    let reopened = bench.post(&format!("/v1/calls/{id}/retry"), &json!({})).await;
    assert_eq!(reopened.status, StatusCode::ACCEPTED);
    assert_eq!(reopened.json()["state"], "pending");
    assert_eq!(bench.get("/v1/calls/call_x").await.problem(), (404, "unknown-call".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_every_problem() {
    let bench = Bench::new().await;
    let new =
        json!({"api": "billing", "method": "GET", "path": "/../x", "headers": {"Host": "x"}, "body": "x"});
    let refused = bench.post("/v1/calls", &new).await;
    assert_eq!(refused.problem(), (422, "invalid-document".to_owned()));
    let problems = refused.json()["problems"].as_array().unwrap().clone();
    let mut paths: Vec<&str> = problems.iter().map(|one| one["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["body", "headers.Host", "path"]);
    for (new, code) in [
        (json!({"api": "nobody"}), "unknown-api"),
        (json!({"api": "billing", "body": "x", "body_base64": "eA=="}), "invalid-document"),
        (json!({"api": "billing", "body_base64": "!"}), "invalid-document"),
        (json!({"api": "billing", "external_uuid": "a b"}), "invalid-document"),
        (json!({"api": "billing", "colour": 1}), "invalid-document"),
    ] {
        assert_eq!(bench.post("/v1/calls", &new).await.problem(), (422, code.to_owned()), "{new}");
    }
    assert_eq!(bench.get("/v1/calls?external_uuid=k").await.problem(), (400, "invalid-query".to_owned()));
    assert_eq!(bench.get("/v1/calls/x?wait=2h").await.problem(), (400, "invalid-query".to_owned()));
    assert_eq!(bench.get("/v1/calls").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_is_said_of_an_api_holds_for_later_calls_and_is_told_in_the_log() {
    let bench = Bench::new().await;
    let first = bench.post("/v1/calls", &json!({"api": "billing"})).await.json();
    let said = json!({"retries": 7, "timeout": "2s"});
    let api = bench.patch("/v1/apis/billing", &said).await;
    assert_eq!(api.status, StatusCode::OK);
    assert_eq!((&api.json()["attempts"], &api.json()["settings"]), (&json!(8), &said));
    let second = bench.post("/v1/calls", &json!({"api": "billing"})).await.json();
    assert_eq!((&first["policy"]["retries"], &second["policy"]["retries"]), (&json!(1), &json!(7)));
    let events = bench.get("/v1/events?type=anglerfish.call.configuration").await.json();
    // What the first call was made with, and what was said then.
    assert_eq!(events["items"].as_array().unwrap().len(), 2);
    let back = bench.patch("/v1/apis/billing", &json!({"retries": null})).await.json();
    assert_eq!((&back["attempts"], &back["open"]), (&json!(2), &json!(2)));
    for (name, said, status) in [("billing", json!({"url": "x"}), 422), ("nobody", json!({}), 404)] {
        assert_eq!(bench.patch(&format!("/v1/apis/{name}"), &said).await.problem().0, status);
    }
    assert_eq!(bench.get("/v1/apis").await.json()["items"][0]["policy"]["timeout"], "2s");
}

#[tokio::test]
async fn the_first_brokers_address_writes_a_request_down_once() {
    const UUID: &str = "0190a2b4-6f3e-7c11-8d6a-2f4b9c1d0e5f";
    let bench = Bench::new().await;
    let path = format!("/request/{UUID}");
    assert_eq!(bench.get(&path).await.problem(), (404, "unknown-call".to_owned()));
    let made = bench.post(&path, &json!({"data": "abc"})).await;
    assert_eq!((made.status, &made.json()["external_uuid"]), (StatusCode::CREATED, &json!(UUID)));
    let shown = bench.get(&format!("/request/{}", UUID.to_uppercase())).await;
    assert_eq!((shown.status, shown.json()), (StatusCode::OK, made.json()));
    assert_eq!(
        bench.post(&path, &json!({"data": "abc"})).await.problem(),
        (409, "request-exists".to_owned())
    );
    for path in ["/request/1", "/request/0190a2b46f3e-7c11-8d6a-2f4b9c1d0e5f-"] {
        assert_eq!(bench.get(path).await.problem(), (400, "invalid-uuid".to_owned()));
    }
}
