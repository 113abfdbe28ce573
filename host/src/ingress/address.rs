//! The URL of a request as its sender wrote it.

use http::Request;
use http::header::HOST;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Whose `X-Forwarded-*` fields count.
#[derive(Debug, Clone, Default)]
pub struct ForwardedConfig {
    /// Proxies in front of the gateway.
    pub trusted: Vec<IpNet>,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAddress<'a> {
    /// `/in/{source}`.
    Source(&'a str),
    /// Anything else.
    Elsewhere,
}

impl<'a> SourceAddress<'a> {
    /// Reads a path. Names of sources need no percent-encoding, so none is undone.
    #[must_use]
    pub fn from_path(path: &'a str) -> Self {
        match path.strip_prefix("/in/") {
            Some(name) if !name.is_empty() && !name.contains('/') => Self::Source(name),
            _ => Self::Elsewhere,
        }
    }
}

/// The full URL of a request: its own authority, or what a trusted proxy says that the sender wrote.
pub(super) fn url<B>(request: &Request<B>, peer: SocketAddr, config: &ForwardedConfig) -> String {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let trusted = config.trusted.iter().any(|network| network.contains(&canonical(peer.ip())));
    let forwarded = |name: &str| if trusted { text(name).and_then(nearest) } else { None };
    let scheme = forwarded("x-forwarded-proto").unwrap_or("http");
    let authority = forwarded("x-forwarded-host")
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .or_else(|| text(HOST.as_str()))
        .unwrap_or("localhost");
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    format!("{scheme}://{authority}{path}")
}

/// The last element of a list: the one that the nearest, trusted proxy wrote itself.
fn nearest(list: &str) -> Option<&str> {
    list.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<()> {
        Request::builder()
            .uri("/in/shop?a=1")
            .header("host", "inner:8080")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "evil.example, hooks.example")
            .body(())
            .unwrap()
    }

    #[test]
    fn forwarded_fields_of_a_stranger_do_not_count() {
        let peer = "203.0.113.9:1".parse().unwrap();
        assert_eq!(url(&request(), peer, &ForwardedConfig::default()), "http://inner:8080/in/shop?a=1");
    }

    #[test]
    fn the_nearest_trusted_proxy_says_what_the_sender_wrote() {
        let config = ForwardedConfig { trusted: vec!["10.0.0.0/8".parse().unwrap()] };
        let peer = "[::ffff:10.1.2.3]:1".parse().unwrap();
        assert_eq!(url(&request(), peer, &config), "https://hooks.example/in/shop?a=1");
    }

    #[test]
    fn only_one_segment_below_in_names_a_source() {
        assert_eq!(SourceAddress::from_path("/in/shop"), SourceAddress::Source("shop"));
        for path in ["/in/", "/in", "/", "/in/shop/", "/in/a/b", "/out/shop"] {
            assert_eq!(SourceAddress::from_path(path), SourceAddress::Elsewhere, "{path}");
        }
    }
}
