//! Streams of the binary: what an idle reader costs in memory, how long one event takes to all of many readers, with one among
//! them that takes nothing, and how many events a second one reader gets from the log in each of three ways.
//!
//! `cargo bench -p anglerfish --bench streams`, in less than five minutes. There are 20 000 idle readers where the hard limit of
//! file descriptors is 40 000 or more, and half as many as the limit elsewhere.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

mod binary;

use binary::{Binary, Sender};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

const TOKEN: &str = "0123456789abcdef-feed";
const SENDERS: usize = 16;

/// Between two events whose way to all readers is measured: nobody is still busy with the one before.
const PAUSE: Duration = Duration::from_millis(50);

/// How many readers begin at the same time.
const BEGIN_TOGETHER: usize = 32;

/// What is sent before one begins to read that then takes nothing: more than the kernels of both sides hold for it.
const STALLING: usize = 20_000;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, to see that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let descriptors = usize::try_from(limit).unwrap_or(usize::MAX);
    // Beside them the gateway keeps descriptors for what it sends and for who looks what is wrong.
    let idle = if is_bench { (descriptors / 2).min(20_000) } else { 20 };
    let (readers, events, backlog) = if is_bench { (2000, 200, 50_000) } else { (20, 3, 300) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    drop(Binary::start(""));
    runtime.block_on(async {
        for way in [Way::Sse, Way::WebSocket, Way::Stomp] {
            measure_idle(way, idle).await;
        }
        let alone = measure_fanout(readers, events, 0).await;
        let beside = measure_fanout(readers, events, STALLING.min(events * 100)).await;
        println!(
            "with one that takes nothing: {:.2} times the median",
            beside.as_secs_f64() / alone.as_secs_f64()
        );
        measure_rates(backlog).await;
    });
}

/// How somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sse,
    WebSocket,
    Stomp,
}

impl Way {
    /// What is said first.
    fn greeting(self, from: &str) -> String {
        let token = format!("authorization: Bearer {TOKEN}\r\n");
        let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";
        match self {
            Self::Sse => format!("GET /out/feed?from={from} HTTP/1.1\r\nhost: x\r\n{token}\r\n"),
            Self::WebSocket => {
                format!("GET /out/feed?from={from} HTTP/1.1\r\nhost: x\r\n{token}{upgrade}\r\n")
            }
            Self::Stomp => format!(
                "CONNECT\naccept-version:1.2\nhost:x\npasscode:{TOKEN}\n\n\0\
                 SUBSCRIBE\nid:0\ndestination:/subscription/feed\nfrom:{from}\nreceipt:r\n\n\0"
            ),
        }
    }

    /// What shows that it has begun, and what each event has once.
    const fn marks(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Sse => (b"retry: ", b"\ndata: "),
            Self::WebSocket => (b"\"subscribed\"", b"\"type\":\"event\""),
            Self::Stomp => (b"receipt-id:r", b"MESSAGE\n"),
        }
    }
}

struct Out {
    gateway: Binary,
    http: SocketAddr,
    stomp: SocketAddr,
}

impl Out {
    /// Listens for these ways alone: the listeners share what descriptors there are.
    fn start(ways: &[Way]) -> Self {
        let address = || SocketAddr::from(([127, 0, 0, 1], anglerfish_tests::free_port()));
        let (http, stomp) = (address(), address());
        let many = 1_000_000;
        let mut out = format!(
            "[out]\nmax_connections = {many}\nmax_connections_per_address = {many}\nmax_readers = {many}\n\
             max_readers_per_token = {many}\nmax_readers_per_address = {many}\nheartbeat = \"1m\"\nrotate_after = \"24h\"\n"
        );
        if ways.iter().any(|way| *way != Way::Stomp) {
            out += &format!("listen = \"{http}\"\n");
        }
        if ways.contains(&Way::Stomp) {
            out += &format!("stomp = \"{stomp}\"\n");
        }
        out += &format!("[[subscription]]\nid = \"feed\"\nmode = \"stream\"\ntokens = [\"{TOKEN}\"]\n");
        // What senders do not want is for those who read.
        Self { gateway: Binary::start_with("max_connections = 64\n", &out), http, stomp }
    }

    /// The same for many at once.
    async fn read_many(&self, way: Way, from: &str, count: usize) -> Vec<TcpStream> {
        stream::iter(0..count).map(|_| self.read(way, from)).buffer_unordered(BEGIN_TOGETHER).collect().await
    }

    /// Begins to read; what came behind the beginning is lost.
    async fn read(&self, way: Way, from: &str) -> TcpStream {
        let address = if way == Way::Stomp { self.stomp } else { self.http };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(way.greeting(from).as_bytes()).await.unwrap();
        let mut seen = Counter::new(way.marks().0);
        let mut part = [0; 4096];
        while seen.count == 0 {
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0, "{way:?} is not let in: {}", String::from_utf8_lossy(&part));
            seen.add(part.get(..length).unwrap());
        }
        stream
    }
}

/// Counts how often a text stands in what comes part by part.
struct Counter {
    wanted: &'static [u8],
    rest: Vec<u8>,
    count: usize,
}

impl Counter {
    const fn new(wanted: &'static [u8]) -> Self {
        Self { wanted, rest: Vec::new(), count: 0 }
    }

    fn add(&mut self, part: &[u8]) {
        self.rest.extend_from_slice(part);
        self.count += self.rest.windows(self.wanted.len()).filter(|window| *window == self.wanted).count();
        // Only what could be the beginning of another one.
        let kept = self.rest.len().saturating_sub(self.wanted.len() - 1);
        self.rest.drain(..kept);
    }
}

/// What one who reads and gets nothing holds.
async fn measure_idle(way: Way, count: usize) {
    let out = Out::start(&[way]);
    let warm = out.read_many(way, "now", BEGIN_TOGETHER).await;
    sleep(Duration::from_millis(500)).await;
    let before = out.gateway.resident();
    let readers = out.read_many(way, "now", count).await;
    sleep(Duration::from_secs(1)).await;
    let after = out.gateway.resident();
    #[expect(clippy::cast_precision_loss, reason = "a number of readers")]
    let each = (after - before) * 1024.0 * 1024.0 / count as f64;
    println!(
        "{count} idle readers, {way:?}: {before:.0} MiB before, {after:.0} MiB with them, {each:.0} bytes each"
    );
    drop((readers, warm));
}

/// From the sender's answer to the last of many readers of Server-Sent Events, beside one who takes nothing of so many events;
/// returns the median.
async fn measure_fanout(count: usize, events: usize, stalling: usize) -> Duration {
    let out = Out::start(&[Way::Sse]);
    let sender = Sender::new(&out.gateway);
    let mut stalled = None;
    if stalling > 0 {
        send_many(&sender, stalling).await;
        stalled = Some(out.read(Way::Sse, "earliest").await);
    }
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut tasks = Vec::with_capacity(count);
    for mut stream in out.read_many(Way::Sse, "now", count).await {
        let arrived = arrived.clone();
        tasks.push(tokio::spawn(async move {
            let mut seen = Counter::new(Way::Sse.marks().1);
            let mut part = vec![0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut part).await {
                let before = seen.count;
                seen.add(part.get(..length).unwrap());
                if seen.count > before && arrived.send(Instant::now()).is_err() {
                    return;
                }
            }
        }));
    }
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for number in 0..events {
        sleep(PAUSE).await;
        let (_, answered) = sender.send(&format!("\"n\":{number}")).await;
        let mut ways = Vec::with_capacity(count);
        while ways.len() < count {
            ways.push(arrivals.recv().await.unwrap().saturating_duration_since(answered));
        }
        first.push(percentile(ways.clone(), 50));
        last.push(ways.into_iter().max().unwrap_or_default());
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    drop(stalled);
    let median = percentile(last.clone(), 50);
    println!(
        "one event to {count} readers{}: the middle one after {:.1?} (median), the last one p50 {median:.1?}, p99 {:.1?}",
        if stalling > 0 { ", one more takes nothing" } else { "" },
        percentile(first, 50),
        percentile(last, 99),
    );
    median
}

/// How many events a second one reader gets that begins with the oldest.
async fn measure_rates(count: usize) {
    let ways = [Way::Sse, Way::WebSocket, Way::Stomp];
    let out = Out::start(&ways);
    send_many(&Sender::new(&out.gateway), count).await;
    for way in ways {
        let begun = Instant::now();
        let address = if way == Way::Stomp { out.stomp } else { out.http };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(way.greeting("earliest").as_bytes()).await.unwrap();
        let (mut seen, mut part) = (Counter::new(way.marks().1), vec![0; 64 * 1024]);
        while seen.count < count {
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0, "{way:?} ended at {}", seen.count);
            seen.add(part.get(..length).unwrap());
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of events")]
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        println!("{way:?}: {rate:.0} events of 1 KiB a second to one reader, from the log");
    }
}

/// Sends so many events, several at a time.
async fn send_many(sender: &Sender, count: usize) {
    let senders = (0..SENDERS).map(|first| {
        let sender = sender.clone();
        tokio::spawn(async move {
            for number in (first..count).step_by(SENDERS) {
                let _ = sender.send(&format!("\"n\":{number}")).await;
            }
        })
    });
    join_all(senders).await;
}

/// The time below which so many of a hundred lie.
fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default()
}
