//! One connection, from accepting it to its end.

use super::activity::{Activity, ConnectionWatch, IdleLimits};
use super::answer::AnswerBody;
use super::framing::{Malformed, broken};
use super::request_body::RequestBody;
use super::tracked::Tracked;
use crate::fault::fault_point;
use crate::supervision::Supervisor;
use http::header::EXPECT;
use http::{Request, Response, Version};
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
    /// Whether those who answer requests may watch the connection.
    pub(super) is_watched: bool,
    pub(super) supervisor: Supervisor,
    /// No further requests; those under way may end.
    pub(super) stop: CancellationToken,
}

/// Ends a request also when it is dropped half-way.
struct RequestUnderWay(Option<Arc<Activity>>);

impl RequestUnderWay {
    /// A request of which the whole head is there.
    fn begin(activity: &Arc<Activity>, request: &Request<Incoming>) -> Self {
        activity.begin(request.version() == Version::HTTP_2, !request.body().is_end_stream());
        Self(Some(Arc::clone(activity)))
    }

    /// It is answered, with a body that the connection sends from now on.
    fn answer<B>(mut self, answer: Response<B>) -> Response<AnswerBody<B>> {
        let activity = self.0.take();
        activity.iter().for_each(|activity| activity.answer(Instant::now()));
        answer.map(|body| AnswerBody::new(body, activity))
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        if let Some(activity) = &self.0 {
            activity.drop_request(Instant::now());
        }
    }
}

impl<F, Fut, B> Shared<F>
where
    F: Fn(Request<RequestBody>, SocketAddr) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + From<&'static str> + Send + Unpin + 'static,
{
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> Response<B> {
        let malformed = Malformed::find(request.version(), request.uri(), request.headers());
        let waits = request.headers().contains_key(EXPECT);
        let mut request = request.map(|body| RequestBody::new(body, waits, Arc::clone(activity)));
        if self.is_watched {
            request.extensions_mut().insert(ConnectionWatch::of(activity));
        }
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
            let underway = RequestUnderWay::begin(&watched, &request);
            let (shared, watched) = (Arc::clone(&shared), Arc::clone(&watched));
            async move {
                let answer = shared.answer(request, peer, &watched).await;
                Ok::<_, Infallible>(underway.answer(answer))
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
                    activity.cut_off();
                    tracing::debug!(%peer, "a connection that said or took nothing was dropped");
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
