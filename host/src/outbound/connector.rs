//! Connecting under guard: what is checked is the address itself, after the resolution of names, and the address that
//! was checked is the address that is connected to.

use super::Outbound;
use super::connections::Own;
use super::failure::words;
use super::guard::{Guard, Plain};
use super::literal::{Host, host, is_localhost};
use super::names::NameError;
use super::proxy::{Proxy, ProxyError};
use super::stream::Counted;
use super::waiting::here;
use futures_util::future::{BoxFuture, FutureExt, Ready, ready};
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;

/// Names with an address of their own, which the name servers are not asked for.
pub(crate) type FixedNames = Arc<HashMap<String, SocketAddr>>;

/// How long the addresses of one family may take to connect, all together: the kernel alone would take two minutes.
const CONNECT: Duration = Duration::from_secs(10);
/// When the other family is tried beside the first (RFC 8305, section 5).
const HAPPY_EYEBALLS: Duration = Duration::from_millis(250);
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Connects to permitted addresses only.
#[derive(Debug, Clone)]
pub(crate) struct GuardedConnector {
    outbound: Outbound,
    guard: Arc<Guard>,
    names: FixedNames,
    own: Own,
}

impl GuardedConnector {
    pub(super) fn new(outbound: Outbound, guard: Guard, names: FixedNames) -> Self {
        Self { outbound, guard: Arc::new(guard), names, own: Own::default() }
    }

    async fn connect(self, uri: Uri) -> Result<Counted, BoxError> {
        let (host, port) = (uri.host().unwrap_or_default(), port(&uri));
        let is_plain = uri.scheme_str() != Some("https");
        if let Some(proxy) = self.outbound.proxy() {
            return self.connect_through(proxy, host, port, is_plain).await;
        }
        let addresses = self.addresses(host, port, is_plain).await?;
        let to = format!("{host}:{port}");
        let permit = here(self.outbound.connections().permit(&to, &self.own)).await?;
        let stream = connect(addresses).await?;
        // The last word, in case a host is read as an address in a way that is not foreseen here.
        self.guard.check(stream.inner().peer_addr()?.ip())?;
        Ok(Counted::new(stream, permit))
    }

    /// A connection that the proxy makes. Unless it resolves names itself, it gets an address that was checked here.
    async fn connect_through(
        &self,
        proxy: &Proxy,
        text: &str,
        port: u16,
        is_plain: bool,
    ) -> Result<Counted, BoxError> {
        let target = match host(text) {
            Host::Name if proxy.resolves() && !self.names.contains_key(text) => {
                // Nobody here knows whether its address is a public one, unless its name says that it is none.
                if is_plain && !self.guard.allows_http() {
                    if !is_localhost(text) {
                        return Err(Plain.into());
                    }
                    self.guard.check_loopback()?;
                }
                format!("{text}:{port}")
            }
            _ => match self.addresses(text, port, is_plain).await?.first() {
                Some(address) => address.to_string(),
                None => return Err(NameError::unfit(text).into()),
            },
        };
        let to = format!("{text}:{port}");
        let permit = here(self.outbound.connections().permit(&to, &self.own)).await?;
        let local = |error: &dyn fmt::Display| ProxyError::Local(format!("cannot be reached: {error}"));
        let addresses = match host(proxy.host()) {
            Host::Address(address) => vec![SocketAddr::new(address, proxy.port())],
            Host::Neither => return Err(local(&NameError::unfit(proxy.host())).into()),
            Host::Name => {
                let found = here(self.outbound.names().addresses(proxy.host()))
                    .await
                    .map_err(|error| local(&error))?;
                found.iter().map(|address| SocketAddr::new(*address, proxy.port())).collect()
            }
        };
        let stream = connect(addresses.into()).await;
        let mut stream = stream.map_err(|error| local(&words(&*error)))?;
        proxy.tunnel(stream.inner_mut(), &target).await?;
        Ok(Counted::new(stream, permit))
    }

    /// The addresses of a host that may be called.
    async fn addresses(&self, text: &str, port: u16, is_plain: bool) -> Result<Arc<[SocketAddr]>, BoxError> {
        // An IPv4 address written in IPv6 goes out as IPv4.
        let whole = |address: &IpAddr| SocketAddr::new(address.to_canonical(), port);
        let found = match (self.names.get(text), host(text)) {
            (Some(address), _) => vec![*address],
            (None, Host::Address(address)) => vec![whole(&address)],
            (None, Host::Neither) => return Err(NameError::unfit(text).into()),
            (None, Host::Name) => {
                here(self.outbound.names().addresses(text)).await?.iter().map(whole).collect()
            }
        };
        let permitted = permitted(&self.guard, text, &found)?;
        if !is_plain {
            return Ok(permitted);
        }
        let private: Vec<SocketAddr> = permitted
            .iter()
            .copied()
            .filter(|address| self.guard.check_plain(address.ip()).is_ok())
            .collect();
        if private.is_empty() { Err(Plain.into()) } else { Ok(private.into()) }
    }
}

/// Connects to one of these and nothing else: the connector is given no host to have an opinion about.
async fn connect(addresses: Arc<[SocketAddr]>) -> Result<TokioIo<TcpStream>, BoxError> {
    let mut connector = HttpConnector::new_with_resolver(Resolved(addresses));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_happy_eyeballs_timeout(Some(HAPPY_EYEBALLS));
    Ok(connector.call(Uri::from_static("http://checked")).await?)
}

impl Service<Uri> for GuardedConnector {
    type Response = Counted;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Counted, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.clone().connect(uri).boxed()
    }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

/// Has an answer for whatever it is asked.
#[derive(Debug, Clone)]
struct Resolved(Arc<[SocketAddr]>);

impl Service<Name> for Resolved {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(Vec::from(&*self.0).into_iter()))
    }
}

/// The addresses of a host that may be called; an error if there is none.
fn permitted(guard: &Guard, host: &str, found: &[SocketAddr]) -> Result<Arc<[SocketAddr]>, BoxError> {
    let mut refused = None;
    let mut permitted = Vec::with_capacity(found.len());
    for address in found {
        match guard.check(address.ip()) {
            Ok(()) => permitted.push(*address),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused {
        Some(refused) if permitted.is_empty() => Err(refused.into()),
        None if permitted.is_empty() => Err(NameError::unfit(host).into()),
        _ => Ok(permitted.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::{OutboundOptions, words};

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect()
    }

    fn strict() -> Guard {
        Guard::try_new(false, &[]).unwrap()
    }

    fn connector(guard: Guard) -> GuardedConnector {
        let outbound = Outbound::try_new(OutboundOptions::default()).unwrap();
        GuardedConnector::new(outbound, guard, FixedNames::default())
    }

    #[test]
    fn keeps_only_the_permitted_addresses_of_a_name() {
        let kept = permitted(&strict(), "mixed", &addresses(&["10.0.0.1", "1.1.1.1", "::1"])).unwrap();
        assert_eq!(*kept, addresses(&["1.1.1.1"]));
    }

    #[test]
    fn refuses_a_name_that_has_no_permitted_address() {
        let error = permitted(&strict(), "inside", &addresses(&["10.0.0.1", "::1"])).unwrap_err().to_string();
        assert!(error.starts_with("address 10.0.0.1 refused"), "{error}");
    }

    #[tokio::test]
    async fn a_host_name_that_resolves_to_a_private_address_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "[::1]"] {
            let uri: Uri = format!("http://{host}:{port}/").parse().unwrap();
            let error = words(&*connector(strict()).call(uri).await.unwrap_err());
            assert!(error.contains("refused: it is a loopback address"), "{host}: {error}");
        }
        let none = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(none.is_err(), "a connection was made");
    }

    #[tokio::test]
    async fn without_tls_only_what_is_private_and_allowed_is_called() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guard = Guard::try_new(false, &["127.0.0.0/8".into()]).unwrap().allow_http(false);
        let call = async |uri: String| connector(guard.clone()).call(uri.parse().unwrap()).await.map(drop);
        call(format!("http://127.0.0.1:{port}/")).await.unwrap();
        for host in ["1.1.1.1", "[2606:4700::1111]", "[::ffff:1.1.1.1]"] {
            let error = words(&*call(format!("http://{host}/")).await.unwrap_err());
            assert!(error.contains("a public address is called without TLS"), "{host}: {error}");
        }
    }

    #[tokio::test]
    async fn an_allowed_network_is_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guard = Guard::try_new(false, &["127.0.0.0/8".into()]).unwrap();
        for host in ["localhost", "127.0.0.1"] {
            let uri: Uri = format!("http://{host}:{port}/").parse().unwrap();
            let stream = connector(guard.clone()).call(uri).await.unwrap();
            assert_eq!(stream.tcp().peer_addr().unwrap().port(), port);
        }
    }
}
