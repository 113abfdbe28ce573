//! Callbacks of the real binary: an address that outlives the process, and an inbox that keeps what comes there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Request, Setup, SseEvent, Stream, eventually, github, send};
use serde_json::{Value, json};

fn hold(gateway: &Gateway, document: &Value) -> Value {
    let answer = gateway.api("POST", "/v1/callbacks", Some(document));
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    answer.json()
}

/// Somebody comes to the address of a callback.
fn come(gateway: &Gateway, callback: &Value, headers: &[(String, String)], body: &str) -> Answer {
    come_by("POST", gateway, callback, headers, body)
}

fn come_by(
    method: &str,
    gateway: &Gateway,
    callback: &Value,
    headers: &[(String, String)],
    body: &str,
) -> Answer {
    let url = callback["url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", gateway.ingress())).unwrap();
    let request = Request {
        method: method.into(),
        path: path.into(),
        headers: headers.to_vec(),
        body: body.as_bytes().to_vec(),
        chunked: false,
    };
    send(gateway.ingress(), &request).unwrap()
}

fn id(id: &str) -> Vec<(String, String)> {
    vec![("webhook-id".to_owned(), id.to_owned()), ("content-type".to_owned(), "application/json".to_owned())]
}

fn next(gateway: &Gateway, name: &str, holder: &Value) -> Value {
    gateway.get(&format!("/v1/callbacks/{name}/next?wait=10s&holder={holder}"))
}

fn ack(gateway: &Gateway, name: &str, holder: &Value, position: &Value) {
    let body = json!({"holder": holder, "position": position});
    let _ = gateway.api("POST", &format!("/v1/callbacks/{name}/ack"), Some(&body)).expect(200);
}

#[test]
fn what_comes_early_waits_and_after_a_crash_the_same_address_goes_on_behind_what_was_acknowledged() {
    let mut gateway = Gateway::start("");
    let name = json!({"name": "orders/eu"});
    let first = hold(&gateway, &name);
    for n in 1..=3 {
        let _ = come(&gateway, &first, &id(&format!("m{n}")), &format!("{{\"n\":{n}}}")).expect(202);
    }
    // The same again is recognised.
    let _ = come(&gateway, &first, &id("m2"), "{\"n\":2}").expect(200);
    let one = next(&gateway, "orders%2Feu", &first["holder"]);
    assert_eq!((&one["id"], &one["data"]), (&json!("m1"), &json!("{\"n\":1}")));
    // Not acknowledged, it is the next one still.
    assert_eq!(next(&gateway, "orders%2Feu", &first["holder"]), one);
    ack(&gateway, "orders%2Feu", &first["holder"], &one["position"]);
    gateway.kill();
    gateway.spawn();
    let again = hold(&gateway, &name);
    assert_eq!((&again["url"], &again["acked"]), (&first["url"], &one["position"]));
    for expected in ["m2", "m3"] {
        let received = next(&gateway, "orders%2Feu", &again["holder"]);
        assert_eq!(received["id"], expected);
        ack(&gateway, "orders%2Feu", &again["holder"], &received["position"]);
    }
    // Whoever held it before the restart is told.
    let fenced =
        gateway.api("GET", &format!("/v1/callbacks/orders%2Feu/next?holder={}", first["holder"]), None);
    assert_eq!(fenced.problem(409), "fenced");
    // The address stands in no record.
    let event = gateway.get("/v1/events/m1");
    assert_eq!(
        (&event["event"]["source"], &event["origin"]),
        (&json!("callback/orders/eu"), &json!("callback"))
    );
    let token = first["url"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(!event.to_string().contains(token) && !gateway.log().contains(token), "{event}");
}

#[test]
fn an_address_that_never_was_is_404_and_one_that_is_over_410() {
    let gateway = Gateway::start("");
    let once = hold(&gateway, &json!({"name": "once", "once": true}));
    let _ = come(&gateway, &once, &id("a"), "{}").expect(202);
    let _ = come(&gateway, &once, &id("b"), "{}").expect(410);
    // Its sender did not have our answer and comes again: it is there.
    let _ = come(&gateway, &once, &id("a"), "{}").expect(200);
    assert_eq!(next(&gateway, "once", &once["holder"])["id"], "a");
    let closed = hold(&gateway, &json!({"name": "closed"}));
    let shown = gateway.run(&["callbacks", "list"], b"").expect(0).stdout;
    assert!(shown.contains("closed") && shown.contains("once"), "{shown}");
    let _ = gateway.run(&["callbacks", "cancel", "closed"], b"").expect(0);
    // It stays to be read, so it is not what DELETE would have taken away.
    assert_eq!(gateway.api("GET", "/v1/callbacks/closed", None).expect(200).json()["open"], false);
    let _ = gateway.api("DELETE", "/v1/callbacks/closed", None).expect(405);
    let _ = come(&gateway, &closed, &id("a"), "{}").expect(410);
    let over = gateway.api("GET", "/v1/callbacks/closed/next?wait=20s", None);
    assert_eq!(over.problem(410), "callback-over");
    let mut forged = closed;
    forged["url"] = json!(format!("http://{}/callback/closed/{}", gateway.ingress(), "0".repeat(44)));
    let _ = come(&gateway, &forged, &id("a"), "{}").expect(404);
}

#[test]
fn what_is_not_verified_is_refused_and_what_the_filter_does_not_want_is_not_kept() {
    let gateway = Gateway::start("");
    let document = json!({
        "name": "hub", "verify": {"scheme": "github", "secrets": ["secret of the repository"]},
        "filter": "message.n > 1"
    });
    let hub = hold(&gateway, &document);
    let _ = come(&gateway, &hub, &id("a"), "{\"n\":2}").expect(401);
    for (n, status) in [(1, "ignored"), (2, "accepted")] {
        let body = format!("{{\"n\":{n}}}");
        let headers = github("secret of the repository", &format!("event-{n}"), body.as_bytes());
        let answer = come(&gateway, &hub, &headers, &body).expect(202);
        assert_eq!(answer.json()["status"], status);
    }
    assert_eq!(next(&gateway, "hub", &hub["holder"])["data"], "{\"n\":2}");
}

#[test]
fn a_program_chooses_the_answer_within_the_time() {
    let gateway = Gateway::start("");
    let asked = hold(&gateway, &json!({"name": "asked", "reply_within": "20s"}));
    let answer = std::thread::scope(|scope| {
        let sender = scope.spawn(|| come(&gateway, &asked, &id("a"), "{}"));
        let received = next(&gateway, "asked", &asked["holder"]);
        let body = json!({
            "holder": asked["holder"], "position": received["position"], "status": 201,
            "content_type": "text/plain", "body": "granted"
        });
        let _ = gateway.api("POST", "/v1/callbacks/asked/ack", Some(&body)).expect(200);
        sender.join().unwrap()
    });
    assert_eq!(
        (answer.status, answer.text(), answer.header("content-type")),
        (201, "granted".into(), Some("text/plain"))
    );
    // Nobody answers: it is taken all the same.
    let quick = hold(&gateway, &json!({"name": "quick", "reply_within": "10ms"}));
    let _ = come(&gateway, &quick, &id("a"), "{}").expect(202);
}

#[test]
fn an_answer_that_comes_too_late_is_said_to_and_one_at_another_callback_is_refused() {
    let gateway = Gateway::start("");
    let held = |name: &str| hold(&gateway, &json!({"name": name, "reply_within": "10ms"}));
    let (asked, other) = (held("asked"), held("other"));
    let answered = |callback: &Value, position: &Value| {
        let body =
            json!({"holder": callback["holder"], "position": position, "status": 201, "body": "granted"});
        let path = format!("/v1/callbacks/{}/ack", callback["name"].as_str().unwrap());
        gateway.api("POST", &path, Some(&body))
    };
    let _ = come(&gateway, &asked, &id("a"), "{}").expect(202);
    let position = next(&gateway, "asked", &asked["holder"])["position"].clone();
    // Whoever holds the other one says nothing here, and is done with nothing there.
    let _ = come(&gateway, &other, &id("o"), "{}").expect(202);
    for strange in [position.clone(), json!(1_000_000), json!(-1)] {
        let refused = answered(&other, &strange);
        assert_eq!(refused.problem(422), "invalid-document", "{strange}");
        assert_eq!(refused.json()["problems"][0]["path"], "position");
    }
    assert_eq!(gateway.get("/v1/callbacks/other")["waiting"], 1);
    // What is too late for whoever came is done with all the same, and again.
    for _ in 0..2 {
        let late = answered(&asked, &position).expect(200).json();
        assert_eq!(
            (&late["reply"], &late["waiting"], &late["acked"]),
            (&json!("late"), &json!(0), &position)
        );
    }
    let asked = hold(&gateway, &json!({"name": "asked", "reply_within": "60s"}));
    let (sent, refused, answer) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| come(&gateway, &asked, &id("b"), "{}"));
        let position = next(&gateway, "asked", &asked["holder"])["position"].clone();
        let refused = answered(&other, &position);
        (answered(&asked, &position), refused, sender.join().unwrap())
    });
    assert_eq!(refused.problem(422), "invalid-document");
    assert_eq!((&sent.expect(200).json()["reply"], answer.status), (&json!("sent"), 201));
    let bare = json!({"holder": asked["holder"], "position": -1});
    assert_eq!(gateway.api("POST", "/v1/callbacks/asked/ack", Some(&bare)).problem(422), "invalid-document");
}

#[test]
fn nobody_takes_hold_of_what_a_flow_awaits() {
    let gateway = Gateway::start("");
    let refused = gateway.api("POST", "/v1/callbacks", Some(&json!({"name": "flow/order/7/3"})));
    assert_eq!(refused.problem(422), "invalid-document");
    assert_eq!(refused.json()["problems"][0]["path"], "name");
    let _ = hold(&gateway, &json!({"name": "flows/order"}));
}

/// Reads a callback as a stream, behind a position if one is given.
fn read(gateway: &Gateway, callback: &Value, last: Option<&str>) -> Stream {
    let name = callback["name"].as_str().unwrap().replace('/', "%2F");
    let path = format!("/v1/callbacks/{name}/stream?holder={}", callback["holder"]);
    let headers: Vec<(&str, &str)> = last.map(|last| ("last-event-id", last)).into_iter().collect();
    Stream::open(gateway.admin(), &path, &headers).unwrap()
}

/// The next event of a stream, and the id of what came.
fn came(stream: &mut Stream) -> (SseEvent, String) {
    let event = stream.event().unwrap().expect("the stream has ended");
    let data: Value = serde_json::from_str(&event.data).unwrap();
    let id = data["id"].as_str().unwrap_or_default().to_owned();
    (event, id)
}

#[test]
fn a_stream_gives_what_waits_and_what_comes_and_goes_on_behind_the_last_after_a_crash() {
    let mut gateway = Gateway::start("");
    let orders = hold(&gateway, &json!({"name": "orders/eu"}));
    for early in ["m1", "m2"] {
        let _ = come(&gateway, &orders, &id(early), "{}").expect(202);
    }
    let mut stream = read(&gateway, &orders, None);
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(came(&mut stream).1, "m1");
    assert_eq!(came(&mut stream).1, "m2");
    let _ = come(&gateway, &orders, &id("m3"), "{\"n\":3}").expect(202);
    let (event, third) = came(&mut stream);
    assert_eq!(third, "m3");
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((data["position"].to_string(), &data["data"]), (event.id.clone(), &json!("{\"n\":3}")));
    // All up to the second is done with; the third is not.
    let second = data["position"].as_i64().unwrap() - 1;
    ack(&gateway, "orders%2Feu", &orders["holder"], &json!(second));
    gateway.kill();
    gateway.spawn();
    let _ = come(&gateway, &orders, &id("m4"), "{}").expect(202);
    // Whoever comes again goes on behind what it had; whoever begins anew has all that is not done with.
    let mut again = read(&gateway, &orders, Some(&event.id));
    assert_eq!(came(&mut again).1, "m4");
    let mut anew = read(&gateway, &orders, None);
    assert_eq!([came(&mut anew).1, came(&mut anew).1], ["m3", "m4"]);
    // A newer holder ends the streams of the one before.
    let newer = hold(&gateway, &json!({"name": "orders/eu"}));
    let (event, _) = came(&mut again);
    assert_eq!((event.event.as_str(), event.data.contains("\"fenced\"")), ("end", true), "{event:?}");
    assert_eq!(again.event().unwrap(), None);
    assert_eq!(read(&gateway, &orders, None).status, 409);
    // It begins behind a position that there is.
    assert_eq!(read(&gateway, &newer, Some("1000000")).status, 400);
    let before = Stream::open(gateway.admin(), "/v1/callbacks/orders%2Feu/stream?after=-1", &[]).unwrap();
    assert_eq!(before.status, 400);
    // Once it is over the stream ends, and a browser that comes again learns that there is no more.
    let mut last = read(&gateway, &newer, Some(&event.id));
    let _ = gateway.api("POST", "/v1/callbacks/orders%2Feu/cancel", None).expect(200);
    let mut events = std::iter::from_fn(|| last.event().unwrap());
    let end = events.find(|event| event.event == "end").unwrap();
    assert!(end.data.contains("\"over\""), "{end:?}");
    assert_eq!(read(&gateway, &newer, Some("1000000")).status, 204);
    assert_eq!(read(&gateway, &newer, Some("soon")).status, 400);
    let none = Stream::open(gateway.admin(), "/v1/callbacks/none/stream", &[]).unwrap();
    assert_eq!(none.status, 404);
}

/// Somebody comes with a method, and nothing else.
fn look(method: &str, gateway: &Gateway, callback: &Value) -> Answer {
    come_by(method, gateway, callback, &[], "")
}

#[test]
fn whoever_looks_where_a_link_leads_is_no_answer_whatever_verifies() {
    let gateway = Gateway::start("");
    let verify = |name: &str, verify: Value| json!({"name": name, "once": true, "verify": verify});
    let once = hold(&gateway, &verify("a", json!({"scheme": "none", "methods": ["POST"]})));
    for method in ["GET", "HEAD", "DELETE", "PUT", "OPTIONS"] {
        let answer = look(method, &gateway, &once).expect(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let _ = come(&gateway, &once, &id("m1"), "{}").expect(202);
    let put = hold(&gateway, &verify("b", json!({"scheme": "none", "methods": ["PUT"]})));
    assert_eq!(look("POST", &gateway, &put).expect(405).header("allow"), Some("PUT"));
    let _ = look("PUT", &gateway, &put).expect(202);
    // Without a word on methods those of the scheme, as at a source; without a scheme all that bring something.
    let plain = hold(&gateway, &verify("c", json!({"scheme": "none"})));
    let _ = look("GET", &gateway, &plain).expect(405);
    let open = hold(&gateway, &json!({"name": "d"}));
    assert_eq!(look("OPTIONS", &gateway, &open).expect(405).header("allow"), Some("POST, PUT, PATCH"));
    let _ = look("PATCH", &gateway, &open).expect(202);
    let secrets = json!({"scheme": "github", "secrets": ["secret of the repository"]});
    let hub = hold(&gateway, &verify("e", secrets));
    let headers = github("secret of the repository", "event-1", b"{}");
    let _ = come_by("DELETE", &gateway, &hub, &headers, "{}").expect(405);
    let _ = come(&gateway, &hub, &headers, "{}").expect(202);
    // A handshake comes with the method that its provider has for it.
    let meta = json!({"scheme": "meta", "secrets": ["app secret"], "parameters": {"verify_token": "token"}});
    let mut meta = hold(&gateway, &json!({"name": "f", "verify": meta}));
    let url = format!(
        "{}?hub.mode=subscribe&hub.challenge=4711&hub.verify_token=token",
        meta["url"].as_str().unwrap()
    );
    meta["url"] = json!(url);
    assert_eq!(look("GET", &gateway, &meta).expect(200).text(), "4711");
    // Why something was refused is kept, without the address.
    let refused = gateway.get("/v1/rejections?code=method-not-allowed");
    assert_eq!(refused["items"][0]["source"], "(callbacks)");
    let token = hub["url"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(
        refused.to_string().contains("/callback/e/") && !refused.to_string().contains(token),
        "{refused}"
    );
    let shown = gateway.run(&["rejections", "list"], b"").expect(0).stdout;
    assert!(shown.contains("(callbacks)"), "{shown}");
}

#[test]
fn what_is_not_the_same_is_kept_though_its_identifier_looks_the_same() {
    let gateway = Gateway::start("");
    let orders = hold(&gateway, &json!({"name": "orders"}));
    let fields = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    for pairs in [
        &[("ce-id", "1"), ("ce-source", "/partner/a")][..],
        &[("ce-id", "1"), ("ce-source", "/partner/b")],
        &[("webhook-id", "1")],
        &[("idempotency-key", "1")],
    ] {
        let _ = come(&gateway, &orders, &fields(pairs), "{}").expect(202);
        let _ = come(&gateway, &orders, &fields(pairs), "{}").expect(200);
    }
    assert_eq!(gateway.get("/v1/callbacks/orders")["waiting"], 4);
    // One that cannot be taken is refused: whoever sends it counts on it.
    for value in ["x".repeat(300), "caf\u{e9}".to_owned()] {
        let refused = come(&gateway, &orders, &fields(&[("webhook-id", &value)]), "{}");
        assert_eq!(refused.problem(400), "invalid-request");
    }
    assert_eq!(gateway.get("/v1/callbacks/orders")["waiting"], 4);
}

#[test]
fn whoever_waits_for_an_answer_has_it_with_the_acknowledgement() {
    let gateway = Gateway::start("");
    let asked = hold(&gateway, &json!({"name": "asked", "reply_within": "60s"}));
    let ask = |more: Value| {
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| come(&gateway, &asked, &[], "{}"));
            let received = next(&gateway, "asked", &asked["holder"]);
            let mut body = json!({"holder": asked["holder"], "position": received["position"]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let _ = gateway.api("POST", "/v1/callbacks/asked/ack", Some(&body)).expect(200);
            sender.join().unwrap()
        })
    };
    // Nobody waits for a minute here.
    let answer = ask(json!({"body": "only"}));
    assert_eq!((answer.status, answer.text()), (200, "only".into()));
    assert_eq!(ask(json!({"status": 204})).status, 204);
    assert_eq!(ask(json!({})).expect(202).json()["status"], "accepted");
    // Who is done with a later one is done with the earlier ones.
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2).map(|_| scope.spawn(|| come(&gateway, &asked, &[], "{}"))).collect();
        eventually("both are there", || (gateway.get("/v1/callbacks/asked")["waiting"] == 2).then_some(()));
        let newest =
            gateway.get("/v1/events?source=callback%2Fasked&limit=1")["items"][0]["position"].clone();
        ack(&gateway, "asked", &asked["holder"], &newest);
        for sender in senders {
            let _ = sender.join().unwrap().expect(202);
        }
    });
    for (more, path) in
        [(json!({"content_type": "a\r\nb: c"}), "content_type"), (json!({"status": 100}), "status")]
    {
        let mut body = json!({"holder": asked["holder"], "position": 1});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = gateway.api("POST", "/v1/callbacks/asked/ack", Some(&body));
        assert_eq!(refused.problem(422), "invalid-document");
        assert_eq!(refused.json()["problems"][0]["path"], path);
    }
}

#[test]
fn what_is_asked_of_those_who_come_is_shown_and_goes_on_where_nothing_else_is_said() {
    let gateway = Gateway::start("");
    let document = json!({
        "name": "hub", "verify": {"scheme": "github", "secrets": ["secret of the repository"]},
        "filter": "message.n > 1", "once": true, "max_waiting": 3, "reply_within": "5s"
    });
    let made = hold(&gateway, &document);
    assert_eq!(made["verify"], json!({"scheme": "github", "secrets": ["…"]}));
    let rules = |shown: &Value| {
        ["verify", "filter", "once", "max_waiting", "reply_within"].map(|member| shown[member].clone())
    };
    assert_eq!(rules(&made)[1..], [json!("message.n > 1"), json!(true), json!(3), json!("5s")], "{made}");
    let again = hold(&gateway, &json!({"name": "hub"}));
    assert_eq!((rules(&again), &again["url"]), (rules(&made), &made["url"]));
    let _ = come(&gateway, &again, &id("a"), "{\"n\":2}").expect(401);
    let shown = gateway.run(&["callbacks", "show", "hub"], b"").expect(0).stdout;
    assert!(shown.contains("message.n > 1") && !shown.contains("secret of"), "{shown}");
    // What was shown is not what verifies.
    let copied = json!({"name": "hub", "verify": made["verify"]});
    let refused = gateway.api("POST", "/v1/callbacks", Some(&copied));
    assert_eq!(refused.problem(422), "invalid-document");
    // One rule that is said says all of them.
    let other = hold(&gateway, &json!({"name": "hub", "once": false}));
    assert_eq!(rules(&other), [Value::Null, Value::Null, json!(false), json!(10_000), Value::Null]);
    let _ = come(&gateway, &other, &id("a"), "{}").expect(202);
}

#[test]
fn a_full_inbox_says_so() {
    let gateway = Gateway::start("");
    let small = hold(&gateway, &json!({"name": "small", "max_waiting": 1}));
    let _ = come(&gateway, &small, &id("a"), "{}").expect(202);
    let full = come(&gateway, &small, &id("b"), "{}");
    assert_eq!((full.problem(503), full.header("retry-after").is_some()), ("inbox-full".to_owned(), true));
}

#[test]
fn whoever_is_told_that_it_was_taken_finds_it_in_the_inbox_also_where_that_is_full_and_emptied_at_the_same_time()
 {
    const EACH: usize = 60;
    let gateway = Gateway::start("");
    let tight = hold(&gateway, &json!({"name": "tight", "max_waiting": 1}));
    let received = std::thread::scope(|scope| {
        for sender in 0..4 {
            let (gateway, tight) = (&gateway, &tight);
            scope.spawn(move || {
                for n in 0..EACH {
                    // Who is told to come again does so.
                    while come(gateway, tight, &id(&format!("{sender}-{n}")), "{}").status == 503 {}
                }
            });
        }
        let mut received = std::collections::BTreeSet::new();
        while received.len() < 4 * EACH {
            // If one is lost nothing comes any more.
            let answer = gateway.api("GET", "/v1/callbacks/tight/next?wait=20s&holder=1", None);
            let next = answer.expect(200).json();
            received.insert(next["id"].as_str().unwrap().to_owned());
            ack(&gateway, "tight", &json!(1), &next["position"]);
        }
        received
    });
    assert_eq!(received.len(), 4 * EACH);
}

#[test]
fn what_waits_in_a_callback_that_was_cancelled_is_there_for_who_holds_it_again() {
    let gateway = Gateway::start("");
    let first = hold(&gateway, &json!({"name": "job"}));
    let _ = come(&gateway, &first, &id("a"), "{}").expect(202);
    let _ = gateway.api("POST", "/v1/callbacks/job/cancel", None).expect(200);
    let again = hold(&gateway, &json!({"name": "job"}));
    assert_eq!((&again["url"], &again["waiting"], &again["open"]), (&first["url"], &json!(1), &json!(false)));
    let received = next(&gateway, "job", &again["holder"]);
    assert_eq!(received["id"], "a");
    ack(&gateway, "job", &again["holder"], &received["position"]);
    let other = hold(&gateway, &json!({"name": "job"}));
    assert!(other["url"] != first["url"] && other["open"] == true, "{other}");
}

#[test]
fn nobody_publishes_in_the_name_of_a_callback_and_what_would_have_no_effect_is_refused() {
    let gateway = Gateway::start("");
    let made = hold(&gateway, &json!({"name": "pub"}));
    let event = json!({"specversion": "1.0", "id": "f1", "source": "callback/pub", "type": "callback"});
    let request = Request {
        method: "POST".into(),
        path: "/v1/events".into(),
        headers: vec![("content-type".into(), "application/cloudevents+json".into())],
        body: event.to_string().into_bytes(),
        chunked: false,
    };
    assert_eq!(send(gateway.admin(), &request).unwrap().problem(422), "invalid-document");
    let _ = come(&gateway, &made, &id("f1"), "{}").expect(202);
    for key in ["name", "deduplicate"] {
        let mut verify = json!({"scheme": "none"});
        verify[key] = if key == "name" { json!("x") } else { json!(false) };
        let refused = gateway.api("POST", "/v1/callbacks", Some(&json!({"name": "v", "verify": verify})));
        assert_eq!(refused.json()["problems"][0]["path"], format!("verify.{key}"));
        assert_eq!(refused.problem(422), "invalid-document");
    }
}

#[test]
fn a_callback_whose_secret_is_gone_asks_to_come_again_and_says_why() {
    const TOKEN: &str = "0123456789abcdef";
    let setup = |references: &str| Setup {
        admin: format!("token = \"{TOKEN}\"\nreferences = [{references}]"),
        token: Some(TOKEN.to_owned()),
        environment: vec![("HUB_SECRET".into(), "secret of the repository".into())],
        ..Setup::default()
    };
    let mut gateway = Gateway::set_up(&setup("\"env:HUB_*\""));
    let document = json!({"name": "hub", "verify": {"scheme": "github", "secrets": ["env:HUB_SECRET"]}});
    let made = hold(&gateway, &document);
    assert!(made["problem"].is_null(), "{made}");
    let _ = come(&gateway, &made, &[], "{}").expect(401);
    gateway.kill();
    gateway.write(&setup(""));
    gateway.spawn();
    eventually("the log says which callback", || {
        gateway
            .log()
            .lines()
            .any(|line| line.contains("cannot be verified") && line.contains("hub"))
            .then_some(())
    });
    let answer = come(&gateway, &made, &[], "{}");
    assert_eq!(
        (answer.problem(503), answer.header("retry-after").is_some()),
        ("callback-unusable".to_owned(), true)
    );
    let shown = gateway.run(&["callbacks", "show", "hub"], b"").expect(0).stdout;
    assert!(shown.contains("verify.secrets[0]"), "{shown}");
    let refused = gateway.get("/v1/rejections?source=(callbacks)").to_string();
    assert!(refused.contains("callback-unusable"), "{refused}");
}
