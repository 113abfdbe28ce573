//! Clients of streams that others wrote, or that come again by themselves: `EventSource` in a browser, clients of STOMP and of
//! WebSocket, and `anglerfish listen`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{
    Foreign, Gateway, Ran, Receiver, Relay, Reply, Request, Running, Setup, Stream, eventually, free_port,
    send, verify_standard,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const TOKEN: &str = "0123456789abcdef-feed";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn start(keys: &str) -> Gateway {
    let rest = format!(
        "[[source]]\nname = \"shop\"\nscheme = \"none\"\n\
         [[subscription]]\nid = \"feed\"\nmode = \"stream\"\ntokens = [\"{TOKEN}\"]\n"
    );
    Gateway::set_up(&Setup { out: Some(keys.to_owned()), rest, ..Setup::default() })
}

fn publish(gateway: &Gateway, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let _ = gateway.post_json("shop", json!({"n": number}).to_string().as_bytes()).expect(202);
    }
}

fn readers(gateway: &Gateway) -> u64 {
    gateway.get("/v1/readers")["total"].as_u64().unwrap()
}

#[test]
fn event_source_of_a_browser_goes_on_where_it_was_when_the_gateway_was_killed() {
    let Some(browser) = std::env::var_os("ANGLERFISH_TEST_BROWSER") else {
        println!("skipped: ANGLERFISH_TEST_BROWSER names no headless shell of Chromium");
        return;
    };
    let page = Receiver::with(|request, _| match request.path.starts_with("/page") {
        true => Reply::status(200)
            .header("content-type", "text/html")
            .body(include_bytes!("../clients/event_source.html")),
        false => Reply::status(204),
    });
    let origin = page.url("/").trim_end_matches('/').to_owned();
    let mut gateway = start(&format!("allowed_origins = [\"{origin}\"]"));
    let said = || -> Vec<String> {
        let requests = page.requests();
        let words = requests.iter().filter_map(|request| request.path.strip_prefix("/said?"));
        words.map(str::to_owned).collect()
    };
    let heard = |word: &str| {
        eventually(&format!("the page says {word:?}"), || {
            said().iter().any(|said| said == word).then_some(())
        });
    };
    let out = gateway.out();
    let stream = format!("http%3A%2F%2F{out}%2Fout%2Ffeed%3Ffrom%3Dearliest%26access_token%3D{TOKEN}");
    let profile = tempfile::tempdir().unwrap();
    let _browser = Running::of(
        Command::new(browser)
            .args(["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("{origin}/page?stream={stream}"))
            .stderr(Stdio::null()),
    );
    publish(&gateway, 0..3);
    heard("2");
    gateway.kill();
    heard("error");
    gateway.spawn();
    publish(&gateway, 3..6);
    heard("5");
    let said = said();
    let numbers: Vec<&str> =
        said.iter().map(String::as_str).filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5"], "{said:?}");
    assert!(!said.contains(&"gap".to_owned()), "{said:?}");
    assert!(said.iter().filter(|word| *word == "open").count() >= 2, "{said:?}");
    assert!(!gateway.log().contains(TOKEN));
}

#[test]
fn event_source_of_two_tabs_goes_on_after_a_reload_and_after_the_network_was_gone() {
    let Some(browser) = std::env::var_os("ANGLERFISH_TEST_BROWSER") else {
        println!("skipped: ANGLERFISH_TEST_BROWSER names no headless shell of Chromium");
        return;
    };
    let page = Receiver::with(|request, _| match request.path.starts_with("/page") {
        true => Reply::status(200)
            .header("content-type", "text/html")
            .body(include_bytes!("../clients/event_source.html")),
        false => Reply::status(204),
    });
    let origin = page.url("/").trim_end_matches('/').to_owned();
    let gateway = start(&format!("allowed_origins = [\"{origin}\"]"));
    let network = Relay::to(gateway.out());
    let heard = |tab: &str, words: &[&str]| {
        eventually(&format!("tab {tab} says {words:?}"), || {
            let said = said_by(&page, tab);
            words.iter().all(|word| said.iter().any(|said| said == word)).then_some(())
        });
    };
    let out = network.address();
    let stream = format!("http%3A%2F%2F{out}%2Fout%2Ffeed%3Ffrom%3Dearliest%26access_token%3D{TOKEN}");
    let profile = tempfile::tempdir().unwrap();
    let port = free_port();
    let _browser = Running::of(
        Command::new(browser)
            .args(["--no-sandbox", "--disable-gpu", &format!("--remote-debugging-port={port}")])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("{origin}/page?tab=a&reload=1&stream={stream}"))
            .stderr(Stdio::null()),
    );
    publish(&gateway, 0..3);
    // The first tab is loaded again at the second event.
    heard("a", &["2"]);
    let address = format!("{origin}/page?tab=b&stream={stream}").replace('%', "%25").replace('&', "%26");
    // The browser leaves the connection open.
    let mut tab = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(tab, "PUT /json/new?{address} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut status = [0; 12];
    tab.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    heard("b", &["2"]);
    // The page that was there before is found out by what is sent to it.
    eventually("the page before it is let go", || (readers(&gateway) == 2).then_some(()));
    network.cut();
    publish(&gateway, 3..6);
    heard("a", &["error"]);
    heard("b", &["error"]);
    network.mend();
    heard("a", &["5"]);
    heard("b", &["5"]);
    publish(&gateway, 6..7);
    for tab in ["a", "b"] {
        heard(tab, &["6"]);
        let said = said_by(&page, tab);
        let numbers: Vec<&str> =
            said.iter().map(String::as_str).filter(|word| word.parse::<u64>().is_ok()).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6"], "{tab}: {said:?}");
        assert!(!said.contains(&"gap".to_owned()), "{tab}: {said:?}");
    }
}

/// What a tab has told of what it sees.
fn said_by(page: &Receiver, tab: &str) -> Vec<String> {
    let requests = page.requests();
    let words = requests.iter().filter_map(|request| request.path.strip_prefix("/said?"));
    words.filter_map(|word| word.strip_prefix(&format!("{tab}%3A")).map(str::to_owned)).collect()
}

#[test]
fn listen_posts_each_event_here_again_on_request_and_goes_on_after_the_gateway_was_killed() {
    let receiver = Receiver::start();
    let mut gateway = start("");
    publish(&gateway, 0..2);
    let url = format!("http://{}", gateway.out());
    let mut program = Gateway::command();
    program.args(["listen", "feed", "--json", "--from", "earliest", "--token", TOKEN, "--secret", SECRET]);
    program.args(["--url", &url, "--to", &receiver.url("/here")]);
    let mut program = Running::of(program.stdin(Stdio::piped()).stderr(Stdio::null()));
    for number in 0..2 {
        let line = program.json_line();
        assert_eq!(
            (&line["event"]["data"]["n"], &line["status"], &line["number"]),
            (&json!(number), &json!(200), &json!(number + 1)),
            "{line}"
        );
    }
    program.write(b"\n1\n");
    let numbers = [(); 2].map(|()| program.json_line()["number"].clone());
    assert_eq!(numbers, [2, 1]);
    gateway.kill();
    gateway.spawn();
    publish(&gateway, 2..4);
    let data = [(); 2].map(|()| program.json_line()["event"]["data"]["n"].clone());
    assert_eq!(data, [2, 3]);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 6);
    for request in &requests {
        assert_eq!((&*request.method, request.header("ce-type")), ("POST", Some("shop")));
        assert!(verify_standard(SECRET, &request.headers, &request.body));
    }
    assert_eq!(requests[2].body, requests[1].body);
    assert_eq!(readers(&gateway), 1);
    drop(program);
    eventually("nobody reads", || (readers(&gateway) == 0).then_some(()));
}

#[test]
fn listen_takes_a_topic_too() {
    let (gateway, _) = start_chat();
    let url = format!("http://{}", gateway.out());
    let say = |text: &str| {
        let request = Request {
            method: "POST".into(),
            path: "/topic/chat.a".into(),
            headers: vec![("authorization".into(), format!("Bearer {CHAT}"))],
            body: text.into(),
            ..Request::default()
        };
        let _ = send(gateway.out(), &request).unwrap().expect(202);
    };
    say("hello");
    let mut program = Gateway::command();
    program.args(["listen", "/topic/chat.a", "--json", "--print", "--from", "earliest", "--token", CHAT]);
    let mut program = Running::of(program.args(["--url", &url]).stdin(Stdio::piped()).stderr(Stdio::null()));
    assert_eq!(program.json_line()["event"]["source"], "/topic/chat.a");
    say("hello again");
    assert_eq!(program.json_line()["number"], 2);
}

#[test]
fn listen_says_what_is_wrong() {
    let gateway = start("");
    let url = format!("http://{}", gateway.out());
    for (arguments, code, words) in [
        (vec!["--print", "--url", &url, "--token", "not-the-right-one"], 2, "ANGLERFISH_OUT_TOKEN"),
        (vec!["--print", "--url", "ftp://x", "--token", TOKEN], 2, "is not the address"),
        (vec!["--url", &url, "--token", TOKEN], 2, "--to <URL>"),
        (vec!["--url", &url, "--token", TOKEN, "--to", "localhost:3000"], 2, "must begin with http"),
        (vec!["--url", &url, "--token", TOKEN], 2, "--print"),
        (vec!["--print", "--url", &url, "--token", TOKEN, "--from", "yesterday"], 2, "`from` must be"),
        (vec!["--print", "--url", &url, "--token", TOKEN, "--from", "2100-01-01T00:00:00Z"], 2, "future"),
        (vec!["--print", "--url", &url, "--token", TOKEN, "--after", "zz"], 2, "`after` is not"),
    ] {
        let said = Ran::of(Gateway::command().args(["listen", "feed"]).args(&arguments)).expect(code).stderr;
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(code == 1 || !said.contains("where streams are"), "{arguments:?}: {said}");
    }
}

#[test]
fn listen_says_why_it_is_refused_and_goes_on_when_it_is_let_in() {
    let gateway = start("max_readers = 1");
    let path = format!("/out/feed?access_token={TOKEN}");
    let first = Stream::open(gateway.out(), &path, &[]).unwrap();
    assert_eq!(first.status, 200);
    let mut program = Gateway::command();
    program.args([
        "listen",
        "feed",
        "--print",
        "--token",
        TOKEN,
        "--url",
        &format!("http://{}", gateway.out()),
    ]);
    program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut program = program.spawn().unwrap();
    let mut told = BufReader::new(program.stderr.take().unwrap()).lines().map_while(Result::ok);
    let refused = told.next().unwrap();
    assert!(refused.contains("refuses") && refused.contains("out.max_readers"), "{refused}");
    program.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_eq!(told.next().as_deref(), Some("nothing has come yet"));
    drop(first);
    assert_eq!(told.next().as_deref(), Some("reading"));
    program.kill().unwrap();
    let _ = program.wait().unwrap();
}

#[test]
fn the_cloudevents_sdk_reads_what_comes_in_every_form() {
    let Some(python) = Foreign::python() else { return };
    let gateway = start("");
    publish(&gateway, 0..3);
    let url = format!("http://{}/out/feed", gateway.out());
    let told = lines(&python.with_script("cloudevents_reader.py").run_with(&[&url, TOKEN, "3"]));
    let told: Vec<_> =
        told.iter().map(|one| (one["how"].as_str().unwrap(), one["data"]["n"].as_u64())).collect();
    let expected = ["batch", "lines", "sse"].map(|how| (0..3).map(move |number| (how, Some(number))));
    assert_eq!(told, expected.into_iter().flatten().collect::<Vec<_>>());
}

const CHAT: &str = "0123456789abcdef-chat";

/// A gateway with a chat, and where STOMP is spoken.
fn start_chat() -> (Gateway, u16) {
    let port = free_port();
    let rest = format!("[[topic]]\nname = \"chat.*\"\ntokens = [\"{CHAT}\"]\n");
    let out = Some(format!("stomp = \"127.0.0.1:{port}\""));
    (Gateway::set_up(&Setup { out, rest, ..Setup::default() }), port)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The bodies of messages, in the order in which a client got them.
fn bodies(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["body"].as_str()).collect()
}

#[test]
fn members_with_different_clients_of_stomp_see_one_chat() {
    let (Some(python), Some(node)) = (Foreign::python(), Foreign::node()) else { return };
    let (gateway, port) = start_chat();
    let port = port.to_string();
    let arguments = ["127.0.0.1", &port, CHAT, "/topic/chat.a", "2", "hello", "hé \\ wörld"];
    let over_tcp = lines(&python.with_script("stomp_client.py").run_with(&arguments));
    assert_eq!(over_tcp[0]["connected"], "1.2");
    assert_eq!(bodies(&over_tcp), ["hello", "hé \\ wörld"]);
    let receipts: Vec<&str> = over_tcp.iter().filter_map(|line| line["receipt"].as_str()).collect();
    assert_eq!(receipts, ["ack-0", "ack-1"]);
    let url = format!("ws://{}/out", gateway.out());
    let arguments = [url.as_str(), CHAT, "/topic/chat.a", "3", "from a page"];
    let over_websocket = lines(&node.with_script("stomp_client.mjs").run_with(&arguments));
    assert_eq!(over_websocket[0]["connected"], "1.2");
    // What was said before it came is there too, in the same order.
    assert_eq!(bodies(&over_websocket), ["hello", "hé \\ wörld", "from a page"]);
    assert_eq!(over_websocket[1]["position"], over_tcp[1]["position"]);
}

#[test]
fn a_websocket_is_read_compressed_and_in_fragments_by_a_client_that_knows_both() {
    let Some(python) = Foreign::python() else { return };
    let (gateway, _) = start_chat();
    let url = format!("ws://{}/out?access_token={CHAT}", gateway.out());
    let told = lines(&python.with_script("websocket_client.py").run_with(&[&url, "chat.ws"]));
    assert!(told[0]["extensions"].as_str().unwrap().starts_with("permessage-deflate"), "{told:?}");
    for (number, event) in told[1..4].iter().enumerate() {
        let expected =
            json!({"type": "said", "source": "/topic/chat.ws", "length": 10_001, "last": number.to_string()});
        assert_eq!(*event, expected);
    }
    assert_eq!(told[4]["closed"], 1000);
}
