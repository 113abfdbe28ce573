//! Calls of the real binary: attempted until they have an answer, kept with it, and no more of them after a crash than
//! there may be.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually, free_port};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn api(url: &str, rest: &str) -> String {
    format!("[[api]]\nname = \"brittle\"\nurl = \"{url}\"\nallow_private = true\n{rest}\n")
}

fn with(rest: &str) -> Setup {
    Setup { rest: rest.to_owned(), ..Setup::default() }
}

/// Makes a call with this key; returns its id.
fn make(gateway: &Gateway, key: &str) -> String {
    let body = json!({"api": "brittle", "external_uuid": key, "body": "abc"});
    let answer = gateway.api("POST", "/v1/calls", Some(&body)).expect(201);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn ended(gateway: &Gateway, id: &str) -> Value {
    let call = gateway.get(&format!("/v1/calls/{id}?wait=30s"));
    assert_ne!(call["state"], "pending", "{call}");
    call
}

fn classes(call: &Value) -> Vec<String> {
    let history = call["history"].as_array().unwrap();
    history.iter().map(|record| record["class"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_call_is_attempted_until_it_has_an_answer_and_whoever_subscribes_is_told() {
    let receiver = Receiver::with(|request, before| match (request.path.as_str(), before) {
        ("/told", _) => Reply::status(200),
        (_, 0) => Reply::status(503),
        _ => Reply::status(200).header("x-answer", "yes").header("set-cookie", "s=1").body(b"cba"),
    });
    let rest = api(
        &receiver.url("/v1"),
        "headers = { authorization = \"Bearer s3cret\" }\nretry = { delays = [\"10ms\"] }\n\
         secret = \"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"",
    );
    let subscription = format!(
        "[[subscription]]\nid = \"told\"\nsources = [\"anglerfish\"]\n\
         filter = 'event.type == \"anglerfish.call.response\"'\n\
         endpoint = {{ url = \"{}\", allow_private = true }}\n",
        receiver.url("/told")
    );
    let gateway = Gateway::set_up(&with(&format!("{rest}{subscription}")));
    let arguments = [
        "calls",
        "insert",
        "brittle",
        "abc",
        "--path",
        "/orders?x=1",
        "--external-uuid",
        "order-7",
        "--header",
        "x-a: 1",
        "--wait",
    ];
    let ran = gateway.run(&arguments, b"").expect(0);
    assert_eq!(ran.stdout, "cba");
    // The same again is the same call.
    assert_eq!(gateway.run(&arguments, b"").expect(0).stdout, "cba");

    let requests = receiver.wait_until("both attempts and the event", |all| all.len() >= 3);
    let (attempts, told): (Vec<_>, Vec<_>) = requests.iter().partition(|one| one.path != "/told");
    assert_eq!(attempts.len(), 2);
    for attempt in attempts {
        assert_eq!((attempt.path.as_str(), &attempt.body[..]), ("/v1/orders?x=1", &b"abc"[..]));
        for (name, value) in
            [("authorization", "Bearer s3cret"), ("x-a", "1"), ("idempotency-key", "order-7")]
        {
            assert_eq!(attempt.header(name), Some(value));
        }
        assert_eq!(attempt.header("webhook-id"), Some("order-7"));
        assert!(attempt.header("webhook-signature").is_some());
    }
    let event: Value = serde_json::from_slice(&told[0].body).unwrap();
    assert_eq!(
        (&event["external_uuid"], &event["body"], &event["status"]),
        (&json!("order-7"), &json!("cba"), &json!(200))
    );
    assert_eq!(told[0].header("ce-callstate"), Some("success"));

    let id = gateway.run(&["calls", "resolve", "brittle", "order-7"], b"").expect(0).stdout.trim().to_owned();
    let call = gateway.get(&format!("/v1/calls/{id}"));
    assert_eq!(classes(&call), ["request", "api-request", "api-failure", "api-request", "api-response"]);
    assert_eq!(
        (&call["answer"]["headers"]["x-answer"], &call["answer"]["status"]),
        (&json!("yes"), &json!(200))
    );
    assert_eq!(call["answer"]["headers"].get("set-cookie"), None);
    // Each record is an entry of the log, caused by the request, and what watches them finds them.
    let watched = gateway.run(&["calls", "watch", "--until-now"], b"").expect(0).stdout;
    let words: Vec<&str> = watched.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(
        words,
        ["configuration", "request", "api-request", "api-failure", "api-request", "api-response"]
    );
    let states = gateway.run(&["calls", "watch-requests", "--until-now"], b"").expect(0).stdout;
    let states: Vec<&str> = states.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(states, ["pending", "success"]);
    let _ = gateway.run(&["calls", "resolve", "brittle", "other"], b"").expect(1);
}

#[test]
fn a_call_that_failed_is_opened_again_under_its_key_and_one_that_is_refused_is_not_repeated() {
    let attempts = AtomicUsize::new(0);
    let receiver = Receiver::with(move |request, _| match request.path.as_str() {
        "/refuses" => Reply::status(422).body(b"no such thing"),
        _ if attempts.fetch_add(1, Ordering::SeqCst) < 2 => Reply::status(503),
        _ => Reply::status(200).body(b"at last"),
    });
    let gateway = Gateway::set_up(&with(&api(&receiver.url(""), "retry = { delays = [\"5ms\"] }")));
    let ran =
        gateway.run(&["calls", "insert", "brittle", "x", "--path", "/refuses", "--wait"], b"").expect(1);
    assert!(ran.stderr.contains("failure after 1 attempt: answered 422"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");

    let id = make(&gateway, "k");
    let call = ended(&gateway, &id);
    assert_eq!((&call["state"], &call["attempts"]), (&json!("failure"), &json!(2)));
    let _ = gateway.run(&["calls", "show", &id, "--wait"], b"").expect(1);
    // The key is tied to the outcome: the same again finds it as it is, until somebody opens it again.
    let again = json!({"api": "brittle", "external_uuid": "k", "body": "abc"});
    let found = gateway.api("POST", "/v1/calls?wait=10s", Some(&again)).expect(200).json();
    assert_eq!((&found["id"], &found["state"]), (&json!(id), &json!("failure")));
    let _ = gateway.run(&["calls", "retry", &id], b"").expect(0);
    let call = ended(&gateway, &id);
    assert_eq!((&call["state"], &call["attempts"]), (&json!("success"), &json!(3)));
    assert_eq!(call["answer"]["body"], "at last");
    let keys: Vec<_> =
        receiver.requests().iter().map(|one| one.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys[1..], ["k", "k", "k"]);
    // One that has its answer is not tried again.
    let _ = gateway.run(&["calls", "retry", &id], b"").expect(1);
}

#[test]
fn a_timeout_breaks_an_attempt_off_unless_an_answer_is_still_waited_for() {
    let receiver = Receiver::with(|_, _| Reply::held(200).body(b"late"));
    let times = "timeout = \"100ms\"\nretry = { delays = [\"10ms\"] }";
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), times)));
    let call = ended(&gateway, &make(&gateway, "broken-off"));
    assert_eq!((&call["state"], &call["attempts"]), (&json!("timeout"), &json!(2)));

    let said = json!({"wait_after_timeout": "20s"});
    let _ = gateway.api("PATCH", "/v1/apis/brittle", Some(&said)).expect(200);
    let id = make(&gateway, "late");
    // As long as an answer counts it has not ended.
    eventually("the time of both attempts is over", || {
        let timeouts = classes(&gateway.get(&format!("/v1/calls/{id}")));
        (timeouts.iter().filter(|class| *class == "api-timeout").count() == 2).then_some(())
    });
    let waiting = gateway.get(&format!("/v1/calls/{id}"));
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("pending"), &json!(2)));
    receiver.release();
    let call = ended(&gateway, &id);
    assert_eq!((&call["state"], &call["answer"]["body"]), (&json!("success"), &json!("late")));
    let expected = ["request", "api-request", "api-timeout", "api-request", "api-timeout", "api-response"];
    assert_eq!(classes(&call), expected);
}

#[test]
fn an_answer_after_the_timeout_that_refuses_ends_the_call_and_none_at_all_does_so_once() {
    let receiver = Receiver::with(|request, _| match request.path.as_str() {
        "/refuses" => Reply::held(422).body(b"no"),
        _ => Reply::held(200),
    });
    let rest =
        "timeout = \"50ms\"\nwait_after_timeout = \"200ms\"\nretries = 1\nretry = { delays = [\"1h\"] }";
    let gateway = Gateway::set_up(&with(&api(&receiver.url(""), rest)));
    let body = json!({"api": "brittle", "path": "/silent"});
    let said = json!({"retries": 0});
    let _ = gateway.api("PATCH", "/v1/apis/brittle", Some(&said)).expect(200);
    let silent = gateway.api("POST", "/v1/calls", Some(&body)).expect(201).json();
    let call = ended(&gateway, silent["id"].as_str().unwrap());
    assert_eq!(call["state"], "timeout");
    // What was waited for is over: there is nothing that could still change it.
    assert_eq!(classes(&call), ["request", "api-request", "api-timeout", "api-timeout"]);

    let said = json!({"retries": 1, "wait_after_timeout": "1m"});
    let _ = gateway.api("PATCH", "/v1/apis/brittle", Some(&said)).expect(200);
    let body = json!({"api": "brittle", "path": "/refuses"});
    let refused = gateway.api("POST", "/v1/calls", Some(&body)).expect(201).json();
    let id = refused["id"].as_str().unwrap();
    eventually("its time is over", || {
        classes(&gateway.get(&format!("/v1/calls/{id}"))).contains(&"api-timeout".to_owned()).then_some(())
    });
    receiver.release();
    // Without an answer the next attempt would be in an hour.
    let call = ended(&gateway, id);
    assert_eq!((&call["state"], &call["attempts"]), (&json!("failure"), &json!(1)));
    assert_eq!((&call["answer"]["status"], &call["answer"]["body"]), (&json!(422), &json!("no")));
}

#[test]
fn whoever_waits_for_a_call_learns_how_it_stands_when_the_gateway_stops() {
    let port = free_port();
    let rest = "retry = { delays = [\"1h\"] }";
    let mut gateway = Gateway::set_up(&with(&api(&format!("http://127.0.0.1:{port}/"), rest)));
    let id = make(&gateway, "first");
    let body = json!({"api": "brittle", "external_uuid": "second"});
    std::thread::scope(|scope| {
        let shown = scope.spawn(|| gateway.api("GET", &format!("/v1/calls/{id}?wait=60s"), None));
        let made = scope.spawn(|| gateway.api("POST", "/v1/calls?wait=60s", Some(&body)));
        eventually("both calls wait for their next attempt", || {
            let items = gateway.get("/v1/calls")["items"].clone();
            let waiting = items.as_array().unwrap().iter().filter(|call| call["next"].is_string()).count();
            (waiting == 2).then_some(())
        });
        gateway.signal_end();
        assert_eq!(shown.join().unwrap().expect(200).json()["state"], "pending");
        assert_eq!(made.join().unwrap().expect(201).json()["state"], "pending");
    });
    assert!(gateway.wait_end().success());
}

#[test]
fn an_answer_is_printed_byte_for_byte_into_a_pipe_and_steers_no_terminal() {
    let receiver = Receiver::with(|_, _| Reply::status(200).body(b"one\ntwo\t\x1b[31mred"));
    let gateway = Gateway::set_up(&with(&api(&receiver.url(""), "")));
    let arguments = ["calls", "insert", "brittle", "x", "--external-uuid", "k", "--wait"];
    assert_eq!(gateway.run(&arguments, b"").expect(0).stdout, "one\ntwo\t\x1b[31mred");
    let shown = gateway.run_on_terminal(&arguments).expect(0).stdout;
    assert!(
        shown.starts_with("one\ntwo") && shown.contains("[31mred") && !shown.contains('\x1b'),
        "{shown:?}"
    );
}

#[test]
fn whoever_waits_for_a_call_goes_on_waiting_while_the_gateway_is_started_anew() {
    let receiver = Receiver::with(|_, _| Reply::held(200).body(b"at last"));
    let mut gateway = Gateway::set_up(&with(&api(&receiver.url(""), "retry = { delays = [\"10ms\"] }")));
    let id = make(&gateway, "k");
    let _ = receiver.wait(1);
    gateway.kill();
    // Whoever asks in the middle of that is cut off.
    let between = std::net::TcpListener::bind(gateway.admin()).unwrap();
    let mut waiting = gateway.begin(&["calls", "show", &id, "--wait", "--json"]);
    drop((between.accept().unwrap(), between));
    gateway.spawn();
    // The attempt that was interrupted is repeated.
    let _ = receiver.wait(2);
    receiver.release();
    assert_eq!(waiting.json_line()["answer"]["body"], "at last");
}

#[test]
fn what_was_said_at_run_time_is_there_again_when_the_file_has_nothing_against_it_any_more() {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let file = |rest: &str| with(&api(&url, rest));
    let mut gateway = Gateway::set_up(&file(""));
    let said = json!({"retries": 7, "success": ["2xx", 404]});
    let _ = gateway.api("PATCH", "/v1/apis/brittle", Some(&said)).expect(200);
    let shown = || gateway.get("/v1/apis")["items"][0].clone();
    gateway.write(&file("discard = [404]"));
    let _ = gateway.run(&["reload"], b"").expect(0);
    // What goes against nothing stays.
    let against = shown();
    assert_eq!((&against["settings"], &against["left_aside"]), (&json!({"retries": 7}), &json!(["success"])));
    gateway.write(&file(""));
    let _ = gateway.run(&["reload"], b"").expect(0);
    assert_eq!((&shown()["settings"], shown().get("left_aside")), (&said, None));
    // It was against the file also at a start.
    gateway.write(&file("discard = [404]"));
    gateway.restart();
    gateway.write(&file(""));
    let _ = gateway.run(&["reload"], b"").expect(0);
    assert_eq!(gateway.get("/v1/apis")["items"][0]["settings"], said);
    // To take back what is not said is nothing to tell of.
    let _ = gateway.run(&["calls", "configure", "brittle", "--reset"], b"").expect(0);
    let told =
        || gateway.get("/v1/events?type=anglerfish.call.configuration")["items"].as_array().unwrap().len();
    let before = told();
    let _ = gateway.run(&["calls", "configure", "brittle", "--reset"], b"").expect(0);
    assert_eq!(told(), before);
}

#[test]
fn a_call_that_cannot_be_what_it_says_is_refused_with_its_place() {
    let receiver = Receiver::with(|_, _| Reply::status(200));
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/v1"), "")));
    for (document, path) in [
        (json!({"headers": {"Idempotency-Key": "mine"}}), "headers.Idempotency-Key"),
        (json!({"path": "/..%2fadmin"}), "path"),
        (json!({"path": "/..;/admin"}), "path"),
        (json!({"path": "http://evil.example/"}), "path"),
        (json!({"url": "/x"}), "url"),
        (json!({"headers": {"x-a": "ä"}}), "headers.x-a"),
    ] {
        let mut call = json!({"api": "brittle"});
        call.as_object_mut().unwrap().extend(document.as_object().unwrap().clone());
        let answer = gateway.api("POST", "/v1/calls", Some(&call));
        assert_eq!(answer.problem(422), "invalid-document", "{document}");
        assert_eq!(answer.json()["problems"][0]["path"], path, "{document}");
    }
    // What is wrong is told also where the key is that of another request.
    let _ = gateway
        .api("POST", "/v1/calls", Some(&json!({"api": "brittle", "external_uuid": "used"})))
        .expect(201);
    let reused = |path: &str| {
        let call = json!({"api": "brittle", "external_uuid": "used", "path": path});
        gateway.api("POST", "/v1/calls", Some(&call)).problem(422)
    };
    assert_eq!(reused("/.."), "invalid-document");
    assert_eq!(reused("/x"), "idempotency-key-reused");
    let _ = receiver.wait(1);
    let arguments = ["calls", "insert", "brittle", "--header", "x-a: 1", "--header", "X-A: 2"];
    let twice = gateway.run(&arguments, b"").expect(2);
    assert!(twice.stderr.contains("X-A"), "{}", twice.stderr);
    // Who says the method that the API has anyhow asks for the same; and who says who they are is heard.
    let call = json!({"api": "brittle", "external_uuid": "k", "headers": {"user-agent": "mine/1"}});
    let _ = gateway.api("POST", "/v1/calls?wait=10s", Some(&call)).expect(201);
    let mut same = call;
    same["method"] = json!("POST");
    let _ = gateway.api("POST", "/v1/calls", Some(&same)).expect(200);
    let [_, request] = &receiver.requests()[..] else { panic!("not two requests") };
    assert_eq!(request.header("user-agent"), Some("mine/1"));
    // The log tells of how calls are repeated before it tells of the first one.
    let first = gateway.get("/v1/events?source=anglerfish&after=0&limit=1");
    assert_eq!(first["items"][0]["type"], "anglerfish.call.configuration");
}

#[test]
fn one_host_that_asks_to_be_left_alone_holds_up_no_other_of_an_api_that_is_anywhere() {
    let receiver = Receiver::with(|request, _| match request.path.as_str() {
        "/busy" => Reply::status(429).header("retry-after", "3600"),
        _ => Reply::status(200),
    });
    let rest = "[[api]]\nname = \"partners\"\nany_url = true\nallow_private = true\n";
    let gateway = Gateway::set_up(&with(rest));
    let call = |path: &str| json!({"api": "partners", "url": receiver.url(path)});
    let busy = gateway.api("POST", "/v1/calls", Some(&call("/busy"))).expect(201).json();
    eventually("the busy host is left alone", || {
        let stands = gateway.get(&format!("/v1/calls/{}", busy["id"].as_str().unwrap()));
        stands["next"].is_string().then_some(())
    });
    let other = gateway.api("POST", "/v1/calls?wait=20s", Some(&call("/idle"))).expect(201).json();
    assert_eq!(other["state"], "success");
}

#[test]
fn an_api_that_asks_to_be_left_alone_is_called_again_when_an_operator_says_so() {
    let receiver = Receiver::with(|_, before| match before {
        0 => Reply::status(429).header("retry-after", "3600"),
        _ => Reply::status(200),
    });
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), "")));
    let told = make(&gateway, "first");
    eventually("the api is left alone", || {
        (gateway.get("/v1/apis")["items"][0]["waits_for"] == "throttled").then_some(())
    });
    let id = make(&gateway, "second");
    let shown = gateway.run(&["calls", "resume", "brittle"], b"").expect(0).stdout;
    assert!(!shown.contains("throttled"), "{shown}");
    assert_eq!(ended(&gateway, &id)["state"], "success");
    // So is the call that it told so, which has not used up more for that.
    let call = ended(&gateway, &told);
    assert_eq!((&call["state"], &call["attempts"]), (&json!("success"), &json!(2)));
    assert_eq!(classes(&call), ["request", "api-request", "api-failure", "api-request", "api-response"]);
    let _ = gateway.run(&["calls", "resume", "nobody"], b"").expect(1);
}

#[test]
fn no_more_attempts_run_than_may_and_a_cancelled_call_has_none() {
    let receiver = Receiver::with(|_, _| Reply::held(200));
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), "concurrency = 3")));
    let ids: Vec<String> = (0..10).map(|n| make(&gateway, &format!("k{n}"))).collect();
    let _ = receiver.wait(3);
    assert_eq!(gateway.get("/v1/apis")["items"][0]["running"], 3);
    let waiting = ids.iter().find(|id| gateway.get(&format!("/v1/calls/{id}"))["attempts"] == 0).unwrap();
    for id in [waiting, &ids[0]] {
        let cancelled = gateway.api("POST", &format!("/v1/calls/{id}/cancel"), None).expect(200).json();
        assert_eq!(cancelled["state"], "cancelled");
    }
    // One that ran was broken off, so that another one runs.
    let _ = receiver.wait(4);
    assert_eq!(receiver.requests().len(), 4);
    receiver.release();
    for id in &ids {
        let state = ended(&gateway, id)["state"].clone();
        assert_eq!(state, if id == waiting || id == &ids[0] { "cancelled" } else { "success" });
    }
    assert_eq!(receiver.requests().len(), 9);
}

#[test]
fn calls_of_two_apis_share_the_rate_of_their_host_and_one_to_another_host_goes_before_them() {
    let receiver = Receiver::with(|_, _| Reply::status(200));
    let port = receiver.url("").rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let named = format!("http://localhost:{port}");
    let rest = format!(
        "[outbound]\nhost_rates = {{ \"127.0.0.1\" = {{ per_hour = 1 }} }}\n\
         [[api]]\nname = \"partners\"\nany_url = true\nallow_private = true\n{}",
        api(&receiver.url("/own"), "")
    );
    let gateway = Gateway::set_up(&with(&rest));
    let call = |document: &Value| gateway.api("POST", "/v1/calls", Some(document)).expect(201).json();
    let first = call(&json!({"api": "brittle"}));
    assert_eq!(ended(&gateway, first["id"].as_str().unwrap())["state"], "success");
    let held = [json!({"api": "brittle"}), json!({"api": "partners", "url": receiver.url("/any")})];
    for document in held.each_ref().map(&call) {
        let id = document["id"].as_str().unwrap().to_owned();
        let waits = eventually("it waits for its host", || {
            gateway.get(&format!("/v1/calls/{id}"))["waits_for"].as_str().map(str::to_owned)
        });
        assert!(waits.contains("rate of host `127.0.0.1`"), "{waits}");
    }
    let other = call(&json!({"api": "partners", "url": format!("{named}/other")}));
    assert_eq!(ended(&gateway, other["id"].as_str().unwrap())["state"], "success");
    let paths: Vec<String> = receiver.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/own", "/other"]);
}

#[test]
fn an_answer_that_is_awaited_after_its_time_takes_no_place_from_the_attempts_that_follow() {
    let receiver = Receiver::with(|request, _| match request.path.as_str() {
        "/slow" => Reply::held(200),
        _ => Reply::status(200),
    });
    let rest = "timeout = \"50ms\"\nwait_after_timeout = \"1h\"\nretries = 0\nconcurrency = 1";
    let gateway = Gateway::set_up(&with(&api(&receiver.url(""), rest)));
    let slow = json!({"api": "brittle", "path": "/slow"});
    let call = |document: &Value| gateway.api("POST", "/v1/calls", Some(document)).expect(201).json();
    let _ = call(&slow);
    let _ = receiver.wait(1);
    let quick = call(&json!({"api": "brittle", "path": "/quick"}));
    assert_eq!(ended(&gateway, quick["id"].as_str().unwrap())["state"], "success");
    // There may be one such, and the next keeps its place: so the third waits, and says for what.
    let _ = call(&slow);
    let _ = receiver.wait(3);
    let waiting = call(&json!({"api": "brittle", "path": "/quick"}));
    let id = waiting["id"].as_str().unwrap();
    let waits = eventually("it waits for a place", || {
        gateway.get(&format!("/v1/calls/{id}"))["waits_for"].as_str().map(str::to_owned)
    });
    assert!(waits.contains("`concurrency`"), "{waits}");
    assert_eq!(gateway.get("/v1/apis")["items"][0]["waits_for"], "concurrency");
    receiver.release();
    assert_eq!(ended(&gateway, id)["state"], "success");
}

#[test]
fn calls_that_wait_for_the_rate_of_their_api_say_so() {
    let receiver = Receiver::with(|_, _| Reply::status(200));
    let rate = "rate = { per_hour = 1 }";
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), rate)));
    assert_eq!(ended(&gateway, &make(&gateway, "first"))["state"], "success");
    let id = make(&gateway, "second");
    let waits = eventually("it waits for the rate", || {
        gateway.get(&format!("/v1/calls/{id}"))["waits_for"].as_str().map(str::to_owned)
    });
    assert!(waits.starts_with("the rate of api `brittle`"), "{waits}");
    let shown = &gateway.get("/v1/apis")["items"][0];
    assert_eq!((&shown["waits_for"], shown["waits_until"].is_string()), (&json!("rate"), true));
}

#[test]
fn an_answer_that_is_too_long_is_what_its_status_says_without_its_body() {
    let receiver = Receiver::with(|request, before| match (request.path.as_str(), before) {
        ("/busy", 0) => Reply::status(503).header("x-why", "busy").body(&[b'x'; 2048]),
        ("/long", _) => Reply::status(201).header("location", "/7").body(&[b'x'; 2048]),
        _ => Reply::status(200).body(b"yes"),
    });
    let rest = "answer_limit = \"1KiB\"\nretry = { delays = [\"10ms\"] }";
    let gateway = Gateway::set_up(&with(&api(&receiver.url(""), rest)));
    let call = |path: &str| {
        let document = json!({"api": "brittle", "path": path});
        let made = gateway.api("POST", "/v1/calls", Some(&document)).expect(201).json();
        ended(&gateway, made["id"].as_str().unwrap())
    };
    let busy = call("/busy");
    assert_eq!((&busy["state"], &busy["attempts"]), (&json!("success"), &json!(2)), "{busy}");
    assert_eq!(busy["history"][2]["status"], 503);
    let long = call("/long");
    assert_eq!((&long["state"], &long["attempts"]), (&json!("failure"), &json!(1)), "{long}");
    assert_eq!((&long["history"][2]["status"], &long["answer"]["status"]), (&json!(201), &json!(201)));
    assert_eq!((&long["answer"]["headers"]["location"], &long["answer"]["body"]), (&json!("/7"), &json!("")));
}

#[test]
fn an_attempt_that_a_crash_interrupted_is_recorded_and_is_one_of_the_budget() {
    let receiver = Receiver::with(|_, before| match before {
        0 => Reply::held(200),
        _ => Reply::status(503),
    });
    let setup = |delays: &str| with(&api(&receiver.url("/x"), &format!("retry = {{ delays = {delays} }}")));
    let mut gateway = Gateway::set_up(&setup("[\"5ms\", \"5ms\"]"));
    let id = make(&gateway, "k");
    let _ = receiver.wait(1);
    gateway.kill();
    // What was made keeps its policy, whatever the file says by now.
    gateway.write(&setup("[]"));
    gateway.spawn();
    let call = ended(&gateway, &id);
    assert_eq!((&call["state"], &call["attempts"]), (&json!("failure"), &json!(3)));
    let expected =
        ["request", "api-request", "api-failure", "api-request", "api-failure", "api-request", "api-failure"];
    assert_eq!(classes(&call), expected);
    let reason = call["history"][2]["reason"].as_str().unwrap();
    assert!(reason.starts_with("interrupted"), "{reason}");
    assert_eq!(receiver.requests().len(), 3);
    receiver.release();
    // That the file says something else is told in the log.
    let told = gateway.get("/v1/events?type=anglerfish.call.configuration");
    assert_eq!(told["items"].as_array().unwrap().len(), 2);
    let call = ended(&gateway, &make(&gateway, "later"));
    assert_eq!(call["attempts"], 1);
}

#[test]
fn calls_to_an_api_that_is_gone_wait_for_it() {
    let receiver = Receiver::with(|_, _| Reply::status(200));
    let closed = free_port();
    let file = |url: &str| with(&api(url, "retry = { delays = [\"1m\"] }"));
    let gateway = Gateway::set_up(&file(&format!("http://127.0.0.1:{closed}/")));
    let id = make(&gateway, "k");
    eventually("the first attempt has failed", || {
        (gateway.get(&format!("/v1/calls/{id}"))["next"] != Value::Null).then_some(())
    });
    gateway.write(&with(""));
    let _ = gateway.run(&["reload"], b"").expect(0);
    let call = gateway.get(&format!("/v1/calls/{id}"));
    assert_eq!((&call["state"], call["waits_for"].is_string()), (&json!("pending"), true), "{call}");
    // The same again is the same call, and a new one is refused.
    let same = json!({"api": "brittle", "external_uuid": "k", "body": "abc"});
    let again = gateway.api("POST", "/v1/calls", Some(&same)).expect(200).json();
    assert_eq!((&again["id"], again["waits_for"].is_string()), (&json!(id), true), "{again}");
    let refused = gateway.api("POST", "/v1/calls", Some(&json!({"api": "brittle"})));
    assert_eq!(refused.problem(422), "unknown-api");
    gateway.write(&file(&receiver.url("/x")));
    let _ = gateway.run(&["reload"], b"").expect(0);
    // Its next attempt is not due yet; opened again it goes to where the api is now.
    let _ = gateway.run(&["calls", "cancel", &id], b"").expect(0);
    let _ = gateway.run(&["calls", "retry", &id], b"").expect(0);
    assert_eq!(ended(&gateway, &id)["state"], "success");
}

#[test]
fn a_call_that_waits_keeps_its_method_and_waits_on_while_its_api_cannot_take_it() {
    let receiver = Receiver::with(|_, before| match before {
        0 => Reply::held(503),
        _ => Reply::status(200),
    });
    let file = |rest: &str| with(&format!("[[api]]\nname = \"brittle\"\nallow_private = true\n{rest}\n"));
    let retry = "retry = { delays = [\"100ms\"] }";
    let below = |rest: &str| file(&format!("url = \"{}\"\n{retry}\n{rest}", receiver.url("/x")));
    let gateway = Gateway::set_up(&below("concurrency = 1"));
    let reload = |setup: &Setup| {
        gateway.write(setup);
        let _ = gateway.run(&["reload"], b"").expect(0);
    };
    let anywhere = file(&format!("any_url = true\n{retry}"));
    reload(&anywhere);
    let url = json!({"api": "brittle", "url": receiver.url("/y"), "external_uuid": "whole"});
    let whole = gateway.api("POST", "/v1/calls", Some(&url)).expect(201).json();
    let _ = receiver.wait(1);
    // It has no url of its own any more, and then it has one again.
    reload(&below("method = \"PUT\""));
    receiver.release();
    let waiting = eventually("it is due, and waits", || {
        let call = gateway.get(&format!("/v1/calls/{}", whole["id"].as_str().unwrap()));
        call["waits_for"].is_string().then_some(call)
    });
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("pending"), &json!(1)), "{waiting}");
    // Others go on beside it.
    let id = make(&gateway, "below");
    assert_eq!(ended(&gateway, &id)["state"], "success");
    reload(&anywhere);
    let call = ended(&gateway, whole["id"].as_str().unwrap());
    assert_eq!((&call["state"], &call["attempts"]), (&json!("success"), &json!(2)), "{call}");
    let seen = receiver.requests();
    let seen: Vec<(&str, &str)> = seen.iter().map(|one| (&*one.method, &*one.path)).collect();
    assert_eq!(seen, [("POST", "/y"), ("PUT", "/x"), ("POST", "/y")]);
}

#[test]
fn a_call_is_repeated_by_the_method_that_it_was_made_with() {
    let receiver = Receiver::with(|_, before| match before {
        0 => Reply::held(503),
        _ => Reply::status(200),
    });
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), "retry = { delays = [\"10ms\"] }")));
    let id = make(&gateway, "k");
    let _ = receiver.wait(1);
    let other = "method = \"PUT\"\nidempotency_header = \"x-key\"";
    gateway.write(&with(&api(&receiver.url("/x"), other)));
    let _ = gateway.run(&["reload"], b"").expect(0);
    receiver.release();
    assert_eq!(ended(&gateway, &id)["method"], "POST");
    let requests = receiver.requests();
    let methods: Vec<&str> = requests.iter().map(|one| one.method.as_str()).collect();
    assert_eq!(methods, ["POST", "POST"]);
    // So is the field that has its key.
    let keys: Vec<Option<&str>> = requests.iter().map(|one| one.header("idempotency-key")).collect();
    assert_eq!(keys, [Some("k"), Some("k")]);
    // The same again is the same, whatever the api has by now.
    let same = json!({"api": "brittle", "external_uuid": "k", "body": "abc"});
    let _ = gateway.api("POST", "/v1/calls", Some(&same)).expect(200);
}

#[test]
fn a_call_has_one_end_also_if_it_is_killed_while_two_of_its_attempts_are_out() {
    let receiver = Receiver::with(|_, _| Reply::held(200));
    let rest =
        "timeout = \"100ms\"\nwait_after_timeout = \"5m\"\nretries = 1\nretry = { delays = [\"10ms\"] }";
    let mut gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), rest)));
    let id = make(&gateway, "k");
    eventually("the time of both is over", || {
        let timeouts = classes(&gateway.get(&format!("/v1/calls/{id}")));
        (timeouts.iter().filter(|class| *class == "api-timeout").count() == 2).then_some(())
    });
    gateway.kill();
    gateway.spawn();
    assert_eq!(ended(&gateway, &id)["state"], "timeout");
    let states = gateway.run(&["calls", "watch-requests", "--until-now"], b"").expect(0).stdout;
    let states: Vec<&str> = states.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(states, ["pending", "timeout"]);
    receiver.release();
}

#[test]
fn what_is_not_ascii_of_a_path_is_percent_encoded() {
    let receiver = Receiver::start();
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/v1"), "")));
    let body = json!({"api": "brittle", "path": "/grüße?an=zoë"});
    let _ = gateway.api("POST", "/v1/calls?wait=20s", Some(&body)).expect(201);
    assert_eq!(receiver.wait(1)[0].path, "/v1/gr%C3%BC%C3%9Fe?an=zo%C3%AB");
}

#[test]
fn a_call_names_a_whole_url_where_its_api_may_be_anywhere_and_none_that_is_private() {
    let receiver = Receiver::with(|_, _| Reply::status(200).body(b"here"));
    let apis = format!(
        "{}[[api]]\nname = \"partners\"\nany_url = true\n\n\
         [[api]]\nname = \"inside\"\nany_url = true\nallow_private = true\nretries = 0\n\
         secret = \"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"\n",
        api(&receiver.url("/v1"), "")
    );
    let gateway = Gateway::set_up(&with(&apis));
    let url = receiver.url("/orders?x=1");
    let ran = gateway.run(&["calls", "insert", "inside", "abc", "--url", &url, "--wait"], b"").expect(0);
    assert_eq!(ran.stdout, "here");
    let [request] = &receiver.requests()[..] else { panic!("not one request") };
    assert_eq!((request.path.as_str(), &request.body[..]), ("/orders?x=1", &b"abc"[..]));
    assert!(request.header("webhook-signature").is_some() && request.header("idempotency-key").is_some());
    let call = gateway.get("/v1/calls?api=inside")["items"][0]["id"].as_str().unwrap().to_owned();
    let call = gateway.get(&format!("/v1/calls/{call}"));
    assert_eq!((&call["url"], &call["path"]), (&json!(url), &json!("")));
    let problem = |document: Value| {
        let answer = gateway.api("POST", "/v1/calls", Some(&document));
        assert_eq!(answer.problem(422), "invalid-document");
        answer.json()["problems"][0].clone()
    };
    // Nothing private, however it is written, and nothing that an endpoint could not have.
    for url in [
        url.as_str(),
        "http://localhost:9/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "http://example.com/",
        "https://user:secret@example.com/",
        "https://example.com:6379/",
        "ftp://example.com/",
        "/v1/orders",
    ] {
        let problem = problem(json!({"api": "partners", "url": url}));
        assert_eq!(problem["path"], "url", "{url}: {problem}");
    }
    assert_eq!(problem(json!({"api": "partners", "path": "/x"}))["path"], "url");
    assert_eq!(problem(json!({"api": "brittle", "url": url}))["path"], "url");
    assert_eq!(problem(json!({"api": "inside", "url": url, "path": "/x"}))["path"], "url");
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn behind_an_open_breaker_calls_wait_and_keep_their_attempts() {
    let is_away = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let away = std::sync::Arc::clone(&is_away);
    let receiver = Receiver::with(move |_, _| match away.load(Ordering::SeqCst) {
        true => Reply::status(503),
        false => Reply::status(200),
    });
    let rest = "retries = 3\nretry = { delays = [\"5ms\"] }\nbreaker = { failures = 2, probe = \"300ms\" }";
    let gateway = Gateway::set_up(&with(&api(&receiver.url("/x"), rest)));
    let metrics = || gateway.api("GET", "/metrics", None).text();
    let ids: Vec<String> = (0..20).map(|n| make(&gateway, &format!("k{n}"))).collect();
    let shown = eventually("its breaker is open", || {
        let shown = gateway.get("/v1/apis")["items"][0].clone();
        (shown["waits_for"] == "breaker").then_some(shown)
    });
    assert_eq!(shown["open"], 20, "{shown}");
    let waiting = eventually("a call says what it waits for", || {
        let all = ids.iter().map(|id| gateway.get(&format!("/v1/calls/{id}")));
        all.into_iter().find(|call| call["waits_for"].is_string())
    });
    assert!(waiting["waits_for"].as_str().unwrap().contains("breaker of api `brittle`"), "{waiting}");
    assert!(metrics().contains("anglerfish_api_breaker_open{api=\"brittle\"} 1"));
    // All of them would have failed by now if each had made its attempts.
    let seen = receiver.requests().len();
    let _ = receiver.wait(seen + 2);
    is_away.store(false, Ordering::SeqCst);
    let states: Vec<Value> = ids.iter().map(|id| ended(&gateway, id)["state"].clone()).collect();
    let answered = states.iter().filter(|state| **state == "success").count();
    assert!(answered >= 16, "{states:?}");
    assert!(!metrics().contains("anglerfish_api_breaker_open{"));
}

/// Calls under way while the gateway is killed; with `ANGLERFISH_TEST_CRASHES=1000` as a campaign.
#[test]
fn whenever_it_is_killed_each_call_ends_within_its_budget_and_none_is_made_after_an_answer() {
    const RETRIES: usize = 5;
    let crashes = std::env::var("ANGLERFISH_TEST_CRASHES").ok();
    let crashes: usize = crashes.map_or(6, |said| said.parse().expect("ANGLERFISH_TEST_CRASHES is a number"));
    let seed = std::env::var("ANGLERFISH_TEST_SEED").ok();
    let seed = seed.map(|said| said.parse::<u64>().expect("ANGLERFISH_TEST_SEED is a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ANGLERFISH_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/api");
    let rest = format!("retries = {RETRIES}\ntimeout = \"600ms\"\nretry = {{ delays = [\"20ms\"] }}");
    let mut gateway = Gateway::set_up(&with(&api(&url, &rest)));
    // It takes about as long as the gateway needs for a start: some attempts are interrupted, others have timed out by then.
    let listen = format!("127.0.0.1:{port}");
    let mut sink = gateway.begin(&[
        "sink",
        "--json",
        "--listen",
        &listen,
        "--failure-rate",
        "0.5",
        "--silent-failure-rate",
        "0.3",
        "--min-latency",
        "0.01",
        "--max-latency",
        "0.25",
    ]);
    eventually("the brittle api listens", || std::net::TcpStream::connect(&listen).ok());
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut made = Vec::new();
    for crash in 0..=crashes {
        for n in 0..8 {
            made.push(make(&gateway, &format!("c{crash}-{n}")));
        }
        if crash < crashes {
            std::thread::sleep(Duration::from_millis(random.u64(0..200)));
            gateway.kill();
            gateway.spawn();
        }
    }
    let end = Instant::now() + Duration::from_secs(60);
    while !gateway.get("/v1/calls?state=pending")["items"].as_array().unwrap().is_empty() {
        assert!(Instant::now() < end, "calls do not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    // A last request that the sink has seen tells that all others were printed.
    let last = std::net::TcpStream::connect(&listen).unwrap();
    std::io::Write::write_all(&mut &last, b"GET /up HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    loop {
        let line = sink.json_line();
        if line["path"] == "/up" {
            break;
        }
        let key = line["headers"]["idempotency-key"].as_str().unwrap();
        *seen.entry(key.to_owned()).or_default() += 1;
    }
    let mut states: HashMap<String, usize> = HashMap::new();
    let mut interrupted = 0;
    for id in &made {
        let call = gateway.get(&format!("/v1/calls/{id}"));
        let classes = classes(&call);
        let attempts = classes.iter().filter(|class| *class == "api-request").count();
        let key = call["external_uuid"].as_str().unwrap();
        assert!(attempts <= RETRIES + 1, "{call}");
        let calls = seen.get(key).copied().unwrap_or_default();
        assert!(calls <= attempts, "the api saw {calls} attempts that the log does not know: {call}");
        let answered = classes.iter().position(|class| class == "api-response");
        assert_eq!(answered.is_some(), call["state"] == "success", "{call}");
        if let Some(answered) = answered {
            assert!(!classes[answered..].iter().any(|class| class == "api-request"), "{call}");
        } else {
            assert_eq!(attempts, RETRIES + 1, "{call}");
        }
        let reasons =
            call["history"].as_array().unwrap().iter().filter_map(|record| record["reason"].as_str());
        interrupted += reasons.filter(|reason| reason.starts_with("interrupted")).count();
        *states.entry(call["state"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("{} calls, {crashes} crashes: {states:?}, {interrupted} attempts interrupted", made.len());
    assert!(crashes < 6 || interrupted > 0, "no crash has interrupted anything");
}
