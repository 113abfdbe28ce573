//! How many connections may be open: in all, to one host, and how the last ones are shared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How many may wait: each release wakes all of them, because not everyone may take what was released.
const WAITING: usize = 1024;
/// Of the last quarter nobody gets more than this many, so that those with many leave room for those with none.
const FAIR: usize = 2;

/// No connection became free in time. It says nothing about the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no connection became free: {0}")]
pub(crate) struct NoFreeConnection(String);

/// The connections of a gateway. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_per_host: usize,
    /// How long a call waits for a connection to become free.
    turn: Duration,
    open: Mutex<Open>,
    waiting: AtomicUsize,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_host: HashMap<Arc<str>, usize>,
}

/// How many connections one client has.
pub(crate) type Own = Arc<AtomicUsize>;

/// The right to one connection, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Permit {
    inner: Arc<Inner>,
    host: Arc<str>,
    own: Own,
    scarce: bool,
}

impl Connections {
    /// So many in all and to one host; a call waits so long for its turn.
    pub(crate) fn new(most: usize, most_per_host: usize, turn: Duration) -> Self {
        Self(Arc::new(Inner {
            most: most.max(1),
            most_per_host: most_per_host.max(1),
            turn,
            open: Mutex::default(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// How many may be open in all.
    pub(crate) fn most(&self) -> usize {
        self.0.most
    }

    /// Waits for the right to one more connection to a host, for a client that has `own` already.
    pub(crate) async fn permit(&self, host: &str, own: &Own) -> Result<Permit, NoFreeConnection> {
        let reason = match self.0.take(host, own) {
            Ok(permit) => return Ok(permit),
            Err(reason) => reason,
        };
        let _waiting = Waiting::begin(&self.0)
            .ok_or_else(|| NoFreeConnection(format!("{reason}, and too many wait")))?;
        let taken = async {
            loop {
                // Listens before it looks, so that nothing is freed between the two.
                let freed = self.0.freed.notified();
                if let Ok(permit) = self.0.take(host, own) {
                    return permit;
                }
                freed.await;
            }
        };
        tokio::time::timeout(self.0.turn, taken).await.map_err(|_| NoFreeConnection(reason))
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        self.0.open().all
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, host: &str, own: &Own) -> Result<Permit, String> {
        let mut open = self.open();
        let scarce = open.all >= self.most - self.most / 4;
        let to_host = open.by_host.get(host).copied().unwrap_or_default();
        if open.all >= self.most || scarce && own.load(Ordering::Relaxed) >= FAIR {
            return Err(format!("outbound.max_connections is {}", self.most));
        }
        if to_host >= self.most_per_host {
            return Err(format!("outbound.max_connections_per_host is {}", self.most_per_host));
        }
        let host: Arc<str> = match open.by_host.get_key_value(host) {
            Some((host, _)) => Arc::clone(host),
            None => host.into(),
        };
        open.by_host.insert(Arc::clone(&host), to_host + 1);
        open.all += 1;
        own.fetch_add(1, Ordering::Relaxed);
        Ok(Permit { inner: Arc::clone(self), host, own: Arc::clone(own), scarce })
    }
}

impl Permit {
    /// Whether connections were scarce when it was given: then the connection should serve one request and close,
    /// instead of standing idle while others wait.
    pub(crate) fn is_scarce(&self) -> bool {
        self.scarce
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.inner.open();
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.by_host.get_mut(&self.host) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_host.remove(&self.host);
            }
        }
        drop(open);
        self.own.fetch_sub(1, Ordering::Relaxed);
        self.inner.freed.notify_waiters();
    }
}

/// Counts one that waits.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn begin(inner: &'a Inner) -> Option<Self> {
        let waiting = Self(inner);
        (inner.waiting.fetch_add(1, Ordering::Relaxed) < WAITING).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(20);

    fn own() -> Own {
        Own::default()
    }

    #[tokio::test]
    async fn no_more_are_open_than_allowed_and_the_next_one_waits_for_a_free_one() {
        let connections = Connections::new(2, 2, TURN * 500);
        let (one, two) =
            (connections.permit("a", &own()).await.unwrap(), connections.permit("b", &own()).await.unwrap());
        assert_eq!(connections.0.take("c", &own()).unwrap_err(), "outbound.max_connections is 2");
        let third = tokio::spawn({
            let connections = connections.clone();
            async move { connections.permit("c", &own()).await }
        });
        tokio::task::yield_now().await;
        drop(one);
        let third = third.await.unwrap().unwrap();
        assert_eq!(connections.open(), 2);
        drop((two, third));
        assert_eq!(connections.open(), 0);
    }

    #[tokio::test]
    async fn one_host_has_a_bound_of_its_own() {
        let connections = Connections::new(100, 1, TURN);
        let first = connections.permit("a", &own()).await.unwrap();
        assert!(connections.permit("a", &own()).await.unwrap_err().to_string().contains("per_host is 1"));
        assert!(connections.permit("b", &own()).await.is_ok());
        drop(first);
        assert!(connections.permit("a", &own()).await.is_ok());
    }

    #[tokio::test]
    async fn who_has_many_leaves_the_last_quarter_to_those_who_have_none() {
        let connections = Connections::new(100, 100, TURN);
        let hog = own();
        let mut held = Vec::new();
        while let Ok(permit) = connections.0.take("a", &hog) {
            held.push(permit);
        }
        assert_eq!(held.len(), 75);
        assert!(!held[74].is_scarce());
        let small = connections.permit("a", &own()).await.unwrap();
        assert!(small.is_scarce());
        assert!(connections.permit("a", &hog).await.is_err());
    }
}
