//! A plain loop over the client that deliveries use: what they are compared with.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::net::SocketAddr;
use std::time::Instant;

/// How many requests with so long a body a second, of `count`, so many at once.
pub(crate) async fn plain(address: SocketAddr, count: usize, concurrency: usize, body: usize) -> f64 {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    let body = Bytes::from(vec![b'x'; body]);
    let begun = Instant::now();
    let loops = (0..concurrency).map(|_| {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move {
            for _ in 0..count / concurrency {
                let request = Request::post(format!("http://{address}/"))
                    .header("content-type", "application/json")
                    .body(Full::new(body.clone()))
                    .unwrap();
                let response = client.request(request).await.unwrap();
                assert!(response.status().is_success());
                response.into_body().collect().await.unwrap();
            }
        })
    });
    join_all(loops).await;
    rate(count, begun)
}

/// So many in the time since then, a second.
#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
pub(crate) fn rate(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}
