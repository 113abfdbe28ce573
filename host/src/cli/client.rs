//! The client of a running gateway's management API.

use super::Failure;
use super::table::plain;
use anglerfish_core::answer::Fault;
use bytes::Bytes;
use clap::Args;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer is read, in bytes; a page of the largest items stays far below.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// What RFC 3986 calls unreserved need not be escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which gateway to ask.
#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// The management API of the gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081", env = "ANGLERFISH_API")]
    api: String,
    /// Its token, where it has one
    #[arg(long, env = "ANGLERFISH_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A client of HTTP, with TLS where the URL asks for it.
pub(super) type HttpsClient = HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client of HTTP that trusts whom this machine trusts.
pub(super) fn https() -> Result<HttpsClient, Failure> {
    let tls = crate::outbound::tls()
        .map_err(|error| Failure::failed(format_args!("failed to set up TLS: {error}")))?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    Ok(HttpClient::builder(TokioExecutor::new()).build(HttpsConnector::from((connector, tls))))
}

/// A client of one gateway.
pub(super) struct Client {
    http: HttpsClient,
    base: String,
    authorization: Option<HeaderValue>,
}

/// Why something was not had.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The gateway is out of reach, or cannot answer now: asked again it may.
    Away(Failure),
    /// It says no, or nothing that is understood.
    Told(Failure),
}

/// What is needed of a problem document.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    problems: Vec<Place>,
    #[serde(default)]
    sources: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Place {
    path: String,
    message: String,
}

impl ApiArgs {
    /// The client of the gateway.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let uri = self.api.parse::<Uri>().ok();
        let known = uri.as_ref().is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some()
                && uri.query().is_none()
        });
        if !known {
            let message = format!("`{}` is not the address of a management API", self.api);
            return Err(Failure::misuse(message).with_hint("it looks like http://127.0.0.1:8081"));
        }
        let authorization = self.token.as_ref().map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                Failure::misuse("the token has characters that cannot be sent in a header field")
            })?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        });
        Ok(Client {
            http: https()?,
            base: self.api.trim_end_matches('/').to_owned(),
            authorization: authorization.transpose()?,
        })
    }
}

impl Client {
    /// Reads what is at an address made of path segments and query parameters.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> Result<T, Failure> {
        Ok(self.send(Method::GET, segments, query, None).await?.1)
    }

    /// Reads what is at an address, and tells a gateway that is out of reach from one that says no.
    pub(super) async fn try_get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> Result<T, Trouble> {
        let (status, body) = self.answer(Method::GET, segments, query, None).await.map_err(|failure| {
            match failure.code() {
                1 => Trouble::Away(failure),
                _ => Trouble::Told(failure),
            }
        })?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map_err(|error| Trouble::Told(self.strange(status, &error.to_string()))),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                Err(Trouble::Away(self.refused(status, &body)))
            }
            _ => Err(Trouble::Told(self.refused(status, &body))),
        }
    }

    /// Asks for something to be done.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        Ok(self.send(Method::POST, segments, query, body).await?.1)
    }

    /// Writes a document; says whether it is new.
    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        document: &Value,
    ) -> Result<(bool, T), Failure> {
        let (status, written) = self.send(Method::PUT, segments, &[], Some(document)).await?;
        Ok((status == StatusCode::CREATED, written))
    }

    /// Writes a text that is JSON as it is.
    pub(super) async fn put_text<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        text: String,
    ) -> Result<T, Failure> {
        Ok(self.send_text(Method::PUT, segments, &[], Some(text)).await?.1)
    }

    /// Changes what is at an address.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        document: &Value,
    ) -> Result<T, Failure> {
        Ok(self.send(Method::PATCH, segments, &[], Some(document)).await?.1)
    }

    /// Deletes what is at an address.
    pub(super) async fn delete<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, Failure> {
        Ok(self.send(Method::DELETE, segments, &[], None).await?.1)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, T), Failure> {
        self.send_text(method, segments, query, body.map(Value::to_string)).await
    }

    async fn send_text<T: DeserializeOwned>(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
        body: Option<String>,
    ) -> Result<(StatusCode, T), Failure> {
        let (status, body) = self.answer(method, segments, query, body).await?;
        if status.is_success() {
            // 204 has no body; it reads as `null`.
            let text = if body.is_empty() { b"null" } else { &*body };
            let answer =
                serde_json::from_slice(text).map_err(|error| self.strange(status, &error.to_string()))?;
            Ok((status, answer))
        } else {
            Err(self.refused(status, &body))
        }
    }

    async fn answer(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
        body: Option<String>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(address(&self.base, segments, query))
            .header(ACCEPT, "application/json, application/problem+json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.unwrap_or_default();
        let request = request
            .body(Full::from(body))
            .map_err(|error| Failure::misuse(format_args!("this cannot be asked for: {error}")))?;
        tokio::time::timeout(TIMEOUT, self.exchange(request)).await.map_err(|_| {
            Failure::failed(format_args!("no answer from {} within {} s", self.base, TIMEOUT.as_secs()))
        })?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let response: Response<_> = self.http.request(request).await.map_err(|error| {
            let message = format!("failed to reach the gateway at {}: {}", self.base, innermost(&error));
            Failure::failed(message).with_hint(if is_untrusted(&error) {
                "the certificate must be for this name and from an authority that is trusted here; \
                 SSL_CERT_FILE names others"
            } else if error.is_connect() {
                "is `anglerfish serve` running? `--api` or ANGLERFISH_API names its management API"
            } else if is_broken_off(&error) {
                "the gateway may have been stopped in the middle; what it had answered before holds"
            } else {
                "`--api` must name the management API, not the listener for webhooks"
            })
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|error| self.strange(status, &error.to_string()))?;
        Ok((status, body.to_bytes()))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
            return self.strange(status, "no problem document came with it");
        };
        if problem.code == Fault::NotFound.code() {
            return Failure::failed(format_args!("{} is where webhooks come in", self.base))
                .with_hint("`--api` must name the management API, `listen` of [admin]");
        }
        let mut message = plain(&problem.detail);
        if problem.problems.iter().any(|place| !problem.detail.contains(&place.message)) {
            for place in &problem.problems {
                let _ = write!(message, "\n  {}: {}", plain(&place.path), plain(&place.message));
            }
        }
        match status {
            StatusCode::UNAUTHORIZED => Failure::misuse(message)
                .with_hint("`--token` or ANGLERFISH_TOKEN gives the token of `[admin]`"),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::FORBIDDEN => {
                Failure::misuse(message)
            }
            _ if !problem.sources.is_empty() => {
                let sources = plain(&problem.sources.join(", "));
                Failure::failed(message).with_hint(format_args!("choose one with --source: {sources}"))
            }
            _ => Failure::failed(message),
        }
    }

    fn strange(&self, status: StatusCode, why: &str) -> Failure {
        Failure::failed(format_args!("{} gave an answer that is not understood ({status}): {why}", self.base))
            .with_hint("`--api` must name the management API of a gateway of this version")
    }
}

fn address(base: &str, segments: &[&str], query: &[(&str, Option<&str>)]) -> String {
    let mut address = format!("{base}/v1");
    for segment in segments {
        address.push('/');
        address.extend(utf8_percent_encode(segment, ESCAPED));
    }
    let mut separator = '?';
    for (name, value) in query {
        if let Some(value) = value {
            address.push(separator);
            address.push_str(name);
            address.push('=');
            address.extend(utf8_percent_encode(value, ESCAPED));
            separator = '&';
        }
    }
    address
}

/// Whether it is the certificate that the other side showed.
fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return matches!(error, rustls::Error::InvalidCertificate(_));
        }
        // What an input/output error was made of is not its source.
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// Whether the connection was there and ended before an answer.
fn is_broken_off(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
            return true;
        }
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind.is_some_and(|kind| {
            matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        }) {
            return true;
        }
        next = error.source();
    }
    false
}

/// What an error was in the end.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_filters_of_any_characters_stay_what_they_are() {
        let query = [("source", Some("a&b=c")), ("type", None), ("cursor", Some("x y"))];
        let address = address("http://h/p", &["events", "a/b?c#d%2F é"], &query);
        assert_eq!(address, "http://h/p/v1/events/a%2Fb%3Fc%23d%252F%20%C3%A9?source=a%26b%3Dc&cursor=x%20y");
        assert!(address.parse::<Uri>().is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_misuse() {
        for api in ["", "127.0.0.1:8081", "ftp://h", "http://", "http://h?x"] {
            let args = ApiArgs { api: api.into(), token: None };
            assert_eq!(args.client().err().map(|failure| failure.code()), Some(2), "{api}");
        }
    }
}
