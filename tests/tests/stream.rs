//! Streams of the real binary: read over HTTP, without gap or repetition also when it is killed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{
    Answer, Contract, Gateway, Receiver, Request, Setup, SseEvent, StompClient, Stream, WebSocket,
    eventually, free_port, send,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const TOKEN: &str = "0123456789abcdef-feed";
const OTHER: &str = "fedcba9876543210-feed";

const FEED: &str = r#"
[[subscription]]
id = "feed"
mode = "stream"
tokens = ["env:FEED_TOKEN"]
filter = "!has(message.hidden)"
"#;

struct Streaming {
    gateway: Gateway,
}

impl Streaming {
    fn start(keys: &str, rest: &str) -> Self {
        let rest = format!("[[source]]\nname = \"shop\"\nscheme = \"none\"\n{rest}");
        let environment =
            vec![("FEED_TOKEN".to_owned(), TOKEN.to_owned()), ("OTHER".to_owned(), OTHER.to_owned())];
        let setup = Setup { out: Some(keys.to_owned()), rest, environment, ..Setup::default() };
        Self { gateway: Gateway::set_up(&setup) }
    }

    fn publish(&self, body: &Value) {
        let _ = self.gateway.post_json("shop", body.to_string().as_bytes()).expect(202);
    }

    fn numbers(&self, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| self.publish(&json!({"n": number})));
    }

    fn open(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let token = format!("Bearer {TOKEN}");
        let mut fields = vec![("authorization", token.as_str())];
        fields.extend(headers);
        Stream::open(self.gateway.out(), path, &fields).unwrap()
    }

    fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = Request { method: "GET".into(), path: path.into(), headers, ..Request::default() };
        send(self.gateway.out(), &request).unwrap()
    }

    fn poll(&self, query: &str) -> Value {
        let token = format!("Bearer {TOKEN}");
        self.ask(&format!("/out/feed?format=json&{query}"), &[("authorization", &token)]).expect(200).json()
    }
}

/// The next events of a stream, its own signals among them.
fn events(stream: &mut Stream, count: usize) -> Vec<SseEvent> {
    (0..count).map(|_| stream.event().unwrap().expect("the stream goes on")).collect()
}

fn number(text: &str) -> u64 {
    serde_json::from_str::<Value>(text).unwrap()["data"]["n"].as_u64().unwrap()
}

#[test]
fn a_stream_has_what_is_there_and_what_comes_and_nothing_is_delivered() {
    let streaming = Streaming::start("heartbeat = \"1s\"", FEED);
    streaming.numbers(0..2);
    streaming.publish(&json!({"hidden": true}));
    let mut stream = streaming.open("/out/feed?from=earliest", &[]);
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    assert!(stream.header("cache-control").is_some_and(|value| value.contains("no-store")));
    let start = stream.header("last-event-id").unwrap().to_owned();
    let past = events(&mut stream, 2);
    assert_eq!(past.iter().map(|event| number(&event.data)).collect::<Vec<_>>(), [0, 1]);
    assert!(past[0].event == "shop" && start < past[0].id && past[0].id < past[1].id, "{past:?}");
    streaming.numbers(2..3);
    let came = events(&mut stream, 1);
    assert_eq!(number(&came[0].data), 2);
    let event: Value = serde_json::from_str(&came[0].data).unwrap();
    assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("shop")));
    assert_eq!(streaming.gateway.get("/v1/deliveries")["items"], json!([]));
    // A replay to it would be work for nobody.
    let replay = json!({"subscriptions": ["feed"]});
    let path = format!("/v1/events/{}/replay", event["id"].as_str().unwrap());
    let answer = streaming.gateway.api("POST", &path, Some(&replay));
    assert_eq!(answer.problem(422), "invalid-document");

    // What the subscription does not want moves a silent reader on all the same.
    streaming.publish(&json!({"hidden": true}));
    let line = eventually("a position that moved", || {
        let line = stream.line().unwrap()?;
        line.strip_prefix("id: ").filter(|id| **id > *came[0].id).map(str::to_owned)
    });
    let mut again = streaming.open("/out/feed?from=earliest", &[("last-event-id", &line)]);
    streaming.numbers(3..4);
    assert_eq!(number(&events(&mut again, 1)[0].data), 3);
}

#[test]
fn tokens_are_asked_for_and_never_logged() {
    let streaming =
        Streaming::start("", &format!("[log]\nfilter = \"anglerfish=trace,hyper=trace\"\n{FEED}"));
    streaming.numbers(0..1);
    let path = |token: &str| format!("/out/feed?format=json&from=earliest&access_token={token}");
    let read = streaming.ask(&path(TOKEN), &[]).expect(200).json();
    assert_eq!(read["events"].as_array().unwrap().len(), 1);
    assert_eq!(streaming.ask(&path(OTHER), &[]).problem(401), "unauthorized");
    assert_eq!(streaming.ask("/out/feed", &[]).problem(401), "unauthorized");
    assert_eq!(streaming.ask("/out/nothing", &[("authorization", "Bearer x")]).problem(401), "unauthorized");
    let both = streaming.ask(&path(TOKEN), &[("authorization", "Bearer x")]);
    assert_eq!(both.problem(400), "invalid-query");
    let mut stream =
        Stream::open(streaming.gateway.out(), &format!("/out/feed?access_token={TOKEN}"), &[]).unwrap();
    assert_eq!(stream.status, 200);
    assert!(stream.line().unwrap().unwrap().starts_with("retry: "));
    let metrics = streaming.gateway.api("GET", "/metrics", None).text();
    assert!(
        metrics.contains("anglerfish_stream_readers{subscription=\"feed\",protocol=\"sse\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("anglerfish_stream_behind{subscription=\"feed\"} 0"), "{metrics}");
    let readers = streaming.gateway.get("/v1/readers?subscription=feed");
    assert_eq!((&readers["total"], &readers["readers"][0]["protocol"]), (&json!(1), &json!("sse")));
    assert_eq!(
        (&readers["readers"][0]["address"], &readers["readers"][0]["behind"]),
        (&json!("127.0.0.1"), &json!(0))
    );
    let log = streaming.gateway.log();
    assert!(!log.contains(TOKEN) && !log.contains(OTHER), "{log}");
}

#[test]
fn web_pages_of_other_sites_read_only_if_they_are_on_the_list() {
    let streaming = Streaming::start("allowed_origins = [\"https://app.example\"]", FEED);
    let path = format!("/out/feed?format=json&access_token={TOKEN}");
    let answer = streaming.ask(&path, &[("origin", "https://app.example")]).expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("last-event-id"));
    for origin in ["https://evil.example", "null", "https://app.example.evil.example"] {
        let answer = streaming.ask(&path, &[("origin", origin)]);
        assert_eq!(answer.problem(403), "foreign-origin", "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let own = format!("http://{}", streaming.gateway.out());
    assert_eq!(
        streaming.ask(&path, &[("origin", &own)]).expect(200).header("access-control-allow-origin"),
        None
    );
    let headers = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization,ce-from,x-other"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request =
        Request { method: "OPTIONS".into(), path: "/out/feed".into(), headers, ..Request::default() };
    let answer = send(streaming.gateway.out(), &request).unwrap().expect(204);
    let taken = answer.header("access-control-allow-headers").unwrap();
    assert!(
        taken.contains("authorization") && taken.contains("ce-from") && !taken.contains("x-other"),
        "{taken}"
    );
}

#[test]
fn lines_and_batches_go_on_behind_a_position() {
    let streaming = Streaming::start("heartbeat = \"1s\"", FEED);
    streaming.numbers(0..5);
    let mut lines = streaming.open("/out/feed?from=earliest", &[("accept", "application/x-ndjson")]);
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let mut next = || serde_json::from_str::<Value>(&lines.line().unwrap().unwrap()).unwrap();
    let start = next();
    assert_eq!(start, json!({"position": start["position"].as_str().expect("a position")}));
    let third = (0..3).map(|_| next()).last().unwrap();
    assert_eq!(third["event"]["data"]["n"], 2);

    let after = third["position"].as_str().unwrap();
    let batch = streaming.poll(&format!("after={after}&max=1"));
    assert_eq!((&batch["events"][0]["data"]["n"], batch["events"].as_array().unwrap().len()), (&json!(3), 1));
    let after = batch["position"].as_str().unwrap();
    let batch = streaming.poll(&format!("after={after}&max=100"));
    assert_eq!((&batch["events"][0]["data"]["n"], batch["events"].as_array().unwrap().len()), (&json!(4), 1));
    let after = batch["position"].as_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| streaming.poll(&format!("after={after}&wait=60s")));
        eventually("somebody waits", || {
            let readers = streaming.gateway.get("/v1/readers");
            let found = readers["readers"].as_array().unwrap().iter().any(|one| one["protocol"] == "batch");
            found.then_some(())
        });
        streaming.numbers(5..6);
        assert_eq!(waiting.join().unwrap()["events"][0]["data"]["n"], 5);
    });
    // A CloudEvents batch says in `Link` where to go on.
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str()), ("accept", "application/cloudevents-batch+json")];
    let batch = streaming.ask("/out/feed?from=earliest&max=4", &headers).expect(200);
    assert_eq!(batch.header("content-type"), Some("application/cloudevents-batch+json"));
    assert_eq!(batch.json().as_array().unwrap().len(), 4);
    let link = batch.header("link").unwrap();
    assert!(link.contains("max=4") && !link.contains("earliest"), "{link}");
    let next = link.strip_prefix('<').and_then(|rest| rest.split('>').next()).unwrap();
    let rest = streaming.ask(&format!("/out/feed{next}"), &headers).expect(200).json();
    assert_eq!(
        rest.as_array().unwrap().iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect::<Vec<_>>(),
        [4, 5]
    );

    // In silence there are empty lines.
    eventually("an empty line", || {
        let line = lines.line().unwrap()?;
        line.is_empty().then_some(())
    });
}

#[test]
fn a_position_of_another_log_is_gone_and_a_stream_says_so() {
    let streaming = Streaming::start("", FEED);
    streaming.numbers(0..1);
    let position = streaming.poll("from=earliest")["position"].as_str().unwrap().to_owned();
    let ahead = format!("{}{:016x}", &position[..8], 1000);
    let foreign = format!("{:08x}{}", u32::from_str_radix(&position[..8], 16).unwrap() ^ 1, &position[8..]);
    let token = format!("Bearer {TOKEN}");
    for after in [&ahead, &foreign] {
        let answer =
            streaming.ask(&format!("/out/feed?format=json&after={after}"), &[("authorization", &token)]);
        assert_eq!(answer.problem(410), "position-unknown");
        let oldest = answer.json()["oldest"].as_str().unwrap().to_owned();
        assert_eq!(streaming.poll(&format!("after={oldest}"))["events"].as_array().unwrap().len(), 1);
        let mut stream = streaming.open("/out/feed", &[("last-event-id", after)]);
        // The position moves with the word and not before it: who has the one has had the other.
        let first: Vec<String> = (0..4).map(|_| stream.line().unwrap().unwrap()).collect();
        assert_eq!((&*first[1], &*first[2]), (&*format!("id: {oldest}"), "event: gap"), "{first:?}");
        let told = first[3].strip_prefix("data: ").unwrap();
        assert_eq!(serde_json::from_str::<Value>(told).unwrap()["oldest"], oldest);
        let _ = stream.line();
        assert_eq!(number(&events(&mut stream, 1)[0].data), 0);
    }
    let nonsense = streaming.ask("/out/feed?after=nonsense", &[("authorization", &token)]);
    assert_eq!(nonsense.problem(400), "invalid-query");
}

#[test]
fn a_pushed_subscription_with_tokens_is_read_beside_its_deliveries() {
    let receiver = Receiver::start();
    let streaming = Streaming::start(
        "",
        &format!(
            "[[subscription]]\nid = \"feed\"\ntokens = [\"env:FEED_TOKEN\"]\nendpoint = {{ url = \"{}\", allow_private = true }}\n",
            receiver.url("/feed")
        ),
    );
    let mut stream = streaming.open("/out/feed", &[]);
    streaming.numbers(7..8);
    assert_eq!(number(&events(&mut stream, 1)[0].data), 7);
    eventually("the delivery", || (receiver.requests().len() == 1).then_some(()));
}

#[test]
fn limits_hold_and_are_said() {
    let keys = "max_readers = 3\nmax_readers_per_token = 2";
    let rest = format!("{FEED}[[subscription]]\nid = \"b\"\nmode = \"stream\"\ntokens = [\"env:OTHER\"]\n");
    let streaming = Streaming::start(keys, &rest);
    let one = streaming.open("/out/feed", &[]);
    let _two = streaming.open("/out/feed", &[]);
    let token = format!("Bearer {TOKEN}");
    let third = streaming.ask("/out/feed", &[("authorization", &token)]);
    assert_eq!(third.problem(429), "too-many-readers");
    assert!(third.header("retry-after").is_some());
    for from in ["2100-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let answer = streaming.ask(&format!("/out/feed?from={from}"), &[("authorization", &token)]);
        assert_eq!(answer.problem(400), "invalid-query");
        assert!(answer.text().contains("future") || answer.text().contains("past"), "{}", answer.text());
    }
    let other = format!("Bearer {OTHER}");
    let _three = Stream::open(streaming.gateway.out(), "/out/b", &[("authorization", &other)]).unwrap();
    assert_eq!(streaming.ask("/out/b", &[("authorization", &other)]).problem(503), "too-many-readers");
    // A connection that holds no reader has a place of its own, as many with one token.
    let socket = |path: &str| WebSocket::open(streaming.gateway.out(), path, &[]).unwrap();
    let path = format!("/out?access_token={OTHER}");
    let _idle = [socket(&path), socket(&path)];
    let refused = socket(&path);
    assert_eq!((refused.status, &*refused.problem()), (429, "too-many-readers"));
    let mut unnamed = socket("/out");
    unnamed.say(&json!({"type": "subscribe", "subscription": "b", "token": OTHER, "ref": "r"}));
    let error = unnamed.next("error");
    assert_eq!((&error["code"], &error["ref"]), (&json!("too-many-readers"), &json!("r")));
    drop(one);
    eventually("a place", || {
        let stream = streaming.open("/out/feed", &[]);
        (stream.status == 200).then_some(())
    });
}

#[test]
fn a_stream_is_rotated_and_ends_with_the_gateway_or_the_subscription_and_says_where_to_go_on() {
    let mut streaming = Streaming::start("heartbeat = \"1s\"\nrotate_after = \"5s\"", "");
    let document = json!({"mode": "stream", "tokens": [TOKEN]});
    let put = |streaming: &Streaming, document: &Value| {
        let answer = streaming.gateway.api("PUT", "/v1/subscriptions/feed", Some(document));
        assert!(answer.status < 300, "{}", answer.text());
    };
    put(&streaming, &document);
    let ended = |stream: &mut Stream| -> (Value, u64) {
        let event = stream.event().unwrap().expect("a last word");
        assert_eq!(event.event, "end");
        let data: Value = serde_json::from_str(&event.data).unwrap();
        let retry = stream.retry.unwrap();
        assert_eq!((&data["position"], &data["retry"]), (&json!(event.id), &json!(retry)));
        assert_eq!(stream.event().unwrap(), None);
        (data, retry)
    };
    let (data, retry) = ended(&mut streaming.open("/out/feed", &[]));
    assert!(data["reason"] == "rotated" && retry < 1000, "{data}");
    let mut stream = streaming.open("/out/feed", &[]);
    put(&streaming, &json!({"mode": "stream", "tokens": [TOKEN], "filter": "message.n == 1"}));
    assert_eq!(ended(&mut stream).0["reason"], "changed");
    let mut stream = streaming.open("/out/feed", &[]);
    // The token is another one: whoever has the old one is let go.
    put(&streaming, &json!({"mode": "stream", "tokens": [OTHER]}));
    assert_eq!(ended(&mut stream).0["reason"], "changed");
    assert_eq!(streaming.open("/out/feed", &[]).status, 401);
    put(&streaming, &document);
    let mut stream = streaming.open("/out/feed", &[]);
    streaming.gateway.signal_end();
    let (data, retry) = ended(&mut stream);
    assert!(data["reason"] == "stopping" && retry >= 1000, "{data} {retry}");
    assert!(streaming.gateway.wait_end().success());
}

#[test]
fn curl_reads_a_stream_as_it_comes_also_packed() {
    let streaming = Streaming::start("heartbeat = \"1s\"", FEED);
    streaming.numbers(0..1);
    for (number, packed) in [(1, "-s"), (2, "--compressed")] {
        curl_reads(&streaming, number, packed);
    }
    let token = format!("Bearer {TOKEN}");
    let fields = [("authorization", token.as_str()), ("accept-encoding", "br, gzip")];
    let stream = Stream::open(streaming.gateway.out(), "/out/feed", &fields).unwrap();
    assert_eq!(
        (stream.header("content-encoding"), stream.header("vary")),
        (Some("gzip"), Some("accept-encoding"))
    );
    let batch = streaming.ask("/out/feed?format=json&from=earliest", &fields).expect(200);
    assert!(batch.body.starts_with(&[0x1f, 0x8b]), "{batch:?}");
}

/// Reads all numbers so far, and the next one, which is published meanwhile.
fn curl_reads(streaming: &Streaming, next: u64, packed: &str) {
    let url = format!("http://{}/out/feed?from=earliest&event=message", streaming.gateway.out());
    let curl = Command::new("curl")
        .args(["-sN", packed, "-H", &format!("authorization: Bearer {TOKEN}"), &url])
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut curl) = curl else {
        assert!(std::env::var_os("CI").is_none(), "CI has curl");
        return;
    };
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(curl.stdout.take().unwrap()));
    let mut data = || {
        lines.by_ref().map(Result::unwrap).find_map(|line| line.strip_prefix("data: ").map(number)).unwrap()
    };
    (0..next).for_each(|number| assert_eq!(data(), number));
    streaming.numbers(next..next + 1);
    assert_eq!(data(), next);
    drop(curl.kill());
    drop(curl.wait());
}

#[test]
fn whoever_has_the_token_of_the_management_api_reads_without_a_subscription() {
    const OPERATOR: &str = "operator-0123456789";
    let rest = format!(
        "[[source]]\nname = \"shop\"\nscheme = \"none\"\n[[source]]\nname = \"other\"\nscheme = \"none\"\n{FEED}"
    );
    let setup = Setup {
        admin: format!("token = \"{OPERATOR}\""),
        token: Some(OPERATOR.to_owned()),
        out: Some(String::new()),
        environment: vec![("FEED_TOKEN".to_owned(), TOKEN.to_owned())],
        rest,
        ..Setup::default()
    };
    let streaming = Streaming { gateway: Gateway::set_up(&setup) };
    streaming.numbers(0..4);
    let _ = streaming.gateway.post_json("other", b"{\"n\":9}").expect(202);
    let token = format!("Bearer {OPERATOR}");
    let bearer = [("authorization", token.as_str())];
    let numbers = |query: &str| -> Vec<u64> {
        let path = format!("/out?from=earliest&format=json&{query}");
        let batch = streaming.ask(&path, &bearer).expect(200).json();
        batch["events"].as_array().unwrap().iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(""), [0, 1, 2, 3, 9]);
    assert_eq!(numbers("source=shop"), [0, 1, 2, 3]);
    assert_eq!(numbers("source=other,shop&filter=message.n%20%3E%202"), [3, 9]);
    let problem = |path: &str, fields: &[(&str, &str)], status: u16| {
        streaming.ask(path, fields).expect(status).json()["code"].as_str().unwrap().to_owned()
    };
    for (query, status, code) in [
        ("source=shup", 422, "invalid-document"),
        ("filter=message.", 422, "invalid-document"),
        ("filter=", 422, "invalid-document"),
        ("sources=shop", 400, "invalid-query"),
    ] {
        assert_eq!(problem(&format!("/out?{query}"), &bearer, status), code, "{query}");
    }
    // What the gateway tells of itself is for those who ask for it.
    let _ = streaming.gateway.api("POST", "/v1/subscriptions/feed/pause", None).expect(200);
    let own = eventually("it is told that the subscription is paused", || {
        let batch =
            streaming.ask("/out?from=earliest&format=json&source=anglerfish", &bearer).expect(200).json();
        batch["events"].get(0).cloned()
    });
    assert_eq!(own["type"], "anglerfish.subscription.paused");
    assert_eq!(numbers(""), [0, 1, 2, 3, 9]);
    // Neither a subscription's token nor one in the address opens it.
    let other = format!("Bearer {TOKEN}");
    assert_eq!(problem("/out?source=shop", &[("authorization", &other)], 401), "unauthorized");
    assert_eq!(problem(&format!("/out?source=shop&access_token={OPERATOR}"), &[], 401), "unauthorized");
    assert_eq!(problem("/out?source=shop", &[], 401), "unauthorized");
    let mut stream = Stream::open(streaming.gateway.out(), "/out?source=shop", &bearer).unwrap();
    assert_eq!(streaming.gateway.get("/v1/readers?subscription=/out")["total"], 1);
    streaming.numbers(4..5);
    assert_eq!(number(&events(&mut stream, 1)[0].data), 4);
    let contract = Contract::new(streaming.ask("/out/openapi.json", &[]).expect(200).json());
    for (path, status) in [("/out?format=json&from=earliest", 200), ("/out?source=shup", 422)] {
        contract.check("GET", path, &streaming.ask(path, &bearer).expect(status));
    }
    assert!(!streaming.gateway.log().contains(OPERATOR));
}

#[test]
fn without_a_token_of_the_management_api_nobody_reads_without_a_subscription() {
    let streaming = Streaming::start("", FEED);
    for token in ["", "Bearer ", "Bearer x"] {
        let answer = streaming.ask("/out?source=shop", &[("authorization", token)]).expect(401).json();
        assert_eq!(answer["code"], "unauthorized");
    }
}

#[test]
fn readers_that_come_and_go_are_events_where_that_is_asked_for() {
    let ops = "[[subscription]]\nid = \"ops\"\nmode = \"stream\"\nsources = [\"anglerfish\"]\ntokens = [\"env:OTHER\"]\n";
    let streaming = Streaming::start("reader_events = true", &format!("{FEED}{ops}"));
    streaming.numbers(0..1);
    let mut stream = streaming.open("/out/feed?from=earliest", &[("user-agent", "a test")]);
    let read = events(&mut stream, 1);
    drop(stream);
    let token = format!("Bearer {OTHER}");
    let told = eventually("a reader has come and gone", || {
        // Writing shows the gateway that the connection is gone.
        streaming.numbers(1..2);
        let path = "/out/ops?from=earliest&format=json";
        let batch = streaming.ask(path, &[("authorization", &token)]).expect(200).json();
        let events = batch["events"].as_array().unwrap().clone();
        (events.len() >= 2).then_some(events)
    });
    let [joined, left] = &told[..] else { panic!("{told:?}") };
    let types = [joined, left].map(|event| (&event["type"], &event["subject"]));
    let feed = json!("feed");
    assert_eq!(
        types,
        [(&json!("anglerfish.reader.joined"), &feed), (&json!("anglerfish.reader.left"), &feed)]
    );
    assert_eq!(joined["data"]["user_agent"], "a test");
    assert_eq!(
        (&left["data"]["reason"], &left["data"]["protocol"]),
        (&json!("left"), &json!("sse")),
        "{left}"
    );
    assert!(
        left["data"]["position"].as_str().unwrap() >= &*read[0].id
            && left["data"]["events"].as_u64() >= Some(1)
    );
    // Who does not name the source sees nothing of others who read, neither in the past nor as it comes.
    let mut near = streaming.open("/out/feed", &[]);
    drop(streaming.open("/out/feed", &[]));
    streaming.publish(&json!({"n": 100}));
    assert_eq!(number(&events(&mut near, 1)[0].data), 100);
    let past = streaming.poll("from=earliest&max=1000");
    let sources: Vec<&Value> =
        past["events"].as_array().unwrap().iter().map(|event| &event["source"]).collect();
    assert!(sources.len() >= 3 && sources.iter().all(|source| **source == "shop"), "{sources:?}");
}

#[test]
fn a_reader_that_takes_nothing_is_cut_off_and_said_to_be_stalled_while_the_others_go_on() {
    let streaming =
        Streaming::start("heartbeat = \"1s\"\nstall_timeout = \"2s\"\nreader_buffer = \"64KiB\"", FEED);
    let stalled = streaming.open("/out/feed?from=earliest", &[]);
    let mut other = streaming.open("/out/feed?from=earliest", &[]);
    let text = "x".repeat(500_000);
    // More than the kernels of both sides hold.
    for number in 0..40 {
        streaming.publish(&json!({"n": number, "text": text}));
        assert!(events(&mut other, 1)[0].data.len() > text.len());
    }
    eventually("it is cut off", || {
        let readers = streaming.gateway.get("/v1/readers");
        (readers["total"] == 1).then_some(())
    });
    let metrics = streaming.gateway.api("GET", "/metrics", None).expect(200).text();
    assert!(metrics.contains("anglerfish_stream_closed_total{reason=\"stalled\"} 1"), "{metrics}");
    drop(stalled);
    streaming.numbers(40..41);
    assert_eq!(number(&events(&mut other, 1)[0].data), 40);
}

#[test]
fn a_reader_that_says_no_more_goes_on_reading_and_one_that_is_gone_is_let_go() {
    // Nobody is found out by what is said every minute.
    let tasks = "[[subscription]]\nid = \"tasks\"\nmode = \"passive\"\ntokens = [\"env:OTHER\"]\n";
    let streaming = Streaming::start("heartbeat = \"1m\"", &format!("{FEED}{tasks}"));
    let mut reader = streaming.open("/out/feed", &[]);
    reader.say_no_more().unwrap();
    let mut lines = streaming.open("/out/feed?format=lines", &[]);
    lines.say_no_more().unwrap();
    let gone = [streaming.open("/out/feed", &[]), streaming.open("/out/feed?format=lines", &[])];
    assert_eq!(streaming.gateway.get("/v1/readers")["total"], 4);
    drop(gone);
    eventually("those who are gone were let go", || {
        (streaming.gateway.get("/v1/readers")["total"] == 2).then_some(())
    });
    streaming.numbers(0..1);
    assert_eq!(number(&events(&mut reader, 1)[0].data), 0);
    eventually("its line", || lines.line().unwrap()?.contains("\"n\":0").then_some(()));
    drop((reader, lines));

    // Whoever waits gets what is there.
    let said = |head: &str, token: &str, body: &str| {
        let mut stream = TcpStream::connect(streaming.gateway.out()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let fields = format!(
            "host: here\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}"
        );
        stream.write_all(format!("{head} HTTP/1.1\r\n{fields}\r\n\r\n{body}").as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = said("GET /out/feed?wait=1m", TOKEN, "");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.contains("{\"events\":[],\"position\":"),
        "{answer}"
    );
    let answer = said("GET /out/feed?wait=1m&from=earliest", TOKEN, "");
    assert!(answer.contains("\"n\":0"), "{answer}");
    let answer = said("POST /out/tasks/lease", OTHER, "{\"wait\":\"1m\"}");
    assert!(answer.contains("\"n\":0"), "{answer}");
    let answer = said("POST /out/tasks/lease", OTHER, "{\"wait\":\"1m\"}");
    assert!(answer.contains("\"messages\":[]"), "{answer}");
}

#[test]
fn a_position_that_is_none_is_told_to_a_browser_as_a_gap_that_it_goes_on_behind() {
    let streaming = Streaming::start("", FEED);
    streaming.numbers(0..1);
    let mut stream = streaming.open("/out/feed", &[("last-event-id", "42")]);
    assert_eq!(stream.status, 200);
    let [gap, event] = &events(&mut stream, 2)[..] else { panic!("two events") };
    assert_eq!(gap.event, "gap");
    let told: Value = serde_json::from_str(&gap.data).unwrap();
    assert_eq!((&told["code"], told["oldest"].as_str()), (&json!("position-unknown"), Some(&*gap.id)));
    assert_eq!(number(&event.data), 0);
    let token = format!("Bearer {TOKEN}");
    let fields = [("authorization", token.as_str()), ("last-event-id", "42")];
    assert_eq!(streaming.ask("/out/feed?format=json", &fields).problem(410), "position-unknown");
    assert_eq!(streaming.ask("/out/feed?after=42", &fields[..1]).problem(400), "invalid-query");
}

#[test]
fn whoever_comes_when_all_connections_are_taken_is_told_so() {
    let streaming = Streaming::start("max_connections = 1", FEED);
    let first = streaming.open("/out/feed", &[]);
    let answer = streaming.ask("/out/feed?wait=0s", &[]);
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.problem(503), "too-many-connections");
    let metrics = streaming.gateway.api("GET", "/metrics", None).expect(200).text();
    assert!(metrics.contains("anglerfish_stream_refused_total 1"), "{metrics}");
    assert!(streaming.gateway.log().contains("as many connections are open as there may be"));
    drop(first);
    let token = format!("Bearer {TOKEN}");
    eventually("the place is free again", || {
        (streaming.ask("/out/feed?wait=0s", &[("authorization", &token)]).status == 200).then_some(())
    });
}

#[test]
fn the_answers_are_as_they_are_described() {
    let streaming = Streaming::start("", FEED);
    let contract = Contract::new(streaming.ask("/out/openapi.json", &[]).expect(200).json());
    streaming.numbers(0..1);
    let token = format!("Bearer {TOKEN}");
    for (query, status) in [("from=earliest", 200), ("after=1", 400), ("after=00000000000000000000000f", 410)]
    {
        let path = format!("/out/feed?format=json&{query}");
        let answer = streaming.ask(&path, &[("authorization", &token)]).expect(status);
        contract.check("GET", &path, &answer);
    }
}

const KILLS: usize = 3;

/// How many events are read while the gateway is killed: as many as `ANGLERFISH_TEST_STREAM_EVENTS` says, for a campaign.
fn goal() -> usize {
    let said = std::env::var("ANGLERFISH_TEST_STREAM_EVENTS").ok();
    said.map_or(1000, |said| said.parse().expect("ANGLERFISH_TEST_STREAM_EVENTS is a number"))
}

/// What one reader saw: positions, and how often each number came.
#[derive(Default)]
struct Seen {
    last: String,
    numbers: HashMap<u64, usize>,
    connections: usize,
}

impl Seen {
    fn take(&mut self, position: &str, number: u64) {
        assert!(position > self.last.as_str(), "{position} came after {}", self.last);
        position.clone_into(&mut self.last);
        *self.numbers.entry(number).or_default() += 1;
    }
}

#[test]
fn each_event_is_seen_once_and_none_is_missing_however_often_the_gateway_is_killed() {
    let stomp = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut streaming = Streaming::start(&format!("stomp = \"{stomp}\""), FEED);
    let (out, ingress) = (streaming.gateway.out(), streaming.gateway.ingress());
    let start = streaming.poll("")["position"].as_str().unwrap().to_owned();
    let (sent, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let token = format!("Bearer {TOKEN}");
    let seen = std::thread::scope(|scope| {
        let read = |read: fn(SocketAddr, &str, &mut Seen, &AtomicBool) -> std::io::Result<()>,
                    out: SocketAddr| {
            let (start, token, done) = (start.clone(), &token, &done);
            scope.spawn(move || {
                let mut seen = Seen { last: start, ..Seen::default() };
                while seen.numbers.len() < goal() && !done.load(Ordering::SeqCst) {
                    seen.connections += 1;
                    if read(out, token, &mut seen, done).is_err() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                seen
            })
        };
        let ways = [read_sse, read_lines, read_batches, read_websocket];
        let [sse, lines, batches, websocket] = ways.map(|way| read(way, out));
        let readers = [sse, lines, batches, websocket, read(read_stomp, stomp)];
        scope.spawn(|| {
            for number in 0..goal() {
                let request = Request {
                    method: "POST".into(),
                    path: "/in/shop".into(),
                    headers: vec![("content-type".into(), "application/json".into())],
                    body: json!({"n": number}).to_string().into_bytes(),
                    chunked: false,
                };
                // Without an id of its own it may come twice, which is two events: so the same number, but never none.
                while !matches!(send(ingress, &request), Ok(answer) if answer.status == 202) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
        for kill in 1..=KILLS {
            eventually("a share of the events", || {
                (sent.load(Ordering::SeqCst) >= goal() * kill / (KILLS + 1)).then_some(())
            });
            streaming.gateway.kill();
            streaming.gateway.spawn();
        }
        eventually("all events are sent", || (sent.load(Ordering::SeqCst) == goal()).then_some(()));
        let end = std::time::Instant::now() + Duration::from_secs(60);
        while !readers.iter().all(std::thread::ScopedJoinHandle::is_finished)
            && std::time::Instant::now() < end
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::SeqCst);
        readers.map(|reader| reader.join().unwrap())
    });
    for seen in &seen {
        assert_eq!(seen.numbers.len(), goal());
        // A number is sent again when a kill took the answer away, and then is two events at two positions.
        let again = seen.numbers.values().filter(|count| **count > 1).count();
        assert!(again <= KILLS, "{again} numbers came more than once");
        assert!(seen.connections > KILLS, "{} connections", seen.connections);
    }
}

fn read_websocket(out: SocketAddr, _: &str, seen: &mut Seen, done: &AtomicBool) -> std::io::Result<()> {
    let path = format!("/out/feed?after={}&access_token={TOKEN}", seen.last);
    let mut socket = WebSocket::open(out, &path, &[])?;
    while seen.numbers.len() < goal() && !done.load(Ordering::SeqCst) {
        let Some((_, payload)) = socket.read()? else { break };
        let Ok(message) = serde_json::from_slice::<Value>(&payload) else { continue };
        if message["type"] == "event" {
            let position = message["position"].as_str().unwrap();
            seen.take(position, message["event"]["data"]["n"].as_u64().unwrap());
        }
    }
    Ok(())
}

fn read_stomp(stomp: SocketAddr, _: &str, seen: &mut Seen, done: &AtomicBool) -> std::io::Result<()> {
    let mut client = StompClient::open(stomp)?;
    client.send(&format!("CONNECT\naccept-version:1.2\npasscode:{TOKEN}\n\n"))?;
    client.send(&format!("SUBSCRIBE\nid:0\ndestination:/subscription/feed\nafter:{}\n\n", seen.last))?;
    while seen.numbers.len() < goal() && !done.load(Ordering::SeqCst) {
        let frame = client.frame()?;
        match frame.command.as_str() {
            "MESSAGE" => {
                let body: Value = serde_json::from_str(&frame.body)?;
                seen.take(frame.header("position").unwrap(), body["n"].as_u64().unwrap());
            }
            "CONNECTED" => {}
            _ => break,
        }
    }
    Ok(())
}

fn read_sse(out: SocketAddr, token: &str, seen: &mut Seen, done: &AtomicBool) -> std::io::Result<()> {
    let last = seen.last.clone();
    let mut stream = Stream::open(out, "/out/feed", &[("authorization", token), ("last-event-id", &last)])?;
    while seen.numbers.len() < goal() && !done.load(Ordering::SeqCst) {
        let Some(event) = stream.event()? else { break };
        if event.event == "shop" {
            seen.take(&event.id, number(&event.data));
        } else {
            assert_eq!(event.event, "end", "{event:?}");
        }
    }
    Ok(())
}

fn read_lines(out: SocketAddr, token: &str, seen: &mut Seen, done: &AtomicBool) -> std::io::Result<()> {
    let path = format!("/out/feed?format=lines&after={}", seen.last);
    let mut stream = Stream::open(out, &path, &[("authorization", token)])?;
    while seen.numbers.len() < goal() && !done.load(Ordering::SeqCst) {
        let Some(line) = stream.line()? else { break };
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        assert!(line.get("gap").is_none(), "{line}");
        if let Some(event) = line.get("event") {
            seen.take(line["position"].as_str().unwrap(), event["data"]["n"].as_u64().unwrap());
        }
    }
    Ok(())
}

fn read_batches(out: SocketAddr, token: &str, seen: &mut Seen, _: &AtomicBool) -> std::io::Result<()> {
    let path = format!("/out/feed?format=json&max=50&wait=5s&after={}", seen.last);
    let headers = vec![("authorization".to_owned(), token.to_owned())];
    let answer = send(out, &Request { method: "GET".into(), path, headers, ..Request::default() })?;
    let batch = answer.expect(200).json();
    for event in batch["events"].as_array().unwrap() {
        *seen.numbers.entry(event["data"]["n"].as_u64().unwrap()).or_default() += 1;
    }
    let position = batch["position"].as_str().unwrap();
    assert!(position >= seen.last.as_str());
    position.clone_into(&mut seen.last);
    Ok(())
}
