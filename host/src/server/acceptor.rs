//! Accepting connections, in one way for every protocol: within limits, and let go in the end.

use super::listener::Ending;
use super::tally::Tally;
use crate::supervision::Supervisor;
use crate::telemetry::Repeated;
use bytes::Bytes;
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// How long accepting pauses when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A peer that is gone without a word is noticed by these, also where nobody ever speaks: after a minute the system asks, and
/// gives up after some silent intervals (nine on Linux).
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(15));

/// How many bytes the system takes of what is said before the other side has taken some of it. Without a bound it takes megabytes,
/// and a peer that reads steadily and slowly takes nothing for minutes, as far as this side can see.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 64 << 10;

/// How many of those who are turned away are told so at the same time, and how long that may take: whoever comes faster than
/// that is let go without a word.
const FAREWELLS: usize = 16;
const FAREWELL: Duration = Duration::from_secs(1);

/// What becomes of those who come when as many connections are open as there may be.
#[derive(Debug, Clone)]
pub(crate) enum Overflow {
    /// They wait in the system's queue: soon another one leaves.
    Wait,
    /// They are told this and turned away: who is there stays.
    Refuse(Bytes),
}

/// How many connections one socket has open.
#[derive(Debug, Clone)]
pub(crate) struct AcceptLimits {
    /// In all.
    pub(crate) connections: usize,
    /// What becomes of further ones.
    pub(crate) overflow: Overflow,
    /// From one address; further ones are turned away.
    pub(crate) per_address: usize,
    /// Proxies, which may have any number: they speak for many.
    pub(crate) proxies: Arc<[IpNet]>,
}

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// Closed as soon as it is told to stop, so that the next sender finds another instance.
    socket: Mutex<Option<Arc<TcpListener>>>,
    address: SocketAddr,
    limits: AcceptLimits,
    /// Where it is counted that somebody is turned away, if that is asked for.
    refused: OnceLock<Counter>,
}

impl Acceptor {
    /// Binds an address; port 0 takes a free one.
    pub(crate) async fn bind(address: SocketAddr, limits: AcceptLimits) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket: Mutex::new(Some(Arc::new(socket))), address, limits, refused: OnceLock::new() })
    }

    /// The address that it is bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts those who are turned away; the first counter stays.
    pub(crate) fn count_refusals(&self, counter: Counter) {
        let _ = self.refused.set(counter);
    }

    fn socket(&self) -> MutexGuard<'_, Option<Arc<TcpListener>>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Talks on each connection until it is told to end; returns when none is open any more. Dropped early, it drops them all.
    /// Whoever has too many is told `refusal`. `what` names a connection where one panics.
    pub(crate) async fn serve<Fut>(
        &self,
        what: &'static str,
        refusal: Bytes,
        talk: impl Fn(TcpStream, SocketAddr) -> Fut,
        ending: Ending,
        supervisor: Supervisor,
    ) where
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Ending { stop, abort } = ending;
        let Some(socket) = self.socket().clone() else { return };
        // Connections end with this future, however it ends.
        let abort = abort.child_token();
        let _dropped = abort.clone().drop_guard();
        let (begun, mut failed, mut refused) = (Instant::now(), Repeated::default(), Repeated::default());
        let mut full = Repeated::default();
        let (places, open) = (Arc::new(Semaphore::new(self.limits.connections)), TaskTracker::new());
        let (addresses, farewells) = (Tally::default(), Arc::new(Semaphore::new(FAREWELLS)));
        let is_refusing = matches!(self.limits.overflow, Overflow::Refuse(_));
        loop {
            let next = async {
                if places.available_permits() == 0
                    && let Some(count) = full.note(begun.elapsed(), "full")
                {
                    let (address, connections) = (self.address, self.limits.connections);
                    match self.limits.overflow {
                        // Whoever comes now gets no answer before another one leaves, and only this side can say why.
                        Overflow::Wait => {
                            tracing::warn!(%address, connections, count, "as many connections are open as there may be; further ones wait");
                        }
                        Overflow::Refuse(_) => {
                            tracing::warn!(%address, connections, count, "as many connections are open as there may be; further ones are refused");
                        }
                    }
                }
                // Whoever is accepted beyond the places holds a descriptor: of those there are no more than are told so at once.
                let (place, turn) = tokio::select! {
                    biased;
                    place = Arc::clone(&places).acquire_owned() => (place.ok(), None),
                    turn = Arc::clone(&farewells).acquire_owned(), if is_refusing => (None, turn.ok()),
                };
                (place, turn, socket.accept().await)
            };
            // Also while all places are taken.
            let (place, turn, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                next = next => next,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if let Some(count) = failed.note(begun.elapsed(), &error.to_string()) {
                        tracing::warn!(%error, count, "connections could not be accepted now; they wait");
                    }
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    }
                }
            };
            // One may have left since.
            let place = place.or_else(|| Arc::clone(&places).try_acquire_owned().ok());
            if let (None, Overflow::Refuse(refusal)) = (&place, &self.limits.overflow) {
                self.count_refused();
                bid_farewell(&open, turn, stream, refusal);
                continue;
            }
            drop(turn);
            let address = peer.ip().to_canonical();
            let Some(counted) = addresses.take(address, self.most(address)) else {
                self.count_refused();
                if let Some(count) = refused.note(begun.elapsed(), &address.to_string()) {
                    tracing::warn!(%address, count, "connections of an address that has as many as it may were refused");
                }
                bid_farewell(&open, Arc::clone(&farewells).try_acquire_owned().ok(), stream, &refusal);
                continue;
            };
            // Answers are small and complete: waiting to fill a segment only delays them.
            let _ = stream.set_nodelay(true);
            let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
            let (talk, abort, supervisor) = (talk(stream, peer), abort.clone(), supervisor.clone());
            open.spawn(async move {
                let _counted = (place, counted);
                tokio::select! {
                    () = abort.cancelled() => {}
                    // A panic in it is of this connection alone.
                    _ = supervisor.guard(what, talk) => {}
                }
            });
        }
        drop(socket);
        self.socket().take();
        open.close();
        tokio::select! {
            () = open.wait() => return,
            () = abort.cancelled() => {}
        }
        tracing::warn!(connections = open.len(), "connections were still open at the deadline");
        open.wait().await;
    }

    fn count_refused(&self) {
        if let Some(counter) = self.refused.get() {
            counter.inc();
        }
    }

    fn most(&self, address: IpAddr) -> usize {
        match self.limits.proxies.iter().any(|network| network.contains(&address)) {
            true => usize::MAX,
            false => self.limits.per_address,
        }
    }
}

/// Turns somebody away; without a turn, without a word.
fn bid_farewell(open: &TaskTracker, turn: Option<OwnedSemaphorePermit>, stream: TcpStream, refusal: &Bytes) {
    let Some(turn) = turn else { return };
    let refusal = refusal.clone();
    open.spawn(async move {
        let _turn = turn;
        let _ = tokio::time::timeout(FAREWELL, turn_away(stream, &refusal)).await;
    });
}

/// Says why, and gives the other side a moment to read it: closing with bytes unread would take back what was just sent.
async fn turn_away(mut stream: TcpStream, refusal: &[u8]) -> io::Result<()> {
    stream.write_all(refusal).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Where connections are accepted, and what becomes of them.
    async fn start(per_address: usize, proxies: &[&str]) -> (SocketAddr, mpsc::UnboundedReceiver<TcpStream>) {
        start_counted(per_address, proxies, Counter::default()).await
    }

    async fn start_counted(
        per_address: usize,
        proxies: &[&str],
        counter: Counter,
    ) -> (SocketAddr, mpsc::UnboundedReceiver<TcpStream>) {
        let proxies = proxies.iter().map(|network| network.parse().unwrap()).collect();
        let limits = AcceptLimits { connections: 10, overflow: Overflow::Wait, per_address, proxies };
        let acceptor = Acceptor::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits).await.unwrap();
        let (address, (accepted, connections)) = (acceptor.address(), mpsc::unbounded_channel());
        acceptor.count_refusals(counter);
        tokio::spawn(async move {
            let talk = |stream, _| {
                let accepted = accepted.clone();
                async move {
                    let _ = accepted.send(stream);
                    std::future::pending().await
                }
            };
            let refusal = Bytes::from_static(b"enough");
            acceptor.serve("connection", refusal, talk, Ending::default(), Supervisor::default()).await;
        });
        (address, connections)
    }

    async fn said(stream: &mut TcpStream) -> String {
        let mut said = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut said)).await.unwrap().unwrap();
        said
    }

    #[tokio::test]
    async fn whoever_comes_when_all_connections_are_taken_is_told_and_let_in_once_one_has_left() {
        let limits = AcceptLimits {
            connections: 1,
            overflow: Overflow::Refuse(Bytes::from_static(b"full")),
            per_address: 10,
            proxies: Arc::default(),
        };
        let acceptor = Acceptor::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits).await.unwrap();
        let (address, counter) = (acceptor.address(), Counter::default());
        acceptor.count_refusals(counter.clone());
        tokio::spawn(async move {
            let talk = |mut stream: TcpStream, _| async move {
                let _ = stream.write_all(b"welcome").await;
                let _ = stream.read(&mut [0]).await;
            };
            let refusal = Bytes::from_static(b"enough");
            acceptor.serve("connection", refusal, talk, Ending::default(), Supervisor::default()).await;
        });
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut welcome = [0; 7];
        first.read_exact(&mut welcome).await.unwrap();
        // More than are told so at the same time, one after the other.
        let mut others = Vec::new();
        for _ in 0..FAREWELLS * 2 {
            others.push(TcpStream::connect(address).await.unwrap());
        }
        for other in &mut others {
            assert_eq!(said(other).await, "full");
        }
        assert_eq!(counter.get(), others.len() as u64);
        drop((first, others));
        loop {
            let mut next = TcpStream::connect(address).await.unwrap();
            let mut word = [0; 4];
            next.read_exact(&mut word).await.unwrap();
            match &word {
                b"welc" => break,
                other => assert_eq!(other, b"full"),
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_system_takes_little_of_what_the_other_side_does_not_read() {
        let (address, mut connections) = start(10, &[]).await;
        let _peer = TcpStream::connect(address).await.unwrap();
        let accepted = connections.recv().await.unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT);
    }

    #[tokio::test]
    async fn the_system_asks_a_silent_peer_whether_it_is_there() {
        let (address, mut connections) = start(10, &[]).await;
        let _peer = TcpStream::connect(address).await.unwrap();
        let accepted = connections.recv().await.unwrap();
        assert!(SockRef::from(&accepted).keepalive().unwrap() && accepted.nodelay().unwrap());
    }

    #[tokio::test]
    async fn whoever_has_too_many_connections_is_told_and_a_proxy_may_have_any_number() {
        let counter = Counter::default();
        let (address, mut connections) = start_counted(1, &[], counter.clone()).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"what it came for").await.unwrap();
        assert_eq!((said(&mut second).await.as_str(), counter.get()), ("enough", 1));
        assert!(connections.recv().await.is_some() && connections.try_recv().is_err());
        let (address, mut connections) = start(1, &["127.0.0.0/8"]).await;
        let _both = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        assert!(connections.recv().await.is_some() && connections.recv().await.is_some());
    }
}
