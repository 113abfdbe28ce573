//! Requests that come through somebody else's server.

use super::framing::{Malformed, broken};
use crate::supervision::Supervisor;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Lets requests in until it is closed, and knows when the last one has its answer. Cheap to clone; all clones are one.
///
/// A listener ends its connections. Where the server is another's, this is what the end of the gateway waits for.
#[derive(Debug, Clone)]
pub struct Gate {
    stop: CancellationToken,
    open: TaskTracker,
    supervisor: Supervisor,
}

impl Gate {
    /// An open one. What panics behind it is told to `supervisor`.
    #[must_use]
    pub fn new(supervisor: Supervisor) -> Self {
        Self { stop: CancellationToken::new(), open: TaskTracker::new(), supervisor }
    }

    /// Answers a request as a listener would: one that HTTP does not allow is refused, one whose handling panics is
    /// answered 500, and once the gate is closed all are answered 503.
    pub async fn pass<B, F>(
        &self,
        request: Request<B>,
        handle: impl FnOnce(Request<B>) -> F,
    ) -> Response<Full<Bytes>>
    where
        F: Future<Output = Response<Full<Bytes>>>,
    {
        // Counted before it looks, so that none is overlooked by who closes it meanwhile.
        let _under_way = self.open.token();
        if self.stop.is_cancelled() {
            return stopping();
        }
        if let Some(malformed) = Malformed::find(request.version(), request.uri(), request.headers()) {
            return malformed.answer();
        }
        let answer = async { handle(request).await };
        self.supervisor.guard("request", answer).await.unwrap_or_else(broken)
    }

    /// Lets nothing in any more, and waits until all have their answers or the time is up.
    pub async fn close(&self, deadline: Instant) {
        self.stop.cancel();
        self.open.close();
        if timeout_at(deadline, self.open.wait()).await.is_err() {
            tracing::warn!(requests = self.open.len(), "requests were still under way at the deadline");
        }
    }

    /// Lets nothing in any more.
    pub fn shut(&self) {
        self.stop.cancel();
        self.open.close();
    }
}

fn stopping() -> Response<Full<Bytes>> {
    let body = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"the gateway is stopping","code":"stopping"}"#;
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn request() -> Request<()> {
        Request::builder().header("host", "here").body(()).unwrap()
    }

    fn fine() -> Response<Full<Bytes>> {
        Response::new(Full::default())
    }

    #[tokio::test]
    async fn its_end_waits_for_who_is_inside_and_turns_others_away() {
        let gate = Gate::new(Supervisor::default());
        let (entered, inside) = oneshot::channel();
        let (go, told) = oneshot::channel::<()>();
        let passing = gate.clone();
        let first = tokio::spawn(async move {
            let handle = |_| async move {
                entered.send(()).unwrap();
                told.await.unwrap();
                fine()
            };
            passing.pass(request(), handle).await.status()
        });
        inside.await.unwrap();
        let closing = gate.clone();
        let closed =
            tokio::spawn(async move { closing.close(Instant::now() + Duration::from_secs(60)).await });
        while !gate.stop.is_cancelled() {
            tokio::task::yield_now().await;
        }
        let late = gate.pass(request(), |_| async { fine() }).await;
        assert_eq!((late.status().as_u16(), &late.headers()["retry-after"]), (503, &HeaderValue::from(1)));
        assert!(!closed.is_finished());
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 200);
        closed.await.unwrap();
    }

    #[tokio::test]
    async fn what_panics_is_answered_500_and_what_http_does_not_allow_400() {
        let gate = Gate::new(Supervisor::default());
        let handle = |_| async { panic!("as it was asked to") };
        assert_eq!(gate.pass(request(), handle).await.status(), 500);
        let nameless = Request::builder().body(()).unwrap();
        assert_eq!(gate.pass(nameless, |_| async { fine() }).await.status(), 400);
    }
}
