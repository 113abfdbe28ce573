//! STOMP of the real binary, over TCP and over WebSocket, and topics.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{
    Answer, Gateway, Request, Setup, StompClient, StompFrame, Stream, WebSocket, eventually, free_port, send,
};
use serde_json::{Value, json};
use std::net::SocketAddr;

const FEED: &str = "0123456789abcdef-feed";
const WORK: &str = "fedcba9876543210-work";
const CHAT: &str = "0123456789abcdef-chat";
const GUEST: &str = "0123456789abcdef-guest";

const REST: &str = r#"
[[source]]
name = "shop"
scheme = "none"
[[subscription]]
id = "feed"
sources = ["shop"]
mode = "stream"
tokens = ["0123456789abcdef-feed"]
[[subscription]]
id = "work"
sources = ["shop"]
mode = "passive"
tokens = ["fedcba9876543210-work"]
[[topic]]
name = "chat.*"
tokens = ["0123456789abcdef-chat"]
read_tokens = ["0123456789abcdef-guest"]
max_size = "100B"
"#;

struct Speaking {
    gateway: Gateway,
    stomp: SocketAddr,
}

impl Speaking {
    fn start(keys: &str) -> Self {
        let port = free_port();
        let out = Some(format!("stomp = \"127.0.0.1:{port}\"\n{keys}"));
        let gateway = Gateway::set_up(&Setup { out, rest: REST.to_owned(), ..Setup::default() });
        Self { gateway, stomp: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn publish(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let _ = self.gateway.post_json("shop", json!({"n": number}).to_string().as_bytes()).expect(202);
        }
    }

    fn open(&self) -> StompClient {
        StompClient::open(self.stomp).unwrap()
    }

    fn connect(&self, token: &str) -> StompClient {
        let mut client = self.open();
        client
            .say(&format!("CONNECT\naccept-version:1.0,1.1,1.2\nhost:here\nlogin:me\npasscode:{token}\n\n"));
        let connected = client.read();
        assert_eq!(
            (&*connected.command, connected.header("version")),
            ("CONNECTED", Some("1.2")),
            "{connected:?}"
        );
        client
    }
}

fn number(frame: &StompFrame) -> u64 {
    serde_json::from_str::<Value>(&frame.body).unwrap()["n"].as_u64().unwrap()
}

#[test]
fn members_of_a_topic_get_what_each_of_them_sends_in_one_order_and_what_they_were_away_for() {
    let speaking = Speaking::start("");
    let (mut ann, mut bob) = (speaking.connect(CHAT), speaking.connect(CHAT));
    for client in [&mut ann, &mut bob] {
        client.say("SUBSCRIBE\nid:0\ndestination:/topic/chat.room\nreceipt:s\n\n");
        assert_eq!(client.read().header("receipt-id"), Some("s"));
    }
    ann.say("SEND\ndestination:/topic/chat.room\nreceipt:1\ncontent-type:text/plain\nfrom:ann\n\nhello");
    let mut own = ann.frames("MESSAGE", 0);
    for _ in 0..2 {
        let frame = ann.read();
        match frame.command.as_str() {
            "RECEIPT" => assert_eq!(frame.header("receipt-id"), Some("1")),
            _ => own.push(frame),
        }
    }
    bob.say("SEND\ndestination:/topic/chat.room\ncontent-type:text/plain\n\nhello, ann");
    own.extend(ann.frames("MESSAGE", 1));
    let others = bob.frames("MESSAGE", 2);
    for frames in [&own, &others] {
        let said: Vec<&str> = frames.iter().map(|frame| frame.body.as_str()).collect();
        assert_eq!(said, ["hello", "hello, ann"]);
        let first = &frames[0];
        let headers =
            ["from", "content-type", "ce-source", "ce-type", "subscription"].map(|name| first.header(name));
        assert_eq!(
            headers,
            [Some("ann"), Some("text/plain"), Some("/topic/chat.room"), Some("message"), Some("0")]
        );
    }
    // A third one was away, and may only read.
    let mut guest = speaking.connect(GUEST);
    guest.say("SUBSCRIBE\nid:g\ndestination:/topic/chat.room\nfrom:earliest\n\n");
    assert_eq!(guest.frames("MESSAGE", 2)[1].body, "hello, ann");
    guest.say("SUBSCRIBE\nid:h\ndestination:/topic/chat.room\nafter:");
    drop(guest);
    let position = own[0].header("position").unwrap();
    let mut again = speaking.connect(GUEST);
    again.say(&format!("SUBSCRIBE\nid:g\ndestination:/topic/chat.room\nafter:{position}\n\n"));
    assert_eq!(again.frames("MESSAGE", 1)[0].body, "hello, ann");
    again.say("SEND\ndestination:/topic/chat.room\nreceipt:9\n\nmay I?");
    let error = again.error();
    assert_eq!((error.header("code"), error.header("receipt-id")), (Some("unauthorized"), Some("9")));
    // All rooms at once, as the configuration names them.
    ann.say("SEND\ndestination:/topic/chat.other\ncontent-type:text/plain\n\nelsewhere");
    let mut all = speaking.connect(GUEST);
    all.say("SUBSCRIBE\nid:a\ndestination:/topic/chat.*\nfrom:earliest\n\n");
    let frames = all.frames("MESSAGE", 3);
    let said: Vec<_> = frames.iter().map(|frame| (frame.header("ce-source"), &*frame.body)).collect();
    let room = Some("/topic/chat.room");
    assert_eq!(said, [(room, "hello"), (room, "hello, ann"), (Some("/topic/chat.other"), "elsewhere")]);
    let mut none = speaking.connect(GUEST);
    none.say("SUBSCRIBE\nid:n\ndestination:/topic/**\n\n");
    assert_eq!(none.error().header("code"), Some("unauthorized"));
    let readers = speaking.gateway.get("/v1/readers?subscription=/topic/chat.room");
    let listed = readers["readers"].as_array().unwrap();
    assert!(listed.len() >= 2 && listed.iter().all(|one| one["protocol"] == "stomp"), "{readers}");
}

#[test]
fn a_topic_is_read_and_published_to_over_http_and_websocket_too() {
    let speaking = Speaking::start("");
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = Request {
            method: method.into(),
            path: path.into(),
            headers,
            body: body.into(),
            ..Request::default()
        };
        send(speaking.gateway.out(), &request).unwrap()
    };
    let token = format!("Bearer {CHAT}");
    let fields = [
        ("authorization", token.as_str()),
        ("content-type", "text/plain"),
        ("ce-id", "1"),
        ("ce-type", "said"),
    ];
    let receipt = ask("POST", "/topic/chat.a", &fields, "over HTTP").expect(202).json();
    assert_eq!(receipt, json!({"id": "1", "source": "/topic/chat.a", "status": "accepted"}));
    assert_eq!(ask("POST", "/topic/chat.a", &fields, "over HTTP").expect(200).json()["status"], "duplicate");
    let authorized = [("authorization", token.as_str())];
    assert_eq!(ask("POST", "/topic/chat.a", &authorized, &"x".repeat(101)).problem(413), "body-too-large");
    let named = [("authorization", token.as_str()), ("ce-source", "shop")];
    assert_eq!(ask("POST", "/topic/chat.a", &named, "x").problem(422), "invalid-document");
    let named = [("authorization", token.as_str()), ("ce-data", "x")];
    assert_eq!(ask("POST", "/topic/chat.a", &named, "x").problem(422), "invalid-document");
    let guest = format!("Bearer {GUEST}");
    assert_eq!(ask("POST", "/topic/chat.a", &[("authorization", &guest)], "x").problem(401), "unauthorized");
    assert_eq!(ask("POST", "/topic/other", &authorized, "x").problem(401), "unauthorized");
    let foreign = [("authorization", token.as_str()), ("origin", "https://evil.example")];
    assert_eq!(ask("POST", "/topic/chat.a", &foreign, "x").problem(403), "foreign-origin");

    let mut socket =
        WebSocket::open(speaking.gateway.out(), &format!("/out?access_token={CHAT}"), &[]).unwrap();
    socket.say(&json!({"type": "subscribe", "topic": "chat.a", "from": "earliest"}));
    let first = socket.next("event");
    assert_eq!((&first["id"], &first["event"]["data"]), (&json!("/topic/chat.a"), &json!("over HTTP")));
    socket.say(&json!({"type": "publish", "topic": "chat.a", "event": {"data": {"n": 1}}, "ref": "p"}));
    let published = socket.next("published");
    assert_eq!((&published["ref"], &published["duplicate"]), (&json!("p"), &json!(false)));
    let path = format!("/topic/chat.a?access_token={GUEST}&from=earliest");
    let mut stream = Stream::open(speaking.gateway.out(), &path, &[]).unwrap();
    assert_eq!(stream.status, 200);
    let events: Vec<Value> =
        (0..2).map(|_| serde_json::from_str(&stream.event().unwrap().unwrap().data).unwrap()).collect();
    assert_eq!((&events[0]["type"], &events[1]["data"]["n"]), (&json!("said"), &json!(1)));
    assert_eq!(events[1]["id"], published["id"]);
    // In the log it is an event like all others, and no other topic has it.
    let listed = speaking.gateway.get("/v1/events");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let other = ask("GET", "/topic/chat.b?format=json&from=earliest", &[("authorization", &guest)], "");
    assert_eq!(other.expect(200).json()["events"], json!([]));
    let packed = [("authorization", token.as_str()), ("content-encoding", "gzip")];
    let _ = ask("POST", "/topic/chat.b", &packed, "\u{1f}").expect(202);
    let other = ask("GET", "/topic/chat.b?format=json&from=earliest", &[("authorization", &guest)], "");
    assert_eq!(other.expect(200).json()["events"][0]["contentencoding"], "gzip");
    // Members choose the names of topics; in the metrics stand those of the configuration.
    let metrics = speaking.gateway.api("GET", "/metrics", None).text();
    let given: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("anglerfish_stream_events_total{")).collect();
    assert!(!given.is_empty() && given.iter().all(|line| line.contains("\"/topic/chat.*\"")), "{given:?}");
}

#[test]
fn what_is_leased_is_acknowledged_or_given_back_and_comes_again_when_its_reader_is_gone() {
    let speaking = Speaking::start("");
    speaking.publish(0..3);
    let mut client = speaking.connect(WORK);
    client
        .say("SUBSCRIBE\nid:w\ndestination:/subscription/work\nack:client-individual\nprefetch-count:2\n\n");
    let messages = client.frames("MESSAGE", 2);
    assert_eq!(messages.iter().map(number).collect::<Vec<_>>(), [0, 1]);
    client.say(&format!("NACK\nid:{}\nrequeue:false\n\n", messages[1].header("ack").unwrap()));
    let third = client.read();
    assert_eq!(number(&third), 2);
    client.say(&format!("ACK\nid:{}\nreceipt:a\n\n", messages[0].header("ack").unwrap()));
    assert_eq!(client.read().header("receipt-id"), Some("a"));
    drop(client);
    let mut again = speaking.connect(WORK);
    again.say("SUBSCRIBE\nid:w\ndestination:/subscription/work\nack:client\n\n");
    let redelivered = again.read();
    assert_eq!((number(&redelivered), redelivered.header("redelivered")), (2, Some("true")));
    speaking.publish(3..5);
    let more = again.frames("MESSAGE", 2);
    // One answer is for all up to it.
    again.say(&format!("ACK\nid:{}\nreceipt:b\n\n", more[1].header("ack").unwrap()));
    assert_eq!(again.read().header("receipt-id"), Some("b"));
    let statuses = speaking.gateway.get("/v1/deliveries?subscription=work");
    let statuses: Vec<&str> =
        statuses["items"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!((statuses.len(), statuses.iter().filter(|status| **status == "delivered").count()), (5, 4));
    // Being sent is the answer where none is wanted.
    let mut auto = speaking.connect(WORK);
    drop(again);
    auto.say("SUBSCRIBE\nid:w\ndestination:/subscription/work\n\n");
    speaking.publish(5..6);
    assert_eq!(number(&auto.read()), 5);
    eventually("it is delivered", || {
        let open = speaking.gateway.get("/v1/deliveries?subscription=work&status=pending");
        open["items"].as_array().unwrap().is_empty().then_some(())
    });
}

#[test]
fn whoever_says_goodbye_and_a_gateway_that_stops_cost_no_attempt() {
    let mut speaking = Speaking::start("");
    speaking.publish(0..3);
    let lease = |client: &mut StompClient| {
        client.say("SUBSCRIBE\nid:w\ndestination:/subscription/work\nack:client\n\n");
        let messages = client.frames("MESSAGE", 3);
        assert!(messages.iter().all(|message| message.header("attempt") == Some("1")), "{messages:?}");
    };
    // More often than the policy has attempts.
    for _ in 0..6 {
        let mut client = speaking.connect(WORK);
        lease(&mut client);
        client.say("UNSUBSCRIBE\nid:w\nreceipt:u\n\n");
        assert_eq!(client.read().header("receipt-id"), Some("u"));
        lease(&mut client);
        client.say("DISCONNECT\nreceipt:d\n\n");
        assert_eq!(client.read().header("receipt-id"), Some("d"));
    }
    let mut client = speaking.connect(WORK);
    lease(&mut client);
    speaking.gateway.signal_end();
    assert_eq!(client.error().header("code"), Some("stopping"));
    drop(client);
    assert!(speaking.gateway.wait_end().success());
    speaking.gateway.spawn();
    let mut client = speaking.connect(WORK);
    lease(&mut client);
    // Whoever breaks off was at the first of them.
    drop(client);
    let mut client = speaking.connect(WORK);
    client.say("SUBSCRIBE\nid:w\ndestination:/subscription/work\nack:client\n\n");
    let redelivered = client.frames("MESSAGE", 3);
    let again: Vec<u64> =
        redelivered.iter().filter(|frame| frame.header("redelivered").is_some()).map(number).collect();
    assert_eq!(again, [0]);
}

#[test]
fn a_reader_of_the_log_has_no_more_than_it_answers_for_and_its_position() {
    let speaking = Speaking::start("heartbeat = \"1s\"");
    speaking.publish(0..5);
    let mut client = speaking.connect(FEED);
    client.say(
        "SUBSCRIBE\nid:f\ndestination:/subscription/feed\nack:client\nprefetch-count:2\nfrom:earliest\n\n",
    );
    let first = client.frames("MESSAGE", 2);
    client.say("BEGIN\ntransaction:t\nreceipt:nothing more\n\n");
    assert_eq!(client.read().header("receipt-id"), Some("nothing more"));
    client.say(&format!("ACK\nid:{}\n\n", first[1].header("ack").unwrap()));
    let second = client.frames("MESSAGE", 2);
    assert_eq!(number(&second[1]), 3);
    client.say("UNSUBSCRIBE\nid:f\nreceipt:u\n\n");
    assert_eq!(client.read().header("receipt-id"), Some("u"));
    let position = second[0].header("position").unwrap();
    client.say(&format!("SUBSCRIBE\nid:f\ndestination:/subscription/feed\nafter:{position}\n\n"));
    assert_eq!(client.frames("MESSAGE", 2).iter().map(number).collect::<Vec<_>>(), [3, 4]);
    let ahead = format!("{}{:016x}", &position[..8], 1000);
    client.say(&format!("SUBSCRIBE\nid:g\ndestination:/subscription/feed\nafter:{ahead}\n\n"));
    let error = client.error();
    assert_eq!(error.header("code"), Some("position-unknown"));
    assert!(error.header("oldest").is_some_and(|oldest| oldest.len() == 32), "{error:?}");
}

#[test]
fn whoever_was_given_nothing_yet_goes_on_behind_the_position_of_its_receipt() {
    let mut speaking = Speaking::start("");
    speaking.publish(0..1);
    let mut client = speaking.connect(FEED);
    client.say("SUBSCRIBE\nid:f\ndestination:/subscription/feed\nreceipt:s\n\n");
    let receipt = client.read();
    let position = receipt.header("position").unwrap().to_owned();
    drop(client);
    speaking.publish(1..3);
    let mut again = speaking.connect(FEED);
    again.say(&format!("SUBSCRIBE\nid:f\ndestination:/subscription/feed\nafter:{position}\nreceipt:s\n\n"));
    assert_eq!(again.read().header("position"), Some(&*position));
    let messages = again.frames("MESSAGE", 2);
    assert_eq!(messages.iter().map(number).collect::<Vec<_>>(), [1, 2]);
    // What ends the connection says it as well.
    speaking.gateway.signal_end();
    let error = again.error();
    assert_eq!(
        (error.header("code"), error.header("position")),
        (Some("stopping"), messages[1].header("position"))
    );
    drop(again);
    assert!(speaking.gateway.wait_end().success());
    // A lease has no place in the log.
    let speaking = Speaking::start("");
    let mut worker = speaking.connect(WORK);
    worker.say("SUBSCRIBE\nid:w\ndestination:/subscription/work\nreceipt:s\n\n");
    assert_eq!(worker.read().header("position"), None);
}

#[test]
fn a_transaction_is_there_as_a_whole_or_not_at_all() {
    let speaking = Speaking::start("");
    let mut reader = speaking.connect(CHAT);
    reader.say("SUBSCRIBE\nid:0\ndestination:/topic/chat.t\nreceipt:s\n\n");
    assert_eq!(reader.read().command, "RECEIPT");
    let mut client = speaking.connect(CHAT);
    for (name, end) in [("a", "ABORT"), ("b", "COMMIT")] {
        client.say(&format!("BEGIN\ntransaction:{name}\n\n"));
        for number in 0..2 {
            client.say(&format!("SEND\ndestination:/topic/chat.t\ntransaction:{name}\n\n{name}{number}"));
        }
        client.say(&format!("{end}\ntransaction:{name}\nreceipt:{name}\n\n"));
        assert_eq!(client.read().header("receipt-id"), Some(name));
    }
    let said: Vec<String> = reader.frames("MESSAGE", 2).into_iter().map(|frame| frame.body).collect();
    assert_eq!(said, ["b0", "b1"]);
    client.say("DISCONNECT\nreceipt:bye\n\n");
    assert_eq!(client.read().header("receipt-id"), Some("bye"));
    assert_eq!(client.read().command, "");
}

#[test]
fn an_answer_that_comes_too_late_is_an_error_and_so_is_a_transaction_with_one() {
    let speaking = Speaking::start("");
    speaking.publish(0..2);
    let lease = || {
        let mut client = speaking.connect(WORK);
        client.say("SUBSCRIBE\nid:w\ndestination:/subscription/work\nack:client-individual\n\n");
        let messages = client.frames("MESSAGE", 2);
        let acks = messages.iter().map(|message| message.header("ack").unwrap().to_owned());
        (client, acks.collect::<Vec<_>>())
    };
    // Somebody else answers with the same lease.
    let nack = |ack: &str| {
        let (_, lease) = ack.split_once('-').unwrap();
        let request = Request {
            method: "POST".into(),
            path: "/out/work/nack".into(),
            headers: vec![
                ("authorization".to_owned(), format!("Bearer {WORK}")),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: json!({"tokens": [lease], "delay": "0s"}).to_string().into_bytes(),
            ..Request::default()
        };
        let _ = send(speaking.gateway.out(), &request).unwrap().expect(200);
    };
    let (mut client, acks) = lease();
    nack(&acks[0]);
    // Nobody asks what became of this one.
    client.say("ACK\nid:1-none\n\n");
    client.say(&format!("ACK\nid:{}\nreceipt:late\n\n", acks[0]));
    let error = client.error();
    assert_eq!((error.header("code"), error.header("receipt-id")), (Some("invalid-header"), Some("late")));
    assert!(error.header("message").unwrap().contains("\"id\""), "{error:?}");
    let transaction = |client: &mut StompClient, acks: &[String]| {
        client.say("BEGIN\ntransaction:t\n\n");
        client.say(&format!("SEND\ndestination:/topic/chat.t\ntransaction:t\ntoken:{CHAT}\n\nthe result"));
        for ack in acks {
            client.say(&format!("ACK\nid:{ack}\ntransaction:t\n\n"));
        }
        client.say("COMMIT\ntransaction:t\nreceipt:c\n\n");
    };
    let delivered = || {
        let list = speaking.gateway.get("/v1/deliveries?subscription=work&status=delivered");
        list["items"].as_array().unwrap().len()
    };
    let events = || speaking.gateway.get("/v1/events")["items"].as_array().unwrap().len();
    let (mut client, acks) = lease();
    nack(&acks[1]);
    transaction(&mut client, &acks);
    let error = client.error();
    assert_eq!((error.header("code"), error.header("receipt-id")), (Some("invalid-header"), Some("c")));
    assert_eq!((delivered(), events()), (0, 2), "nothing of it was done");
    let (mut client, acks) = lease();
    transaction(&mut client, &acks);
    assert_eq!(client.read().header("receipt-id"), Some("c"));
    assert_eq!((delivered(), events()), (2, 3));
}

#[test]
fn whoever_leases_is_told_at_once_that_its_token_has_ended_or_the_subscription_is_gone() {
    const JOBS: &str = "0123456789abcdef-jobs";
    let speaking = Speaking::start("");
    let api = |method: &str, path: &str, body: Option<&Value>| speaking.gateway.api(method, path, body);
    let put = |token: &str| {
        let document = json!({"sources": ["shop"], "mode": "passive", "tokens": [token]});
        let answer = api("PUT", "/v1/subscriptions/jobs", Some(&document));
        assert!(answer.status < 300, "{}", answer.text());
    };
    // One that may have no more, and two that wait for more.
    let open = || {
        let mut idle = speaking.connect(JOBS);
        idle.say("SUBSCRIBE\nid:j\ndestination:/subscription/jobs\nack:client\nprefetch-count:1\n\n");
        assert_eq!(idle.read().command, "MESSAGE");
        let mut waiting = speaking.connect(JOBS);
        waiting.say("SUBSCRIBE\nid:j\ndestination:/subscription/jobs\nack:client\nreceipt:s\n\n");
        assert_eq!(waiting.read().command, "RECEIPT");
        let path = format!("/out?access_token={JOBS}");
        let mut socket = WebSocket::open(speaking.gateway.out(), &path, &[]).unwrap();
        socket.say(&json!({"type": "subscribe", "subscription": "jobs", "credit": 0}));
        assert_eq!(socket.next("subscribed")["mode"], "passive");
        (idle, waiting, socket)
    };
    let told = |(mut idle, mut waiting, mut socket): (StompClient, StompClient, WebSocket)| {
        for client in [&mut idle, &mut waiting] {
            assert_eq!(client.error().header("code"), Some("changed"));
        }
        let end = socket.next("end");
        assert_eq!((&end["id"], &end["reason"]), (&json!("jobs"), &json!("changed")));
    };
    put(JOBS);
    speaking.publish(0..1);
    let mut readers = open();
    // One more token ends nothing.
    let _ = api("POST", "/v1/subscriptions/jobs/rotate-token", Some(&json!({}))).expect(200);
    speaking.publish(1..2);
    assert_eq!(number(&readers.1.read()), 1);
    let _ = api("POST", "/v1/subscriptions/jobs/rotate-token", Some(&json!({"only": true}))).expect(200);
    told(readers);
    put(JOBS);
    readers = open();
    let _ = api("DELETE", "/v1/subscriptions/jobs", None);
    told(readers);
}

#[test]
fn whoever_is_silent_on_a_websocket_is_told_why_the_connection_ends() {
    let speaking = Speaking::start("heartbeat = \"1s\"");
    let fields = [("sec-websocket-protocol", "v12.stomp")];
    let mut socket = WebSocket::open(speaking.gateway.out(), "/out", &fields).unwrap();
    socket.text(&format!("CONNECT\naccept-version:1.2\nhost:x\npasscode:{CHAT}\nheart-beat:0,0\n\n\0"));
    assert_eq!(socket.closed().0, 4408);
}

#[test]
fn what_is_wrong_is_said_in_an_error_that_names_the_header() {
    let speaking = Speaking::start("");
    let connect = |rest: &str| {
        let mut client = speaking.open();
        client.say(&format!("CONNECT\naccept-version:1.2\nhost:x\n{rest}\n"));
        client.error()
    };
    assert!(connect("").header("message").unwrap().contains("\"passcode\""));
    assert_eq!(connect("passcode:wrong\n").header("code"), Some("unauthorized"));
    assert!(
        connect(&format!("passcode:{CHAT}\nheart-beat:often\n"))
            .header("message")
            .unwrap()
            .contains("\"heart-beat\"")
    );
    let mut client = speaking.open();
    client.say("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\n\n");
    assert_eq!(client.error().header("code"), Some("not-connected"));
    for (frame, named) in [
        ("SUBSCRIBE\nid:0\n\n", "\"destination\""),
        ("SUBSCRIBE\nid:0\ndestination:/queue/a\n\n", "\"destination\""),
        ("SUBSCRIBE\ndestination:/topic/chat.a\n\n", "\"id\""),
        ("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\nack:perhaps\n\n", "\"ack\""),
        ("UNSUBSCRIBE\nid:7\n\n", "\"id\""),
        ("SEND\n\nx", "\"destination\""),
        ("SEND\ndestination:/subscription/feed\n\nx", "\"destination\""),
        ("SEND\ndestination:/topic/chat.a\nreply-to:me\n\nx", "\"reply-to\""),
        ("SEND\ndestination:/topic/chat.a\nid:7\n\nx", "\"id\""),
        ("SEND\ndestination:/topic/chat.a\ntype:t\n\nx", "\"type\""),
        ("SEND\ndestination:/topic/chat.a\nposition:7\n\nx", "\"position\""),
        ("SEND\ndestination:/topic/chat.a\nce-data:7\n\nx", "\"ce-data\""),
        ("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\nlease:5s\n\n", "\"lease\""),
        ("ACK\n\n", "\"id\""),
        ("COMMIT\ntransaction:none\n\n", "\"transaction\""),
        ("SEND\ndestination:/topic/chat.a\ntransaction:none\n\nx", "\"transaction\""),
        ("NONSENSE\n\n", "\"NONSENSE\""),
        ("SEND\ncontent-length:x\ndestination:/topic/chat.a\n\nx", "\"content-length\""),
        ("SEND\ndestination:/topic/other\n\nx", "\"destination\""),
        ("SUBSCRIBE\nid:0\ndestination:/subscription/work\n\n", "\"destination\""),
        ("SEND\ndestination:/topic/chat.a\nfoo:\n\nx", "\"foo\""),
        ("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\nafter:000000010000000000000001\n\n", "\"after\""),
        ("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\nfrom:2100-01-01T00:00:00Z\n\n", "\"from\""),
    ] {
        let mut client = speaking.connect(CHAT);
        client.say(frame);
        let error = client.error();
        assert!(error.header("message").unwrap().contains(named), "{frame}: {error:?}");
    }
    let mut client = speaking.connect(CHAT);
    client.say(&format!("SEND\ndestination:/topic/chat.a\nreceipt:r\n\n{}", "x".repeat(101)));
    let error = client.error();
    assert!(
        error.header("message").unwrap().contains("100 bytes") && error.header("receipt-id") == Some("r")
    );
    // Also of one that is not read to its end.
    let mut client = speaking.connect(CHAT);
    client.say(&format!("SEND\ndestination:/topic/chat.a\n\n{}", "x".repeat(5000)));
    assert!(client.error().header("message").unwrap().contains("at most 100 bytes"));
    assert_eq!(speaking.gateway.get("/v1/events")["items"], json!([]));
}

#[test]
fn versions_and_heart_beats_are_agreed_on_and_whoever_is_silent_is_let_go() {
    let speaking = Speaking::start("heartbeat = \"1s\"");
    for (asked, version) in
        [("", "1.0"), ("accept-version:1.1,1.0\n", "1.1"), ("accept-version:9,1.2\n", "1.2")]
    {
        let mut client = speaking.open();
        client.say(&format!("STOMP\n{asked}login:x\npasscode:{CHAT}\n\n"));
        assert_eq!(client.read().header("version"), Some(version));
    }
    let mut client = speaking.open();
    client.say(&format!("CONNECT\naccept-version:2.0\npasscode:{CHAT}\n\n"));
    assert!(client.error().header("message").unwrap().contains("\"accept-version\""));
    let mut client = speaking.open();
    client.say(&format!("CONNECT\naccept-version:1.2\npasscode:{CHAT}\nheart-beat:1000,500\n\n"));
    assert_eq!(client.read().header("heart-beat"), Some("1000,1000"));
    assert_eq!(client.byte().unwrap(), b'\n');
    assert_eq!(client.error().header("code"), Some("silent"));
}

#[test]
fn the_gateway_says_when_it_stops_over_both_ways() {
    let mut speaking = Speaking::start("");
    let mut client = speaking.connect(CHAT);
    client.say("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\nreceipt:s\n\n");
    assert_eq!(client.read().command, "RECEIPT");
    let mut socket = WebSocket::open(
        speaking.gateway.out(),
        "/out",
        &[("sec-websocket-protocol", "v12.stomp, v11.stomp")],
    )
    .unwrap();
    assert_eq!((socket.status, socket.header("sec-websocket-protocol")), (101, Some("v12.stomp")));
    socket.text(&format!("CONNECT\naccept-version:1.2\nhost:x\npasscode:{CHAT}\n\n\0"));
    let (_, connected) = socket.read().unwrap().unwrap();
    assert!(String::from_utf8(connected).unwrap().starts_with("CONNECTED\n"));
    // In parts, as a frame of STOMP need not be one of WebSocket.
    socket.text("SUBSCRIBE\nid:0\ndestination:/topic/ch");
    socket.text("at.a\nreceipt:s\n\n\0SEND\ndestination:/topic/chat.a\n\nboth\0");
    let frames: Vec<String> =
        (0..2).map(|_| String::from_utf8(socket.read().unwrap().unwrap().1).unwrap()).collect();
    assert!(frames[0].starts_with("RECEIPT\n") && frames[1].ends_with("\n\nboth\0"), "{frames:?}");
    assert_eq!(client.read().body, "both");
    speaking.gateway.signal_end();
    assert_eq!(client.error().header("code"), Some("stopping"));
    assert_eq!(socket.closed().0, 1012);
    drop((client, socket));
    assert!(speaking.gateway.wait_end().success());
}

#[test]
fn one_token_and_one_address_have_no_more_connections_than_they_may() {
    let speaking = Speaking::start("max_readers_per_token = 2\nmax_readers_per_address = 3\n");
    let first = speaking.connect(CHAT);
    let _second = speaking.connect(CHAT);
    let mut third = speaking.open();
    third.say(&format!("CONNECT\naccept-version:1.2\npasscode:{CHAT}\n\n"));
    let error = third.error();
    assert!(error.header("message").unwrap().contains("out.max_readers_per_token"), "{error:?}");
    assert_eq!(error.header("code"), Some("too-many-readers"));
    let _other = speaking.connect(FEED);
    // Before it says anything.
    let error = speaking.open().error();
    assert!(error.header("message").unwrap().contains("out.max_readers_per_address"), "{error:?}");
    drop(first);
    eventually("a place", || {
        let mut client = speaking.open();
        client.send(&format!("CONNECT\naccept-version:1.2\npasscode:{CHAT}\n\n")).ok()?;
        (client.frame().ok()?.command == "CONNECTED").then_some(())
    });
    let speaking = Speaking::start("max_connections_per_address = 1\n");
    let _only = speaking.connect(CHAT);
    assert_eq!(speaking.open().error().header("code"), Some("too-many-connections"));
}

#[test]
fn what_stands_before_a_frame_that_cannot_be_obeyed_is_published() {
    let speaking = Speaking::start("");
    let mut client = speaking.connect(CHAT);
    let send = |body: &str| format!("SEND\ndestination:/topic/chat.a\ncontent-type:text/plain\n\n{body}\0");
    let sends: String = ["one", "two", "three"].map(send).concat();
    // In one write, so that they come together.
    client.say(&format!("{sends}SEND\ndestination:/queue/elsewhere\n\nfour"));
    assert_eq!(client.error().header("code"), Some("invalid-header"));
    let mut reader = speaking.connect(CHAT);
    reader.say("SUBSCRIBE\nid:0\ndestination:/topic/chat.a\nfrom:earliest\n\n");
    let frames = reader.frames("MESSAGE", 3);
    assert_eq!(frames.iter().map(|frame| &*frame.body).collect::<Vec<_>>(), ["one", "two", "three"]);
}

#[test]
fn what_was_leased_and_not_sent_comes_again_at_once_also_where_being_sent_is_the_answer() {
    let speaking = Speaking::start("");
    let text = "x".repeat(900_000);
    for number in 0..40 {
        let _ = speaking
            .gateway
            .post_json("shop", json!({"n": number, "text": text}).to_string().as_bytes())
            .expect(202);
    }
    let mut client = speaking.connect(WORK);
    // A lease that nobody ends would last for longer than this test waits.
    client.say("SUBSCRIBE\nid:0\ndestination:/subscription/work\nack:auto\nlease:3600s\n\n");
    let first = client.read();
    assert_eq!(first.command, "MESSAGE");
    // Until it takes no more: some are on their way, and others leased and not sent.
    let mut before = None;
    eventually("nothing goes on any more", || {
        let metrics = speaking.gateway.api("GET", "/metrics", None).expect(200).text();
        let leases = metrics
            .lines()
            .find_map(|line| line.strip_prefix("anglerfish_passive_leases{subscription=\"work\"} "));
        let now = (leases?.to_owned(), speaking.gateway.list("/v1/deliveries?status=delivered", 100).len());
        let is_still = before.as_ref() == Some(&now) && now.0 != "0";
        before = Some(now);
        is_still.then_some(())
    });
    drop(client);
    let mut other = speaking.connect(WORK);
    other.say(
        "SUBSCRIBE\nid:0\ndestination:/subscription/work\nack:client-individual\nprefetch-count:100\n\n",
    );
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() + speaking.gateway.list("/v1/deliveries?status=delivered", 100).len() < 25 {
        seen.insert(number(&other.read()));
    }
}

#[test]
fn a_frame_may_take_longer_than_a_stalled_reader_is_borne_as_long_as_some_of_it_is_taken() {
    const SLOWLY: usize = 20_000;
    const LARGE: usize = 1_000_000;
    let speaking = Speaking::start("heartbeat = \"1s\"\nstall_timeout = \"2s\"");
    let text = "x".repeat(LARGE);
    let _ = speaking.gateway.post_json("shop", json!({"text": text}).to_string().as_bytes()).expect(202);
    let mut client = speaking.connect(FEED);
    client.say("SUBSCRIBE\nid:0\ndestination:/subscription/feed\nfrom:earliest\n\n");
    let mut taken = 0;
    while taken < LARGE {
        let length = client.take(SLOWLY).unwrap();
        assert!(length > 0, "cut off after {taken} bytes");
        taken += length;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn an_escape_that_means_nothing_is_an_error_that_names_the_header() {
    let speaking = Speaking::start("");
    let mut client = speaking.connect(CHAT);
    client.say("SEND\ndestination:/topic/chat.a\ncolour:a\\tb\n\nhi");
    let error = client.error();
    assert_eq!(error.header("code"), Some("invalid-frame"));
    let message = error.header("message").unwrap();
    assert!(message.contains("\"colour\"") && !message.contains('\\'), "{message}");
}

#[test]
fn whoever_comes_when_all_connections_are_taken_is_told_so() {
    let speaking = Speaking::start("max_connections = 1\n");
    let _first = speaking.connect(FEED);
    let error = speaking.open().error();
    assert_eq!(error.header("code"), Some("too-many-connections"));
}
