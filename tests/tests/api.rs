//! The management API: subscriptions written at run time, listings, access.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Receiver, Request, Setup, github, send};
use serde_json::{Value, json};
use std::collections::HashSet;

const GITHUB: &str = "secret of the repository";
const OUTGOING: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXJlY2VpdmVyLWluLXRlc3Q=";
const TOKEN: &str = "0123456789abcdef-token-of-the-tests";

const SOURCE: &str = r#"
    [[source]]
    name = "hub"
    scheme = "github"
    secrets = ["secret of the repository"]
"#;

fn post(gateway: &Gateway, id: &str, body: &str) -> Answer {
    gateway.post("hub", &github(GITHUB, id, body.as_bytes()), body.as_bytes())
}

fn subscription(id: &str, url: &str, filter: Option<&str>) -> Value {
    let mut document = json!({"id": id, "endpoint": {"url": url, "secret": OUTGOING, "allow_private": true}});
    if let Some(filter) = filter {
        document["filter"] = filter.into();
    }
    document
}

#[test]
fn a_subscription_written_at_run_time_gets_events_at_once_and_after_a_restart() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::start(SOURCE);
    assert_eq!(post(&gateway, "before", "{}").expect(202).json()["deliveries"], 0);
    let document = subscription("orders", &receiver.url("/orders"), Some("message.n > 1"));
    let created = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    assert_eq!(created.header("location"), Some("/v1/subscriptions/orders"));
    assert_eq!((&created.json()["id"], &created.json()["state"]), (&json!("orders"), &json!("active")));

    assert_eq!(post(&gateway, "small", "{\"n\":1}").expect(202).json()["deliveries"], 0);
    assert_eq!(post(&gateway, "one", "{\"n\":2}").expect(202).json()["deliveries"], 1);
    assert_eq!(receiver.wait(1)[0].header("webhook-id"), Some("one"));

    gateway.restart();
    assert_eq!(gateway.get("/v1/subscriptions/orders")["subscription"]["filter"], "message.n > 1");
    assert_eq!(post(&gateway, "still-small", "{\"n\":1}").expect(202).json()["deliveries"], 0);
    assert_eq!(post(&gateway, "two", "{\"n\":2}").expect(202).json()["deliveries"], 1);
    let ids: HashSet<_> = receiver
        .wait_until("the second event", |all| all.iter().any(|one| one.header("webhook-id") == Some("two")))
        .iter()
        .filter_map(|one| one.header("webhook-id").map(str::to_owned))
        .collect();
    assert_eq!(ids, HashSet::from(["one".to_owned(), "two".to_owned()]));

    assert_eq!(gateway.api("POST", "/v1/subscriptions", Some(&document)).status, 409, "it is there already");
}

#[test]
fn a_replaced_subscription_follows_its_new_document_and_a_deleted_one_gets_nothing() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let mut gateway = Gateway::start(SOURCE);
    let path = "/v1/subscriptions/a";
    let _ = gateway.api("PUT", path, Some(&subscription("a", &first.url("/"), None))).expect(201);
    assert_eq!(post(&gateway, "one", "{}").expect(202).json()["deliveries"], 1);
    let _ = first.wait(1);
    let _ = gateway.api("PUT", path, Some(&subscription("a", &second.url("/"), None))).expect(200);
    assert_eq!(post(&gateway, "two", "{}").expect(202).json()["deliveries"], 1);
    assert_eq!(second.wait(1)[0].header("webhook-id"), Some("two"));
    assert_eq!(first.requests().len(), 1);

    let _ = gateway.api("DELETE", path, None).expect(200);
    assert_eq!(gateway.api("GET", path, None).status, 404);
    assert_eq!(gateway.api("DELETE", path, None).status, 404);
    assert_eq!(post(&gateway, "three", "{}").expect(202).json()["deliveries"], 0);
    gateway.restart();
    assert_eq!(gateway.api("GET", path, None).status, 404);
    assert_eq!(post(&gateway, "four", "{}").expect(202).json()["deliveries"], 0);
}

#[test]
fn a_document_with_problems_is_refused_with_all_of_them_and_changes_nothing() {
    let gateway = Gateway::start(SOURCE);
    let create = |document: &Value| gateway.api("POST", "/v1/subscriptions", Some(document));

    let syntax = create(&subscription("a", "http://127.0.0.1:1029/", Some("message.n >\n  && 1")));
    assert_eq!(syntax.problem(422), "invalid-document");
    let problems = syntax.json()["problems"].clone();
    assert_eq!(problems[0]["path"], "filter", "{problems}");
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&json!(2), &json!(3)), "{problems}");

    let several = create(&json!({
        "id": "a b", "sources": ["hub"], "retries": 3,
        "endpoint": {"url": "ftp://example.com", "secret": "hunter2hunter2"}
    }));
    assert_eq!(several.problem(422), "invalid-document");
    let problems = several.json()["problems"].clone();
    let paths: HashSet<_> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["path"].as_str().unwrap().to_owned())
        .collect();
    for path in ["id", "retries", "endpoint.url", "endpoint.secret"] {
        assert!(paths.contains(path), "nothing is said of {path}: {problems}");
    }
    assert!(!several.text().contains("hunter2"), "{}", several.text());

    let _ = create(&subscription("a", "http://127.0.0.1:1029/", Some("message.n + \"x\" == 1 ? 2 : 3")))
        .problem(422);
    // This program has no flows that it could start.
    let flow = create(&json!({"id": "a", "flow": "order"}));
    assert_eq!(flow.problem(422), "invalid-document");
    assert_eq!(flow.json()["problems"][0]["path"], "flow", "{}", flow.text());
    let request = Request {
        method: "POST".into(),
        path: "/v1/subscriptions".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: b"{\"id\":".to_vec(),
        chunked: false,
    };
    let _ = send(gateway.admin(), &request).unwrap().problem(400);
    assert!(gateway.list("/v1/subscriptions", 10).is_empty());
}

#[test]
fn what_stands_in_the_file_is_changed_in_the_file_only() {
    let receiver = Receiver::start();
    let text = format!(
        "{SOURCE}\n[[subscription]]\nid = \"fixed\"\nendpoint = {{ url = \"{}\", secret = \"{OUTGOING}\", allow_private = true }}",
        receiver.url("/fixed")
    );
    let gateway = Gateway::start(&text);
    let other = subscription("fixed", "http://127.0.0.1:1029/", None);
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&other)).problem(409);
    let _ = gateway.api("PUT", "/v1/subscriptions/fixed", Some(&other)).problem(409);
    let _ = gateway.api("DELETE", "/v1/subscriptions/fixed", None).problem(409);
    let shown = gateway.get("/v1/subscriptions/fixed");
    assert_eq!(shown["origin"], "file", "{shown}");
    assert_eq!(shown["subscription"]["endpoint"]["url"], receiver.url("/fixed"));
    assert_eq!(post(&gateway, "one", "{}").expect(202).json()["deliveries"], 1);
    assert_eq!(receiver.wait(1)[0].path, "/fixed");
}

#[test]
fn listings_give_everything_once_in_parts_of_any_size() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(SOURCE);
    for number in 0..3 {
        let document = subscription(&format!("s{number}"), &receiver.url("/"), None);
        let _ = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    }
    for number in 0..23 {
        assert_eq!(post(&gateway, &format!("e{number}"), "{}").expect(202).json()["deliveries"], 3);
    }
    let _ = gateway.settled();
    let newest_first: Vec<Value> = (0..23).rev().map(|number| Value::from(format!("e{number}"))).collect();
    for limit in [1, 2, 7, 23, 24, 500] {
        let events: Vec<Value> =
            gateway.list("/v1/events", limit).iter().map(|event| event["id"].clone()).collect();
        assert_eq!(events, newest_first, "in parts of {limit}");
    }
    for limit in [5, 69, 70] {
        let deliveries: Vec<i64> =
            gateway.list("/v1/deliveries", limit).iter().map(|one| one["id"].as_i64().unwrap()).collect();
        assert_eq!(deliveries.len(), 69, "in parts of {limit}");
        assert_eq!(deliveries.iter().collect::<HashSet<_>>().len(), 69, "in parts of {limit}");
        assert_eq!(gateway.list("/v1/deliveries?subscription=s1&status=delivered", limit).len(), 23);
        assert_eq!(gateway.list("/v1/deliveries?event=e7", limit).len(), 3);
    }
    let ids: Vec<_> = gateway.list("/v1/subscriptions", 1).iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["s0", "s1", "s2"]);
    assert!(gateway.list("/v1/events?source=other", 10).is_empty());
    assert_eq!(gateway.list("/v1/events?type=push", 10).len(), 23);
    for query in ["limit=0", "limit=x", "cursor=nonsense", "unknown=1"] {
        let _ = gateway.api("GET", &format!("/v1/events?{query}"), None).problem(400);
    }
}

#[test]
fn secrets_are_not_shown_and_what_is_shown_cannot_be_taken_for_them() {
    let gateway = Gateway::start(SOURCE);
    let mut document = subscription("a", "http://127.0.0.1:1029/", None);
    document["endpoint"]["headers"] = json!({"authorization": "Bearer hunter2hunter2"});
    let created = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    let shown = gateway.api("GET", "/v1/subscriptions/a", None).expect(200);
    let listed = gateway.api("GET", "/v1/subscriptions", None).expect(200);
    for answer in [&created, &shown, &listed] {
        assert!(!answer.text().contains("hunter2") && !answer.text().contains(OUTGOING), "{}", answer.text());
    }
    let back = shown.json()["subscription"].clone();
    let _ = gateway.api("PUT", "/v1/subscriptions/a", Some(&back)).problem(422);
}

#[test]
fn a_management_api_for_other_machines_needs_a_token() {
    let setup = Setup { rest: SOURCE.to_owned(), ..Setup::default() };
    let gateway = Gateway::prepare(&setup);
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    let open = text.replace("[admin]\nlisten = \"127.0.0.1:", "[admin]\nlisten = \"0.0.0.0:");
    assert_ne!(open, text);
    std::fs::write(gateway.config(), open).unwrap();
    let errors = gateway.run(&["serve"], b"").expect(2).stderr;
    assert!(errors.contains("admin.listen") && errors.contains("token"), "{errors}");
}

#[test]
fn with_a_token_only_who_shows_it_gets_in() {
    let setup = Setup {
        rest: SOURCE.to_owned(),
        admin: format!("token = \"{TOKEN}\""),
        token: Some(TOKEN.to_owned()),
        ..Setup::default()
    };
    let gateway = Gateway::set_up(&setup);
    let ask = |path: &str, authorization: Option<&str>| {
        let headers =
            authorization.map(|value| ("authorization".to_owned(), value.to_owned())).into_iter().collect();
        let request =
            Request { method: "GET".into(), path: path.into(), headers, body: Vec::new(), chunked: false };
        send(gateway.admin(), &request).unwrap()
    };
    let longer = format!("Bearer {TOKEN}x");
    let shorter = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
    let basic = format!("Basic {TOKEN}");
    for path in ["/v1/events", "/v1/subscriptions", "/metrics", "/openapi.json", "/v1/nothing"] {
        for wrong in [None, Some("Bearer"), Some("Bearer "), Some(&longer), Some(&shorter), Some(&basic)] {
            let answer = ask(path, wrong);
            assert_eq!(answer.problem(401), "unauthorized", "{path} {wrong:?}");
            assert!(answer.header("www-authenticate").is_some());
            assert!(!answer.text().contains(TOKEN));
        }
    }
    let right = format!("Bearer {TOKEN}");
    let _ = ask("/v1/events", Some(&right)).expect(200);
    let _ = ask("/ready", None).expect(200);
    let _ = ask("/live", None).expect(200);
    assert!(!gateway.log().contains(TOKEN));
}

#[test]
fn without_a_token_a_web_page_on_this_machine_gets_nothing() {
    let gateway = Gateway::start(SOURCE);
    for (name, value) in [("origin", "https://example.com"), ("host", "rebound.example.com")] {
        let request = Request {
            method: "GET".into(),
            path: "/v1/events".into(),
            headers: vec![(name.to_owned(), value.to_owned())],
            body: Vec::new(),
            chunked: false,
        };
        let answer = send(gateway.admin(), &request).unwrap();
        assert!([400, 403].contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn a_reference_in_a_subscription_written_at_run_time_has_to_be_named_in_the_configuration() {
    let receiver = Receiver::start();
    let setup = |references: &str| Setup {
        rest: SOURCE.to_owned(),
        admin: format!("token = \"{TOKEN}\"\nreferences = [{references}]"),
        token: Some(TOKEN.to_owned()),
        environment: vec![
            ("ORDERS_TOKEN".into(), "for orders".into()),
            ("OTHER".into(), "for nobody".into()),
        ],
        ..Setup::default()
    };
    let mut gateway = Gateway::set_up(&setup("\"env:ORDERS_*\""));
    let document = |reference: &str| {
        json!({"id": "a", "endpoint": {
            "url": receiver.url("/"), "headers": {"x-key": reference}, "allow_private": true
        }})
    };
    for reference in
        ["env:OTHER", "env:NOT_SET", "file:anglerfish.toml", "file:/etc/hostname", "env:ORDERS_A/B"]
    {
        let refused = gateway.api("PUT", "/v1/subscriptions/a", Some(&document(reference)));
        assert_eq!(refused.problem(422), "invalid-document", "{reference}");
        let problem = &refused.json()["problems"][0];
        assert_eq!(problem["path"], "endpoint.headers.x-key");
        assert_eq!(problem["message"], "this reference may not be used at run time", "{reference}");
    }
    let created = gateway.api("PUT", "/v1/subscriptions/a", Some(&document("env:ORDERS_TOKEN"))).expect(201);
    assert!(!created.text().contains("for orders") && created.text().contains("env:ORDERS_TOKEN"));
    let _ = post(&gateway, "one", "{}").expect(202);
    assert_eq!(receiver.wait(1)[0].header("x-key"), Some("for orders"));

    // What was written before is held to the list of today.
    gateway.kill();
    gateway.write(&setup(""));
    gateway.spawn();
    let shown = gateway.get("/v1/subscriptions/a");
    assert_ne!(shown["state"], "active", "{shown}");
    assert_eq!(post(&gateway, "two", "{}").expect(202).json()["deliveries"], 0);
}

#[test]
fn a_document_that_is_too_large_in_any_way_is_refused_and_never_stops_a_start() {
    let mut gateway = Gateway::start(SOURCE);
    let fields: serde_json::Map<String, Value> =
        (0..10_000).map(|number| (format!("x{number:x}"), json!("y"))).collect();
    let endpoint = json!({"url": "http://127.0.0.1:1029/", "headers": fields});
    let answer = gateway.api("POST", "/v1/subscriptions", Some(&json!({"id": "p", "endpoint": endpoint})));
    assert_eq!(answer.problem(422), "invalid-document");
    assert_eq!(answer.json()["problems"][0]["path"], "endpoint.headers");
    let unknown: serde_json::Map<String, Value> =
        (0..20_000).map(|number| (format!("k{number}"), json!(1))).collect();
    let answer = gateway.api("POST", "/v1/subscriptions", Some(&Value::Object(unknown)));
    assert_eq!(answer.problem(422), "invalid-document");
    assert!(answer.body.len() < 100_000, "{} bytes of problems", answer.body.len());
    gateway.restart();
    assert!(gateway.list("/v1/subscriptions", 10).is_empty());
}

#[test]
fn a_stored_subscription_of_other_rules_is_listed_as_invalid_and_can_be_replaced_or_deleted() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::start(SOURCE);
    let _ = gateway
        .api("POST", "/v1/subscriptions", Some(&subscription("fine", &receiver.url("/"), None)))
        .expect(201);
    gateway.signal_end();
    assert!(gateway.wait_end().success());
    let database = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
    let fields: serde_json::Map<String, Value> =
        (0..25_000).map(|number| (format!("x{number:x}"), json!("y"))).collect();
    for (id, document) in [
        (
            "many",
            json!({"id": "many", "endpoint": {"url": receiver.url("/"), "headers": fields}}).to_string(),
        ),
        ("old", json!({"id": "old", "endpoint": {"url": receiver.url("/")}, "fliter": "true"}).to_string()),
        ("text", "no JSON".to_owned()),
    ] {
        let values = (id, document);
        database
            .execute("INSERT INTO subscriptions (id, document, updated) VALUES (?1, ?2, 0)", values)
            .unwrap();
    }
    drop(database);
    gateway.spawn();
    let states: Vec<_> = gateway
        .list("/v1/subscriptions", 2)
        .iter()
        .map(|one| format!("{} {}", one["id"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, ["fine active", "many invalid", "old invalid", "text invalid"]);
    assert_eq!(gateway.get("/v1/subscriptions/old")["problems"][0]["path"], "fliter");
    assert_eq!(post(&gateway, "one", "{}").expect(202).json()["deliveries"], 1, "only the valid one");
    let replaced = subscription("old", &receiver.url("/"), None);
    assert_eq!(
        gateway.api("PUT", "/v1/subscriptions/old", Some(&replaced)).expect(200).json()["state"],
        "active"
    );
    for id in ["many", "text"] {
        let _ = gateway.api("DELETE", &format!("/v1/subscriptions/{id}"), None).expect(200);
    }
    assert_eq!(post(&gateway, "two", "{}").expect(202).json()["deliveries"], 2);
}

#[test]
fn what_was_refused_leaves_a_trace_with_its_reason_and_can_be_explained() {
    let gateway = Gateway::start(SOURCE);
    let _ = gateway.post("hub", &github("another secret", "e1", b"{}"), b"{\"a\":1}").expect(401);
    let _ = gateway.post("nowhere", &[], b"").expect(404);
    let listed = gateway.list("/v1/rejections", 1);
    let codes: Vec<_> =
        listed.iter().map(|one| (one["source"].as_str().unwrap(), one["code"].as_str().unwrap())).collect();
    assert_eq!(codes, [("nowhere", "unknown-source"), ("hub", "verification-failed")]);
    let id = listed[1]["id"].to_string();
    let shown = gateway.get(&format!("/v1/rejections/{id}"));
    assert_eq!((&shown["rejection"]["peer"], &shown["excerpt"]), (&json!("127.0.0.1"), &json!("{\"a\":1}")));
    assert!(shown["headers"].as_array().unwrap().contains(&json!("x-hub-signature-256")), "{shown}");
    let explained = gateway.get(&format!("/v1/rejections/{id}/explain"));
    assert_eq!(explained["verification"]["outcome"], "rejected", "{explained}");
    assert!(!explained["verification"]["steps"].as_array().unwrap().is_empty(), "{explained}");
    gateway.wait_log("a request was refused");
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    for line in [
        "anglerfish_ingress_rejections_total{source=\"hub\",reason=\"verification-failed\"} 1",
        "anglerfish_ingress_rejections_total{source=\"(unknown)\",reason=\"unknown-source\"} 1",
    ] {
        assert!(metrics.lines().any(|one| one == line), "no {line}:\n{metrics}");
    }
    let told = gateway.run(&["rejections", "list", "--source", "hub"], b"").expect(0);
    assert!(told.stdout.contains("hub") && told.stdout.contains("401"), "{}", told.stdout);
    let told = gateway.run(&["rejections", "show", &id], b"").expect(0);
    assert!(
        told.stdout.contains("verification-failed") && told.stdout.contains("x-hub-signature-256"),
        "{}",
        told.stdout
    );
    let told = gateway.run(&["rejections", "explain", &id], b"").expect(0);
    assert!(told.stdout.starts_with("rejected: "), "{}", told.stdout);
}

#[test]
fn every_problem_of_a_document_is_told_at_once_the_filters_too() {
    let gateway = Gateway::start(SOURCE);
    let document =
        json!({"id": "a", "sources": ["hubb"], "filter": "message.n >", "endpoint": {"url": "nowhere"}});
    let answer = gateway.api("POST", "/v1/subscriptions", Some(&document));
    assert_eq!(answer.problem(422), "invalid-document");
    let answer = answer.json();
    let paths: HashSet<_> = answer["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, HashSet::from(["sources[0]", "filter", "endpoint.url"]), "{answer}");
}

#[test]
fn a_secret_can_be_a_part_of_a_text_and_stays_out_of_answers() {
    let receiver = Receiver::start();
    let setup = Setup {
        rest: SOURCE.to_owned(),
        admin: format!("token = \"{TOKEN}\"\nreferences = [\"env:HOOK_*\"]"),
        token: Some(TOKEN.to_owned()),
        environment: vec![
            ("HOOK_TOKEN".into(), "hunter2".into()),
            ("HOOK_URL".into(), receiver.url("/hooks/hunter2")),
        ],
        ..Setup::default()
    };
    let gateway = Gateway::set_up(&setup);
    let endpoint = json!({
        "url": "env:HOOK_URL", "headers": {"authorization": "Bearer ${env:HOOK_TOKEN}"}, "allow_private": true
    });
    let document = json!({"id": "a", "endpoint": endpoint});
    let created = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    assert_eq!(created.json()["subscription"], document, "references are shown as they were written");
    let _ = post(&gateway, "one", "{}").expect(202);
    let received = receiver.wait(1);
    assert_eq!(
        (received[0].path.as_str(), received[0].header("authorization")),
        ("/hooks/hunter2", Some("Bearer hunter2"))
    );
    let back = gateway.get("/v1/subscriptions/a")["subscription"].clone();
    let _ = gateway.api("PUT", "/v1/subscriptions/a", Some(&back)).expect(200);
    for (value, hint) in
        [("Bearer ${HOOK_TOKEN}", "${env:HOOK_TOKEN}"), ("Bearer env:HOOK_TOKEN", "${env:HOOK_TOKEN}")]
    {
        let mut document = document.clone();
        document["endpoint"]["headers"]["authorization"] = value.into();
        let answer = gateway.api("PUT", "/v1/subscriptions/a", Some(&document));
        assert_eq!(answer.problem(422), "invalid-document");
        assert!(answer.text().contains(hint), "{}", answer.text());
    }
}

#[test]
fn the_answer_to_a_body_that_is_too_large_can_be_read() {
    let gateway = Gateway::start(SOURCE);
    for chunked in [false, true] {
        let request = Request {
            method: "POST".into(),
            path: "/v1/subscriptions".into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: vec![b' '; 10 << 20],
            chunked,
        };
        assert_eq!(send(gateway.admin(), &request).unwrap().problem(413), "body-too-large");
    }
}
