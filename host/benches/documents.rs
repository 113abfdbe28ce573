//! Documents that are put into the binary, each commit synced: how many a second where nobody needs telling, where one of 1, 100 and
//! 100 000 subscriptions of the resource does (until it is told), and where the same is put again; beside a plain loop of PUTs to a
//! bare server. And what documents and subscribers hold in memory and on disk, and what it costs that there are many resources.
//!
//! `cargo bench -p anglerfish --bench documents`, the same with `-- --memory`, with `-- --resources`

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

#[expect(dead_code, reason = "nothing is sent to a source here")]
mod binary;
mod loopback;

use binary::Binary;
use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use loopback::{fsync, receiver};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Producers at once: as many share a commit.
const PRODUCERS: usize = 128;

/// Bytes of a document.
const BODY: usize = 256;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let (is_bench, is_memory, is_resources) = (has("--bench"), has("--memory"), has("--resources"));
    let arrived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&arrived);
    let address = receiver(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if is_memory {
            memory(address, 1_000_000, 100_000).await;
            return;
        }
        if is_resources {
            resources(address, 100_000, 20_000).await;
            return;
        }
        let (count, sizes): (usize, &[usize]) =
            if is_bench { (50_000, &[1, 100, 100_000]) } else { (256, &[1, 10]) };
        let plain = put_all(&Producer::new(), &format!("http://{address}"), count, 1, -1).await;
        println!("plain loop of PUTs: {plain:.0}/s; fsync of 4 KiB {:.2?} (median)", fsync());
        println!(
            "{:>13} {:>22} {:>22} {:>22}",
            "subscriptions", "nobody needs telling/s", "one is told/s", "the same again/s"
        );
        for size in sizes {
            measure(address, &arrived, *size, count, plain).await;
        }
        if !is_bench {
            memory(address, 100, 10).await;
            resources(address, 10, 256).await;
        }
    });
}

async fn measure(address: SocketAddr, arrived: &AtomicUsize, size: usize, count: usize, plain: f64) {
    let (gateway, documents) = start(&subscriptions(address, size));
    let producer = Producer::new();
    let base = format!("http://{documents}/documents/http://h/items");
    // Warm: the documents are there before they are counted.
    let _ = put_all(&producer, &base, count, 1, -1).await;
    let quiet = put_all(&producer, &base, count, 2, -1).await;
    arrived.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    let _ = put_all(&producer, &base, count, 3, 0).await;
    while arrived.load(Ordering::Relaxed) < count {
        assert!(begun.elapsed() < Duration::from_mins(5), "{} of {count}", arrived.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let told = rate(count, begun);
    let again = put_all(&producer, &base, count, 3, 0).await;
    let cell = |rate: f64| format!("{rate:.0} ({:.2})", rate / plain);
    println!("{size:>13} {:>22} {:>22} {:>22}", cell(quiet), cell(told), cell(again));
    drop(gateway);
}

/// What there is in memory and on disk with so many documents that one subscriber has, and with so many subscribers.
async fn memory(address: SocketAddr, documents: usize, subscribers: usize) {
    let (gateway, listener) = start(&subscriptions(address, 1));
    let producer = Producer::new();
    let (resident, disk) = (gateway.resident(), gateway.disk());
    let base = format!("http://{listener}/documents/http://h/items");
    let rate = put_all(&producer, &base, documents, 1, -1).await;
    println!(
        "{documents} documents of {BODY} bytes, put at {rate:.0}/s: {:.0} MiB of memory ({:.0} before), {:.0} MiB on disk with \
         their entries in the log ({:.1} before)",
        gateway.resident(),
        resident,
        gateway.disk(),
        disk
    );
    drop(gateway);
    let (gateway, _) = start(&subscriptions(address, subscribers));
    println!(
        "{subscribers} subscribers with a filter each: {:.0} MiB of memory ({resident:.0} with one), {:.1} MiB on disk, ready after {:.1?}",
        gateway.resident(),
        gateway.disk(),
        gateway.started_in
    );
}

/// How many PUTs a second with one resource and with many, in turns: of what its subscriber has, so that little but finding the
/// resource is done.
async fn resources(address: SocketAddr, many: usize, count: usize) {
    let started = [1, many].map(|size| {
        let mut tables = subscriptions(address, 1);
        for number in 1..size {
            let _ = write!(
                tables,
                "[[resource]]\nid = \"r{number}\"\nendpoint = \"http://h/r{number}/{{id}}\"\nchange = {{ field = \"v\" }}\n"
            );
        }
        (size, start(&tables))
    });
    let producer = Producer::new();
    let bases =
        started.each_ref().map(|(_, (_, listener))| format!("http://{listener}/documents/http://h/items"));
    for base in &bases {
        let _ = put_all(&producer, base, count, 1, -1).await;
    }
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        for (rates, base) in rates.iter_mut().zip(&bases) {
            rates.push(put_all(&producer, base, count, 1, -1).await);
        }
    }
    let [one, all] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates.swap_remove(rates.len() / 2)
    });
    let gateways = started.map(|(size, (gateway, _))| {
        format!("{size} resources: {:.0} MiB, ready after {:.1?}", gateway.resident(), gateway.started_in)
    });
    println!(
        "{}; {one:.0} PUTs/s with the first, {all:.0} with the second: {:.2}",
        gateways.join("; "),
        all / one
    );
}

/// Starts a gateway with a listener of documents, one resource and its subscriptions.
fn start(subscriptions: &str) -> (Binary, SocketAddr) {
    let documents = SocketAddr::from(([127, 0, 0, 1], anglerfish_tests::free_port()));
    let tables = format!(
        "[documents]\nlisten = \"{documents}\"\nallow_networks = [\"127.0.0.0/8\"]\n[[resource]]\nid = \"items\"\n\
         endpoint = \"http://h/items/{{id}}\"\nchange = {{ field = \"v\" }}\n{subscriptions}"
    );
    (Binary::start(&tables), documents)
}

/// Each wants the documents that are to it.
fn subscriptions(address: SocketAddr, count: usize) -> String {
    let mut tables = String::new();
    for number in 0..count {
        let _ = write!(
            tables,
            "[[subscription]]\nid = \"s{number}\"\nresource = \"items\"\nfilter = \"new.to == {number}\"\n\
             endpoint = {{ url = \"http://{address}/{number}\", method = \"POST\" }}\ndelivery = {{ concurrency = 64 }}\n"
        );
    }
    tables
}

#[derive(Clone)]
struct Producer {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Producer {
    fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    async fn put(&self, base: &str, number: usize, version: u32, to: i64) {
        let mut body = format!("{{\"v\":{version},\"to\":{to},\"note\":\"").into_bytes();
        body.resize(BODY - 2, b'x');
        body.extend_from_slice(b"\"}");
        let request = Request::put(format!("{base}/{number}")).body(Full::new(Bytes::from(body))).unwrap();
        let answer = self.client.request(request).await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        let _ = answer.into_body().collect().await.unwrap();
    }
}

/// Puts so many documents, from all producers at once; how many a second.
async fn put_all(producer: &Producer, base: &str, count: usize, version: u32, to: i64) -> f64 {
    let begun = Instant::now();
    let loops = (0..PRODUCERS).map(|first| {
        let (producer, base) = (producer.clone(), base.to_owned());
        tokio::spawn(async move {
            for number in (first..count).step_by(PRODUCERS) {
                producer.put(&base, number, version, to).await;
            }
        })
    });
    for ended in join_all(loops).await {
        ended.unwrap();
    }
    rate(count, begun)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}
