//! The commands that ask a running gateway, against its API.

use super::deliveries::{self, DeliveriesArgs};
use super::events::{self, EventsArgs};
use super::{Failure, Format, Outcome, Output};
use crate::api::test::{Bench, new_event};
use crate::store::Settled;
use clap::Parser;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

#[derive(Parser)]
enum Cli {
    Events(EventsArgs),
    Deliveries(DeliveriesArgs),
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn run(api: &str, format: Format, line: &str) -> Result<String, Failure> {
    let words = ["anglerfish"].into_iter().chain(line.split(' ')).chain(["--api", api]);
    let buffer = Buffer::default();
    let mut output = Output::new(Box::new(buffer.clone()), Some(format));
    let outcome = match Cli::try_parse_from(words).unwrap() {
        Cli::Events(args) => events::run(args, &mut output).await,
        Cli::Deliveries(args) => deliveries::run(args, &mut output).await,
    };
    assert_eq!(outcome?, Outcome::Fine);
    let bytes = buffer.0.lock().unwrap().clone();
    Ok(String::from_utf8(bytes).unwrap())
}

async fn text(api: &str, line: &str) -> String {
    run(api, Format::Text, line).await.unwrap()
}

async fn json_lines(api: &str, line: &str) -> Vec<Value> {
    let text = run(api, Format::Json, line).await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The exit code, the message and the hint.
async fn failure(api: &str, line: &str) -> (u8, String, String) {
    let failure = run(api, Format::Text, line).await.unwrap_err();
    let code = failure.code();
    match failure {
        Failure::Misuse { message, hint } | Failure::Failed { message, hint } => {
            (code, message, hint.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lists_and_shows_what_the_gateway_holds() {
    let bench = Bench::new().await;
    let api = bench.serve().await;
    let document = json!({"id": "big-orders", "endpoint": {"url": "http://example.com/"}});
    assert_eq!(bench.post("/v1/subscriptions", &document).await.status, 201);
    bench.event("shop", "evt_1", &["big-orders"]).await;
    bench.event("git", "evt_2", &[]).await;
    assert_eq!(
        text(&api, "events list").await,
        "RECEIVED              SOURCE  TYPE           DELIVERIES  ID\n\
         2023-11-14T22:13:20Z  git     order.created  0           evt_2\n\
         2023-11-14T22:13:20Z  shop    order.created  1           evt_1\n"
    );
    assert_eq!(json_lines(&api, "events list --source git").await[0]["id"], "evt_2");
    assert_eq!(text(&api, "events list --type none").await, "");
    let shown = text(&api, "events show evt_1").await;
    for line in ["id            evt_1\n", "x-kind: a\n", "pending", "big-orders"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(json_lines(&api, "events show evt_1").await[0]["event"]["size"], 14);
    assert_eq!(
        text(&api, "deliveries list --status pending").await,
        "DELIVERY  STATUS   ATTEMPTS  SUBSCRIPTION  EVENT\n\
         1         pending  0         big-orders    evt_1\n"
    );
    assert!(text(&api, "deliveries show 1").await.contains("attempts      none yet\n"));
}

#[tokio::test]
async fn follows_pages_up_to_the_limit() {
    let bench = Bench::new().await;
    let api = bench.serve().await;
    for number in 0..12 {
        bench.event("shop", &format!("e{number}"), &[]).await;
    }
    let all = json_lines(&api, "events list").await;
    let ids = all.iter().map(|event| event["id"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((ids.len(), ids[0], ids[11]), (12, "e11", "e0"));
    assert_eq!(json_lines(&api, "events list --limit 7").await, all[..7]);
}

#[tokio::test]
async fn replays_and_retries() {
    let bench = Bench::new().await;
    let api = bench.serve().await;
    let document = json!({"id": "a", "endpoint": {"url": "http://example.com/"}});
    assert_eq!(bench.post("/v1/subscriptions", &document).await.status, 201);
    let leased = bench.commit(new_event("shop", "a/b?c", &["a"])).await;
    let busy = failure(&api, "deliveries retry 1").await;
    assert_eq!((busy.0, busy.1.as_str()), (1, "it is being attempted at this moment"));
    bench.settle(&leased[0], Settled::Dead).await;
    let shown = text(&api, "deliveries show 1").await;
    assert!(shown.contains("1234.567") && shown.contains("the last answer:\ntry later\n"), "{shown}");
    assert_eq!(text(&api, "deliveries retry 1").await, "delivery 1 is due now\n");
    assert_eq!(text(&api, "events replay a/b?c").await, "DELIVERY  SUBSCRIPTION\n2         a\n");
    let replayed = json_lines(&api, "events replay a/b?c --subscription a").await;
    assert_eq!(replayed[0]["deliveries"], json!([{"id": 3, "subscription": "a"}]));
    let unknown = failure(&api, "events replay a/b?c --subscription x --subscription y").await;
    assert_eq!(unknown.0, 2);
    assert!(unknown.1.contains("subscriptions[1]: there is no subscription `y`"), "{}", unknown.1);
}

#[tokio::test]
async fn says_what_went_wrong_and_what_would_help() {
    let bench = Bench::new().await;
    let api = bench.serve().await;
    for (line, message) in [
        ("events show x", "there is no event `x`"),
        ("deliveries show 7", "there is no delivery `7`"),
        ("deliveries retry 7", "there is no delivery `7`"),
    ] {
        assert_eq!(failure(&api, line).await, (1, message.into(), String::new()), "{line}");
    }
    assert_eq!(failure(&api, "events list --cursor x").await.0, 2);
    bench.event("shop", "1", &[]).await;
    bench.event("git", "1", &[]).await;
    let ambiguous = failure(&api, "events show 1").await;
    assert_eq!((ambiguous.0, ambiguous.2.as_str()), (1, "choose one with --source: git, shop"));
    assert!(text(&api, "events show 1 --source git").await.contains("source        git\n"));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_a_failure_with_a_hint() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (code, message, hint) = failure(&api, "events list").await;
    assert_eq!(code, 1);
    assert!(message.contains(&api) && hint.contains("anglerfish serve"), "{message} {hint}");
}

#[tokio::test]
async fn the_token_is_sent_and_asked_for() {
    let bench = Bench::with(TempDir::new().unwrap(), Vec::new(), Some("s3cret")).await;
    let api = bench.serve().await;
    let (code, message, hint) = failure(&api, "events list --token wrong").await;
    assert_eq!(code, 2);
    assert!(hint.contains("--token") && !message.contains("wrong one: wrong"), "{message} {hint}");
    assert_eq!(text(&api, "events list --token s3cret").await, "");
}

#[tokio::test]
async fn another_service_at_the_address_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let other = axum::Router::new().fallback(async || "hello");
    tokio::spawn(axum::serve(listener, other).into_future());
    let (code, message, hint) = failure(&api, "events list").await;
    assert_eq!(code, 1);
    assert!(message.contains("not understood") && hint.contains("management API"), "{message} {hint}");
}
