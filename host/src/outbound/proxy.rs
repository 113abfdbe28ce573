//! Going out through a proxy: `CONNECT` (RFC 9110, section 9.3.6), for `http` and `https` alike.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most that the head of the proxy's answer may take.
const HEAD: usize = 8 * 1024;

/// A proxy through which everything goes out. Its `Debug` form hides it: its URL may hold credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<String>,
    resolves: bool,
}

/// A proxy's URL cannot be used. Names no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proxy must be written as http://host:port or http://user:password@host:port")]
pub struct ProxyUrlError;

/// Why a proxy gave no tunnel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// It could not be spoken to, or wants other credentials: it says nothing about the endpoint.
    #[error("proxy: {0}")]
    Local(String),
    /// It refused to connect, or could not.
    #[error("proxy: answered {0} to the request for a connection")]
    Refused(u16),
}

impl ProxyError {
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl Proxy {
    /// Reads a proxy's URL. If it `resolves`, it is given names and decides itself which addresses may be called;
    /// otherwise names are resolved and checked here, and it is given the address.
    ///
    /// # Errors
    ///
    /// If the URL cannot be used.
    pub fn try_new(url: &str, resolves: bool) -> Result<Self, ProxyUrlError> {
        let uri: Uri = url.parse().map_err(|_| ProxyUrlError)?;
        let authority = uri.authority().ok_or(ProxyUrlError)?;
        let bare = matches!(uri.path_and_query().map(|rest| rest.as_str()), None | Some("/"));
        if uri.scheme_str() != Some("http") || !bare || authority.host().is_empty() {
            return Err(ProxyUrlError);
        }
        let authorization = authority.as_str().rsplit_once('@').map(|(credentials, _)| {
            let credentials = percent_decode_str(credentials).collect::<Vec<u8>>();
            format!("Basic {}", STANDARD.encode(credentials))
        });
        let port = authority.port_u16().ok_or(ProxyUrlError)?;
        Ok(Self { host: authority.host().to_owned(), port, authorization, resolves })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn resolves(&self) -> bool {
        self.resolves
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Asks for a connection to `target`, `host:port`. What comes behind the answer's head is the target's.
    pub(super) async fn tunnel(&self, stream: &mut TcpStream, target: &str) -> Result<(), ProxyError> {
        let mut request =
            format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {}\r\n", crate::USER_AGENT);
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        let local = |error: io::Error| ProxyError::Local(error.to_string());
        stream.write_all(request.as_bytes()).await.map_err(local)?;
        let mut head = Vec::with_capacity(256);
        // Byte by byte: a target that speaks first, as in TLS none does, would lose what is read too much.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD {
                return Err(ProxyError::Local("the head of its answer is too large".to_owned()));
            }
            head.push(stream.read_u8().await.map_err(local)?);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let status = std::str::from_utf8(line)
            .ok()
            .filter(|line| line.starts_with("HTTP/1."))
            .and_then(|line| line.split(' ').nth(1)?.parse::<u16>().ok());
        match status {
            Some(200..=299) => Ok(()),
            Some(407) => Err(ProxyError::Local("it wants other credentials (407)".to_owned())),
            Some(status) => Err(ProxyError::Refused(status)),
            None => Err(ProxyError::Local("its answer is not http".to_owned())),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proxy").field("resolves", &self.resolves).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_proxy_with_and_without_credentials() {
        let proxy = Proxy::try_new("http://user:p%40ss@proxy.test:3128", false).unwrap();
        assert_eq!((proxy.host(), proxy.port), ("proxy.test", 3128));
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dXNlcjpwQHNz"));
        assert!(!format!("{proxy:?}").contains("p@ss"));
        assert_eq!(Proxy::try_new("http://[::1]:3128/", true).unwrap().host(), "[::1]");
        for url in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "http://proxy",
            "http://proxy:1/x",
            "http://:3128",
        ] {
            assert_eq!(Proxy::try_new(url, false), Err(ProxyUrlError), "{url}");
        }
    }
}
