//! STOMP over a connection of its own.

use super::connection::converse;
use super::wire::Wire;
use crate::server::Ending;
use crate::stream::place::Protocol;
use crate::stream::router::StreamOut;
use crate::stream::session::Caller;
use crate::supervision::Supervisor;
use crate::telemetry::Repeated;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// How long accepting pauses when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket where STOMP is spoken. It knows no TLS: a proxy in front of it may.
pub struct StompListener {
    /// Closed as soon as it is told to stop.
    socket: Mutex<Option<Arc<TcpListener>>>,
    address: SocketAddr,
    connections: usize,
}

impl StompListener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// As the operating system says.
    pub async fn bind(address: SocketAddr, connections: usize) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket: Mutex::new(Some(Arc::new(socket))), address, connections })
    }

    /// The address that it is bound to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to end; returns when no connection is open any more.
    pub async fn serve(self: Arc<Self>, out: StreamOut, ending: Ending, supervisor: Supervisor) {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(socket) = socket else { return };
        let Ending { stop, abort } = ending;
        // Connections end with this future, however it ends.
        let abort = abort.child_token();
        let _dropped = abort.clone().drop_guard();
        let patience = out.streams.shared.options.stall;
        let (begun, mut refused) = (Instant::now(), Repeated::default());
        let (places, open) = (Arc::new(Semaphore::new(self.connections)), TaskTracker::new());
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                next = next => next,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if let Some(count) = refused.note(begun.elapsed(), &error.to_string()) {
                        tracing::warn!(%error, count, "connections could not be accepted now; they wait");
                    }
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    }
                }
            };
            let _ = stream.set_nodelay(true);
            let (door, abort, supervisor) = (out.door.clone(), abort.clone(), supervisor.clone());
            open.spawn(async move {
                let _place = place;
                let address = peer.ip().to_canonical();
                let caller = Caller { protocol: Protocol::Stomp, address, agent: None };
                let talk = converse(Wire::Tcp { stream, patience }, door, caller, None);
                tokio::select! {
                    () = abort.cancelled() => {}
                    // A panic in it is of this connection alone.
                    _ = supervisor.guard("STOMP connection", talk) => {}
                }
            });
        }
        drop(socket);
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        open.close();
        tokio::select! {
            () = open.wait() => {}
            () = abort.cancelled() => open.wait().await,
        }
    }
}

impl fmt::Debug for StompListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StompListener").field("address", &self.address).finish_non_exhaustive()
    }
}
