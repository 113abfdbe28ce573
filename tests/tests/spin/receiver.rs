//! A local endpoint that keeps what it is sent.

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// In the place of a status: there is no answer.
const SILENT: u16 = 0;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) requests: UnboundedReceiver<http::Request<Bytes>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    /// Answers every request with this status, until [`Receiver::answer_with`] says another.
    pub(crate) async fn listen(status: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, requests) = unbounded_channel();
        let status = Arc::new(AtomicU16::new(status));
        let answered = Arc::clone(&status);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, answered) = (sender.clone(), Arc::clone(&answered));
                let service =
                    hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let (sender, status) = (sender.clone(), answered.load(Ordering::SeqCst));
                        async move {
                            let (parts, body) = request.into_parts();
                            let Ok(body) = body.collect().await.map(Collected::to_bytes) else {
                                // Whoever sent it has ended.
                                return std::future::pending().await;
                            };
                            let _ = sender.send(http::Request::from_parts(parts, body));
                            if status == SILENT {
                                std::future::pending::<()>().await;
                            }
                            let mut response = http::Response::new(Full::new(Bytes::new()));
                            *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                            if status == 429 {
                                response.headers_mut().insert("retry-after", "3600".parse().unwrap());
                            }
                            Ok::<_, Infallible>(response)
                        }
                    });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(Self { address, requests, status })
    }

    /// Answers with another status from now on.
    pub(crate) fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Answers nothing from now on.
    pub(crate) fn fall_silent(&self) {
        self.status.store(SILENT, Ordering::SeqCst);
    }
}
