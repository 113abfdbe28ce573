//! Who may use the management API.

use super::ProblemDetails;
use anglerfish_core::config::Secret;
use axum::extract::Request;
use http::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Who may use the management API: whoever has the token, or without a token whoever is on this machine and is not a
/// web page.
///
/// A listener without a token trusts its loopback address, and a browser on the same machine reaches that for any web
/// page: directly (the request then has an `Origin`) or under a name of the page's own that resolves to 127.0.0.1 (the
/// request then has that name as its `Host`). Both are refused.
#[derive(Debug, Clone)]
pub struct Access {
    rule: Arc<RwLock<Rule>>,
    listen: IpAddr,
}

#[derive(Debug)]
enum Rule {
    Token([u8; 32]),
    Local(IpAddr),
}

impl Rule {
    fn new(token: Option<&Secret>, listen: IpAddr) -> Self {
        match token {
            Some(token) => Self::Token(Sha256::digest(token.reveal()).into()),
            None => Self::Local(listen),
        }
    }
}

impl Access {
    /// With this token for a listener with one, else for local programs that address the listener as `listen`.
    #[must_use]
    pub fn new(token: Option<&Secret>, listen: SocketAddr) -> Self {
        let rule = Arc::new(RwLock::new(Rule::new(token, listen.ip())));
        Self { rule, listen: listen.ip() }
    }

    /// Asks for another token from now on, or for none.
    pub fn replace(&self, token: Option<&Secret>) {
        let rule = Rule::new(token, self.listen);
        *self.rule.write().unwrap_or_else(PoisonError::into_inner) = rule;
    }

    /// Whether somebody shows the token; never where there is none.
    pub(crate) fn opens(&self, shown: &[u8]) -> bool {
        match &*self.rule.read().unwrap_or_else(PoisonError::into_inner) {
            Rule::Token(expected) => is_token(expected, shown),
            Rule::Local(_) => false,
        }
    }

    /// Whether a request may be answered.
    ///
    /// # Errors
    ///
    /// It may not, with what it is answered.
    pub fn check(&self, request: &Request) -> Result<(), ProblemDetails> {
        match &*self.rule.read().unwrap_or_else(PoisonError::into_inner) {
            Rule::Token(expected) => check_token(expected, request),
            Rule::Local(listen) => check_local(*listen, request),
        }
    }
}

/// Lets a request through that shows a bearer token of which `opens` says that it is a right one; whatever else it shows
/// is asked about too.
pub(crate) fn bearer(headers: &HeaderMap, opens: impl FnOnce(&[u8]) -> bool) -> Result<(), ProblemDetails> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unauthorized("needs one `Authorization: Bearer` header field with the token", "Bearer"));
    };
    let Some((scheme, token)) = split_once(value.as_bytes(), b' ') else {
        return Err(unauthorized("the `Authorization` header field is not `Bearer` and a token", "Bearer"));
    };
    let is_right = opens(token.trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") && is_right { Ok(()) } else { Err(wrong_token()) }
}

/// The answer to a token that opens nothing.
pub(crate) fn wrong_token() -> ProblemDetails {
    unauthorized("the token is not the right one", "Bearer error=\"invalid_token\"")
}

fn unauthorized(detail: &str, challenge: &'static str) -> ProblemDetails {
    ProblemDetails::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn check_token(expected: &[u8; 32], request: &Request) -> Result<(), ProblemDetails> {
    bearer(request.headers(), |token| is_token(expected, token))
}

fn is_token(expected: &[u8; 32], token: &[u8]) -> bool {
    // Hashes have one length, so that not even the token's length can be measured.
    let given: [u8; 32] = Sha256::digest(token).into();
    given.as_slice().ct_eq(expected.as_slice()).into()
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    Some((bytes.get(..position)?, bytes.get(position + 1..)?))
}

fn check_local(listen: IpAddr, request: &Request) -> Result<(), ProblemDetails> {
    let forbidden = |code, detail: &str| Err(ProblemDetails::new(StatusCode::FORBIDDEN, code, detail));
    let hosts = request.headers().get_all(HOST).iter().map(|value| authority(value.as_bytes()));
    // HTTP/2 and requests in absolute form name the host in the address.
    let target = request.uri().authority().cloned().map(Some);
    let mut named = false;
    for host in hosts.chain(target) {
        named = true;
        if !host.is_some_and(|host| is_local(listen, host.host())) {
            return forbidden(
                "foreign-host",
                "without a token this listener is only for this machine: address it as 127.0.0.1 or localhost",
            );
        }
    }
    if !named {
        return forbidden("foreign-host", "the request does not say which host it is for");
    }
    for origin in request.headers().get_all(ORIGIN) {
        let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
        if !origin.and_then(|uri| uri.into_parts().authority).is_some_and(|own| is_local(listen, own.host()))
        {
            return forbidden("foreign-origin", "without a token this listener is not for web pages");
        }
    }
    Ok(())
}

fn authority(value: &[u8]) -> Option<Authority> {
    Authority::try_from(value).ok().filter(|authority| !authority.as_str().contains('@'))
}

fn is_local(listen: IpAddr, host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address == listen.to_canonical();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut builder = Request::builder().uri("/v1/events");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Body::empty()).unwrap()
    }

    fn local(headers: &[(&str, &str)]) -> Result<(), StatusCode> {
        let access = Access::new(None, "127.0.0.1:8081".parse().unwrap());
        access.check(&request(headers)).map_err(|problem| problem.status())
    }

    fn token(headers: &[(&str, &str)]) -> Result<(), StatusCode> {
        let access = Access::new(Some(&Secret::new("s3cret")), "0.0.0.0:8081".parse().unwrap());
        access.check(&request(headers)).map_err(|problem| problem.status())
    }

    #[test]
    fn without_a_token_takes_requests_that_name_this_machine() {
        for host in ["127.0.0.1:8081", "localhost:8081", "LOCALHOST", "localhost.", "[::1]:8081", "127.1.2.3"]
        {
            assert_eq!(local(&[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(local(&[("host", "localhost"), ("origin", "http://localhost:3000")]), Ok(()));
    }

    #[test]
    fn without_a_token_refuses_foreign_hosts() {
        let foreign = [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "@",
            "a@localhost",
        ];
        for host in foreign {
            assert_eq!(local(&[("host", host)]), Err(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(local(&[]), Err(StatusCode::FORBIDDEN));
        assert_eq!(local(&[("host", "localhost"), ("host", "evil.example")]), Err(StatusCode::FORBIDDEN));
    }

    #[test]
    fn without_a_token_refuses_web_pages() {
        for origin in ["https://evil.example", "null", "", "file://", "http://localhost.evil.example"] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert_eq!(local(&headers), Err(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn with_a_token_takes_only_the_token() {
        assert_eq!(token(&[("authorization", "Bearer s3cret")]), Ok(()));
        assert_eq!(token(&[("authorization", "bearer  s3cret")]), Ok(()));
        assert_eq!(token(&[("authorization", "Bearer s3cret"), ("host", "any.example")]), Ok(()));
        for value in ["", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "s3cret"] {
            assert_eq!(token(&[("authorization", value)]), Err(StatusCode::UNAUTHORIZED), "{value}");
        }
        assert_eq!(token(&[("host", "localhost")]), Err(StatusCode::UNAUTHORIZED));
        let twice = [("authorization", "Bearer s3cret"), ("authorization", "Bearer s3cret")];
        assert_eq!(token(&twice), Err(StatusCode::UNAUTHORIZED));
        let access = Access::new(Some(&Secret::new("s3cret")), "0.0.0.0:8081".parse().unwrap());
        assert!(access.opens(b"s3cret") && !access.opens(b"s3cre"));
        assert!(!Access::new(None, "127.0.0.1:8081".parse().unwrap()).opens(b""));
    }
}
