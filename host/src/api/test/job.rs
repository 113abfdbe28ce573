//! `/v1/jobs`.

use super::{Bench, NOW};
use crate::store::{LogStore, Settled};
use serde_json::{Value, json};
use std::time::Duration;

fn subscription(id: &str, start: Option<Value>) -> Value {
    let mut document = json!({"id": id, "endpoint": {"url": "http://example.com/"}});
    if let Some(start) = start {
        document["start"] = start;
    }
    document
}

/// Waits until there is something.
async fn soon<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let seen = async {
        loop {
            match look().await {
                Some(seen) => return seen,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap()
}

impl Bench {
    /// Does the steps of jobs until this one has ended.
    async fn job(&self, id: &Value) -> Value {
        tokio::select! {
            () = self.jobs.clone().run() => unreachable!("it runs for ever"),
            job = self.ended(id) => job,
        }
    }

    /// Waits until a job has ended whose steps somebody does.
    async fn ended(&self, id: &Value) -> Value {
        soon(async || {
            let job = self.get(&format!("/v1/jobs/{id}")).await.json();
            (job["state"] != "running").then_some(job)
        })
        .await
    }

    async fn open(&self) -> Value {
        let page = self.get("/v1/deliveries?status=pending&limit=500").await.json();
        let items = page["items"].as_array().unwrap().iter().rev();
        items.map(|one| json!([one["subscription"], one["event"]["id"]])).collect()
    }
}

#[tokio::test]
async fn dead_deliveries_are_retried_by_a_job_oldest_first() {
    let bench = Bench::new().await;
    for id in ["a", "b"] {
        assert_eq!(bench.post("/v1/subscriptions", &subscription(id, None)).await.status, 201);
    }
    for id in ["e1", "e2", "e3"] {
        // The last of them is for a subscription that is gone.
        for delivery in bench.commit(super::new_event("shop", id, &["a", "b", "gone"])).await {
            let settled = if id == "e2" { Settled::Delivered } else { Settled::Dead };
            bench.settle(&delivery, settled).await;
        }
    }
    let running = tokio::spawn(bench.jobs.clone().run());
    let made = bench.post("/v1/jobs", &json!({"kind": "retry", "status": "dead", "subscription": "a"})).await;
    assert_eq!(made.status, 202);
    assert_eq!(made.headers["location"], "/v1/jobs/1");
    let made = made.json();
    assert_eq!(
        (&made["kind"], &made["state"], &made["status"]),
        (&json!("retry"), &json!("running"), &json!("dead"))
    );
    let job = bench.ended(&made["id"]).await;
    assert_eq!((&job["state"], &job["done"], &job["progress"]), (&json!("finished"), &json!(2), &json!(1.0)));
    assert_eq!(bench.open().await, json!([["a", "e1"], ["a", "e3"]]));
    // It has ended in the store before anybody is woken.
    assert_eq!(soon(async || Some(bench.queues.woken()).filter(|woken| !woken.is_empty())).await, ["a"]);

    let all = bench.post("/v1/jobs", &json!({"kind": "retry", "status": "dead"})).await.json();
    let job = bench.ended(&all["id"]).await;
    assert_eq!((&job["done"], &job["examined"]), (&json!(2), &json!(4)), "not those of the one that is gone");
    running.abort();
    let list = bench.get("/v1/jobs?state=finished&limit=1").await.json();
    assert_eq!((&list["items"][0]["id"], list["next"].is_string()), (&json!(2), true));
    let next = bench.get(&format!("/v1/jobs?cursor={}", list["next"].as_str().unwrap())).await.json();
    assert_eq!(next["items"][0]["id"], 1);
}

#[tokio::test]
async fn a_stretch_of_the_log_is_replayed_to_who_wants_it_now() {
    let bench = Bench::new().await;
    let mut wants = subscription("a", None);
    wants["filter"] = json!("order.created");
    assert_eq!(bench.post("/v1/subscriptions", &wants).await.status, 201);
    assert_eq!(bench.post("/v1/subscriptions", &subscription("b", None)).await.status, 201);
    for (source, id, to) in [("shop", "e1", vec!["a"]), ("forge", "e2", vec![]), ("shop", "e3", vec![])] {
        bench.event(source, id, &to).await;
    }
    let mut other = super::new_event("shop", "e4", &[]);
    other.event.kind = "order.deleted".into();
    bench.commit(other).await;
    let run = async |body: Value| {
        let made = bench.post("/v1/jobs", &body).await;
        assert_eq!(made.status, 202, "{body}");
        let job = bench.job(&made.json()["id"]).await;
        assert_eq!(job["state"], "finished");
        (job["done"].as_u64().unwrap(), job["examined"].as_u64().unwrap())
    };
    // Its filter is asked anew; events of it are replayed, or those alone that it has nothing of.
    assert_eq!(
        run(json!({"kind": "replay", "subscription": "a", "from": "earliest", "missing": true})).await,
        (2, 4)
    );
    assert_eq!(run(json!({"kind": "replay", "subscription": "a", "from": 2})).await, (2, 3));
    assert_eq!(run(json!({"kind": "replay", "subscription": "a", "from": 1, "until": 2})).await, (1, 1));
    assert_eq!(
        run(json!({"kind": "replay", "subscription": "a", "from": 1, "source": "forge"})).await,
        (1, 4)
    );
    assert_eq!(
        run(json!({"kind": "replay", "subscription": "b", "from": 1, "type": "order.deleted"})).await,
        (1, 4)
    );
    let later = json!({"kind": "replay", "subscription": "b", "from": "2033-01-01T00:00:00Z"});
    assert_eq!(run(later).await, (0, 0));
    // Without a subscription all that had it get it again.
    assert_eq!(run(json!({"kind": "replay", "from": 4})).await, (1, 1));
}

#[tokio::test]
async fn a_new_subscription_starts_in_the_past_and_once() {
    let bench = Bench::new().await;
    bench.event("shop", "e1", &[]).await;
    bench.event("shop", "e2", &[]).await;
    let start = json!("earliest");
    // The clock of these tests stands still long ago: what follows the log has done so for long.
    assert_eq!(bench.post("/v1/subscriptions", &subscription("a", Some(start.clone()))).await.status, 201);
    let job = bench.job(&json!(1)).await;
    assert_eq!(
        (&job["kind"], &job["state"], &job["subscription"]),
        (&json!("start"), &json!("finished"), &json!("a"))
    );
    assert_eq!(bench.open().await, json!([["a", "e1"], ["a", "e2"]]));
    let replaced =
        bench.write(http::Method::PUT, "/v1/subscriptions/a", &subscription("a", Some(start))).await;
    assert_eq!(replaced.status, 200);
    assert_eq!(bench.get("/v1/jobs").await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(bench.post("/v1/subscriptions", &subscription("b", Some(json!(2)))).await.status, 201);
    bench.job(&json!(2)).await;
    assert_eq!(bench.open().await, json!([["a", "e1"], ["a", "e2"], ["b", "e2"]]));
    assert_eq!(*bench.store.head().borrow(), crate::store::EventSeq(2));
}

#[tokio::test]
async fn a_job_is_watched_and_cancelled() {
    let bench = Bench::new().await;
    assert_eq!(bench.post("/v1/subscriptions", &subscription("a", None)).await.status, 201);
    for number in 0..1010 {
        bench.event("shop", &format!("e{number}"), &[]).await;
    }
    let job = bench.post("/v1/jobs", &json!({"kind": "replay", "subscription": "a", "from": 1})).await.json();
    let waits = soon(async || {
        let job = bench.get("/v1/jobs/1").await.json();
        let reason = job["waits_for"].as_str()?.to_owned();
        Some((job, reason))
    });
    let (held, reason) = tokio::select! {
        () = bench.jobs.clone().run() => unreachable!("it runs for ever"),
        held = waits => held,
    };
    assert_eq!((&held["done"], &held["position"], &held["last"]), (&json!(1000), &json!(1000), &json!(1010)));
    assert!(reason.contains("`a` has as many open deliveries as it may"), "{reason}");
    assert!((0.98..1.0).contains(&held["progress"].as_f64().unwrap()), "{held}");
    let cancelled = bench.post("/v1/jobs/1/cancel", &json!({})).await.json();
    assert_eq!(
        (&cancelled["state"], &cancelled["reason"]),
        (&json!("cancelled"), &json!("somebody cancelled it"))
    );
    assert_eq!(cancelled["waits_for"], Value::Null);
    assert_eq!(bench.post("/v1/jobs/1/cancel", &json!({})).await.problem(), (409, "job-ended".into()));
    assert_eq!(job["created"], NOW.rfc3339().unwrap());
    for path in ["/v1/jobs/7", "/v1/jobs/07", "/v1/jobs/x"] {
        assert_eq!(bench.get(path).await.problem(), (404, "unknown-job".into()), "{path}");
    }
    assert_eq!(bench.post("/v1/jobs/7/cancel", &json!({})).await.problem(), (404, "unknown-job".into()));
}

#[tokio::test]
async fn a_job_that_cannot_be_is_told_all_its_problems() {
    let bench = Bench::new().await;
    assert_eq!(bench.post("/v1/subscriptions", &subscription("a", None)).await.status, 201);
    for (body, places) in [
        (json!({}), vec!["kind"]),
        (json!({"kind": "resend"}), vec!["kind"]),
        (json!({"kind": "retry"}), vec!["status"]),
        (json!({"kind": "retry", "status": "lost", "subscription": "x"}), vec!["subscription", "status"]),
        (json!({"kind": "retry", "status": "dead", "from": 1}), vec!["from"]),
        (json!({"kind": "retry", "status": "dead", "since": "yesterday"}), vec!["since"]),
        (json!({"kind": "replay", "subscription": "a"}), vec!["from"]),
        (json!({"kind": "replay", "subscription": "a", "from": "now"}), vec!["from"]),
        (json!({"kind": "replay", "from": 0, "missing": true}), vec!["from", "missing"]),
        (json!({"kind": "replay", "from": 1, "until": "earliest"}), vec!["until"]),
        (json!({"kind": "replay", "from": 3, "until": 2}), vec!["until"]),
        (json!({"kind": "replay", "from": 3, "until": 3}), vec!["until"]),
        (
            json!({"kind": "replay", "from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
            vec!["until"],
        ),
        (
            json!({
                "kind": "retry", "status": "dead",
                "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z",
            }),
            vec!["until"],
        ),
    ] {
        let answer = bench.post("/v1/jobs", &body).await;
        assert_eq!(answer.problem(), (422, "invalid-document".into()), "{body}");
        let problems = answer.json()["problems"].as_array().unwrap().clone();
        let told: Vec<_> = problems.iter().map(|problem| problem["path"].as_str().unwrap()).collect();
        assert_eq!(told, places, "{body}");
    }
}
