//! Bulk work of the real binary: it survives the process, waits for those who are slow, and begins once.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Gateway, Receiver, Reply, Request, Setup, eventually, send};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Publishes `count` events in batches; `shop` is their source, and `n` counts them from `first` on.
fn publish(gateway: &Gateway, first: usize, count: usize) {
    let numbers = (first..first + count).collect::<Vec<_>>();
    for numbers in numbers.chunks(100) {
        let events = numbers.iter().map(|n| {
            json!({"specversion": "1.0", "id": format!("e{n}"), "source": "shop", "type": "order", "data": {"n": n}})
        });
        let request = Request {
            method: "POST".into(),
            path: "/v1/events".into(),
            headers: vec![("content-type".into(), "application/cloudevents-batch+json".into())],
            body: events.collect::<Value>().to_string().into_bytes(),
            chunked: false,
        };
        let _ = send(gateway.admin(), &request).unwrap().expect(202);
    }
}

fn subscription(id: &str, receiver: &Receiver, rest: &str) -> String {
    let url = receiver.url(&format!("/{id}"));
    format!(
        "[[subscription]]\nid = \"{id}\"\nendpoint = {{ url = \"{url}\", allow_private = true }}\n{rest}\n"
    )
}

fn ended(gateway: &Gateway, id: &Value) -> Value {
    eventually("the job has ended", || {
        let job = gateway.get(&format!("/v1/jobs/{id}"));
        (job["state"] != "running").then_some(job)
    })
}

#[test]
fn a_replay_goes_on_after_kill_9_and_makes_each_delivery_once() {
    const EVENTS: usize = 2500;
    let receiver = Receiver::start();
    let filter = "filter = \"message.n % 2 == 0\"\ndelivery = { concurrency = 50 }";
    let setup = |subscriptions: String| Setup { rest: subscriptions, ..Setup::default() };
    let mut gateway = Gateway::set_up(&setup(String::new()));
    publish(&gateway, 0, EVENTS);
    gateway.write(&setup(subscription("late", &receiver, filter)));
    gateway.restart();
    // A thousand may be open: the job cannot be done before it is killed.
    let _ = gateway.api("POST", "/v1/subscriptions/late/pause", None).expect(200);
    let body = json!({"kind": "replay", "subscription": "late", "from": "earliest"});
    let job = gateway.api("POST", "/v1/jobs", Some(&body)).expect(202).json();
    let held = eventually("the job waits", || {
        let job = gateway.get("/v1/jobs/1");
        (!job["waits_for"].is_null()).then_some(job)
    });
    assert_eq!((&held["done"], &held["state"]), (&json!(1000), &json!("running")));
    let _ = gateway.api("POST", "/v1/subscriptions/late/resume", None).expect(200);
    let _ = receiver.wait_until("a few", |requests| requests.len() > 50);
    gateway.kill();
    gateway.spawn();
    let job = ended(&gateway, &job["id"]);
    assert_eq!((&job["state"], &job["done"]), (&json!("finished"), &json!(1250)));
    let deliveries = gateway.settled();
    let events: HashSet<_> = deliveries.iter().map(|one| one["event"]["id"].to_string()).collect();
    assert_eq!((deliveries.len(), events.len()), (1250, 1250), "each once");
    assert!(deliveries.iter().all(|one| one["status"] == "delivered"));
    let got: HashSet<_> =
        receiver.requests().iter().map(|one| one.header("ce-id").unwrap().to_owned()).collect();
    assert_eq!(got.len(), 1250);
}

#[test]
fn a_subscription_of_the_file_starts_in_the_past_once() {
    let receiver = Receiver::start();
    let setup = |subscriptions: String| Setup { rest: subscriptions, ..Setup::default() };
    let mut gateway = Gateway::set_up(&setup(String::new()));
    publish(&gateway, 0, 5);
    let first = subscription("all", &receiver, "start = \"earliest\"");
    gateway.write(&setup(first.clone()));
    gateway.restart();
    let _ = receiver.wait(5);
    publish(&gateway, 5, 1);
    let _ = receiver.wait(6);
    gateway.restart();
    let both = first + &subscription("some", &receiver, "start = 4");
    gateway.write(&setup(both));
    let _ = gateway.run(&["reload"], b"").expect(0);
    let requests = receiver.wait_until("three of them", |requests| {
        let some = requests.iter().filter(|one| one.path == "/some");
        some.map(|one| one.header("ce-id")).collect::<HashSet<_>>().len() == 3
    });
    let some: Vec<_> = requests.iter().filter(|one| one.path == "/some").collect();
    let mut got: Vec<_> = some.iter().map(|one| one.header("ce-id").unwrap()).collect();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, ["e3", "e4", "e5"]);
    let jobs = gateway.list("/v1/jobs", 9);
    let told: Vec<_> =
        jobs.iter().map(|job| (job["kind"].as_str().unwrap(), job["subscription"].clone())).collect();
    assert_eq!(told, [("start", json!("some")), ("start", json!("all"))]);
    let by_api =
        json!({"id": "api", "start": 6, "endpoint": {"url": receiver.url("/api"), "allow_private": true}});
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&by_api)).expect(201);
    let _ = receiver.wait_until("the last one", |requests| requests.iter().any(|one| one.path == "/api"));
    let wrong = json!({"id": "b", "start": "yesterday", "endpoint": {"url": "https://example.com/"}});
    let told = gateway.api("POST", "/v1/subscriptions", Some(&wrong)).expect(422).json();
    assert_eq!(told["problems"][0]["path"], "start");
    // All of it once, also after yet another start; what follows the log for a while ends by itself.
    gateway.restart();
    for id in 1..=3 {
        assert_eq!(ended(&gateway, &json!(id))["state"], "finished");
    }
    // An attempt that a restart cut short is made again; its delivery is the same one.
    let got: HashSet<_> = receiver
        .requests()
        .iter()
        .map(|one| (one.path.clone(), one.header("ce-id").unwrap().to_owned()))
        .collect();
    assert_eq!((gateway.settled().len(), got.len()), (10, 10));
}

#[test]
fn a_job_waits_for_a_full_backlog_and_others_do_not_wait_for_it() {
    let receiver = Receiver::with(|request, _| match &*request.path {
        "/slow" => Reply::held(200),
        _ => Reply::status(200),
    });
    let slow = subscription("slow", &receiver, "delivery = { concurrency = 2, backlog = { max = 5 } }");
    let only = "filter = \"message.n >= 20\"";
    let gateway = Gateway::start(&(slow + &subscription("quick", &receiver, only)));
    publish(&gateway, 0, 20);
    let refused = eventually("all but five are refused", || {
        let dead = gateway.list("/v1/deliveries?status=dead", 99);
        (dead.len() == 15).then_some(dead)
    });
    assert!(refused[0]["reason"].as_str().unwrap().starts_with("refused: 5 deliveries"), "{refused:?}");
    let body = json!({"kind": "retry", "status": "dead", "subscription": "slow"});
    let job = gateway.api("POST", "/v1/jobs", Some(&body)).expect(202).json();
    let held = eventually("the job waits", || {
        let job = gateway.get(&format!("/v1/jobs/{}", job["id"]));
        (!job["waits_for"].is_null()).then_some(job)
    });
    assert_eq!(held["done"], 0, "no more than five may be open");
    publish(&gateway, 20, 1);
    let _ = receiver.wait_until("the other one", |requests| requests.iter().any(|one| one.path == "/quick"));
    receiver.release();
    let job = ended(&gateway, &job["id"]);
    assert_eq!((&job["state"], &job["done"]), (&json!("finished"), &json!(15)));
    let _ = gateway.settled();
    for line in [
        "anglerfish_jobs_running{kind=\"retry\"} 0",
        "anglerfish_jobs_waiting{kind=\"retry\"} 0",
        "anglerfish_job_deliveries_total{kind=\"retry\"} 15",
        "anglerfish_jobs_ended_total{kind=\"retry\",state=\"finished\"} 1",
        "anglerfish_job_deliveries_total{kind=\"catch-up\"} 0",
    ] {
        eventually(line, || gateway.api("GET", "/metrics", None).text().contains(line).then_some(()));
    }
}
