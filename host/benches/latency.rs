//! How long an event is on its way at 50 events a second: from the request to its answer, which waits for the disk, and
//! from the request to the receiver.
//!
//! `cargo bench -p anglerfish --bench latency`

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod arrival;
mod loopback;

use anglerfish::config::Environment;
use anglerfish::gateway::Config;
use anglerfish::gateway::Gateway;
use anglerfish_core::sign::{SignInput, sign};
use anglerfish_core::verify::{SecretConfig, VerificationConfig};
use arrival::{Arrivals, arrivals};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use loopback::{fsync, percentile};
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const INTERVAL: Duration = Duration::from_millis(20);

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let count = if std::env::args().any(|argument| argument == "--bench") { 500 } else { 5 };
    let (endpoint, arrivals) = arrivals();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(count, endpoint, arrivals));
}

async fn measure(count: usize, endpoint: SocketAddr, mut arrivals: Arrivals) {
    // Not the directory for temporary files: it may be in memory, where fsync costs nothing.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("anglerfish.toml");
    fs::write(&file, configuration(endpoint)).unwrap();
    let gateway = Gateway::start(Config::load(&file, &Environment::of_process()).unwrap()).await.unwrap();
    let url = format!("http://{}/in/shop", gateway.ingress_address().unwrap());
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);

    let (mut answers, mut ways) = (Vec::new(), Vec::new());
    let mut interval = tokio::time::interval(INTERVAL);
    for number in 0..count {
        interval.tick().await;
        let request = request(&url, &format!("evt_{number}"));
        let begun = Instant::now();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.status(), 202);
        answer.into_body().collect().await.unwrap();
        answers.push(begun.elapsed());
        let (id, at) = arrivals.recv().await.unwrap();
        assert_eq!(id, format!("evt_{number}"));
        ways.push(at.saturating_duration_since(begun));
    }
    gateway.shutdown().await;

    println!("{count} events of 1 KiB, {} a second:", 1000 / INTERVAL.as_millis());
    for (name, times) in [("request to answer", answers), ("request to receiver", ways)] {
        let (half, most) = (percentile(times.clone(), 50), percentile(times, 99));
        println!("{name:<20} p50 {half:>8.2?}  p99 {most:>8.2?}");
    }
    println!("fsync of 4 KiB       {:>12.2?} (median)", fsync());
}

fn configuration(endpoint: SocketAddr) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "shop"
scheme = "standard-webhooks"
secrets = ["{SECRET}"]
[[subscription]]
id = "orders"
sources = ["shop"]
filter = 'event.type == "order.created" && message.quantity > 0'
[subscription.endpoint]
url = "http://{endpoint}/"
secret = "{SECRET}"
allow_private = true
"#
    )
}

fn request(url: &str, id: &str) -> Request<Full<Bytes>> {
    let mut body = br#"{"type":"order.created","quantity":3,"note":""#.to_vec();
    body.resize(1022, b'x');
    body.extend_from_slice(b"\"}");
    let config = VerificationConfig {
        scheme: "standard-webhooks".to_owned(),
        secrets: vec![SecretConfig::new(SECRET)],
        ..VerificationConfig::default()
    };
    let timestamp = anglerfish::clock::WallClock::default().now();
    let input = SignInput { method: "POST", url, headers: &[], body: &body, id, timestamp, kind: None };
    let signed = sign(&config, &input).unwrap();
    let mut request = Request::post(url).header("content-type", "application/json");
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(signed.body))).unwrap()
}
