//! A bare axum server that answers 202 and nothing else: what benchmarks compare the gateway with.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::any;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let take = |body: Bytes| async move {
        drop(body);
        StatusCode::ACCEPTED
    };
    axum::serve(listener, Router::new().fallback(any(take))).await
}
