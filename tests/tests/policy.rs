//! Delivery policies as they are kept by the real binary.

use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually};
use serde_json::json;

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
    let _ =
        gateway.post("s", &[("content-type".into(), "application/json".into())], b"{\"n\":1}").expect(202);
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
