//! WebSockets of the real binary: JSON messages, and what the protocol (RFC 6455, RFC 7692) demands.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::websocket::{BINARY, CLOSE, PING, PONG, TEXT};
use anglerfish_tests::{Gateway, Setup, WebSocket, eventually};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef-feed";
const OTHER: &str = "fedcba9876543210-work";

const REST: &str = r#"
[[source]]
name = "shop"
scheme = "none"
[[subscription]]
id = "feed"
mode = "stream"
tokens = ["0123456789abcdef-feed"]
filter = "!has(message.hidden)"
[[subscription]]
id = "work"
mode = "passive"
tokens = ["fedcba9876543210-work"]
"#;

fn start(keys: &str, rest: &str) -> Gateway {
    Gateway::set_up(&Setup { out: Some(keys.to_owned()), rest: format!("{REST}{rest}"), ..Setup::default() })
}

fn publish(gateway: &Gateway, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let _ = gateway.post_json("shop", json!({"n": number}).to_string().as_bytes()).expect(202);
    }
}

fn open(gateway: &Gateway, path: &str) -> WebSocket {
    let socket = WebSocket::open(gateway.out(), path, &[]).unwrap();
    assert_eq!(socket.status, 101, "{}", String::from_utf8_lossy(&socket.body));
    socket
}

/// A connection that reads the stream from its beginning.
fn read(gateway: &Gateway) -> WebSocket {
    open(gateway, &format!("/out/feed?from=earliest&access_token={TOKEN}"))
}

fn numbers(socket: &mut WebSocket, count: usize) -> Vec<(String, u64, String)> {
    let event = |event: Value| {
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("id"), event["event"]["data"]["n"].as_u64().unwrap(), text("position"))
    };
    (0..count).map(|_| event(socket.next("event"))).collect()
}

#[test]
fn a_reader_goes_on_behind_its_position_when_the_gateway_was_killed() {
    let mut gateway = start("", "[log]\nfilter = \"anglerfish=trace,hyper=trace,yawc=trace\"\n");
    publish(&gateway, 0..2);
    let mut socket = read(&gateway);
    assert_eq!(socket.json()["type"], "subscribed");
    let past = numbers(&mut socket, 2);
    assert_eq!(past.iter().map(|(_, number, _)| *number).collect::<Vec<_>>(), [0, 1]);
    let readers = gateway.get("/v1/readers?subscription=feed");
    assert_eq!(readers["readers"][0]["protocol"], "websocket");
    gateway.kill();
    while socket.read().is_ok_and(|frame| frame.is_some()) {}
    gateway.spawn();
    publish(&gateway, 2..3);
    let position = &past[1].2;
    let mut again = open(&gateway, &format!("/out/feed?after={position}&access_token={TOKEN}"));
    assert_eq!(again.json()["position"], json!(position));
    assert_eq!(numbers(&mut again, 1)[0].1, 2);
    assert!(!gateway.log().contains(TOKEN));
}

#[test]
fn one_connection_holds_several_subscriptions_each_with_its_own_token() {
    let gateway = start("", "");
    let mut socket = open(&gateway, "/out");
    socket.say(&json!({"type": "subscribe", "subscription": "feed", "token": OTHER, "ref": "1"}));
    let refused = socket.json();
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("unauthorized"), &json!("1")));
    socket.say(
        &json!({"type": "subscribe", "id": "a", "subscription": "feed", "token": TOKEN, "from": "earliest"}),
    );
    socket.say(&json!({"type": "subscribe", "id": "b", "subscription": "work", "token": OTHER}));
    let begun = [socket.next("subscribed"), socket.next("subscribed")];
    assert_eq!(begun.each_ref().map(|one| one["mode"].as_str().unwrap()), ["stream", "passive"]);
    socket.say(&json!({"type": "subscribe", "id": "a", "subscription": "feed", "token": TOKEN}));
    assert_eq!(socket.next("error")["code"], "taken-id");
    // Nothing is leased of a stream.
    socket
        .say(&json!({"type": "subscribe", "id": "c", "subscription": "feed", "token": TOKEN, "lease": "9s"}));
    assert_eq!(socket.next("error")["code"], "not-passive");
    publish(&gateway, 0..1);
    let mut came = [socket.next("event"), socket.next("event")];
    came.sort_by_key(|event| event["id"].as_str().unwrap().to_owned());
    assert!(came[0]["position"].is_string() && came[1]["lease"].is_string(), "{came:?}");
    let lease = came[1]["lease"].as_str().unwrap();
    socket.say(&json!({"type": "ack", "id": "a", "leases": [lease]}));
    assert_eq!(socket.next("error")["code"], "not-passive");
    socket.say(&json!({"type": "ack", "id": "b", "leases": [lease, "nonsense"], "ref": "x"}));
    let acked = socket.next("acked");
    assert_eq!((&acked["stale"], &acked["ref"]), (&json!(["nonsense"]), &json!("x")));
    socket.say(&json!({"type": "unsubscribe", "id": "a", "ref": "y"}));
    assert!(socket.next("unsubscribed")["position"].is_string());
    socket.say(&json!({"type": "ping", "ref": "z"}));
    assert_eq!(socket.next("pong")["ref"], "z");
    eventually("one of the two reads", || (gateway.get("/v1/readers")["total"] == 1).then_some(()));
    socket.frame(CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(socket.closed().0, 1000);
    eventually("nobody reads", || (gateway.get("/v1/readers")["total"] == 0).then_some(()));
}

#[test]
fn no_more_comes_than_the_reader_has_reserved() {
    let gateway = start("heartbeat = \"1s\"", "");
    publish(&gateway, 0..5);
    let mut socket = open(&gateway, &format!("/out?access_token={TOKEN}"));
    socket.say(&json!({"type": "subscribe", "subscription": "feed", "from": "earliest", "credit": 2}));
    assert_eq!(numbers(&mut socket, 2)[1].1, 1);
    // What is asked now is answered before a third event: it was not on its way.
    socket.say(&json!({"type": "ping"}));
    assert_eq!(socket.json()["type"], "pong");
    socket.say(&json!({"type": "reserve", "id": "feed", "count": 1, "ref": "more"}));
    assert_eq!(socket.json(), json!({"type": "ok", "ref": "more"}));
    assert_eq!(numbers(&mut socket, 1)[0].1, 2);
    socket.say(&json!({"type": "ping"}));
    assert_eq!(socket.json()["type"], "pong");
    socket.say(&json!({"type": "reserve", "id": "feed", "count": 100}));
    assert_eq!(numbers(&mut socket, 2)[1].1, 4);
}

#[test]
fn messages_that_nobody_answered_for_come_again_when_the_connection_ends() {
    let gateway = start("", "");
    publish(&gateway, 0..1);
    let path = format!("/out/work?access_token={OTHER}");
    let mut first = open(&gateway, &path);
    let event = first.next("event");
    assert_eq!(event["attempt"], 1);
    drop(first);
    let mut second = open(&gateway, &path);
    let again = second.next("event");
    assert_eq!((&again["attempt"], &again["delivery"]), (&json!(2), &event["delivery"]));
    second.say(&json!({"type": "nack", "id": "work", "leases": [again["lease"]], "delay": "0s"}));
    let third = second.next("event");
    assert_eq!(third["attempt"], 3);
    second.say(&json!({"type": "nack", "id": "work", "leases": [third["lease"]], "dead": true, "ref": "d"}));
    assert_eq!(second.next("nacked")["stale"], json!([]));
    assert_eq!(gateway.get("/v1/deliveries")["items"][0]["status"], "dead");
}

/// How often something happened to messages of the passive subscription.
fn counted(gateway: &Gateway, outcome: &str) -> u64 {
    let line = format!("anglerfish_passive_messages_total{{subscription=\"work\",outcome=\"{outcome}\"}} ");
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    metrics.lines().find_map(|metric| metric.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
}

#[test]
fn connections_that_break_off_cost_an_attempt_of_the_message_that_they_were_at_and_of_no_other() {
    let gateway = start("", "");
    publish(&gateway, 0..4);
    let path = format!("/out/work?access_token={OTHER}");
    // More often than the policy has attempts.
    for round in 0..12 {
        let mut socket = open(&gateway, &path);
        let attempts: Vec<u64> = (0..4).map(|_| socket.next("event")["attempt"].as_u64().unwrap()).collect();
        assert_eq!(attempts.iter().map(|attempt| attempt - 1).sum::<u64>(), round, "{attempts:?}");
        drop(socket);
        eventually("the connection is gone", || (counted(&gateway, "abandoned") == round + 1).then_some(()));
    }
    assert_eq!((counted(&gateway, "nacked"), counted(&gateway, "released")), (0, 36));
    let statuses = gateway.get("/v1/deliveries?subscription=work");
    assert!(statuses["items"].as_array().unwrap().iter().all(|one| one["status"] == "pending"), "{statuses}");
}

#[test]
fn whoever_unsubscribes_and_a_gateway_that_stops_cost_no_attempt() {
    let mut gateway = start("", "");
    publish(&gateway, 0..2);
    let path = format!("/out/work?access_token={OTHER}");
    let attempts = |socket: &mut WebSocket| {
        [socket.next("event"), socket.next("event")].map(|event| event["attempt"].clone())
    };
    let mut socket = open(&gateway, &path);
    assert_eq!(attempts(&mut socket), [1, 1]);
    socket.say(&json!({"type": "unsubscribe", "id": "work"}));
    assert_eq!(socket.next("unsubscribed")["id"], "work");
    socket.say(&json!({"type": "subscribe", "subscription": "work"}));
    assert_eq!(attempts(&mut socket), [1, 1]);
    gateway.signal_end();
    assert_eq!(socket.closed().0, 1012);
    drop(socket);
    assert!(gateway.wait_end().success());
    gateway.spawn();
    assert_eq!(attempts(&mut open(&gateway, &path)), [1, 1]);
}

#[test]
fn a_message_that_its_reader_breaks_off_at_again_and_again_is_a_dead_letter_in_the_end() {
    let poison = "[[subscription]]\nid = \"poison\"\nmode = \"passive\"\ntokens = [\"fedcba9876543210-poison\"]\n\
        [subscription.delivery.retry]\ndelays = [\"1h\"]\n";
    let gateway = start("", poison);
    publish(&gateway, 0..1);
    for attempt in 1..3 {
        let mut socket = open(&gateway, "/out/poison?access_token=fedcba9876543210-poison");
        assert_eq!(socket.next("event")["attempt"], attempt);
    }
    eventually("it is dead", || {
        let dead = gateway.get("/v1/deliveries?subscription=poison&status=dead");
        (dead["items"].as_array().unwrap().len() == 1).then_some(())
    });
}

#[test]
fn what_cannot_be_unpacked_is_said_when_the_connection_is_closed() {
    let gateway = start("", "");
    let path = format!("/out/feed?access_token={TOKEN}");
    let offer = [("sec-websocket-extensions", "permessage-deflate")];
    let mut socket = WebSocket::open(gateway.out(), &path, &offer).unwrap();
    assert_eq!(socket.json()["type"], "subscribed");
    socket.frame(TEXT | 0x40, &[0xff; 3]);
    let (code, reason) = socket.closed();
    assert!(code == 1011 && !reason.is_empty(), "{code}: {reason}");
}

#[test]
fn whoever_has_shown_a_right_token_may_wait_before_the_first_word() {
    let gateway = start("", "");
    let mut known = open(&gateway, &format!("/out?access_token={TOKEN}"));
    let mut others = [open(&gateway, "/out"), open(&gateway, "/out?access_token=not-the-right-one")];
    for other in &mut others {
        assert_eq!(other.closed().0, 4401);
    }
    known.say(&json!({"type": "subscribe", "subscription": "feed"}));
    assert_eq!(known.json()["type"], "subscribed");
}

#[test]
fn what_is_missing_is_said_and_so_is_where_to_go_on_when_the_gateway_stops() {
    let mut gateway = start("", "");
    publish(&gateway, 0..1);
    let mut socket = read(&gateway);
    let position = numbers(&mut socket, 1)[0].2.clone();
    let ahead = format!("{}{:016x}", &position[..8], 1000);
    let refused =
        WebSocket::open(gateway.out(), &format!("/out/feed?after={ahead}&access_token={TOKEN}"), &[])
            .unwrap();
    assert_eq!((refused.status, &*refused.problem()), (410, "position-unknown"));
    let mut several = open(&gateway, &format!("/out?access_token={TOKEN}"));
    several.say(&json!({"type": "subscribe", "subscription": "feed", "after": ahead}));
    let error = several.json();
    assert_eq!(error["code"], "position-unknown");
    several.say(&json!({"type": "subscribe", "subscription": "feed", "after": error["oldest"]}));
    assert_eq!(numbers(&mut several, 1)[0].1, 0);
    gateway.signal_end();
    let end = socket.next("end");
    assert_eq!((&end["reason"], &end["position"]), (&json!("stopping"), &json!(position)));
    let (code, reason) = socket.closed();
    assert!(code == 1012 && reason.contains(&position), "{code} {reason}");
    assert_eq!(several.closed().0, 1012);
    drop((socket, several));
    assert!(gateway.wait_end().success());
}

#[test]
fn a_handshake_that_is_none_is_refused_with_a_reason() {
    let gateway = start("allowed_origins = [\"https://app.example\"]", "");
    let path = format!("/out/feed?access_token={TOKEN}");
    let refused = |headers: &[(&str, &str)]| {
        let socket = WebSocket::open(gateway.out(), &path, headers).unwrap();
        (socket.status, socket.problem())
    };
    assert_eq!(refused(&[("sec-websocket-version", "8")]), (426, "unknown-version".to_owned()));
    assert_eq!(refused(&[("connection", "keep-alive")]), (400, "invalid-handshake".to_owned()));
    assert_eq!(refused(&[("sec-websocket-key", "short")]), (400, "invalid-handshake".to_owned()));
    assert_eq!(refused(&[("sec-websocket-protocol", "mqtt")]), (400, "unknown-subprotocol".to_owned()));
    assert_eq!(refused(&[("origin", "https://evil.example")]), (403, "foreign-origin".to_owned()));
    assert_eq!(refused(&[("authorization", "Bearer x")]), (400, "invalid-query".to_owned()));
    assert_eq!(refused(&[("origin", "https://app.example")]).0, 101);
    let chosen =
        WebSocket::open(gateway.out(), &path, &[("sec-websocket-protocol", "x, anglerfish.v1")]).unwrap();
    assert_eq!(chosen.header("sec-websocket-protocol"), Some("anglerfish.v1"));
    // The accepted key is that of RFC 6455, section 4.2.2.
    let known = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
    let known = WebSocket::open(gateway.out(), &path, &known).unwrap();
    assert_eq!(known.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let wrong = WebSocket::open(gateway.out(), "/out/feed?access_token=wrong", &[]).unwrap();
    assert_eq!((wrong.status, &*wrong.problem()), (401, "unauthorized"));
    let plain = WebSocket::ask(gateway.out(), "/out", &[]).unwrap();
    assert_eq!((plain.status, &*plain.problem()), (426, "upgrade-required"));
}

/// What a client does, and the code that the connection is closed with for it.
type Case = (&'static str, fn(&mut WebSocket), u16);

const BROKEN: &[Case] = &[
    ("a frame that is not masked", |socket| socket.raw(&[TEXT, 2, b'{', b'}']), 1002),
    ("the second reserved bit", |socket| socket.frame(TEXT | 0x20, b"{}"), 1002),
    ("the third reserved bit", |socket| socket.frame(TEXT | 0x10, b"{}"), 1002),
    ("a compressed frame where nothing was agreed on", |socket| socket.frame(TEXT | 0x40, b"{}"), 1002),
    ("a control frame in parts", |socket| socket.frame(PING & 0x7f, b""), 1002),
    ("a ping that is too long", |socket| socket.frame(PING, &[b'x'; 126]), 1002),
    ("a continuation of nothing", |socket| socket.frame(0x80, b"{}"), 1002),
    (
        "a message within another",
        |socket| {
            socket.frame(TEXT & 0x7f, b"{");
            socket.frame(TEXT, b"{}");
        },
        1002,
    ),
    ("a close frame of one byte", |socket| socket.frame(CLOSE, &[3]), 1002),
    ("a code that may not be sent", |socket| socket.frame(CLOSE, &1005_u16.to_be_bytes()), 1002),
    ("text that is not UTF-8", |socket| socket.frame(TEXT, b"{\"type\":\"\xff\"}"), 1007),
    (
        "text that is not UTF-8 in its second part",
        |socket| {
            socket.frame(TEXT & 0x7f, b"{\"type\":\"\xc3");
            socket.frame(0x80, b"\"}");
        },
        1007,
    ),
    ("a binary message", |socket| socket.frame(BINARY, b"{}"), 1003),
    ("an operation that is not known", |socket| socket.frame(0x83, b"{}"), 1003),
    (
        "a frame that is too large",
        |socket| socket.raw(&[TEXT, 0x80 | 127, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4]),
        1009,
    ),
    (
        "parts that are too large together",
        |socket| {
            socket.frame(TEXT & 0x7f, &[b' '; 40_000]);
            socket.frame(0x80, &[b' '; 40_000]);
        },
        1009,
    ),
];

#[test]
fn whoever_breaks_the_protocol_is_told_how_and_cut_off() {
    let gateway = start("", "");
    for (what, act, expected) in BROKEN {
        let mut socket = read(&gateway);
        act(&mut socket);
        let (code, reason) = socket.closed();
        assert_eq!(code, *expected, "{what}: {reason}");
        assert!(!reason.is_empty(), "{what}");
        socket.frame(CLOSE, &code.to_be_bytes());
        assert_eq!(socket.read().unwrap(), None, "{what}: the connection is closed");
    }
}

#[test]
fn what_the_protocol_allows_is_understood() {
    let gateway = start("", "");
    let mut socket = read(&gateway);
    assert_eq!(socket.json()["type"], "subscribed");
    // A message in parts, with a ping between them that is answered at once.
    socket.frame(TEXT & 0x7f, b"{\"type\":");
    socket.frame(0x00, b"\"pi");
    socket.frame(PING, b"are you there?");
    assert_eq!(socket.read().unwrap(), Some((PONG, b"are you there?".to_vec())));
    socket.frame(0x00, b"");
    socket.frame(0x80, "ng\",\"ref\":\"é\"}".as_bytes());
    assert_eq!(socket.json(), json!({"type": "pong", "ref": "é"}));
    // One byte at a time.
    let mut bytes = vec![TEXT, 0x80 | 15, 0, 0, 0, 0];
    bytes.extend(b"{\"type\":\"ping\"}");
    for byte in bytes {
        socket.raw(&[byte]);
    }
    assert_eq!(socket.json()["type"], "pong");
    // A pong that nobody asked for.
    socket.frame(PONG, b"unasked");
    socket.frame(CLOSE, &[&3000_u16.to_be_bytes()[..], b"enough"].concat());
    assert_eq!(socket.closed(), (3000, "enough".to_owned()));
    assert_eq!(socket.read().unwrap(), None);
    let mut silent = read(&gateway);
    silent.frame(CLOSE, b"");
    assert_eq!(silent.closed().0, 1005);
}

#[test]
fn compression_is_agreed_on_as_far_as_its_parameters_can_be_kept_to() {
    let gateway = start("", "");
    let none = "server_no_context_takeover; client_no_context_takeover";
    for (offer, agreed) in [
        ("permessage-deflate; client_max_window_bits", Some(format!("permessage-deflate; {none}"))),
        (
            "permessage-deflate; server_max_window_bits=10",
            Some(format!("permessage-deflate; {none}; server_max_window_bits=10")),
        ),
        ("permessage-deflate; mystery, permessage-deflate", Some(format!("permessage-deflate; {none}"))),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("x-webkit-deflate-frame", None),
    ] {
        let path = format!("/out/feed?access_token={TOKEN}");
        let mut socket =
            WebSocket::open(gateway.out(), &path, &[("sec-websocket-extensions", offer)]).unwrap();
        assert_eq!(socket.header("sec-websocket-extensions"), agreed.as_deref(), "{offer}");
        assert_eq!(socket.json()["type"], "subscribed");
        // A window that is smaller than the compressor's is kept to by compressing nothing.
        if offer.contains("=10") {
            let text = "x".repeat(5000);
            let _ =
                gateway.post_json("shop", json!({"n": 1, "text": text}).to_string().as_bytes()).expect(202);
            assert_eq!(socket.next("event")["event"]["data"]["text"], json!(text));
        }
    }
}

#[test]
fn whoever_is_silent_is_asked_and_then_let_go() {
    let gateway = start("heartbeat = \"1s\"", "");
    let mut socket = read(&gateway);
    assert_eq!(socket.json()["type"], "subscribed");
    assert_eq!(socket.read().unwrap(), Some((PING, Vec::new())));
    socket.frame(PONG, b"");
    assert_eq!(socket.read().unwrap(), Some((PING, Vec::new())));
    assert_eq!(socket.closed().0, 4408);
    // Whoever shows no token does not stay.
    let mut stranger = open(&gateway, "/out");
    for _ in 0..10 {
        stranger.say(&json!({"type": "subscribe", "subscription": "feed", "token": "wrong"}));
    }
    assert_eq!(stranger.closed().0, 4401);
}

#[test]
fn whoever_sends_a_message_slowly_is_there_as_long_as_some_of_it_comes() {
    let topic = "[[topic]]\nname = \"up\"\ntokens = [\"0123456789abcdef-upload\"]\n";
    let gateway = start("heartbeat = \"1s\"", topic);
    let text = json!({"type": "publish", "topic": "up", "event": {"data": "x".repeat(1000)}, "ref": "1"});
    let text = text.to_string();
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let masked_by_nothing = [0x80 | TEXT, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
    for protocol in ["anglerfish.v1", "v12.stomp"] {
        let fields = [("sec-websocket-protocol", protocol)];
        let path = "/out?access_token=0123456789abcdef-upload";
        let mut socket = WebSocket::open(gateway.out(), path, &fields).unwrap();
        let is_stomp = protocol == "v12.stomp";
        let text = if is_stomp {
            // More often than that it promises to say something.
            socket.text("CONNECT\naccept-version:1.2\nhost:x\nheart-beat:200,0\n\n\0");
            let frame = "SEND\ndestination:/topic/up\nreceipt:1\ncontent-type:text/plain\n\n";
            format!("{frame}{}\0", "x".repeat(text.len() - frame.len() - 1))
        } else {
            text.clone()
        };
        // Far longer than a silent one is borne; no ping can be answered within a frame.
        socket.raw(&masked_by_nothing);
        for part in text.as_bytes().chunks(text.len() / 20) {
            std::thread::sleep(std::time::Duration::from_millis(250));
            socket.raw(part);
        }
        if !is_stomp {
            assert_eq!(socket.next("published")["ref"], "1");
            continue;
        }
        loop {
            match socket.read().unwrap() {
                Some((0x81, text)) if text.starts_with(b"RECEIPT\n") => break,
                Some((CLOSE, reason)) => panic!("closed: {}", String::from_utf8_lossy(&reason)),
                Some((0x81, text)) if text.starts_with(b"ERROR") => {
                    panic!("{}", String::from_utf8_lossy(&text))
                }
                Some(_) => {}
                None => panic!("the connection ended without a word"),
            }
        }
    }
}

#[test]
fn a_message_may_take_longer_than_a_stalled_reader_is_borne_as_long_as_some_of_it_is_taken() {
    const SLOWLY: usize = 20_000;
    const LARGE: usize = 1_000_000;
    let gateway = start("heartbeat = \"1s\"\nstall_timeout = \"2s\"", "");
    let text = "x".repeat(LARGE);
    let _ = gateway.post_json("shop", json!({"text": text}).to_string().as_bytes()).expect(202);
    let mut socket = read(&gateway);
    let mut taken = 0;
    while taken < LARGE {
        let length = socket.take(SLOWLY).unwrap();
        assert!(length > 0, "cut off after {taken} bytes");
        taken += length;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
