//! Flows: functions that go on where they stopped, whatever kills the process.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod callback;
#[path = "../compiled/mod.rs"]
mod compiled;
mod event;

use anglerfish::{
    Anglerfish, CallbackError, Config, Environment, Flow, FlowContext, FlowError, FlowOutcome, FlowState,
    NewCall, StoredFlow,
};
use anglerfish_tests::{Receiver, Reply, Request, free_port, header, send};
use compiled::find_compiled;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Notify;

type Failure = Box<dyn Error + Send + Sync>;

fn config(directory: &Path, port: u16, api: &str) -> Config {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\ndata_dir = \"{}\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[[api]]\nname = \"shop\"\nurl = \"{api}\"\n\
         allow_private = true\nretry = {{ delays = [\"10ms\"] }}\nretries = 100\n",
        directory.display()
    );
    Config::parse("test.toml", &text, directory, &Environment::default()).unwrap()
}

async fn start(directory: &Path, api: &str) -> Anglerfish {
    find_compiled(directory).await;
    let config = config(directory, 0, api);
    Anglerfish::with_config(config).build().await.unwrap().start()
}

/// What a person does with an order: pays for it, lets it be delivered, and waits for the courier.
async fn order(mut cx: FlowContext, order: String) -> Result<String, Failure> {
    let file = PathBuf::from(std::env::var("FLOW_DIR")?).join("reserved");
    let reserved = order.clone();
    let stock: usize = cx
        .step("reserve", || async move {
            let mut file = std::fs::File::options().append(true).create(true).open(file)?;
            // In one piece: others write at the same time.
            file.write_all(format!("{reserved}\n").as_bytes())?;
            Ok::<_, std::io::Error>(3)
        })
        .await?;
    let paid = cx.call(NewCall::new("shop", format!("pay {order}"))).await;
    let arrived = cx.callback("arrived").await?;
    let url = arrived.url().unwrap_or_default().to_owned();
    let sent = cx.call(NewCall::new("shop", format!("deliver {order} {url}"))).await;
    let drawn = cx.random().await;
    // The courier comes; a timer that loses is given up.
    let courier = match cx.timeout(Duration::from_secs(3600), &arrived).await {
        Some(FlowOutcome::Received(event)) => String::from_utf8(event.data.to_vec())?,
        other => format!("{other:?}"),
    };
    cx.sleep(Duration::from_millis(5)).await;
    let same: u64 = cx.step("same", || async move { Ok::<_, Infallible>(drawn) }).await?;
    Ok(format!("{stock} {} {} {courier} {}", paid.is_success(), sent.is_success(), same == drawn))
}

/// The program that is killed: lets its flows go on, starts one, and ends when none runs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the program that another test starts and kills"]
async fn program() {
    let Ok(directory) = std::env::var("FLOW_DIR").map(PathBuf::from) else { return };
    let port = std::env::var("FLOW_PORT").unwrap().parse().unwrap();
    let config = config(&directory, port, &std::env::var("FLOW_API").unwrap());
    let gateway = Anglerfish::with_config(config).build().await.unwrap().start();
    let orders: Flow<String, String> = gateway.flow("order", order).await.unwrap();
    let count: usize = std::env::var("FLOW_COUNT").unwrap().parse().unwrap();
    let starts = (0..count).map(|number| {
        let (orders, id) = (orders.clone(), format!("order-{number:04}"));
        async move { orders.start(&id, &id).await.unwrap().result().await.unwrap() }
    });
    let _: Vec<String> = join_all(starts).await;
    let (flows, mut ended, mut after) = (gateway.flows(), Vec::new(), String::new());
    loop {
        let part = flows.list(true, "order", &after, 500).await.unwrap();
        let Some(last) = part.last() else { break };
        after = format!("order/{}", last.id);
        let shown = |flow: &StoredFlow| json!({"id": flow.id, "result": flow.end.as_ref().unwrap().result});
        ended.extend(part.iter().map(shown));
    }
    assert!(flows.list(false, "", "", 500).await.unwrap().is_empty());
    std::fs::write(directory.join("ended.json"), serde_json::to_vec(&ended).unwrap()).unwrap();
    gateway.shutdown().await;
}

/// The courier comes to this address until somebody answers.
fn come(url: &str) {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let request = Request {
        method: "POST".into(),
        path: format!("/{path}"),
        headers: vec![("webhook-id".into(), "1".into())],
        body: b"courier".to_vec(),
        chunked: false,
    };
    for _ in 0..60_000 {
        if send(address.parse().unwrap(), &request).is_ok_and(|answer| answer.status < 500) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many, as a variable says or else as the tests do.
fn many(variable: &str, usual: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |said| said.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Flows that wait for somebody while the process is killed before and after what they write; with `ANGLERFISH_TEST_FLOWS=1000`
/// and as many `ANGLERFISH_TEST_KILLS` as a campaign. With ten times as many kills as flows there is one at each entry.
#[test]
fn every_flow_ends_once_and_calls_once_a_step_wherever_the_process_is_killed() {
    /// What a flow writes: its entries, and its end.
    const WRITES: usize = 13;
    let (flows, kills) = (many("ANGLERFISH_TEST_FLOWS", 10), many("ANGLERFISH_TEST_KILLS", 16));
    let directory = TempDir::new().unwrap();
    let shop = Receiver::with(|request, _| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        if let Some(url) = body.strip_prefix("deliver ").and_then(|rest| rest.split(' ').nth(1)) {
            let url = url.to_owned();
            std::thread::spawn(move || come(&url));
        }
        Reply::status(200)
    });
    let port = free_port();
    let run = |fault: Option<(&str, usize)>| {
        let faults = directory.path().join("faults");
        let _ = std::fs::remove_dir_all(&faults);
        std::fs::create_dir_all(&faults).unwrap();
        if let Some((point, number)) = fault {
            std::fs::write(faults.join(format!("{point}.kill")), number.to_string()).unwrap();
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "program", "--ignored", "--nocapture"])
            .env("FLOW_DIR", directory.path())
            .env("FLOW_PORT", port.to_string())
            .env("FLOW_API", shop.url("/shop"))
            .env("FLOW_COUNT", flows.to_string())
            .env("ANGLERFISH_TEST_FAULTS", &faults)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // So many are written between two kills that all is written when the last one comes.
    let writes = (flows * WRITES / (kills + 1)).max(1);
    let (mut killed, mut round) = (0, 0);
    let log = loop {
        let fault = match round % 8 {
            6 => ("flow-before-end", writes.div_ceil(WRITES)),
            7 => ("flow-after-end", writes.div_ceil(WRITES)),
            // What is killed before it writes has written all before that.
            even if even % 2 == 0 => ("flow-before-entry", writes + 1),
            _ => ("flow-after-entry", writes),
        };
        // At an end only once there are some.
        let fault = if round % 8 >= 6 && killed < kills / 2 { ("flow-after-entry", writes) } else { fault };
        let (finished, log) = run(Some(fault));
        round += 1;
        if finished {
            break log;
        }
        killed += 1;
        assert!(killed < 4 * kills + 40, "it does not end: {log}");
    };
    println!("{flows} flows, {killed} kills, about {writes} writes between two");
    assert!(killed >= kills / 2, "only {killed} of the kills came: {log}");

    let ended: Vec<Value> =
        serde_json::from_slice(&std::fs::read(directory.path().join("ended.json")).unwrap()).unwrap();
    let ids: BTreeSet<&str> = ended.iter().map(|flow| flow["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ended.len()), (flows, flows), "{ended:?}");
    for flow in &ended {
        assert_eq!(flow["result"], "3 true true courier true", "{flow}");
    }
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut requests = 0;
    for request in shop.requests() {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let key = header(&request.headers, "idempotency-key").unwrap().to_owned();
        keys.entry(body).or_default().insert(key);
        requests += 1;
    }
    // Two calls of each flow, and each with one key however often it was attempted.
    assert_eq!(keys.len(), 2 * flows, "{keys:?}");
    for (body, keys) in &keys {
        assert_eq!(keys.len(), 1, "{body}: {keys:?}");
    }
    let reserved = std::fs::read_to_string(directory.path().join("reserved")).unwrap();
    println!("{requests} requests of {} calls, {} steps of {flows}", 2 * flows, reserved.lines().count());
    for id in ids {
        let times = reserved.lines().filter(|line| *line == id).count();
        // Once, and once more at most for each kill between the step and its entry.
        assert!((1..=killed + 1).contains(&times), "{id} was reserved {times} times");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_is_the_same_flow_and_another_input_is_refused() {
    let directory = TempDir::new().unwrap();
    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let code = move |mut cx: FlowContext, input: u32| {
        let count = Arc::clone(&count);
        async move {
            cx.step("count", || async move { Ok::<_, Infallible>(count.fetch_add(1, Ordering::SeqCst)) })
                .await?;
            Ok::<_, FlowError>(input + 1)
        }
    };
    let flow = gateway.flow("add", code).await.unwrap();
    let run = flow.start("a", &1).await.unwrap();
    assert!(run.is_new());
    assert_eq!(run.result().await.unwrap(), 2);
    let again = flow.start("a", &1).await.unwrap();
    assert!(!again.is_new());
    assert_eq!(again.result().await.unwrap(), 2);
    assert!(matches!(flow.start("a", &2).await, Err(FlowError::OtherInput(_))));
    assert!(matches!(flow.start("a/b", &1).await, Err(FlowError::Invalid(_))));
    assert!(matches!(gateway.flows().start("other", "a", Value::Null).await, Err(FlowError::NoCode(_))));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_takes_another_way_is_stopped_with_what_differs_and_goes_on_with_the_right_code() {
    let directory = TempDir::new().unwrap();
    let waits = |mut cx: FlowContext, (): ()| async move {
        cx.step("first", || async { Ok::<_, Infallible>(1) }).await?;
        let answer = cx.callback("answer").await?;
        cx.step("after", || async { Ok::<_, Infallible>(()) }).await?;
        match cx.wait(&answer).await {
            FlowOutcome::Received(event) => Ok(String::from_utf8_lossy(&event.data).into_owned()),
            _ => Err::<String, Failure>("nobody came".into()),
        }
    };
    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let flow = gateway.flow("wait", waits).await.unwrap();
    flow.start("a", &()).await.unwrap();
    let journal = until(&gateway, 3).await;
    gateway.shutdown().await;

    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let other = gateway
        .flow("wait", |mut cx: FlowContext, (): ()| async move {
            cx.step("first", || async { Ok::<_, Infallible>(1) }).await?;
            cx.step("new", || async { Ok::<_, Infallible>(1) }).await
        })
        .await
        .unwrap();
    let error = other.get("a").await.unwrap().result().await.unwrap_err().to_string();
    let difference =
        "at entry 1 the journal has the callback \"answer\", and the code asks for the step \"new\"";
    assert_eq!(error, format!("flow `wait/a` ended as differs: {difference}"));
    // The right code again: it goes on where it was, and its address is open still.
    let flow = gateway.flow("wait", waits).await.unwrap();
    gateway.flows().retry("wait", "a").await.unwrap();
    let url = gateway.callbacks().list(None, 9).await.unwrap().remove(0);
    assert!(url.is_open(anglerfish::clock::WallClock::default().now()));
    let url = gateway.callbacks().url(&url);
    assert!(serde_json::to_string(&journal).unwrap().contains(url.rsplit('/').next().unwrap()));
    tokio::task::spawn_blocking(move || come(&url)).await.unwrap();
    assert_eq!(flow.get("a").await.unwrap().result().await.unwrap(), "courier");
    gateway.shutdown().await;
}

/// The journal of the flow `wait/a`, once it has so many entries.
async fn until(gateway: &Anglerfish, entries: usize) -> Vec<anglerfish_core::flow::WrittenRecord> {
    let flows = gateway.flows();
    loop {
        let flow = flows.get("wait", "a").await.unwrap();
        let journal = flows.journal(&flow).await.unwrap();
        if journal.len() >= entries {
            return journal;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_is_cancelled_gives_up_what_it_had_begun_and_can_be_tried_again() {
    let directory = TempDir::new().unwrap();
    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let flow = gateway
        .flow("wait", |mut cx: FlowContext, (): ()| async move {
            cx.step("first", || async { Ok::<_, Infallible>(1) }).await.unwrap();
            let answer = cx.callback("answer").await?;
            cx.wait(&answer).await;
            Ok::<_, CallbackError>(7)
        })
        .await
        .unwrap();
    let run = flow.start("a", &()).await.unwrap();
    until(&gateway, 2).await;
    let cancelled = gateway.flows().cancel("wait", "a").await.unwrap();
    assert_eq!(cancelled.state(), FlowState::Cancelled);
    assert!(matches!(run.result().await, Err(FlowError::NoResult(_))));
    let callback = gateway.callbacks().list(None, 9).await.unwrap().remove(0);
    assert!(callback.closed.is_some());
    assert!(matches!(gateway.flows().cancel("wait", "a").await, Err(FlowError::State(..))));
    // What was done stays done, what was given up is begun again.
    gateway.flows().retry("wait", "a").await.unwrap();
    until(&gateway, 2).await;
    let again = gateway.callbacks().list(None, 9).await.unwrap().remove(0);
    assert!(again.closed.is_none() && again.token != callback.token);
    let url = gateway.callbacks().url(&again);
    tokio::task::spawn_blocking(move || come(&url)).await.unwrap();
    assert_eq!(run.result().await.unwrap(), 7);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_goes_on_with_code_of_its_version_or_waits_for_it() {
    let directory = TempDir::new().unwrap();
    let version = |said: &'static str, go: Arc<Notify>| {
        move |mut cx: FlowContext, (): ()| {
            let go = Arc::clone(&go);
            async move {
                cx.step("first", || async { Ok::<_, Infallible>(()) }).await?;
                cx.step("wait", || async move {
                    go.notified().await;
                    Ok::<_, Infallible>(())
                })
                .await?;
                Ok::<_, FlowError>(said.to_owned())
            }
        }
    };
    let go = Arc::new(Notify::new());
    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let flow = gateway.flow("wait", version("one", Arc::clone(&go))).await.unwrap();
    flow.start("a", &()).await.unwrap();
    until(&gateway, 1).await;
    gateway.shutdown().await;

    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let two = gateway.flow("wait", version("two", Arc::clone(&go))).version("2").await.unwrap();
    let waiting = gateway.flows().get("wait", "a").await.unwrap();
    assert!(waiting.end.is_none() && !gateway.flows().is_running_here(&waiting));
    let three = version("three", Arc::clone(&go));
    let three = gateway.flow("wait", three).version("3").goes_on_with(["1"]).await.unwrap();
    go.notify_one();
    assert_eq!(three.get("a").await.unwrap().result().await.unwrap(), "three");
    let other = two.start("b", &()).await.unwrap();
    go.notify_one();
    assert_eq!(other.result().await.unwrap(), "two");
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_is_in_the_journal_and_a_retry_does_it_again() {
    let directory = TempDir::new().unwrap();
    let gateway = start(directory.path(), "http://127.0.0.1:12345").await;
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let flow = gateway
        .flow("wait", move |mut cx: FlowContext, (): ()| {
            let count = Arc::clone(&count);
            async move {
                let before: usize = cx
                    .step("try", || async move {
                        match count.fetch_add(1, Ordering::SeqCst) {
                            0 => Err("no route to host"),
                            before => Ok(before),
                        }
                    })
                    .await?;
                assert!(before > 0, "a panic is a failure, too");
                Ok::<_, FlowError>(before)
            }
        })
        .await
        .unwrap();
    let run = flow.start("a", &()).await.unwrap();
    let error = run.result().await.unwrap_err().to_string();
    assert_eq!(error, "flow `wait/a` ended as failure: step \"try\" failed: no route to host");
    gateway.flows().retry("wait", "a").await.unwrap();
    assert_eq!(run.result().await.unwrap(), 1);
    assert!(matches!(gateway.flows().retry("wait", "a").await, Err(FlowError::State(..))));
    gateway.shutdown().await;
}
