//! Delivery policies as they are kept by the real binary.

use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SOURCE: &str = "[[source]]\nname = \"s\"\nscheme = \"none\"\n";

fn setup(receiver: &Receiver, delivery: &str) -> Setup {
    let url = receiver.url("/");
    let rest = format!(
        "{SOURCE}[[subscription]]\nid = \"a\"\nendpoint = {{ url = \"{url}\", allow_private = true }}\n\
         [subscription.delivery]\n{delivery}\n"
    );
    Setup { rest, ..Setup::default() }
}

fn post(gateway: &Gateway) {
    let _ = gateway.post_json("s", b"{\"n\":1}").expect(202);
}

#[test]
fn a_gone_endpoint_disables_its_subscription_over_a_restart_until_it_is_resumed() {
    let receiver =
        Receiver::with(|_, place| if place == 0 { Reply::status(410) } else { Reply::status(204) });
    let mut gateway = Gateway::set_up(&setup(&receiver, "retry = { delays = [\"10ms\", \"10ms\"] }"));
    post(&gateway);
    let shown = || gateway.get("/v1/subscriptions/a");
    eventually("the subscription is disabled", || (shown()["state"] == "disabled").then_some(()));
    assert!(shown()["stopped"]["reason"].as_str().unwrap_or_default().contains("410"), "{}", shown());
    gateway.wait_log("the subscription is disabled until somebody resumes it");
    post(&gateway);
    gateway.kill();
    gateway.spawn();
    assert_eq!(gateway.get("/v1/subscriptions/a")["state"], "disabled");
    let metrics = gateway.api("GET", "/metrics", None).text();
    let line = "anglerfish_subscription_stopped{subscription=\"a\",standing=\"disabled\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert_eq!(receiver.requests().len(), 1);

    let resumed = gateway.run(&["subscriptions", "resume", "a"], b"").expect(0);
    assert_eq!(resumed.stdout, "subscription a is active\n");
    let _ = receiver.wait(3);
}

#[test]
fn an_endpoint_that_asks_to_be_left_alone_gets_nothing_meanwhile() {
    let receiver = Receiver::with(|_, place| {
        if place == 0 { Reply::status(429).header("retry-after", "2") } else { Reply::status(204) }
    });
    let gateway = Gateway::set_up(&setup(&receiver, "concurrency = 1\nretry = { delays = [\"10ms\"] }"));
    for _ in 0..3 {
        post(&gateway);
    }
    let stamps: Vec<u64> = receiver
        .wait(4)
        .iter()
        .map(|one| one.header("webhook-timestamp").and_then(|text| text.parse().ok()).expect("a time"))
        .collect();
    assert!(stamps[1..].iter().all(|stamp| *stamp >= stamps[0] + 2), "{stamps:?}");
}

#[test]
fn the_schedule_of_a_subscription_is_the_same_from_its_file_and_from_the_api() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let policy = "retry = { backoff = \"linear\", first = \"2s\", max_attempts = 4, jitter = 0 }";
    let gateway = Gateway::set_up(&setup(&receiver, policy));
    let api = gateway.get("/v1/subscriptions/a/schedule");
    let at: Vec<_> =
        api["attempts"].as_array().into_iter().flatten().map(|one| one["at_s"].clone()).collect();
    assert_eq!(json!(at), json!([0.0, 2.0, 6.0, 12.0]));
    let config = gateway.config();
    let mut command = Gateway::command();
    command.args(["schedule", "a", "--format", "json", "--config"]).arg(config);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON"), api);
}

#[test]
fn a_rate_is_kept_within_a_hundredth_and_says_what_waits() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let gateway = Gateway::set_up(&setup(&receiver, "rate = { per_second = 20, burst = 1 }"));
    let begun = Instant::now();
    for _ in 0..60 {
        post(&gateway);
    }
    let queue = eventually("the rate holds some up", || {
        let shown = gateway.get("/v1/subscriptions/a")["queue"].clone();
        (shown["waits_for"] == "rate").then_some(shown)
    });
    assert!(queue["until"].is_string() && queue["ready"].as_u64() > Some(0), "{queue}");
    let _ = receiver.wait(60);
    // The first one at once, and 59 after it.
    assert!(begun.elapsed() >= Duration::from_millis(59 * 50 - 30), "{:?}", begun.elapsed());
}

#[test]
fn a_breaker_opens_is_seen_and_closes_by_itself() {
    let healed = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&healed);
    let receiver =
        Receiver::with(move |_, _| Reply::status(if state.load(Ordering::SeqCst) { 204 } else { 500 }));
    let policy = "concurrency = 1\nbreaker = { failures = 3, probe = \"1s\" }\nretry = { delays = [\"10ms\", \"10ms\", \
                  \"10ms\", \"10ms\", \"10ms\", \"10ms\", \"10ms\", \"10ms\"] }";
    let gateway = Gateway::set_up(&setup(&receiver, policy));
    post(&gateway);
    gateway.wait_log("the breaker opens");
    let shown = eventually("the breaker holds it up", || {
        let shown = gateway.get("/v1/subscriptions/a");
        (shown["queue"]["waits_for"] == "breaker").then_some(shown)
    });
    assert!(shown["queue"]["failing_since"].is_string() && shown["state"] == "active", "{shown}");
    let line = "anglerfish_subscription_breaker_open{subscription=\"a\"} 1";
    assert!(gateway.api("GET", "/metrics", None).text().contains(line));
    assert_eq!(receiver.requests().len(), 3);
    healed.store(true, Ordering::SeqCst);
    gateway.wait_log("the breaker closes");
    let delivery = eventually("it arrives", || {
        let shown = gateway.get("/v1/deliveries/1");
        (shown["delivery"]["status"] == "delivered").then_some(shown)
    });
    assert_eq!(delivery["attempts"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_subscription_that_stops_is_an_event_for_those_who_ask_for_it_alone() {
    let (failing, watching, everything) = (
        Receiver::with(|_, _| Reply::status(500)),
        Receiver::with(|_, _| Reply::status(204)),
        Receiver::with(|_, _| Reply::status(204)),
    );
    let mut setup = setup(
        &failing,
        "disable_after = \"1s\"\nbreaker = false\nretry = { delays = [\"600ms\", \"600ms\", \"600ms\"] }",
    );
    for (id, receiver, sources) in [("w", &watching, "[\"anglerfish\"]"), ("e", &everything, "[\"s\"]")] {
        setup.rest.push_str(&format!(
            "[[subscription]]\nid = \"{id}\"\nsources = {sources}\nendpoint = {{ url = \"{}\", allow_private = true }}\n",
            receiver.url("/")
        ));
    }
    let gateway = Gateway::set_up(&setup);
    post(&gateway);
    let [told] = &watching.wait(1)[..] else { panic!("not one event") };
    assert_eq!(told.header("ce-type"), Some("anglerfish.subscription.disabled"));
    assert_eq!((told.header("ce-source"), told.header("ce-subject")), (Some("anglerfish"), Some("a")));
    let data: serde_json::Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!((&data["subscription"], &data["state"]), (&json!("a"), &json!("disabled")));
    let reason = data["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("nothing but failures for "), "{data}");
    let id = told.header("ce-id").expect("an id");
    assert_eq!(gateway.get(&format!("/v1/events/{id}"))["origin"], "operational");
    let _ = gateway.run(&["subscriptions", "enable", "a"], b"").expect(0);
    let kinds: Vec<_> =
        watching.wait(2).iter().map(|one| one.header("ce-type").unwrap_or_default().to_owned()).collect();
    assert_eq!(kinds[1], "anglerfish.subscription.resumed");
    assert_eq!(everything.wait(1).len(), 1, "only the event of the source");
    // The subscription of all sources, which failed, did not get them either.
    assert!(failing.requests().iter().all(|one| one.header("ce-source") == Some("s")));
}

/// A gateway whose subscription is paused, with room for two.
fn bounded(receiver: &Receiver, full: &str) -> Gateway {
    let gateway = Gateway::set_up(&setup(receiver, &format!("backlog = {{ max = 2, full = \"{full}\" }}")));
    let _ = gateway.run(&["subscriptions", "pause", "a"], b"").expect(0);
    gateway
}

fn statuses(gateway: &Gateway) -> Vec<String> {
    let listed = gateway.get("/v1/deliveries?subscription=a&limit=100");
    let items = listed.get("items").and_then(|items| items.as_array()).cloned().unwrap_or_default();
    let status = |one: &serde_json::Value| one.get("status")?.as_str().map(str::to_owned);
    items.iter().rev().filter_map(status).collect()
}

fn overflow(gateway: &Gateway, full: &str, count: u64) {
    let line = format!("anglerfish_backlog_overflow_total{{subscription=\"a\",full=\"{full}\"}} {count}");
    let metrics = gateway.api("GET", "/metrics", None).text();
    assert!(metrics.contains(&line), "{metrics}");
}

#[test]
fn a_full_backlog_refuses_what_is_new_and_keeps_a_trace_of_it_over_a_restart() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let mut gateway = bounded(&receiver, "refuse");
    for _ in 0..4 {
        post(&gateway);
    }
    assert_eq!(statuses(&gateway), ["pending", "pending", "dead", "dead"]);
    overflow(&gateway, "refuse", 2);
    gateway.wait_log("the backlog is full");
    gateway.kill();
    gateway.spawn();
    post(&gateway);
    assert_eq!(statuses(&gateway)[4..], ["dead"]);
    let shown = gateway.get("/v1/deliveries/3");
    let reason = shown["delivery"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("refused: 2 deliveries were open"), "{shown}");
    let _ = gateway.run(&["subscriptions", "resume", "a"], b"").expect(0);
    let _ = receiver.wait(2);
    let _ = gateway.api("POST", "/v1/deliveries/3/retry", None).expect(202);
    let _ = receiver.wait(3);
    post(&gateway);
    let _ = receiver.wait(4);
}

#[test]
fn a_full_backlog_can_drop_what_is_oldest() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let gateway = bounded(&receiver, "drop-oldest");
    for _ in 0..4 {
        post(&gateway);
    }
    assert_eq!(statuses(&gateway), ["dead", "dead", "pending", "pending"]);
    overflow(&gateway, "drop-oldest", 2);
    let shown = gateway.get("/v1/deliveries/1");
    let reason = shown["delivery"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("dropped for delivery 3"), "{shown}");
}

#[test]
fn a_full_backlog_drops_also_what_its_queue_has_leased_and_may_not_attempt_yet() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let policy = "rate = { per_hour = 1 }\nbacklog = { max = 3, full = \"drop-oldest\" }";
    let gateway = Gateway::set_up(&setup(&receiver, policy));
    post(&gateway);
    let _ = receiver.wait(1);
    eventually("the first one is recorded", || (statuses(&gateway) == ["delivered"]).then_some(()));
    for _ in 0..3 {
        post(&gateway);
    }
    eventually("the queue has them", || {
        (gateway.get("/v1/subscriptions/a")["queue"]["ready"] == 3).then_some(())
    });
    for _ in 0..2 {
        post(&gateway);
    }
    assert_eq!(statuses(&gateway), ["delivered", "dead", "dead", "pending", "pending", "pending"]);
    overflow(&gateway, "drop-oldest", 2);
    // What only waits for the rate is due by hand as well.
    let _ = gateway.api("POST", "/v1/deliveries/4/retry", None).expect(202);
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn a_full_backlog_can_pause_and_catches_up_from_the_log_in_order_over_a_kill() {
    const EVENTS: usize = 40;
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let mut setup = setup(
        &receiver,
        "concurrency = 1\nordering = \"subscription\"\nbacklog = { max = 2, full = \"pause\" }",
    );
    let others = Receiver::with(|_, _| Reply::status(204));
    setup.rest.push_str(&format!(
        "[[subscription]]\nid = \"b\"\nendpoint = {{ url = \"{}\", allow_private = true }}\n",
        others.url("/")
    ));
    let mut gateway = Gateway::set_up(&setup);
    let _ = gateway.run(&["subscriptions", "pause", "a"], b"").expect(0);
    let send = |gateway: &Gateway, n: usize| {
        let _ = gateway.post_json("s", json!({"n": n}).to_string().as_bytes()).expect(202);
    };
    (0..EVENTS / 2).for_each(|n| send(&gateway, n));
    let _ = others.wait(EVENTS / 2);
    assert_eq!(statuses(&gateway), ["pending", "pending"], "no more than two are open");
    overflow(&gateway, "pause", EVENTS as u64 / 2 - 2);
    gateway.wait_log("the backlog is full");
    let shown = gateway.get("/v1/subscriptions/a");
    // The log may have told of the pause as well, so the positions are counted from each other.
    let left = |key: &str| shown["catching_up"][key].as_u64().unwrap_or_default();
    assert_eq!(left("job"), 1, "{shown}");
    assert_eq!(left("last") - left("position"), EVENTS as u64 / 2 - 2, "{shown}");
    let told = gateway.run(&["jobs", "show", "1"], b"").expect(0).stdout;
    assert!(told.contains("catch-up") && told.contains("open deliveries as it may"), "{told}");
    gateway.kill();
    gateway.spawn();
    let _ = gateway.run(&["subscriptions", "resume", "a"], b"").expect(0);
    // What comes while it catches up stands behind what is older.
    (EVENTS / 2..EVENTS).for_each(|n| send(&gateway, n));
    let requests = receiver.wait_until("all of them", |requests| requests.len() >= EVENTS);
    let numbers: Vec<_> = requests
        .iter()
        .map(|one| serde_json::from_slice::<serde_json::Value>(&one.body).unwrap_or_default()["n"].as_u64())
        .collect();
    assert_eq!(numbers, (0..EVENTS as u64).map(Some).collect::<Vec<_>>());
    let job = eventually("it has caught up", || {
        let job = gateway.get("/v1/jobs/1");
        (job["state"] == "finished").then_some(job)
    });
    assert!(job["done"].as_u64() >= Some(EVENTS as u64 / 2 - 2), "{job}");
    assert!(gateway.get("/v1/subscriptions/a").get("catching_up").is_none());
    send(&gateway, EVENTS);
    let _ = receiver.wait(EVENTS + 1);
    assert_eq!(gateway.list("/v1/jobs", 9).len(), 1, "there was room");
}

#[test]
fn deliveries_of_one_key_keep_their_order_and_hold_up_no_other_key() {
    let failed = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&failed);
    // The first of customer 1 fails twice, also over a restart.
    let receiver = Receiver::with(move |request, _| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let fails = body["n"] == 0 && !state.load(Ordering::SeqCst);
        Reply::status(if fails { 500 } else { 204 })
    });
    let policy = "ordering = { by = \"key\", key = \"message.customer\" }\nbreaker = false\n\
                  retry = { backoff = \"fixed\", first = \"300ms\", max_attempts = 100 }";
    let mut gateway = Gateway::set_up(&setup(&receiver, policy));
    for n in 0..12 {
        let body = json!({"n": n, "customer": n % 3 + 1}).to_string();
        let _ = gateway.post_json("s", body.as_bytes()).expect(202);
    }
    let taken = |receiver: &Receiver| -> Vec<u64> {
        let bodies =
            receiver.requests().into_iter().map(|one| serde_json::from_slice(&one.body).unwrap_or_default());
        bodies.map(|body: serde_json::Value| body["n"].as_u64().unwrap_or(99)).collect()
    };
    eventually("the other customers have got theirs", || {
        let taken = taken(&receiver);
        [1, 4, 7, 10, 2, 5, 8, 11].iter().all(|n| taken.contains(n)).then_some(())
    });
    assert!(taken(&receiver).iter().all(|n| n % 3 != 0 || *n == 0), "{:?}", taken(&receiver));
    let waiting = gateway.get("/v1/deliveries/4");
    assert_eq!(waiting["delivery"]["reason"], "it waits for an earlier delivery of its ordering key");
    gateway.kill();
    gateway.spawn();
    failed.store(true, Ordering::SeqCst);
    eventually("all are delivered", || statuses(&gateway).iter().all(|one| one == "delivered").then_some(()));
    for customer in 0..3 {
        let mut own: Vec<u64> = taken(&receiver).into_iter().filter(|n| n % 3 == customer).collect();
        own.dedup();
        assert_eq!(own, [customer, customer + 3, customer + 6, customer + 9], "customer {customer}");
    }
}

#[test]
fn header_fields_that_are_asked_for_are_sent_along_and_no_secret_is() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let gateway = Gateway::set_up(&setup(
        &receiver,
        "forward_headers = [\"x-shop-*\", \"user-agent\", \"cache-control\"]",
    ));
    let headers = [
        ("content-type", "application/json"),
        ("x-shop-topic", "orders/paid"),
        ("X-Shop-Test", "a"),
        ("x-shop-test", "b"),
        ("x-shop-token", "hunter2"),
        ("x-other", "no"),
        ("user-agent", "shop/1"),
        ("cache-control", "no-store"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let _ = gateway.post("s", &headers, b"{}").expect(202);
    let [sent] = &receiver.wait(1)[..] else { panic!("not one request") };
    let all = |name: &str| -> Vec<&str> {
        sent.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!((all("x-shop-topic"), all("x-shop-test")), (vec!["orders/paid"], vec!["a", "b"]));
    assert_eq!(
        (all("cache-control"), all("x-other"), all("x-shop-token")),
        (vec!["no-store"], vec![], vec![])
    );
    // The gateway says who sends; that is not handed on.
    assert!(all("user-agent")[0].starts_with("anglerfish/"), "{:?}", all("user-agent"));
    let problems = gateway.api(
        "POST",
        "/v1/subscriptions",
        Some(&json!({
            "id": "b", "endpoint": {"url": "https://example.com"}, "delivery": {"forward_headers": ["host"]}
        })),
    );
    assert!(problems.expect(422).text().contains("delivery.forward_headers[0]"));
}
