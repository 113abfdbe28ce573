//! The URL of a request as its sender wrote it.

use anglerfish_core::request::is_of_connection;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// What stands between senders and the gateway.
#[derive(Debug, Clone, Default)]
pub struct ForwardedConfig {
    /// Proxies in front of the gateway, whose `X-Forwarded-*` fields count.
    pub trusted: Vec<IpNet>,
    /// The path below which a proxy serves the gateway (`/hooks`), whether it takes it away or not; empty if there is none.
    pub prefix: String,
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
    /// Reads a path, with or without the prefix of a proxy. Names of sources need no percent-encoding, so none is undone. A
    /// slash at the end means the same source: frameworks and people add one, and the sender signs the URL as it wrote it.
    #[must_use]
    pub fn from_path(path: &'a str, prefix: &str) -> Self {
        let inner = path.strip_prefix(prefix).filter(|inner| inner.starts_with('/')).unwrap_or(path);
        match inner.strip_prefix("/in/").map(|name| name.strip_suffix('/').unwrap_or(name)) {
            Some(name) if !name.is_empty() && !name.contains('/') => Self::Source(name),
            _ => Self::Elsewhere,
        }
    }
}

/// The URL of a request as its sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SenderUrl {
    /// The full URL.
    pub(super) url: String,
    /// What was put in front of its path because a proxy took it away; empty if nothing.
    pub(super) added_prefix: String,
}

/// The full URL of a request: its own authority, or what a trusted proxy says that the sender wrote.
pub(super) fn url<B>(request: &Request<B>, peer: SocketAddr, config: &ForwardedConfig) -> SenderUrl {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let trusted = config.trusted.iter().any(|network| network.contains(&canonical(peer.ip())));
    let forwarded = |name: &str| if trusted { text(name).and_then(nearest) } else { None };
    let scheme = forwarded("x-forwarded-proto").unwrap_or("http");
    let authority = forwarded("x-forwarded-host")
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
        .or_else(|| text(HOST.as_str()))
        .unwrap_or("localhost");
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    // A proxy that takes the prefix away says so, or the configuration does: the sender wrote it.
    let prefix = forwarded("x-forwarded-prefix").filter(|prefix| is_prefix(prefix)).unwrap_or(&config.prefix);
    let prefix = prefix.trim_end_matches('/');
    let has_prefix = path.strip_prefix(prefix).is_some_and(|inner| inner.starts_with('/'));
    let prefix = if has_prefix { "" } else { prefix };
    SenderUrl { url: format!("{scheme}://{authority}{prefix}{path}"), added_prefix: prefix.to_owned() }
}

/// The header fields of a request without those of its connection, and with the host that HTTP/2 has in the address: the same
/// for all versions of HTTP.
pub(super) fn message_fields(mut headers: HeaderMap, uri: &Uri) -> HeaderMap {
    let of_connection: Vec<HeaderName> =
        headers.keys().filter(|name| is_of_connection(name.as_str())).cloned().collect();
    for name in of_connection {
        headers.remove(name);
    }
    if let (false, Some(authority)) = (headers.contains_key(HOST), uri.authority())
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    headers
}

/// Whether a text can stand in front of a path: segments of unreserved characters.
pub(crate) fn is_prefix(text: &str) -> bool {
    text.starts_with('/')
        && !text.contains("//")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte))
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
        assert_eq!(url(&request(), peer, &ForwardedConfig::default()).url, "http://inner:8080/in/shop?a=1");
    }

    #[test]
    fn the_nearest_trusted_proxy_says_what_the_sender_wrote() {
        let config = ForwardedConfig { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Default::default() };
        let peer = "[::ffff:10.1.2.3]:1".parse().unwrap();
        assert_eq!(url(&request(), peer, &config).url, "https://hooks.example/in/shop?a=1");
    }

    #[test]
    fn the_prefix_of_a_proxy_is_part_of_the_url_whether_the_proxy_takes_it_away_or_not() {
        let peer = "10.0.0.1:1".parse().unwrap();
        let trusted = vec!["10.0.0.0/8".parse().unwrap()];
        let config = ForwardedConfig { trusted, prefix: "/hooks".to_owned() };
        let at = |path: &str, field: Option<&str>| {
            let mut builder = Request::builder().uri(path).header("host", "h");
            if let Some(field) = field {
                builder = builder.header("x-forwarded-prefix", field);
            }
            let SenderUrl { url, added_prefix } = url(&builder.body(()).unwrap(), peer, &config);
            (url, added_prefix)
        };
        for (path, field, url, added) in [
            ("/in/shop?a=1", None, "http://h/hooks/in/shop?a=1", "/hooks"),
            ("/hooks/in/shop", None, "http://h/hooks/in/shop", ""),
            ("/in/shop", Some("/other/"), "http://h/other/in/shop", "/other"),
            ("/in/shop", Some("//evil"), "http://h/hooks/in/shop", "/hooks"),
        ] {
            assert_eq!(at(path, field), (url.to_owned(), added.to_owned()), "{path} {field:?}");
        }
    }

    #[test]
    fn a_request_has_the_same_fields_whichever_version_of_http_it_came_by() {
        let fields = |uri: &str, fields: &[(&'static str, &'static str)]| {
            let fields = fields
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            message_fields(fields.collect(), &uri.parse().unwrap())
        };
        let first = [
            ("connection", "close"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "h:1"),
            ("x-a", "1"),
        ];
        assert_eq!(fields("/in/shop", &first), fields("http://h:1/in/shop", &[("x-a", "1")]));
    }

    #[test]
    fn only_one_segment_below_in_names_a_source() {
        for path in ["/in/shop", "/in/shop/"] {
            assert_eq!(SourceAddress::from_path(path, ""), SourceAddress::Source("shop"), "{path}");
        }
        for path in ["/hooks/in/shop", "/in/shop", "/hooks/in/shop/"] {
            assert_eq!(SourceAddress::from_path(path, "/hooks"), SourceAddress::Source("shop"), "{path}");
        }
        for path in ["/in/", "/in", "/", "/in/shop//", "/in/a/b", "/out/shop", "//in/shop"] {
            assert_eq!(SourceAddress::from_path(path, ""), SourceAddress::Elsewhere, "{path}");
        }
        for path in ["/hooksin/shop", "/hooks", "/other/in/shop"] {
            assert_eq!(SourceAddress::from_path(path, "/hooks"), SourceAddress::Elsewhere, "{path}");
        }
    }
}
