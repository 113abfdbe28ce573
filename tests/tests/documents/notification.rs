//! What subscribers are told.

use super::{Flare, to, told};
use anglerfish_tests::{Receiver, Reply, eventually};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn each_subscriber_is_told_what_is_news_to_it() {
    let flare = Flare::start("", "");
    let (first, second) = (Receiver::start(), Receiver::start());
    let resource = flare.resource("http://h/users/{id}");
    flare.subscribe(&resource, &to(&first, "/a"));
    flare.put("http://h/users/1", r#"{"v": 1}"#);
    flare.put("http://h/users/1", r#"{"v": 1, "x": 1}"#);
    let _ = first.wait(1);
    flare.subscribe(&resource, &to(&second, "/b"));
    flare.put("http://h/users/1", r#"{"v": 0}"#);
    assert_eq!(told(&second, 1), [("create".to_owned(), json!({"v": 1}))]);
    flare.put("http://h/users/1", r#"{"v": 2}"#);
    assert_eq!(told(&second, 2)[1], ("update".to_owned(), json!({"v": 2})));
    // Who has not been told of the update by now would be told of the end alone.
    let _ = first.wait(2);
    flare.delete("http://h/users/1");
    flare.delete("http://h/users/1");
    let all = told(&first, 3);
    let actions: Vec<&str> = all.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["create", "update", "delete"]);
    assert_eq!(all[2].1, json!({"v": 2}), "the last content");
    let _ = second.wait(3);
    flare.put("http://h/users/1", r#"{"v": 1}"#);
    assert_eq!(told(&first, 4)[3], ("create".to_owned(), json!({"v": 1})));
}

#[test]
fn a_notification_is_as_its_subscription_asks_for() {
    let flare = Flare::start("", "");
    let receiver = Receiver::start();
    let resource = flare.resource("http://h/users/{id}/{kind}");
    let subscription = json!({
        "endpoint": {
            "url": receiver.url("/told/{id}?kind={kind}"), "method": "post",
            "headers": {"X-Kind": ["{kind} {revision}"], "X-Two": ["1", "2"]},
            "actions": {"delete": {"url": receiver.url("/gone"), "method": "DELETE", "headers": {"x-d": ["1"]}}}
        },
        "delivery": {"success": [200], "discard": [400]},
        "data": {"service": "user {id} {revision}", "rate": 1, "list": ["{id}"]}
    });
    let id = flare.subscribe(&resource, &subscription);
    flare.put("http://h/users/a%20b/x", r#"{"v": 7}"#);
    let request = receiver.wait(1).remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/told/a%20b?kind=x"));
    assert_eq!(request.header("x-kind"), Some("x 7"));
    assert_eq!(request.headers.iter().filter(|(name, _)| name == "x-two").count(), 2);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let text = String::from_utf8(request.body).unwrap();
    let updated = text.split("\"updatedAt\":\"").nth(1).unwrap().trim_end_matches("\"}");
    assert!(updated.ends_with('Z') && updated.contains('T'), "{text}");
    let expected = format!(
        concat!(
            r#"{{"action":"create","data":{{"list":["{{id}}"],"rate":1,"service":"user a b 7"}},"#,
            r#""document":{{"v": 7}},"id":"http://h/users/a b/x","updatedAt":"{}"}}"#
        ),
        updated
    );
    assert_eq!(text, expected);
    // The second document has values of its own.
    flare.put("http://h/users/2/y", r#"{"v": 1}"#);
    let request = receiver.wait(2).remove(1);
    assert_eq!(request.path, "/told/2?kind=y");
    let envelope: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(envelope["data"]["service"], "user 2 1");
    flare.delete("http://h/users/2/y");
    let request = receiver.wait(3).remove(2);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("DELETE", "/gone"));
    assert_eq!((request.header("x-d"), request.header("x-kind")), (Some("1"), None));
    // What is added to requests does not get into what is shown.
    let path = format!("/resources/{resource}/subscriptions/{id}");
    let shown = flare.ask("GET", &path, "").expect(200).json();
    assert_eq!(shown["data"], subscription["data"]);
    assert_eq!(shown["endpoint"]["headers"], subscription["endpoint"]["headers"]);
}

#[test]
fn without_an_envelope_the_document_goes_as_it_came_or_nothing_does() {
    let flare = Flare::start("", "");
    let (bare, none) = (Receiver::start(), Receiver::start());
    let resource = flare.resource("http://h/users/{id}");
    for (receiver, content) in
        [(&bare, json!({"envelope": false})), (&none, json!({"envelope": false, "document": false}))]
    {
        let mut subscription = to(receiver, "/");
        subscription["content"] = content;
        flare.subscribe(&resource, &subscription);
    }
    flare.put("http://h/users/1", "{ \"v\": 1,  \"n\": 9007199254740993 }");
    assert_eq!(bare.wait(1)[0].body, b"{ \"v\": 1,  \"n\": 9007199254740993 }");
    let request = none.wait(1).remove(0);
    assert!(request.body.is_empty(), "{request:?}");
    assert_eq!(request.header("content-type"), None);
}

#[test]
fn a_burst_collapses_while_a_subscriber_is_away_and_costs_the_others_nothing() {
    let down = Arc::new(AtomicBool::new(true));
    let taken = Arc::new(AtomicUsize::new(0));
    let (seen, counted) = (Arc::clone(&down), Arc::clone(&taken));
    let away = Receiver::with(move |_, _| {
        if seen.load(Ordering::SeqCst) {
            return Reply::status(503);
        }
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::status(200)
    });
    let there = Receiver::start();
    let one = |id: &str, receiver: &Receiver| {
        format!(
            "[[subscription]]\nid = \"{id}\"\nresource = \"users\"\n\
             endpoint = {{ url = \"{}\", method = \"POST\" }}\n\
             delivery = {{ throttle_on = [], retry = {{ backoff = \"fixed\", first = \"100ms\", max_attempts = 1000 }} }}\n",
            receiver.url("/")
        )
    };
    let resource =
        "[[resource]]\nid = \"users\"\nendpoint = \"http://h/users/{id}\"\nchange = { field = \"v\" }\n";
    let flare = Flare::start("", &[resource.to_owned(), one("away", &away), one("there", &there)].concat());
    flare.put("http://h/users/1", r#"{"v": 1}"#);
    let _ = away.wait(1);
    for version in 2..=20 {
        flare.put("http://h/users/1", &format!("{{\"v\": {version}}}"));
    }
    eventually("the other one is told", || {
        there.requests().iter().any(|one| one.body.windows(7).any(|part| part == b"\"v\": 20")).then_some(())
    });
    down.store(false, Ordering::SeqCst);
    eventually("it is told once it is back", || {
        let requests = away.requests();
        let last: Value = serde_json::from_slice(&requests.last()?.body).ok()?;
        (last["document"] == json!({"v": 20}) && last["action"] == "create").then_some(())
    });
    // What waited behind found nothing more to tell.
    flare.settled();
    assert_eq!(taken.load(Ordering::SeqCst), 1, "it took one notification of twenty revisions");
    let actions: Vec<Value> = away
        .requests()
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap()["action"].clone())
        .collect();
    assert!(actions.iter().all(|action| action == "create"), "it was told of one revision: {actions:?}");
}

#[test]
fn a_status_to_discard_counts_as_told_and_any_other_is_tried_again() {
    let flare = Flare::start("", "");
    let receiver = Receiver::with(|_, place| Reply::status([500, 400, 200, 200][place.min(3)]));
    let resource = flare.resource("http://h/users/{id}");
    flare.subscribe(&resource, &to(&receiver, "/"));
    flare.put("http://h/users/1", r#"{"v": 1}"#);
    let _ = receiver.wait(2);
    flare.put("http://h/users/1", r#"{"v": 2}"#);
    let actions: Vec<String> = told(&receiver, 3).into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["create", "create", "update"], "tried again, then discarded, then newer");
}
