//! Clients of streams that come again by themselves: `EventSource` in a browser, and `anglerfish listen`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually, free_port, verify_standard};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

const TOKEN: &str = "0123456789abcdef-feed";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(keys: &str) -> (Gateway, SocketAddr) {
    let out = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let rest = format!(
        "[out]\nlisten = \"{out}\"\n{keys}\n[[source]]\nname = \"shop\"\nscheme = \"none\"\n\
         [[subscription]]\nid = \"feed\"\nmode = \"stream\"\ntokens = [\"{TOKEN}\"]\n"
    );
    (Gateway::set_up(&Setup { rest, ..Setup::default() }), out)
}

fn publish(gateway: &Gateway, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let kind = [("content-type".to_owned(), "application/json".to_owned())];
        let _ = gateway.post("shop", &kind, json!({"n": number}).to_string().as_bytes()).expect(202);
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
    let (mut gateway, out) = start(&format!("allowed_origins = [\"{origin}\"]"));
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
    let stream = format!("http%3A%2F%2F{out}%2Fout%2Ffeed%3Ffrom%3Dearliest%26access_token%3D{TOKEN}");
    let profile = tempfile::tempdir().unwrap();
    let program = Command::new(browser)
        .args(["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("{origin}/page?stream={stream}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _browser = Program(program.expect("the browser does not start"));
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
fn listen_posts_each_event_here_again_on_request_and_goes_on_after_the_gateway_was_killed() {
    let receiver = Receiver::start();
    let (mut gateway, out) = start("");
    publish(&gateway, 0..2);
    let url = format!("http://{out}");
    let mut program = Gateway::command();
    program.args(["listen", "feed", "--json", "--from", "earliest", "--token", TOKEN, "--secret", SECRET]);
    program.args(["--url", &url, "--to", &receiver.url("/here")]);
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut program = Program(program.unwrap());
    let mut lines = BufReader::new(program.0.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    for number in 0..2 {
        let line = next();
        assert_eq!(
            (&line["event"]["data"]["n"], &line["status"], &line["number"]),
            (&json!(number), &json!(200), &json!(number + 1)),
            "{line}"
        );
    }
    let keys = program.0.stdin.as_mut().unwrap();
    keys.write_all(b"\n1\n").unwrap();
    assert_eq!((&next()["number"], &next()["number"]), (&json!(2), &json!(1)));
    gateway.kill();
    gateway.spawn();
    publish(&gateway, 2..4);
    assert_eq!((&next()["event"]["data"]["n"], &next()["event"]["data"]["n"]), (&json!(2), &json!(3)));
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
fn listen_says_what_is_wrong() {
    let (_gateway, out) = start("");
    let run = |arguments: &[&str]| {
        let output = Gateway::command().arg("listen").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let url = format!("http://{out}");
    for (arguments, words) in [
        (vec!["feed", "--print", "--url", &url, "--token", "not-the-right-one"], "ANGLERFISH_OUT_TOKEN"),
        (vec!["feed", "--print", "--url", "ftp://x", "--token", TOKEN], "is not the address"),
        (vec!["feed", "--url", &url, "--token", TOKEN], "--to <URL>"),
        (vec!["feed", "--url", &url, "--token", TOKEN, "--to", "localhost:3000"], "must begin with http"),
        (vec!["feed", "--print", "--url", &url, "--token", TOKEN, "--from", "yesterday"], "`from` must be"),
    ] {
        let (code, said) = run(&arguments);
        assert!(matches!(code, Some(1 | 2)) && said.contains(words), "{arguments:?}: {code:?} {said}");
    }
}
