//! A subscription's endpoint, made ready once so that an attempt only fills in what is its own.

use super::secret::EndpointSecrets;
use crate::outbound::{Client, EndpointTlsError, FixedNames, Guard, NetworkError, Outbound};
use anglerfish_core::attempt::{Outgoing, made};
use anglerfish_core::config::{DeliveryConfig, EndpointConfig};
use anglerfish_core::problem::Problem;
use anglerfish_core::sign::Signer;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// Who sends.
const AGENT: HeaderValue = HeaderValue::from_static(crate::USER_AGENT);
/// Fields that the HTTP client writes; a second opinion about them would corrupt the connection.
const FRAMING: [HeaderName; 6] = [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// An endpoint that cannot be called as it is configured. Never names a value: it may be a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("missing key of a subscription that is pushed")]
    Missing,
    #[error("the endpoint's url is not an absolute http or https url")]
    Url,
    #[error("the endpoint's url carries credentials: give them as an authorization header")]
    Credentials,
    #[error("`{0}` is not an http method")]
    Method(String),
    #[error("`{0}` is not the name of a header field")]
    HeaderName(String),
    #[error("the value of header `{0}` cannot be sent")]
    HeaderValue(HeaderName),
    #[error("header `{0}` is the http client's own")]
    Framing(HeaderName),
    #[error("there are more header fields than can be sent")]
    TooManyHeaders,
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Tls(#[from] EndpointTlsError),
    #[error("{}", .0.message)]
    Signature(Problem),
}

impl TargetError {
    /// The place in the subscription's document.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Missing => "endpoint".to_owned(),
            Self::Url | Self::Credentials => "endpoint.url".to_owned(),
            Self::Method(_) => "endpoint.method".to_owned(),
            Self::HeaderName(name) => format!("endpoint.headers.{name}"),
            Self::HeaderValue(name) | Self::Framing(name) => format!("endpoint.headers.{name}"),
            Self::TooManyHeaders => "endpoint.headers".to_owned(),
            Self::Network(_) => "endpoint.allow_networks".to_owned(),
            Self::Tls(error) => format!("endpoint.tls.{}", error.key()),
            Self::Signature(problem) => format!("endpoint.{}", problem.path),
        }
    }
}

impl From<TargetError> for Problem {
    fn from(error: TargetError) -> Self {
        Self::new(error.path(), error.to_string())
    }
}

/// What is the same in all attempts of a subscription.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) client: Client,
    /// What is sent; the configured fields include `user-agent`.
    pub(crate) outgoing: Outgoing,
    /// What must not be kept of what it answers.
    pub(crate) hidden: EndpointSecrets,
}

impl Target {
    /// Makes an endpoint ready.
    pub(crate) fn try_new(
        endpoint: &EndpointConfig,
        delivery: &DeliveryConfig,
        outbound: &Outbound,
    ) -> Result<Self, TargetError> {
        let signer = Signer::try_new(&endpoint.signature, &endpoint.secrets).map_err(|problems| {
            let problem = problems.into_iter().next();
            TargetError::Signature(problem.unwrap_or_else(|| Problem::new("signature", "cannot be used")))
        })?;
        let guard = Guard::try_new(endpoint.allow_private, &endpoint.allow_networks)?;
        let guard = guard.allow_http(endpoint.allow_http);
        let (names, idle) = (FixedNames::default(), delivery.concurrency);
        Ok(Self {
            client: outbound.client_with(guard, names, idle, outbound.endpoint_tls(&endpoint.tls)?),
            outgoing: Outgoing {
                uri: uri(endpoint.url.reveal())?,
                method: Method::from_bytes(endpoint.method.as_bytes())
                    .map_err(|_| TargetError::Method(endpoint.method.clone()))?,
                headers: headers(
                    endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())),
                )?,
                content: delivery.content,
                forward: delivery.forward_headers.clone(),
                signer,
                templates: endpoint.templates.clone(),
                made: made(endpoint, delivery),
            },
            hidden: EndpointSecrets::of(endpoint),
        })
    }
}

fn uri(text: &str) -> Result<Uri, TargetError> {
    // A fragment is the reader's own and never sent; `Uri` would refuse it.
    let text = text.split_once('#').map_or(text, |(text, _)| text);
    let uri: Uri = text.parse().map_err(|_| TargetError::Url)?;
    let authority = uri.authority().ok_or(TargetError::Url)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.host().is_empty() {
        return Err(TargetError::Url);
    }
    if authority.as_str().contains('@') { Err(TargetError::Credentials) } else { Ok(uri) }
}

fn headers<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, TargetError> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| TargetError::HeaderName(name.to_owned()))?;
        if FRAMING.contains(&name) {
            return Err(TargetError::Framing(name));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| TargetError::HeaderValue(name.clone()))?;
        value.set_sensitive(true);
        // The map panics where it may not grow any more.
        headers.try_append(name, value).map_err(|_| TargetError::TooManyHeaders)?;
    }
    if !headers.contains_key(USER_AGENT) {
        headers.try_append(USER_AGENT, AGENT).map_err(|_| TargetError::TooManyHeaders)?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_http_and_https_urls() {
        for text in
            ["http://example.com", "https://example.com:8443/a?b=c", "http://[::1]:80/", "https://a/#b"]
        {
            assert!(uri(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_urls_that_cannot_be_called() {
        for text in
            ["", "/path", "example.com", "ftp://example.com/", "http://", "http:///path", "http://a b/"]
        {
            assert!(matches!(uri(text), Err(TargetError::Url)), "{text}");
        }
    }

    #[test]
    fn an_error_about_credentials_does_not_show_them() {
        let error = uri("http://user:hunter2@example.com/").unwrap_err().to_string();
        assert!(error.contains("credentials") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_error_about_a_header_does_not_show_its_value() {
        let error = headers([("x-token", "hunter2\n")].into_iter()).unwrap_err().to_string();
        assert_eq!(error, "the value of header `x-token` cannot be sent");
    }

    #[test]
    fn refuses_fields_of_the_framing() {
        for name in ["Content-Length", "transfer-encoding", "Connection"] {
            assert!(matches!(headers([(name, "1")].into_iter()), Err(TargetError::Framing(_))), "{name}");
        }
    }

    #[test]
    fn more_fields_than_a_map_can_hold_are_an_error() {
        let names: Vec<String> = (0..40_000).map(|number| format!("x{number:x}")).collect();
        let result = headers(names.iter().map(|name| (name.as_str(), "y")));
        assert!(matches!(result, Err(TargetError::TooManyHeaders)));
    }

    #[test]
    fn a_configured_user_agent_wins() {
        assert_eq!(headers([("User-Agent", "mine")].into_iter()).unwrap()[USER_AGENT], "mine");
        assert_eq!(headers([].into_iter()).unwrap()[USER_AGENT], AGENT);
    }
}
