//! Connecting under guard: what is checked is the address itself, after the resolution of names, and the address that
//! was checked is the address that is connected to.

use super::guard::Guard;
use futures_util::future::{BoxFuture, FutureExt, TryFutureExt, ready};
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;

/// Names with an address of their own, which the system's resolver is not asked for.
pub(super) type FixedNames = Arc<HashMap<String, SocketAddr>>;

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("dns: {host}: {problem}")]
pub(super) struct ResolveError {
    host: String,
    problem: String,
}

/// Connects to permitted addresses only.
#[derive(Debug, Clone)]
pub(super) struct GuardedConnector {
    guard: Arc<Guard>,
    inner: HttpConnector<GuardedResolver>,
}

impl GuardedConnector {
    pub(super) fn new(guard: Guard, names: FixedNames) -> Self {
        let guard = Arc::new(guard);
        let mut inner = HttpConnector::new_with_resolver(GuardedResolver::new(guard.clone(), names));
        inner.enforce_http(false);
        inner.set_nodelay(true);
        inner.set_keepalive(Some(Duration::from_mins(1)));
        Self { guard, inner }
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // A host that is an address never gets to the resolver.
        let literal = uri.host().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        if let Some(Err(refused)) = literal.map(|address| self.guard.check(address)) {
            return ready(Err(refused.into())).boxed();
        }
        let guard = self.guard.clone();
        self.inner
            .call(uri)
            .map_err(BoxError::from)
            .and_then(async move |stream| {
                // The last word, in case a host is read as an address in a way that is not foreseen here.
                guard.check(stream.inner().peer_addr()?.ip())?;
                Ok(stream)
            })
            .boxed()
    }
}

/// Resolves names with the system's resolver and keeps permitted addresses only.
#[derive(Debug, Clone)]
struct GuardedResolver {
    guard: Arc<Guard>,
    names: FixedNames,
    /// The system's resolver blocks a thread and cannot be stopped: one look-up at a time, so that the attempts of a
    /// subscription whose name server is dead do not use up the threads of the others.
    turn: Arc<Semaphore>,
}

impl GuardedResolver {
    fn new(guard: Arc<Guard>, names: FixedNames) -> Self {
        Self { guard, names, turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { guard, names, turn } = self.clone();
        async move {
            if let Some(address) = names.get(name.as_str()) {
                return Ok(permitted(&guard, name.as_str(), Ok(vec![*address]))?.into_iter());
            }
            let permit = turn.acquire_owned().await?;
            let host = name.as_str().to_owned();
            let found = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                drop(permit);
                found
            })
            .await?;
            Ok(permitted(&guard, &host, found)?.into_iter())
        }
        .boxed()
    }
}

/// The addresses of a name that may be called; an error if there is none.
fn permitted(
    guard: &Guard,
    host: &str,
    found: io::Result<Vec<SocketAddr>>,
) -> Result<Vec<SocketAddr>, BoxError> {
    let unresolved = |problem: String| ResolveError { host: host.to_owned(), problem };
    let found = found.map_err(|error| unresolved(error.to_string()))?;
    let mut refused = None;
    let mut permitted = Vec::with_capacity(found.len());
    for address in found {
        match guard.check(address.ip()) {
            Ok(()) => permitted.push(address),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused {
        Some(refused) if permitted.is_empty() => Err(refused.into()),
        None if permitted.is_empty() => Err(unresolved("no address".into()).into()),
        _ => Ok(permitted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::failure::words;

    fn addresses(list: &[&str]) -> io::Result<Vec<SocketAddr>> {
        Ok(list.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect())
    }

    fn strict() -> Guard {
        Guard::try_new(false, &[]).unwrap()
    }

    #[test]
    fn keeps_only_the_permitted_addresses_of_a_name() {
        let kept = permitted(&strict(), "mixed", addresses(&["10.0.0.1", "1.1.1.1", "::1"])).unwrap();
        assert_eq!(kept, addresses(&["1.1.1.1"]).unwrap());
    }

    #[test]
    fn refuses_a_name_that_has_no_permitted_address() {
        let error = permitted(&strict(), "inside", addresses(&["10.0.0.1", "::1"])).unwrap_err().to_string();
        assert!(error.starts_with("address 10.0.0.1 refused"), "{error}");
    }

    #[test]
    fn says_which_name_has_no_address() {
        let error = permitted(&strict(), "nowhere", addresses(&[])).unwrap_err().to_string();
        assert_eq!(error, "dns: nowhere: no address");
    }

    #[tokio::test]
    async fn a_host_name_that_resolves_to_a_private_address_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "[::1]"] {
            let uri: Uri = format!("http://{host}:{port}/").parse().unwrap();
            let error =
                words(&*GuardedConnector::new(strict(), FixedNames::default()).call(uri).await.unwrap_err());
            assert!(error.contains("refused: it is a loopback address"), "{host}: {error}");
        }
        let none = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(none.is_err(), "a connection was made");
    }

    #[tokio::test]
    async fn an_allowed_network_is_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guard = Guard::try_new(false, &["127.0.0.0/8".into()]).unwrap();
        for host in ["localhost", "127.0.0.1"] {
            let uri: Uri = format!("http://{host}:{port}/").parse().unwrap();
            let stream = GuardedConnector::new(guard.clone(), FixedNames::default()).call(uri).await.unwrap();
            assert_eq!(stream.inner().peer_addr().unwrap().port(), port);
        }
    }
}
