//! Calls, callbacks and flows, each commit synced: how many calls a second from the request to the recorded outcome; how long
//! 10 000 waiting flows take to be resumed, and how long it takes from a callback to the code that awaits it; and what 100 000
//! open callbacks hold in memory.
//!
//! `cargo bench -p anglerfish --bench conversations`; with `-- --calls`, `-- --flows` or `-- --callbacks` one of the three.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

#[expect(dead_code, reason = "nothing is sent to a source here")]
mod binary;
mod loopback;

use anglerfish::{Anglerfish, Config, Environment, Flow, FlowContext, FlowError};
use binary::Binary;
use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use loopback::{fsync, percentile, receiver};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Callers at once: as many share a commit.
const CALLERS: usize = 256;

/// How long anything here may take.
const LONGEST: Duration = Duration::from_mins(5);

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let is_bench = has("--bench");
    let one = ["--calls", "--flows", "--callbacks"].into_iter().find(|one| has(one));
    let wants = |this: &str| one.is_none_or(|one| one == this);
    let size = |whole: usize| if is_bench { whole } else { whole / 200 };
    println!("fsync of 4 KiB {:.2?} (median)", fsync());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if wants("--calls") {
            calls(size(50_000)).await;
        }
        if wants("--flows") {
            flows(size(10_000), size(1_000)).await;
        }
        if wants("--callbacks") {
            callbacks(size(100_000)).await;
        }
    });
}

/// Calls through the binary, each from its request to its recorded outcome.
async fn calls(count: usize) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&arrived);
    let address = receiver(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let client = client();
    let (plain, begun) = (format!("http://{address}/"), Instant::now());
    at_once(count, |_| post(client.clone(), plain.clone(), Bytes::from_static(b"{\"order\":7}"))).await;
    let plain = rate(count, begun);
    arrived.store(0, Ordering::Relaxed);
    let gateway = Binary::start(&format!(
        "[[api]]\nname = \"shop\"\nurl = \"http://{address}/\"\nallow_private = true\nconcurrency = {CALLERS}\n"
    ));
    let calls = format!("http://{}/v1/calls?wait=60s", gateway.admin);
    let body = Bytes::from(json!({"api": "shop", "body": "{\"order\":7}"}).to_string());
    let begun = Instant::now();
    at_once(count, |_| post(client.clone(), calls.clone(), body.clone())).await;
    let rate = rate(count, begun);
    assert_eq!(arrived.load(Ordering::Relaxed), count, "each is attempted once");
    println!(
        "{count} calls by {CALLERS} callers, each until its outcome is recorded: {rate:.0}/s, {:.2} of a plain loop ({plain:.0}/s); \
         {:.0} MiB of memory",
        rate / plain,
        gateway.resident()
    );
}

/// Flows in this process that wait for a callback each: how long a restart takes until all of them wait again, and how long it
/// takes from a request to the code behind it.
async fn flows(count: usize, asked: usize) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let port = anglerfish_tests::free_port();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let waits = Arc::clone(&waiting);
    let code = move |mut cx: FlowContext, number: usize| {
        let (arrived, waits) = (arrived.clone(), Arc::clone(&waits));
        async move {
            let answer = cx.callback("answer").await.map_err(|error| error.to_string())?;
            waits.fetch_add(1, Ordering::Relaxed);
            cx.wait(&answer).await;
            let _ = arrived.send((number, Instant::now()));
            Ok::<_, String>(())
        }
    };
    let gateway = start(directory.path(), port).await;
    let flow: Flow<usize, ()> = gateway.flow("wait", code.clone()).await.unwrap();
    let begun = Instant::now();
    at_once(count, |number| {
        let flow = flow.clone();
        async move {
            let started: Result<_, FlowError> = flow.start(&format!("f{number}"), &number).await;
            let _ = started.unwrap();
        }
    })
    .await;
    until(&waiting, count).await;
    let started = rate(count, begun);
    gateway.shutdown().await;

    waiting.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    let gateway = start(directory.path(), port).await;
    let ready = begun.elapsed();
    let _: Flow<usize, ()> = gateway.flow("wait", code).await.unwrap();
    until(&waiting, count).await;
    println!(
        "{count} flows (started at {started:.0}/s) wait again {:.2?} after the start of a restart, which was ready after {ready:.2?}; \
         {:.0} MiB of memory",
        begun.elapsed(),
        resident()
    );

    let client = client();
    let mut times = Vec::new();
    for number in 0..asked {
        let callback = gateway.callbacks().get(&format!("flow/wait/f{number}/0")).await.unwrap();
        let url = gateway.callbacks().url(&callback);
        let begun = Instant::now();
        post(client.clone(), url, Bytes::from_static(b"{}")).await;
        let (came, at) = tokio::time::timeout(LONGEST, arrivals.recv()).await.unwrap().unwrap();
        assert_eq!(came, number);
        times.push(at.saturating_duration_since(begun));
    }
    println!(
        "from a callback to the code that awaits it, the entry of its journal on disk: p50 {:.2?}, p99 {:.2?}",
        percentile(times.clone(), 50),
        percentile(times, 99)
    );
    gateway.shutdown().await;
}

/// Callbacks that are open: in the binary, and in this process with somebody who awaits each.
async fn callbacks(count: usize) {
    let client = client();
    let gateway = Binary::start("");
    let before = gateway.resident();
    let hold = format!("http://{}/v1/callbacks", gateway.admin);
    let begun = Instant::now();
    at_once(count, |number| {
        let body = Bytes::from(json!({"name": format!("orders/{number}"), "expires": "24h"}).to_string());
        post(client.clone(), hold.clone(), body)
    })
    .await;
    println!(
        "{count} open callbacks (made at {:.0}/s): {:.0} MiB of memory ({before:.0} before), {:.0} MiB on disk",
        rate(count, begun),
        gateway.resident(),
        gateway.disk()
    );
    drop(gateway);

    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let gateway = start(directory.path(), anglerfish_tests::free_port()).await;
    let held: Arc<std::sync::Mutex<Vec<_>>> = Arc::default();
    at_once(count, |number| {
        let (gateway, held) = (gateway.callbacks().clone(), Arc::clone(&held));
        async move {
            let callback = gateway.callback(format!("orders/{number}")).await.unwrap();
            held.lock().unwrap().push(callback);
        }
    })
    .await;
    let before = resident();
    let held = std::mem::take(&mut *held.lock().unwrap());
    let awaited: Vec<_> = { held.into_iter() }
        .map(|mut callback| tokio::spawn(async move { callback.next().await.map(drop) }))
        .collect();
    tokio::time::sleep(Duration::from_secs(if count > 1000 { 10 } else { 1 })).await;
    println!("{count} of them awaited in a program: {:.0} MiB more", resident() - before);
    awaited.iter().for_each(tokio::task::JoinHandle::abort);
    gateway.shutdown().await;
}

async fn start(directory: &Path, port: u16) -> Anglerfish {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\ndata_dir = \"{}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
        directory.display()
    );
    let config = Config::parse("bench.toml", &text, directory, &Environment::default()).unwrap();
    Anglerfish::with_config(config).build().await.unwrap().start()
}

async fn until(counted: &AtomicUsize, count: usize) {
    let begun = Instant::now();
    while counted.load(Ordering::Relaxed) < count {
        assert!(begun.elapsed() < LONGEST, "{} of {count}", counted.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

async fn post(client: Client<HttpConnector, Full<Bytes>>, url: String, body: Bytes) {
    let request =
        Request::post(url).header("content-type", "application/json").body(Full::new(body)).unwrap();
    let answer = client.request(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
    if let Ok(call) = serde_json::from_slice::<Value>(&body) {
        let state = call.get("state").and_then(Value::as_str).unwrap_or("success");
        assert_eq!(state, "success", "{call}");
    }
}

/// Does something so many times, as many callers at once.
async fn at_once<F: Future<Output = ()> + Send + 'static>(count: usize, work: impl Fn(usize) -> F) {
    let work = &work;
    let loops = (0..CALLERS).map(|first| async move {
        for number in (first..count).step_by(CALLERS) {
            tokio::spawn(work(number)).await.unwrap();
        }
    });
    let _: Vec<()> = join_all(loops).await;
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}

/// The resident memory of this process in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1024.0
}
