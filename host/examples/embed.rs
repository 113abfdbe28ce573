//! A gateway within a program: built, started, sent an event, and ended.
//!
//! `cargo run -p anglerfish --example embed`

use anglerfish::{Config, Environment, GatewayBuilder};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

type Delivered = (Option<String>, Bytes);

/// The program's own endpoint: says what arrives there.
async fn receiver(arrived: mpsc::Sender<Delivered>) -> std::io::Result<SocketAddr> {
    async fn take(State(arrived): State<mpsc::Sender<Delivered>>, headers: HeaderMap, body: Bytes) {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let _ = arrived.send((id, body)).await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, Router::new().fallback(post(take)).with_state(arrived)).into_future());
    Ok(address)
}

fn configuration(endpoint: SocketAddr) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"

[[source]]
name = "shop"
scheme = "bearer"
secrets = ["the token of the shop"]

[[subscription]]
id = "orders"
sources = ["shop"]
filter = "message.total > 100"
[subscription.endpoint]
url = "http://{endpoint}/orders"
allow_private = true
"#
    )
}

/// Sends one event through a gateway and returns what the program's endpoint got.
async fn run() -> Result<Delivered, Box<dyn Error>> {
    let (arrived, mut arrivals) = mpsc::channel(1);
    let endpoint = receiver(arrived).await?;
    // The store and the compiled component are kept here.
    let directory = tempfile::tempdir()?;
    let text = configuration(endpoint);
    let config = Config::parse("the configuration", &text, directory.path(), &Environment::default())?;

    // All that can fail comes first: addresses are bound, the store is open, and nothing acts yet.
    let built = GatewayBuilder::new(config).build().await?;
    let url = format!("http://{}/in/shop", built.ingress_address());
    let gateway = built.start();

    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = http::Request::post(url)
        .header("authorization", "Bearer the token of the shop")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"order": 7, "total": 120}"#)))?;
    let answer = client.request(request).await?;
    let (status, receipt) = (answer.status(), answer.into_body().collect().await?.to_bytes());
    println!("accepted with {status}: {}", String::from_utf8_lossy(&receipt));

    let delivered = arrivals.recv().await.ok_or("nothing was delivered")?;
    // What is under way may end; a gateway that is dropped ends at once, and loses nothing either.
    gateway.shutdown().await;
    Ok(delivered)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (id, body) = run().await?;
    println!("delivered {}: {}", id.as_deref().unwrap_or("without an id"), String::from_utf8_lossy(&body));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_event_goes_through_a_gateway_within_the_process() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (id, body) = runtime.block_on(super::run()).unwrap();
        assert!(id.is_some());
        assert_eq!(&body[..], br#"{"order": 7, "total": 120}"#);
    }
}
