//! A receiver on loopback, and what one durable write costs there: what benchmarks of the whole way share.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Starts a receiver on a thread of its own. It calls `arrived` with the header fields of each request, and answers 200; at
/// `/fail` it answers 500, and at `/hang` never, and tells of neither.
pub(crate) fn receiver(arrived: impl Fn(&http::HeaderMap) + Send + Sync + 'static) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let arrived = Arc::new(arrived);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let arrived = Arc::clone(&arrived);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let path = request.uri().path();
                    let (fails, hangs) = (path == "/fail", path == "/hang");
                    if !fails && !hangs {
                        arrived(request.headers());
                    }
                    async move {
                        let _ = request.into_body().collect().await;
                        if hangs {
                            std::future::pending::<()>().await;
                        }
                        let mut response = Response::new(Empty::<Bytes>::new());
                        if fails {
                            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                        }
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
    });
    address
}

/// What one durable write costs on this disk now: the median of 51.
pub(crate) fn fsync() -> Duration {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let times = (0..51).map(|_| {
        file.write_all(&[1; 4096]).unwrap();
        let begun = Instant::now();
        file.sync_data().unwrap();
        begun.elapsed()
    });
    percentile(times.collect(), 50)
}

/// The value below which so many in a hundred are.
pub(crate) fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}
