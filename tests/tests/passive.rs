//! Passive subscriptions of the real binary: leased over HTTP, answered for, and not lost with the process.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Contract, Gateway, Receiver, Request, Setup, eventually, send};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

const TOKEN: &str = "0123456789abcdef-orders";
const NEXT: &str = "fedcba9876543210-orders";

struct Passive {
    gateway: Gateway,
}

impl Passive {
    /// A gateway with a source without a scheme and what else is said.
    fn start(subscriptions: &str) -> Self {
        Self { gateway: Gateway::set_up(&Self::setup(subscriptions)) }
    }

    fn setup(subscriptions: &str) -> Setup {
        let rest = format!("[[source]]\nname = \"shop\"\nscheme = \"none\"\n{subscriptions}");
        let environment =
            vec![("ORDERS_TOKEN".to_owned(), TOKEN.to_owned()), ("NEXT".to_owned(), NEXT.to_owned())];
        Setup { out: Some(String::new()), rest, environment, ..Setup::default() }
    }

    fn ask(&self, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        self.try_ask(path, token, body).unwrap_or_else(|error| panic!("{error}:\n{}", self.gateway.log()))
    }

    fn try_ask(&self, path: &str, token: Option<&str>, body: Option<&Value>) -> std::io::Result<Answer> {
        let mut headers = Vec::new();
        headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        headers.extend(body.map(|_| ("content-type".to_owned(), "application/json".to_owned())));
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        send(
            self.gateway.out(),
            &Request { method: "POST".into(), path: path.into(), headers, body, chunked: false },
        )
    }

    /// Asks for something of `orders`.
    fn orders(&self, verb: &str, body: &Value) -> Answer {
        self.ask(&format!("/out/orders/{verb}"), Some(TOKEN), Some(body))
    }

    /// The next messages of `orders`, waited for.
    fn lease(&self, lease: &str) -> Vec<Value> {
        eventually("a message", || {
            let answer =
                self.orders("lease", &json!({"max": 100, "lease": lease, "wait": "60s"})).expect(200);
            let messages = answer.json()["messages"].as_array().unwrap().clone();
            (!messages.is_empty()).then_some(messages)
        })
    }

    fn nothing(&self) -> bool {
        self.orders("lease", &json!({})).expect(200).json()["messages"] == json!([])
    }

    fn publish(&self, body: &[u8]) {
        let _ = self.publish_as("application/json", body);
    }

    fn publish_as(&self, kind: &str, body: &[u8]) -> Answer {
        self.gateway.post("shop", &[("content-type".to_owned(), kind.to_owned())], body).expect(202)
    }

    fn delivery(&self, message: &Value) -> Value {
        self.gateway.get(&format!("/v1/deliveries/{}", message["delivery"]))
    }
}

const ORDERS: &str = r#"
[[subscription]]
id = "orders"
mode = "passive"
tokens = ["env:ORDERS_TOKEN"]
[subscription.delivery]
retry = { delays = ["10ms", "10ms"], jitter = 0 }
"#;

fn tokens(messages: &[Value]) -> Vec<&Value> {
    messages.iter().map(|message| &message["token"]).collect()
}

#[test]
fn a_message_is_leased_with_its_event_and_delivered_by_its_answer() {
    let passive = Passive::start(ORDERS);
    assert!(passive.nothing());
    passive.publish(b"{\"total\": 10.00,  \"id\": 12345678901234567890}");
    let messages = passive.lease("30s");
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((&message["attempt"], message["token"].as_str().unwrap().len()), (&json!(1), 32));
    let event = &message["event"];
    assert_eq!(
        (&event["specversion"], &event["source"], &event["datacontenttype"]),
        (&json!("1.0"), &json!("shop"), &json!("application/json"))
    );
    let shown = passive.delivery(message);
    assert_eq!(
        (&shown["delivery"]["status"], &shown["delivery"]["event"]["id"]),
        (&json!("pending"), &event["id"])
    );
    let extended =
        passive.orders("extend", &json!({"tokens": tokens(&messages), "lease": "2m"})).expect(200).json();
    assert_eq!(extended["results"][0]["outcome"], "extended");
    assert!(
        extended["results"][0]["deadline"].as_str() > message["deadline"].as_str(),
        "{extended} {message}"
    );
    let acked = passive.orders("ack", &json!({"tokens": tokens(&messages)})).expect(200).json();
    assert_eq!(acked, json!({"results": [{"token": message["token"], "outcome": "acked"}]}));
    let shown = passive.delivery(message);
    assert_eq!(
        (&shown["delivery"]["status"], shown["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 1)
    );
    assert!(passive.nothing());

    // Whoever answers again changes nothing, and is told so for each.
    let again = passive.orders("ack", &json!({"tokens": [message["token"], "nonsense"]}));
    assert_eq!(again.problem(409), "stale-lease");
    let stale = |token: &Value| json!({"token": token, "outcome": "stale"});
    assert_eq!(again.json()["results"], json!([stale(&message["token"]), stale(&json!("nonsense"))]));
    for verb in ["nack", "extend"] {
        assert_eq!(passive.orders(verb, &json!({"tokens": tokens(&messages)})).problem(409), "stale-lease");
    }
    assert_eq!(passive.delivery(message)["delivery"]["status"], "delivered");
}

#[test]
fn no_byte_of_the_data_is_lost() {
    let passive = Passive::start(ORDERS);
    let json = "{\"n\":12345678901234567890123.10,\"a\": 1}";
    for (kind, body, member) in [
        ("application/json", json.as_bytes(), format!("\"data\":{json}")),
        ("text/plain", b"a\"b\n", "\"data\":\"a\\\"b\\n\"".to_owned()),
        ("application/octet-stream", &[0, 255, 7], "\"data_base64\":\"AP8H\"".to_owned()),
    ] {
        let _ = passive.publish_as(kind, body);
        let answer = eventually("the message", || {
            let answer = passive.orders("lease", &json!({"wait": "60s"})).expect(200);
            answer.text().contains("\"token\"").then_some(answer)
        });
        assert!(answer.text().contains(&member), "{member} is not in {}", answer.text());
        let messages = answer.json()["messages"].as_array().unwrap().clone();
        let _ = passive.orders("ack", &json!({"tokens": tokens(&messages)})).expect(200);
    }
    passive.publish(json.as_bytes());
    let answer = passive.orders("lease", &json!({"wait": "60s", "data": "base64"})).expect(200);
    assert!(answer.text().contains("\"data_base64\":\"eyJ"), "{}", answer.text());
}

#[test]
fn whoever_waits_is_answered_by_the_event_and_not_by_the_time() {
    let passive = Passive::start(ORDERS);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            (passive.orders("lease", &json!({"wait": "60s"})).expect(200).json(), begun.elapsed())
        });
        eventually("somebody to wait", || {
            let metrics = passive.gateway.api("GET", "/metrics", None).text();
            metrics.contains("anglerfish_passive_waiting{subscription=\"orders\"} 1").then_some(())
        });
        passive.publish(b"{}");
        let (given, waited) = waiting.join().unwrap();
        assert_eq!(given["messages"].as_array().unwrap().len(), 1, "{given}");
        assert!(waited < Duration::from_secs(55), "{waited:?}");
    });
}

#[test]
fn a_lease_that_expires_comes_back_and_its_holder_is_told() {
    let passive = Passive::start(ORDERS);
    passive.publish(b"{}");
    let first = passive.lease("1s");
    let second = passive.lease("30s");
    assert_eq!(first[0]["delivery"], second[0]["delivery"]);
    assert_eq!((&second[0]["attempt"], first[0]["token"] == second[0]["token"]), (&json!(2), false));
    let both = json!({"tokens": [first[0]["token"], second[0]["token"]]});
    let told = passive.orders("ack", &both).expect(200).json();
    assert_eq!(
        (&told["results"][0]["outcome"], &told["results"][1]["outcome"]),
        (&json!("stale"), &json!("acked"))
    );
    let shown = passive.delivery(&second[0]);
    assert!(shown["attempts"][0]["error"].as_str().unwrap().contains("without an answer"), "{shown}");
    assert_eq!(shown["delivery"]["status"], "delivered");
}

#[test]
fn a_message_that_is_given_back_too_often_is_a_dead_letter_and_comes_again_when_it_is_retried() {
    let passive = Passive::start(ORDERS);
    passive.publish(b"{}");
    for attempt in 1..=3 {
        let messages = passive.lease("30s");
        assert_eq!(messages[0]["attempt"], attempt);
        let body = json!({"tokens": tokens(&messages), "reason": "the printer is on fire"});
        let told = passive.orders("nack", &body).expect(200).json();
        let outcome = if attempt == 3 { "dead" } else { "nacked" };
        assert_eq!(told["results"][0]["outcome"], outcome, "{told}");
    }
    let dead = passive.gateway.list("/v1/deliveries?subscription=orders&status=dead", 10);
    assert_eq!(dead.len(), 1);
    let shown = passive.gateway.get(&format!("/v1/deliveries/{}", dead[0]["id"]));
    assert_eq!(shown["attempts"][2]["error"], "the printer is on fire");
    assert!(passive.nothing());
    let _ = passive.gateway.api("POST", &format!("/v1/deliveries/{}/retry", dead[0]["id"]), None).expect(202);
    let messages = passive.lease("30s");
    assert_eq!((&messages[0]["delivery"], &messages[0]["attempt"]), (&dead[0]["id"], &json!(1)));
    // With a delay it is not there before.
    let told =
        passive.orders("nack", &json!({"tokens": tokens(&messages), "delay": "1h"})).expect(200).json();
    assert!(told["results"][0]["due"].is_string(), "{told}");
    assert!(passive.nothing());
}

#[test]
fn without_a_right_token_nothing_is_told_not_even_whether_there_is_such_a_subscription() {
    let subscriptions = format!(
        "{ORDERS}[[subscription]]\nid = \"pushed\"\nendpoint = {{ url = \"https://example.com\" }}\n\
         [[subscription]]\nid = \"other\"\nmode = \"passive\"\ntokens = [\"another-token-of-its-own\"]\n"
    );
    let passive = Passive::start(&subscriptions);
    passive.publish(b"{}");
    for (token, detail) in [
        (None, "needs one"),
        (Some("wrong"), "not the right one"),
        (Some("another-token-of-its-own"), "not the right one"),
    ] {
        let told: Vec<(u16, String)> = ["orders", "pushed", "nobody"]
            .into_iter()
            .map(|name| passive.ask(&format!("/out/{name}/lease"), token, Some(&json!({"max": 0}))))
            .map(|answer| (answer.status, answer.text()))
            .collect();
        assert!(told[0].0 == 401 && told[0].1.contains(detail), "{told:?}");
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    }
    // Not even its own token helps with another verb's body, and the management API is not here.
    assert_eq!(passive.ask("/out/orders/ack", Some("wrong"), None).problem(401), "unauthorized");
    assert_eq!(passive.ask("/v1/events", Some(TOKEN), None).problem(404), "unknown-address");
    assert_eq!(passive.lease("30s").len(), 1, "it is there still");
    let metrics = passive.gateway.api("GET", "/metrics", None).text();
    assert!(metrics.contains("anglerfish_out_unauthorized_total 10"), "{metrics}");
}

#[test]
fn whoever_leases_from_what_is_only_read_is_told_so_and_has_not_guessed() {
    let stream = "[[subscription]]\nid = \"feed\"\nmode = \"stream\"\ntokens = [\"0123456789abcdef-feed\"]\n";
    let passive = Passive::start(&format!("{ORDERS}{stream}"));
    let ask = |verb: &str, token: &str| passive.ask(&format!("/out/feed/{verb}"), Some(token), None);
    // More often than an address may guess.
    for _ in 0..30 {
        assert_eq!(ask("lease", "0123456789abcdef-feed").problem(409), "not-passive");
    }
    assert_eq!(ask("ack", "0123456789abcdef-feed").problem(409), "not-passive");
    assert_eq!(ask("lease", TOKEN).problem(401), "unauthorized");
    let metrics = passive.gateway.api("GET", "/metrics", None).text();
    assert!(metrics.contains("anglerfish_out_unauthorized_total 1\n"), "{metrics}");
}

#[test]
fn an_address_that_guesses_tokens_is_slowed_down_and_who_shares_it_with_the_right_one_is_not() {
    let passive = Passive::start(ORDERS);
    assert!(passive.nothing());
    let guess = |number: usize| {
        let token = format!("a-guess-of-a-token-{number}");
        passive.ask("/out/orders/lease", Some(&token), None)
    };
    let answers: Vec<Answer> = (0..25).map(guess).collect();
    let refused = answers.iter().filter(|answer| answer.status == 429).collect::<Vec<_>>();
    assert!(!refused.is_empty() && answers[..20].iter().all(|answer| answer.status == 401));
    assert_eq!(refused[0].problem(429), "too-many-wrong-tokens");
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    passive.publish(b"{}");
    assert_eq!(passive.lease("30s").len(), 1, "what was right before is looked at");
    eventually("a guess is looked at again", || (guess(99).status == 401).then_some(()));
}

#[test]
fn bodies_that_are_wrong_are_told_with_every_problem() {
    let passive = Passive::start(ORDERS);
    let told = passive.orders("lease", &json!({"max": 101, "lease": "1ms", "wait": 20, "than": 1}));
    assert_eq!(told.problem(422), "invalid-document");
    let paths: HashSet<String> = told.json()["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paths, ["max", "lease", "wait", "than"].map(str::to_owned).into());
    assert_eq!(passive.orders("ack", &json!({})).problem(422), "invalid-document");
    assert_eq!(passive.ask("/out/orders/ack", Some(TOKEN), None).problem(415), "unsupported-media-type");
    // As they are described.
    let described = Request { method: "GET".into(), path: "/out/openapi.json".into(), ..Request::default() };
    let contract = Contract::new(send(passive.gateway.out(), &described).unwrap().expect(200).json());
    passive.publish(b"{}");
    for (verb, body) in [
        ("lease", json!({"max": 101})),
        ("lease", json!({"wait": "60s"})),
        ("ack", json!({"tokens": ["nonsense"]})),
        ("nack", json!({"tokens": []})),
        ("extend", json!({})),
    ] {
        contract.check("POST", &format!("/out/orders/{verb}"), &passive.orders(verb, &body));
    }
}

#[test]
fn every_address_takes_the_methods_that_its_description_says_and_no_others() {
    let passive = Passive::start(ORDERS);
    let ask = |method: &str, path: &str| {
        let request = Request { method: method.into(), path: path.into(), ..Request::default() };
        send(passive.gateway.out(), &request).unwrap()
    };
    let described = ask("GET", "/out/openapi.json").expect(200).json();
    let paths = described["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 8, "{paths:?}");
    for (path, operations) in paths {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let told = operations.get(method.to_lowercase()).is_some();
            let answer = ask(method, &path.replace("{subscription}", "orders").replace("{topic}", "news"));
            assert!(answer.status != 404, "{method} {path}");
            assert_eq!(answer.status != 405, told, "{method} {path}: {}", answer.status);
        }
    }
}

#[test]
fn tokens_are_rotated_without_a_moment_in_which_none_is_right() {
    let both = ORDERS.replace("\"env:ORDERS_TOKEN\"", "\"env:ORDERS_TOKEN\", \"env:NEXT\"");
    let passive = Passive::start(ORDERS);
    let reload = |subscriptions: &str| {
        let said = "the configuration was reloaded";
        let before = passive.gateway.log().matches(said).count();
        passive.gateway.write(&Passive::setup(subscriptions));
        passive.gateway.signal("HUP");
        eventually("the reload", || (passive.gateway.log().matches(said).count() > before).then_some(()));
    };
    let status = |token| passive.ask("/out/orders/lease", Some(token), None).status;
    let waits = json!({"wait": "60s"});
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| passive.ask("/out/orders/lease", Some(TOKEN), Some(&waits)).status);
        let line = "anglerfish_passive_waiting{subscription=\"orders\"} 1";
        eventually("somebody waits", || {
            passive.gateway.api("GET", "/metrics", None).text().contains(line).then_some(())
        });
        reload(&ORDERS.replace("env:ORDERS_TOKEN", "env:NEXT"));
        assert_eq!(waiting.join().unwrap(), 401, "its token has ended");
        reload(ORDERS);
    });
    passive.publish(b"{}");
    let messages = passive.lease("30s");
    assert_eq!((status(TOKEN), status(NEXT)), (200, 401));
    reload(&both);
    assert_eq!((status(TOKEN), status(NEXT)), (200, 200));
    reload(&ORDERS.replace("env:ORDERS_TOKEN", "env:NEXT"));
    assert_eq!((status(TOKEN), status(NEXT)), (401, 200));
    // What was leased with the old one is answered for with the new one.
    let body = json!({"tokens": tokens(&messages)});
    let told = passive.ask("/out/orders/ack", Some(NEXT), Some(&body)).expect(200).json();
    assert_eq!(told["results"][0]["outcome"], "acked");
}

#[test]
fn a_token_written_by_api_is_kept_as_its_hash_and_shown_nowhere() {
    let mut passive = Passive::start("");
    let document = json!({"mode": "passive", "tokens": [TOKEN]});
    let shown = passive.gateway.api("PUT", "/v1/subscriptions/orders", Some(&document)).expect(201).json();
    assert_eq!(shown["subscription"]["tokens"], json!(["…"]));
    passive.publish(b"{}");
    assert_eq!(passive.lease("1s").len(), 1);
    assert_eq!(passive.ask("/out/orders/lease", Some("wrong-but-long-enough"), None).status, 401);
    let listed = passive.gateway.run(&["subscriptions", "list"], b"").expect(0).stdout;
    assert!(listed.contains("passive"), "{listed}");
    passive.gateway.restart();
    assert_eq!(passive.lease("30s").len(), 1, "the token opens after a restart too");
    let shown = passive.gateway.get("/v1/subscriptions/orders");
    assert_eq!((&shown["leases"]["leased"], &shown["leases"]["held"]), (&json!(1), &json!(0)), "{shown}");
    assert!(shown["leases"]["next_end"].is_string() && shown["oldest"].is_string(), "{shown}");
    // By the command line another one is made, and the one before goes on to open until it is to be the only one.
    let rotate = |arguments: &[&str]| {
        let arguments: Vec<_> =
            ["subscriptions", "rotate-token", "orders"].iter().chain(arguments).copied().collect();
        passive.gateway.run(&arguments, NEXT.as_bytes()).expect(0).stdout
    };
    let opens = |token: &str| passive.ask("/out/orders/lease", Some(token), None).status == 200;
    let made = rotate(&[]);
    assert!(opens(made.trim()) && opens(TOKEN), "{made}");
    let path = "/v1/subscriptions/orders/rotate-token";
    let shown = passive.gateway.api("POST", path, None).expect(200).json();
    let third = shown["token"].as_str().expect("no token is made");
    assert!(opens(third) && opens(made.trim()) && opens(TOKEN), "all that were right stay so");
    assert_eq!(passive.gateway.get("/v1/subscriptions/orders")["token"], Value::Null, "it is shown once");
    assert_eq!(rotate(&["--new-token", "-", "--only"]), "subscription orders has the new token\n");
    assert!(opens(NEXT) && !opens(TOKEN) && !opens(made.trim()));
    let short = passive
        .gateway
        .run(&["subscriptions", "rotate-token", "orders", "--new-token", "short"], b"")
        .expect(2);
    assert!(short.stderr.contains("token: must have 16 to 512 characters"), "{}", short.stderr);
    // What cannot be is told with its place.
    for (document, path) in [
        (json!({"mode": "passive"}), "tokens"),
        (json!({"mode": "push"}), "endpoint"),
        (json!({"mode": "pull", "tokens": [TOKEN]}), "mode"),
        (json!({"mode": "stream"}), "tokens"),
        (json!({"mode": "passive", "tokens": ["short"]}), "tokens[0]"),
        (shown["subscription"].clone(), "tokens[0]"),
    ] {
        let told = passive.gateway.api("PUT", "/v1/subscriptions/orders", Some(&document));
        assert_eq!(told.problem(422), "invalid-document", "{document}");
        assert_eq!(told.json()["problems"][0]["path"], path, "{document}");
    }
    passive.gateway.signal_end();
    let _ = passive.gateway.wait_end();
    let found = holding(passive.gateway.directory(), TOKEN.as_bytes());
    assert!(found.is_empty(), "the token is in {found:?}");
}

/// The files below a directory that hold these bytes.
fn holding(directory: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn nothing_is_lost_when_the_gateway_is_killed_while_messages_are_leased() {
    const EVENTS: usize = 200;
    let mut passive = Passive::start(
        &ORDERS.replace("\"10ms\", \"10ms\"", "\"10ms\", \"10ms\", \"10ms\", \"10ms\", \"10ms\", \"10ms\""),
    );
    let mut acked: HashSet<String> = HashSet::new();
    let mut twice = 0;
    let id = |message: &Value| message["event"]["id"].as_str().unwrap().to_owned();
    for round in 0..4 {
        for number in 0..EVENTS / 4 {
            passive.publish(format!("{{\"round\":{round},\"number\":{number}}}").as_bytes());
        }
        let held = passive.lease("1h");
        let (some, rest) = held.split_at(held.len() / 2);
        let told = passive.orders("ack", &json!({"tokens": tokens(some)})).expect(200).json();
        for (message, result) in some.iter().zip(told["results"].as_array().unwrap()) {
            assert_eq!(result["outcome"], "acked");
            twice += usize::from(!acked.insert(id(message)));
        }
        passive.gateway.restart();
        // Those leases are gone with the process: their answers come too late.
        let late = passive.orders("ack", &json!({"tokens": tokens(rest)}));
        assert_eq!(late.problem(409), "stale-lease");
    }
    while acked.len() < EVENTS {
        let messages = passive.lease("30s");
        let _ = passive.orders("ack", &json!({"tokens": tokens(&messages)})).expect(200);
        for message in &messages {
            twice += usize::from(!acked.insert(id(message)));
        }
    }
    assert!(passive.nothing());
    assert_eq!((acked.len(), twice), (EVENTS, 0), "what was answered for came again");
    let delivered = passive.gateway.list("/v1/deliveries?subscription=orders&status=delivered", 100);
    assert_eq!(delivered.len(), EVENTS);
}

#[test]
fn held_messages_are_sent_when_somebody_asks_and_never_by_themselves() {
    let (receiver, other) = (Receiver::start(), Receiver::start());
    let passive = Passive::start(&format!(
        "{ORDERS}[subscription.endpoint]\nurl = \"{}\"\nallow_private = true\n\
         [[subscription]]\nid = \"pushed\"\nendpoint = {{ url = \"{}\", allow_private = true }}\n",
        receiver.url("/orders"),
        other.url("/pushed"),
    ));
    for number in 0..5 {
        passive.publish(number.to_string().as_bytes());
    }
    // The other one has got them all by then, and with a lease they are seen to be there.
    let _ = other.wait_until("the pushed ones", |requests| requests.len() == 5);
    eventually("all to be held", || {
        let shown = passive.gateway.get("/v1/subscriptions/orders");
        (shown["open_deliveries"] == 5).then_some(())
    });
    assert!(receiver.requests().is_empty());
    let path = "/v1/subscriptions/orders/send-message";
    let sent =
        passive.gateway.api("POST", &format!("{path}?quantity=3&concurrency=2"), None).expect(200).json();
    assert_eq!(
        (&sent["attempts"], &sent["delivered"], &sent["open_deliveries"]),
        (&json!(3), &json!(3), &json!(2))
    );
    assert_eq!(receiver.requests().len(), 3);
    let told = passive.gateway.run(&["subscriptions", "send", "orders"], b"").expect(0).stdout;
    assert!(told.contains("delivered") && told.contains('2'), "{told}");
    assert_eq!(receiver.requests().len(), 5);
    assert!(passive.nothing());

    for (path, status, code) in [
        ("/v1/subscriptions/pushed/send-message", 409, "subscription-not-passive"),
        ("/v1/subscriptions/nobody/send-message", 404, "unknown-subscription"),
        ("/v1/subscriptions/orders/send-message?quantity=0", 400, "invalid-query"),
        ("/v1/subscriptions/orders/send-message?concurrency=101", 400, "invalid-query"),
    ] {
        assert_eq!(passive.gateway.api("POST", path, None).problem(status), code, "{path}");
    }
    // Paused, it gives and sends nothing.
    let _ = passive.gateway.api("POST", "/v1/subscriptions/orders/pause", None).expect(200);
    passive.publish(b"{}");
    let given = passive.orders("lease", &json!({})).expect(200).json();
    assert_eq!(given, json!({"messages": [], "stopped": true}));
    assert_eq!(passive.gateway.api("POST", path, None).problem(409), "subscription-stopped");
    let _ = passive.gateway.api("POST", "/v1/subscriptions/orders/resume", None).expect(200);
    assert_eq!(passive.lease("30s").len(), 1);
}

#[test]
fn the_end_answers_whoever_waits_and_a_start_without_a_listener_says_what_is_missing() {
    let mut passive = Passive::start(ORDERS);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| passive.orders("lease", &json!({"wait": "60s"})));
        eventually("somebody to wait", || {
            let metrics = passive.gateway.api("GET", "/metrics", None).text();
            metrics.contains("anglerfish_passive_waiting{subscription=\"orders\"} 1").then_some(())
        });
        passive.gateway.signal_end();
        assert_eq!(waiting.join().unwrap().expect(200).json()["messages"], json!([]));
    });
    assert!(passive.gateway.wait_end().success());
    let setup = Setup {
        rest: ORDERS.to_owned(),
        environment: vec![("ORDERS_TOKEN".into(), TOKEN.into())],
        ..Setup::default()
    };
    let gateway = Gateway::set_up(&setup);
    gateway.wait_log("there is no `out.listen`");
    let warnings = gateway.get("/v1/subscriptions/orders")["warnings"].clone();
    assert_eq!(warnings[0]["path"], "tokens", "{warnings}");
}
