//! A filter that fails to evaluate never counts as a match, and never fails in silence.

use super::{SOURCE, ids, post};
use anglerfish_tests::{Gateway, Receiver};
use serde_json::Value;

const FAILING: &[(&str, &str)] = &[
    ("missing", "message.customer.vip"),
    ("negated", "!message.customer.vip"),
    ("unequal", "message.customer != 'x'"),
    ("kind", "message.quantity.startsWith('3')"),
    ("division", "message.quantity / message.zero == 1"),
    ("index", "message.list[7] == 1"),
    ("no-boolean", "message.quantity"),
    ("steps", "message.list.all(a, message.long.all(b, message.long.all(c, message.long.all(d, true))))"),
];

fn config(receiver: &Receiver) -> String {
    let mut text = SOURCE.to_owned();
    for (id, filter) in FAILING.iter().chain(&[("right", "message.quantity == 3")]) {
        text.push_str(&format!(
            "[[subscription]]\nid = \"{id}\"\nfilter = '''{filter}'''\n\
             endpoint = {{ url = \"{}\", allow_private = true }}\n",
            receiver.url(&format!("/{id}"))
        ));
    }
    text
}

fn body() -> String {
    let long = (0..100).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    format!(r#"{{"quantity":3,"zero":0,"list":[1,2,3],"long":[{long}]}}"#)
}

#[test]
fn it_is_no_match_and_it_is_seen_in_the_explanation_and_in_the_metrics() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&config(&receiver));
    let answer = post(&gateway, "d-1", body().as_bytes()).expect(202);
    assert_eq!(answer.json()["deliveries"], 1);
    assert_eq!(receiver.wait(1)[0].path, "/right");

    let explanation = gateway.get("/v1/events/d-1/explain");
    let verdict = |id: &str| -> Value {
        let verdicts = explanation["subscriptions"].as_array().unwrap();
        verdicts.iter().find(|verdict| verdict["id"] == id).unwrap().clone()
    };
    assert_eq!(verdict("right")["outcome"], "match");
    for (id, filter) in FAILING {
        let verdict = verdict(id);
        assert_eq!(verdict["outcome"], "error", "{filter}: {verdict}");
        assert!(verdict["reason"].as_str().is_some_and(|reason| reason.len() > 5), "{verdict}");
    }
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    // A filter that the index leaves out, because what it asks for is missing, is not evaluated and so does not fail.
    let failures = metrics.lines().find_map(|line| line.strip_prefix("anglerfish_filter_failures_total "));
    assert!(failures.unwrap().parse::<usize>().unwrap() >= 1, "{metrics}");
    let _ = gateway.settled();
    assert_eq!(ids(&receiver), ["d-1"]);
}

#[test]
fn the_command_line_explains_it_the_same_way() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&config(&receiver));
    let body = body();
    let headers: serde_json::Map<String, Value> = super::request("d-1", body.as_bytes())
        .headers
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    let line = serde_json::json!({"headers": headers, "body": body, "source": "hub"}).to_string();
    let told = gateway.run(&["explain", "--request", "-"], line.as_bytes()).expect(0).json();
    let _ = post(&gateway, "d-1", body.as_bytes()).expect(202);
    assert_eq!(told["subscriptions"], gateway.get("/v1/events/d-1/explain")["subscriptions"]);
}
