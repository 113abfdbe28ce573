//! One listening socket.

use super::acceptor::{AcceptLimits, Acceptor, Overflow};
use super::activity::IdleLimits;
use super::connection::{BoxError, Shared};
use super::framing::{crowded, full};
use super::request_body::RequestBody;
use crate::supervision::Supervisor;
use http::{Request, Response};
use hyper::body::{Body, Bytes};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest head of a request, in bytes: its line or its pseudo fields, and all its fields.
const HEAD_LIMIT: usize = 64 * 1024;

/// How much of its requests' bodies one HTTP/2 connection may send ahead of being asked, and one stream of it, in
/// bytes. It is what a connection can fill while the gateway reads none of it.
const CONNECTION_WINDOW: u32 = 512 * 1024;
const STREAM_WINDOW: u32 = 128 * 1024;

/// Requests that one HTTP/2 connection may have under way.
const STREAMS: u32 = 128;

/// How often an HTTP/2 peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// What a listener bounds before a request is one.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections. Further ones wait in the kernel's queue; where answers are lasting ones they are answered 503.
    pub connections: usize,
    /// Of these, from one address; further ones are answered 429.
    pub per_address: usize,
    /// How long the head of a request may take: the first one from accepting the connection on.
    pub header: Duration,
    /// How long a connection may be open between two requests, and how long a peer may take nothing of an answer.
    pub idle: Duration,
    /// Whether a peer that says no more (`shutdown`) is still answered. Requests that wait for long should look out for it then
    /// (`ConnectionWatch`), where answers are lasting ones: it may as well be gone.
    pub half_open: bool,
    /// Whether answers go on for long, so that a connection is not soon free for another.
    pub lasting: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            per_address: usize::MAX,
            header: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            half_open: false,
            lasting: false,
        }
    }
}

/// When a listener ends.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// No further connections and requests; those under way may end.
    pub stop: CancellationToken,
    /// What is still open is dropped.
    pub abort: CancellationToken,
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    acceptor: Acceptor,
    limits: Limits,
}

impl Listener {
    /// Binds an address; port 0 takes a free one. Connections of `proxies` are not counted by their address.
    ///
    /// # Errors
    ///
    /// As the operating system says.
    pub async fn bind(address: SocketAddr, limits: Limits, proxies: &[IpNet]) -> io::Result<Self> {
        let Limits { connections, per_address, lasting, .. } = limits;
        let overflow = if lasting { Overflow::Refuse(full()) } else { Overflow::Wait };
        let accepting = AcceptLimits { connections, overflow, per_address, proxies: proxies.into() };
        Ok(Self { acceptor: Acceptor::bind(address, accepting).await?, limits })
    }

    /// The address that it is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Counts those who are turned away because their address has as many connections as it may; the first counter stays.
    pub fn count_refusals(&self, counter: Counter) {
        self.acceptor.count_refusals(counter);
    }

    /// Serves until it is told to end; returns when no connection is open any more. Dropped early, it drops them all.
    ///
    /// A request whose handling panics is answered 500.
    pub async fn serve<F, Fut, B>(self: Arc<Self>, handle: F, ending: Ending, supervisor: Supervisor)
    where
        F: Fn(Request<RequestBody>, SocketAddr) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + From<&'static str> + Send + Unpin + 'static,
    {
        let Limits { header: head, idle, half_open, lasting: is_watched, .. } = self.limits;
        let patience = IdleLimits { head, idle, half_open };
        let (stop, builder) = (ending.stop.clone(), builder());
        let shared = Shared { handle, builder, patience, is_watched, supervisor: supervisor.clone(), stop };
        let shared = Arc::new(shared);
        let talk = |stream, peer| Arc::clone(&shared).serve(stream, peer);
        self.acceptor.serve("connection", crowded(), talk, ending, supervisor).await;
    }
}

/// What both versions of HTTP are held to. Time is kept by the connection, so HTTP/1 keeps none of its own.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(PING))
        .max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX))
        .max_concurrent_streams(Some(STREAMS))
        .initial_stream_window_size(Some(STREAM_WINDOW))
        .initial_connection_window_size(Some(CONNECTION_WINDOW));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    }

    /// Reads a whole answer; it has no body.
    async fn read_answer(stream: &mut TcpStream) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{answer:?}");
    }

    async fn start(connections: usize) -> (SocketAddr, Ending, tokio::task::JoinHandle<()>) {
        // An idle connection is not closed for its own sake while a test runs.
        start_with(Limits { connections, header: PATIENCE * 100, idle: PATIENCE * 100, ..Limits::default() })
            .await
    }

    async fn start_with(limits: Limits) -> (SocketAddr, Ending, tokio::task::JoinHandle<()>) {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits, &[]).await.unwrap();
        let (address, ending) = (listener.address(), Ending::default());
        let answer = |request: Request<RequestBody>, _| async move {
            assert_ne!(request.uri().path(), "/panic", "as it was asked to");
            Response::new(Full::<Bytes>::default())
        };
        let served = tokio::spawn(Arc::new(listener).serve(answer, ending.clone(), Supervisor::default()));
        (address, ending, served)
    }

    #[tokio::test]
    async fn it_stops_also_while_all_connections_are_taken() {
        let (address, stop, served) = start(1).await;
        let mut only = TcpStream::connect(address).await.unwrap();
        ask(&mut only).await;
        read_answer(&mut only).await;
        stop.stop.cancel();
        tokio::time::timeout(PATIENCE, served).await.expect("the listener stops").unwrap();
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limit_waits_until_another_ends() {
        let (address, _stop, _served) = start(1).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        ask(&mut first).await;
        read_answer(&mut first).await;
        let mut second = TcpStream::connect(address).await.unwrap();
        ask(&mut second).await;
        let early = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
        assert!(early.is_err(), "the second connection was served beside the first");
        drop(first);
        tokio::time::timeout(PATIENCE, read_answer(&mut second)).await.unwrap();
    }

    const SHORT: Duration = Duration::from_millis(50);

    /// Where the body of a request is answered with what it says, once it is whole.
    async fn start_echo() -> (SocketAddr, Ending) {
        let limits =
            Limits { half_open: true, header: PATIENCE * 100, idle: PATIENCE * 100, ..Limits::default() };
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits, &[]).await.unwrap();
        let (address, ending) = (listener.address(), Ending::default());
        let answer = |request: Request<RequestBody>, _| async move {
            let Ok(body) = request.into_body().collect().await else {
                return Response::new(Full::from("half"));
            };
            // Later than the end of what the other side says.
            tokio::time::sleep(SHORT).await;
            Response::new(Full::from(body.to_bytes()))
        };
        tokio::spawn(Arc::new(listener).serve(answer, ending.clone(), Supervisor::default()));
        (address, ending)
    }

    #[tokio::test]
    async fn whoever_says_no_more_behind_whole_requests_is_answered_and_then_let_go() {
        let (address, _ending) = start_echo().await;
        let get = "GET / HTTP/1.1\r\nhost: here\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\n\r\nhello";
        let chunked =
            "POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        for (said, answers) in [
            (get.to_owned(), 1),
            (post.to_owned(), 1),
            (chunked.to_owned(), 1),
            ([get, post, chunked].concat(), 3),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answered = String::new();
            tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answered)).await.unwrap().unwrap();
            assert_eq!(answered.matches("HTTP/1.1 200 OK").count(), answers, "{said}: {answered}");
            assert_eq!(
                answered.matches("hello").count(),
                said.matches("hello").count(),
                "{said}: {answered}"
            );
        }
    }

    #[tokio::test]
    async fn whoever_says_no_more_in_the_middle_of_a_request_is_let_go() {
        let (address, _ending) = start_echo().await;
        for said in
            ["POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 6\r\n\r\nhello", "GET / HTTP/1.1\r\nho"]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answered = Vec::new();
            let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answered)).await;
            drop(end.expect("it is let go"));
        }
    }

    #[tokio::test]
    async fn an_http_2_answer_that_goes_on_is_not_cut_off_because_its_reader_says_that_it_is_there() {
        let limits = Limits { header: SHORT, idle: PATIENCE, ..Limits::default() };
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits, &[]).await.unwrap();
        let (address, ending) = (listener.address(), Ending::default());
        let answer = |_, _| async move {
            let parts = futures_util::stream::unfold(0, |part| async move {
                tokio::time::sleep(SHORT).await;
                (part < 40).then(|| (Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x")), part + 1))
            });
            Response::new(axum::body::Body::from_stream(parts))
        };
        tokio::spawn(Arc::new(listener).serve(answer, ending, Supervisor::default()));
        let stream = hyper_util::rt::TokioIo::new(TcpStream::connect(address).await.unwrap());
        let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let client = client.timer(TokioTimer::new()).keep_alive_interval(SHORT / 2);
        let (mut requests, connection) =
            client.handshake::<_, http_body_util::Empty<Bytes>>(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("http://{address}/")).body(http_body_util::Empty::new()).unwrap();
        let answer = requests.send_request(request).await.unwrap();
        let whole = tokio::time::timeout(PATIENCE, answer.into_body().collect()).await.unwrap();
        assert_eq!(whole.expect("the answer comes to its end").to_bytes().len(), 40);
    }

    /// A connection that sent this is closed by the other side, and another one is served.
    async fn is_let_go(limits: Limits, said: &[u8]) {
        let (address, _ending, _served) = start_with(limits).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(said).await.unwrap();
        let mut honest = TcpStream::connect(address).await.unwrap();
        ask(&mut honest).await;
        tokio::time::timeout(PATIENCE, read_answer(&mut honest)).await.expect("the honest one is served");
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await;
        // Closed, or reset: there may be bytes that nobody read.
        drop(end.expect("the silent one is let go"));
    }

    #[tokio::test]
    async fn whoever_says_nothing_or_half_of_something_does_not_keep_others_out() {
        let limits = Limits { connections: 1, header: SHORT, idle: PATIENCE * 100, ..Limits::default() };
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for said in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", preface, b"POST /in/s HTTP/1.1\r\nhost: x\r\n"] {
            is_let_go(limits, said).await;
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_let_go() {
        let limits = Limits { connections: 1, header: PATIENCE * 100, idle: SHORT, ..Limits::default() };
        is_let_go(limits, b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await;
    }

    #[tokio::test]
    async fn a_head_of_more_than_its_limit_is_refused() {
        let (address, _ending, _served) = start(10).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nhost: here\r\nx: {}\r\n\r\n", "a".repeat(HEAD_LIMIT));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 431");
    }

    #[tokio::test]
    async fn a_request_that_panics_is_answered_500_and_the_next_one_is_served() {
        let (address, _ending, _served) = start(1).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /panic HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 500");
        drop(stream);
        let mut next = TcpStream::connect(address).await.unwrap();
        ask(&mut next).await;
        tokio::time::timeout(PATIENCE, read_answer(&mut next)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_open_at_the_deadline_is_dropped_and_so_is_all_when_nobody_waits_any_more() {
        for told in [true, false] {
            let (address, ending, served) = start(10).await;
            let mut half = TcpStream::connect(address).await.unwrap();
            half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
            let mut whole = TcpStream::connect(address).await.unwrap();
            ask(&mut whole).await;
            read_answer(&mut whole).await;
            if told {
                ending.stop.cancel();
                ending.abort.cancel();
                tokio::time::timeout(PATIENCE, served).await.expect("the listener ends").unwrap();
            } else {
                served.abort();
            }
            let mut rest = Vec::new();
            let end = tokio::time::timeout(PATIENCE, half.read_to_end(&mut rest)).await;
            drop(end.expect("the connection is dropped"));
        }
    }
}
