//! One connection, from accepting it to its end.

use super::activity::{Activity, IdleLimits};
use super::framing::{Malformed, broken};
use super::request_body::RequestBody;
use super::tracked::Tracked;
use crate::fault::fault_point;
use crate::supervision::Supervisor;
use http::header::EXPECT;
use http::{Request, Response};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// How long a connection that was told to end may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// What all connections of a listener share.
pub(super) struct Shared<F> {
    pub(super) handle: F,
    pub(super) builder: Builder<TokioExecutor>,
    pub(super) patience: IdleLimits,
    pub(super) supervisor: Supervisor,
    /// No further requests; those under way may end.
    pub(super) stop: CancellationToken,
}

/// Ends a request also when it is dropped half-way.
struct RequestUnderWay(Arc<Activity>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.end(Instant::now());
    }
}

impl<F, Fut, B> Shared<F>
where
    F: Fn(Request<RequestBody>, SocketAddr) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + From<&'static str> + Send + 'static,
{
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<B> {
        let malformed = Malformed::find(request.version(), request.uri(), request.headers());
        let waits = request.headers().contains_key(EXPECT);
        let request = request.map(|body| RequestBody::new(body, waits));
        if let Some(malformed) = malformed {
            return malformed.answer();
        }
        // Called inside, so that a panic in making the future is caught as well.
        let answer = async {
            fault_point("request");
            (self.handle)(request, peer).await
        };
        self.supervisor.guard("request", answer).await.unwrap_or_else(broken)
    }

    /// Serves requests until the peer or `stop` ends it, or nothing comes for too long.
    ///
    /// The server that detects the version of HTTP waits for its first bytes without a clock, and HTTP/2 may stay open
    /// without a request for as long as it answers pings. So time is kept here, for both versions and from accepting on.
    ///
    /// A connection that another protocol takes over (RFC 9110, section 7.8) is open until that lets go of it. From then on
    /// time is its own to keep.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let activity = Arc::new(Activity::new(self.patience, Instant::now()));
        let open = CancellationToken::new();
        let stream = Tracked::new(stream, Arc::clone(&activity), open.clone().drop_guard());
        self.serve_requests(stream, activity, peer).await;
        open.cancelled().await;
    }

    async fn serve_requests(
        self: Arc<Self>,
        stream: Tracked<TcpStream>,
        activity: Arc<Activity>,
        peer: SocketAddr,
    ) {
        let stream = TokioIo::new(stream);
        let (shared, watched) = (Arc::clone(&self), Arc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            watched.begin();
            let underway = RequestUnderWay(Arc::clone(&watched));
            let shared = Arc::clone(&shared);
            async move {
                let answer = shared.answer(request, peer).await;
                drop(underway);
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(stream, service));
        // First the time of its own that it has, then, once it was told to end, the time for that.
        let mut told: Option<&str> = None;
        loop {
            let now = Instant::now();
            let wake = match activity.deadline(now) {
                // What it is doing may change meanwhile, and what it does then may have the shorter time.
                Some(deadline) => deadline.min(now + self.patience.head.min(self.patience.idle)),
                None if told == Some(TIME_IS_UP) => {
                    tracing::debug!(%peer, "a connection that said nothing was dropped");
                    return;
                }
                None => {
                    connection.as_mut().graceful_shutdown();
                    told = Some(TIME_IS_UP);
                    now + GOODBYE
                }
            };
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "a connection ended early");
                    }
                    return;
                }
                () = self.stop.cancelled(), if told.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    told = Some("stop");
                }
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }
}

const TIME_IS_UP: &str = "time is up";
