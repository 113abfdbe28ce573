//! A receiver on a port of its own.

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: http::Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Debug, Default)]
struct Log {
    received: Mutex<Vec<Received>>,
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A receiver, until it is dropped.
pub(super) struct Receiver {
    port: u16,
    log: Arc<Log>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Answers each request by its place in the order of arrival, from 0.
    pub(super) async fn start<F, R, A>(answer: F) -> Self
    where
        F: Fn(usize) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = A> + Send,
        A: IntoResponse,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answer)
    }

    pub(super) fn on<F, R, A>(listener: TcpListener, answer: F) -> Self
    where
        F: Fn(usize) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = A> + Send,
        A: IntoResponse,
    {
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Log::default());
        let app = router(log.clone(), answer);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, log, task }
    }

    /// Answers all requests with one status.
    pub(super) async fn with_status(status: u16) -> Self {
        Self::start(move |_| async move { http::StatusCode::from_u16(status).unwrap() }).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.log.received.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.log.received.lock().unwrap().len()
    }

    /// The most requests that were open at the same time.
    pub(super) fn most(&self) -> usize {
        self.log.most.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router<F, R, A>(log: Arc<Log>, answer: F) -> Router
where
    F: Fn(usize) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = A> + Send,
    A: IntoResponse,
{
    Router::new().fallback(move |request: Request| {
        let (log, answer) = (log.clone(), answer.clone());
        async move { receive(&log, request, answer).await }
    })
}

async fn receive<F, R, A>(log: &Log, request: Request, answer: F) -> Response
where
    F: Fn(usize) -> R,
    R: Future<Output = A>,
    A: IntoResponse,
{
    struct Open<'a>(&'a AtomicUsize);
    impl Drop for Open<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let open = log.open.fetch_add(1, Ordering::SeqCst) + 1;
    let _open = Open(&log.open);
    log.most.fetch_max(open, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let place = {
        let mut received = log.received.lock().unwrap();
        let path = head.uri.path().to_owned();
        received.push(Received { method: head.method, path, headers: head.headers, body });
        received.len() - 1
    };
    answer(place).await.into_response()
}
