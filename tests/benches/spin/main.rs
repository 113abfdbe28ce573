//! What a request costs under Spin, in an instance that has just started and in one that has answered before, beside the native
//! gateway; by the number of subscriptions, each with a filter of its own. And where the time of a fresh instance goes.
//!
//! `cargo bench --workspace --bench spin`, `-- shares` for the second part alone, `-- 10 1000` for these numbers of subscriptions.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on had better stop"
)]
#![allow(dead_code, reason = "the host is that of the tests, which use more of it")]

#[path = "../../tests/spin/binding.rs"]
mod binding;
#[path = "../../../xtask/src/spin.rs"]
mod build;
#[path = "../../tests/spin/compose.rs"]
mod compose;
#[path = "../../tests/spin/host.rs"]
mod host;
#[path = "../../tests/spin/receiver.rs"]
mod receiver;
mod shares;

use anglerfish::{Anglerfish, Source, Subscription};
use bytes::Bytes;
use host::App;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use receiver::Receiver;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "a-token-that-nobody-guesses";
const COUNTS: [usize; 2] = [10, 1000];
/// Requests of each kind that are measured, after some that are not.
const FRESH: usize = 60;
const REUSED: usize = 400;
const WARM: usize = 5;

/// Subscriptions with a filter each, of which one event makes one true.
pub(crate) fn document(count: usize, endpoint: &str) -> Value {
    let subscription = |number: usize| {
        json!({
            "id": format!("subscription-{number}"),
            "sources": ["shop"],
            "filter": format!(
                "event.type == \"order.created\" && message.customer == \"customer-{number}\" && message.quantity > {}",
                number % 10
            ),
            "endpoint": {
                "url": format!("{endpoint}/{number}"),
                "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
                "allow_private": true,
            },
        })
    };
    json!({
        "source": [{ "name": "shop", "scheme": "none" }],
        "subscription": (0..count).map(subscription).collect::<Vec<_>>(),
    })
}

/// The event that the last but one of them wants.
pub(crate) fn event(count: usize) -> String {
    json!({
        "type": "order.created", "customer": format!("customer-{}", count - 2), "quantity": 12,
        "items": [{ "sku": "a-1", "price": 1200 }, { "sku": "b-2", "price": 50 }], "note": "some text of usual length",
    })
    .to_string()
}

/// A connection that is kept.
struct Client {
    to: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { to, sender }
    }

    async fn send(&mut self, method: &str, path: &str, body: String) -> (u16, Bytes) {
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("host", self.to.to_string()).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        if self.sender.ready().await.is_err() {
            *self = Self::connect(self.to).await;
        }
        let response = self.sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }
}

/// The times from a request to its answer, one after another; the event has reached its receiver before the next one.
async fn times(to: SocketAddr, receiver: &mut Receiver, count: usize, requests: usize) -> Vec<Duration> {
    let mut client = Client::connect(to).await;
    let body = event(count);
    let mut times = Vec::new();
    for number in 0..WARM + requests {
        let started = Instant::now();
        let (status, answer) = client.send("POST", "/in/shop", body.clone()).await;
        let took = started.elapsed();
        assert_eq!(status, 202, "{answer:?}");
        let sent = tokio::time::timeout(Duration::from_secs(20), receiver.requests.recv()).await;
        let path = sent.unwrap().unwrap().uri().path().to_owned();
        assert_eq!(path, format!("/{}", count - 2));
        if number >= WARM {
            times.push(took);
        }
    }
    times.sort();
    times
}

/// The app with a configuration that was deployed, in instances for so many requests each.
async fn app(component: &[u8], receiver: &Receiver, count: usize, reuse: usize) -> App {
    let app = App::serve_with(component, &[("admin_token", TOKEN)], reuse).await.unwrap();
    let document = document(count, &format!("http://{}", receiver.address));
    let (status, answer) =
        Client::connect(app.address).await.send("PUT", "/config", document.to_string()).await;
    assert_eq!(status, 200, "{answer:?}");
    app
}

/// The native gateway, in this process, its store on disk.
async fn native(receiver: &Receiver, count: usize) -> (SocketAddr, Box<dyn std::any::Any>) {
    let data = tempfile::tempdir().unwrap();
    let mut builder = Anglerfish::builder().data_dir(data.path()).source(Source::new("shop", "none"));
    let document = document(count, &format!("http://{}", receiver.address));
    for one in document["subscription"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let endpoint = &one["endpoint"];
        let mut subscription = Subscription::to_url(text(&one["id"]), text(&endpoint["url"]));
        for key in ["sources", "filter"] {
            subscription = subscription.set(key, one[key].clone());
        }
        for key in ["secret", "allow_private"] {
            subscription = subscription.endpoint(key, endpoint[key].clone());
        }
        builder = builder.subscription(subscription);
    }
    let gateway = builder.build().await.unwrap().start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback_service(gateway.ingress());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    (address, Box::new((gateway, data)))
}

async fn latencies(component: &[u8], counts: &[usize]) {
    println!("from a request to its answer, one at a time: p50 and p90");
    let shown = |name: &str, count: usize, times: &[Duration]| {
        let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e3;
        println!("{name:<44} {count:>6} subscriptions: {:>8.3} ms {:>8.3} ms", at(50), at(90));
        at(50)
    };
    for count in counts {
        let mut receiver = Receiver::listen(200).await.unwrap();
        let (address, running) = native(&receiver, *count).await;
        shown("native, store on disk", *count, &times(address, &mut receiver, *count, REUSED).await);
        drop(running);
        for (name, reuse, requests) in [
            ("Spin component, instance in use", usize::MAX, REUSED),
            ("Spin component, fresh instance", 1, FRESH),
        ] {
            let mut receiver = Receiver::listen(200).await.unwrap();
            let app = app(component, &receiver, *count, reuse).await;
            shown(name, *count, &times(app.address, &mut receiver, *count, requests).await);
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let counts: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if counts.is_empty() { COUNTS.to_vec() } else { counts };
    let built = build::build_spin().expect("the app builds");
    if !arguments.iter().any(|argument| argument == "shares") {
        let component = compose::compose(&built).expect("the components fit");
        tokio::runtime::Runtime::new().unwrap().block_on(latencies(&component, &counts));
    }
    let gateway = std::fs::read(built.join("gateway.wasm")).unwrap();
    for count in counts {
        shares::print(&gateway, count);
    }
}
