//! An axum application that takes webhooks: the gateway behind one of its paths, its management API behind another, and
//! both ended by one token.
//!
//! `cargo run -p anglerfish --example axum`, then:
//! `curl -H 'authorization: Bearer the token of the shop' -d '{"total": 120}' http://127.0.0.1:8080/hooks/in/shop`

use anglerfish::{Anglerfish, Delivery, GatewayError, Source, Subscription};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the application counts.
type Orders = Arc<AtomicUsize>;

/// The gateway, with a function of the application as its subscriber.
async fn gateway(data: &Path, orders: Orders, stop: CancellationToken) -> Result<Anglerfish, GatewayError> {
    let count = move |delivery: Delivery| {
        let orders = Arc::clone(&orders);
        async move {
            delivery.json::<serde_json::Value>()?;
            orders.fetch_add(1, Ordering::Relaxed);
            // What could not be read is tried again, and dead in the end: the management API shows it.
            Ok::<_, serde_json::Error>(())
        }
    };
    let built = Anglerfish::builder()
        .data_dir(data)
        .admin_token("a-token-of-sixteen-or-more-characters")
        .source(Source::new("shop", "bearer").secret("the token of the shop"))
        .subscription(Subscription::to_function("orders", count).source("shop"))
        .shutdown_on(stop)
        .build()
        .await?;
    Ok(built.start())
}

/// The application's own addresses, and the gateway's beside them.
fn application(gateway: &Anglerfish, orders: Orders) -> Router {
    Router::new()
        .route(
            "/orders",
            get(|State(orders): State<Orders>| async move { orders.load(Ordering::Relaxed).to_string() }),
        )
        .with_state(orders)
        .nest_service("/hooks", gateway.ingress())
        .nest_service("/manage", gateway.management())
}

/// Serves until `stop` is cancelled; everything under way has ended when it returns.
async fn serve(listener: TcpListener, data: &Path, stop: CancellationToken) -> Result<(), Box<dyn Error>> {
    let orders = Orders::default();
    let gateway = gateway(data, Arc::clone(&orders), stop.clone()).await?;
    let application = application(&gateway, orders).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, application).with_graceful_shutdown(stop.cancelled_owned()).await?;
    gateway.ended().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/hooks/in/shop", listener.local_addr()?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
        }
    });
    serve(listener, Path::new("data"), stop).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use http_body_util::{BodyExt, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    async fn ask(request: http::request::Builder, body: &str) -> Response<Incoming> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        client.request(request.body(Full::from(body.to_owned())).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_request_to_the_application_gets_to_its_function_and_the_token_ends_both() {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, data) = (CancellationToken::new(), directory.path().to_owned());
        let told = stop.clone();
        let served = tokio::spawn(async move { serve(listener, &data, told).await.unwrap() });

        let request = Request::post(format!("{base}/hooks/in/shop"));
        let request = request.header("authorization", "Bearer the token of the shop");
        assert_eq!(ask(request, r#"{"total": 120}"#).await.status(), 202);
        loop {
            let answer = ask(Request::get(format!("{base}/orders")), "").await;
            if answer.into_body().collect().await.unwrap().to_bytes() == "1" {
                break;
            }
            tokio::task::yield_now().await;
        }
        let ready = ask(Request::get(format!("{base}/manage/ready")), "").await;
        assert_eq!(ready.status(), 200);
        let events = ask(Request::get(format!("{base}/manage/v1/events")), "").await;
        assert_eq!(events.status(), 401, "without the token");
        stop.cancel();
        served.await.unwrap();
    }
}
