//! What is another than in the original service on purpose, as far as no other test shows it.

use super::{Flare, to, told};
use anglerfish_tests::{Receiver, Reply, Request, eventually, verify_standard};
use serde_json::{Value, json};

#[test]
fn a_document_belongs_to_the_resource_with_the_first_literal_and_stays_with_it() {
    let receiver = Receiver::start();
    let flare = Flare::start("", "");
    // The less specific one is made first; the scheme tells resources apart.
    let names = ["wide", "narrow", "secure"];
    let endpoints = [
        "http://h/product/{*}/stock/{a}",
        "http://h/product/123/stock/{*}",
        "https://h/product/{a}/stock/{b}",
    ];
    let ids: Vec<String> = endpoints.iter().map(|endpoint| flare.resource(endpoint)).collect();
    for (name, id) in names.iter().zip(&ids) {
        flare.subscribe(id, &to(&receiver, &format!("/{name}")));
    }
    let mut count = 0;
    let mut told_at = |url: &str, body: &str| {
        flare.put(url, body);
        count += 1;
        receiver.wait(count).remove(count - 1).path
    };
    assert_eq!(told_at("http://h/product/123/stock/7", "{\"v\": 1}"), "/narrow");
    assert_eq!(told_at("http://h/product/124/stock/7", "{\"v\": 1}"), "/wide");
    assert_eq!(told_at("https://h/product/123/stock/7", "{\"v\": 1}"), "/secure");
    // A resource that fits better comes later: what is there stays where it is.
    let later = flare.resource("http://h/product/124/stock/{*}");
    flare.subscribe(&later, &to(&receiver, "/later"));
    assert_eq!(told_at("http://h/product/124/stock/7", "{\"v\": 2}"), "/wide");
    assert_eq!(told_at("http://h/product/124/stock/8", "{\"v\": 1}"), "/later");
    let at = |path: &str| flare.ask("GET", path, "").status;
    assert_eq!(at("/documents/http://h/product/124/stock/7"), 200);
    assert_eq!(at("/documents/http://h/product/124/stock/7/more"), 404);
}

#[test]
fn a_plus_a_dot_an_upper_case_host_and_what_follows_a_document_are_what_they_are() {
    let receiver = Receiver::start();
    let flare = Flare::start("", "");
    let shown = flare.resource("http://H.example/a+b/{id}");
    let shown = flare.ask("GET", &format!("/resources/{shown}"), "").json();
    assert!(shown["endpoint"].as_str().unwrap().ends_with("/a+b/{id}"), "{shown}");
    let id = shown["id"].as_str().unwrap();
    flare.subscribe(id, &to(&receiver, "/"));
    flare.put("http://H.Example/a+b/1", "{\"v\": 1}");
    let shown = flare.ask("GET", "/documents/http://h.example/a+b/1", "").expect(200).json();
    assert_eq!(shown["id"], "http://h.example/a+b/1");
    let _ = flare.ask("PUT", "/documents/http://h.example/a%20b/1", "{\"v\": 1}").expect(404);
    for (path, body) in [("a+b/..", "{\"v\": 1}"), ("a+b/%2E", "{\"v\": 1}"), ("a+b/2", "{\"v\": 1} {}")] {
        let path = format!("/documents/http://h.example/{path}");
        let request = Request {
            method: "PUT".into(),
            path: path.clone(),
            body: body.as_bytes().to_vec(),
            ..Request::default()
        };
        let _ = flare.send(&request).expect(400);
        assert_ne!(flare.send(&Request { method: "GET".into(), path, ..Request::default() }).status, 200);
    }
}

#[test]
fn integers_and_dates_are_compared_to_the_last_digit() {
    let receiver = Receiver::start();
    let flare = Flare::start("", "");
    let numbers = flare.resource("http://h/numbers/{id}");
    let dates = r#"{"endpoint":"http://h/dates/{id}","change":{"field":"at","format":"2006-01-02T15:04:05.999-07:00"}}"#;
    let dates = flare.ask("POST", "/resources", dates).expect(201).json();
    for id in [numbers.as_str(), dates["id"].as_str().unwrap()] {
        flare.subscribe(id, &to(&receiver, &format!("/{id}")));
    }
    flare.put("http://h/numbers/1", "{\"v\": 9007199254740992}");
    flare.put("http://h/numbers/1", "{\"v\": 9007199254740993}");
    flare.put("http://h/numbers/1", "{\"v\": 9223372036854775807}");
    let _ = flare.ask("PUT", "/documents/http://h/numbers/1", "{\"v\": 9223372036854775808}").expect(400);
    let _ = flare.ask("PUT", "/documents/http://h/numbers/1", "{\"v\": \"5\"}").expect(400);
    flare.put("http://h/dates/1", "{\"at\": \"2018-05-18T22:05:14.1000+00:00\"}");
    flare.put("http://h/dates/1", "{\"at\": \"2018-05-18T22:05:14.0999+00:00\"}");
    flare.put("http://h/dates/1", "{\"at\": \"2018-05-18T19:05:14.1001-03:00\"}");
    let newest = |id: &str, field: &str| {
        let path = format!("/documents/http://h/{id}/1");
        flare.ask("GET", &path, "").expect(200).json()["content"][field].clone()
    };
    assert_eq!(newest("numbers", "v"), json!(9_223_372_036_854_775_807_u64));
    assert_eq!(newest("dates", "at"), "2018-05-18T19:05:14.1001-03:00");
}

#[test]
fn with_tombstones_an_older_revision_than_the_deleted_one_is_no_news() {
    let receiver = Receiver::start();
    let resource = |id: &str, keys: &str| {
        format!(
            "[[resource]]\nid = \"{id}\"\nendpoint = \"http://h/{id}/{{id}}\"\nchange = {{ field = \"v\" }}\n{keys}\n\
             [[subscription]]\nid = \"{id}\"\nresource = \"{id}\"\n\
             endpoint = {{ url = \"{}\", method = \"POST\" }}\n",
            receiver.url(&format!("/{id}"))
        )
    };
    let flare = Flare::start("", &[resource("kept", "tombstones = \"1h\""), resource("bare", "")].concat());
    let mut count = 0;
    for (version, is_told) in [(5, true), (3, false), (5, false), (6, true)] {
        for id in ["kept", "bare"] {
            let url = format!("http://h/{id}/1");
            flare.put(&url, &format!("{{\"v\": {version}}}"));
            flare.settled();
            count += usize::from(is_told || id == "bare");
            let all = receiver.wait(count);
            assert_eq!(all.len(), count, "{id} {version}");
            flare.delete(&url);
            flare.settled();
            count += usize::from(is_told || id == "bare");
            let _ = receiver.wait(count);
            let _ = flare.ask("GET", &format!("/documents/{url}"), "").expect(404);
        }
    }
    assert_eq!(receiver.requests().len(), count);
}

#[test]
fn a_subscription_that_is_deleted_is_told_nothing_more_and_nothing_is_kept_of_it() {
    let receiver = Receiver::with(|_, _| Reply::status(500));
    let flare = Flare::start(
        "",
        "[[resource]]\nid = \"items\"\nendpoint = \"http://h/items/{id}\"\nchange = { field = \"v\" }\n",
    );
    let body = json!({
        "resource": "items",
        "endpoint": {"url": receiver.url("/"), "method": "POST", "allow_private": true}
    });
    let _ = flare.gateway.api("PUT", "/v1/subscriptions/a", Some(&body)).expect(201);
    flare.put("http://h/items/1", "{\"v\": 1}");
    let _ = receiver.wait(1);
    let _ = flare.ask("DELETE", "/resources/items/subscriptions/a", "").expect(204);
    flare.settled();
    let seen = receiver.requests().len();
    let _ = flare.ask("GET", "/resources/items/subscriptions/a", "").expect(404);
    let _ = flare.gateway.api("PUT", "/v1/subscriptions/a", Some(&body)).expect(201);
    // It is another one, which has nothing: neither an end of what the first one was to be told, nor that itself.
    flare.delete("http://h/items/1");
    flare.settled();
    assert_eq!(receiver.requests().len(), seen);
    let store = rusqlite::Connection::open(flare.gateway.directory().join("data/anglerfish.db")).unwrap();
    let kept = "SELECT count(*) FROM keys WHERE key LIKE 'holding/%'";
    assert_eq!(store.query_row(kept, (), |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn what_is_told_is_signed_if_there_is_a_secret_and_an_event_if_that_is_asked_for() {
    const SECRET: &str = "whsec_cXVpY2tzdGFydC1zZWNyZXQtb2YtdGhlLXNob3A=";
    let (signed, event) = (Receiver::start(), Receiver::start());
    let one = |id: &str, keys: &str, receiver: &Receiver, more: &str| {
        format!(
            "[[subscription]]\nid = \"{id}\"\nresource = \"items\"\n{keys}\n\
             endpoint = {{ url = \"{}\", method = \"POST\"{more} }}\n",
            receiver.url("/")
        )
    };
    let rest = [
        "[[resource]]\nid = \"items\"\nendpoint = \"http://h/items/{id}\"\nchange = { field = \"v\" }\n"
            .to_owned(),
        one("signed", "", &signed, &format!(", secret = \"{SECRET}\"")),
        one("event", "notification = { cloudevent = true }", &event, ""),
    ]
    .concat();
    let flare = Flare::start("", &rest);
    flare.put("http://h/items/1", "{\"v\": 1}");
    let request = signed.wait(1).remove(0);
    assert!(verify_standard(SECRET, &request.headers, &request.body), "{request:?}");
    assert_eq!(told(&signed, 1), [("create".to_owned(), json!({"v": 1}))]);
    let request = event.wait(1).remove(0);
    assert!(request.header("content-type").unwrap().starts_with("application/cloudevents+json"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["type"], &body["subject"], &body["data"]),
        (&json!("document.create"), &json!("http://h/items/1"), &json!({"v": 1})),
        "{body}"
    );
}

#[test]
fn an_answer_that_leads_elsewhere_is_not_followed() {
    let elsewhere = Receiver::start();
    let target = elsewhere.url("/");
    let receiver = Receiver::with(move |_, _| Reply::status(302).header("location", &target));
    let flare = Flare::start("", "");
    let resource = flare.resource("http://h/items/{id}");
    flare.subscribe(&resource, &to(&receiver, "/"));
    flare.put("http://h/items/1", "{\"v\": 1}");
    eventually("it is tried again as it was", || (receiver.requests().len() > 1).then_some(()));
    assert!(elsewhere.requests().is_empty());
}
