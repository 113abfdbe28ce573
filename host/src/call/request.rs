//! A request as somebody asks for it, and what is wrong with it.

use crate::outbound::endpoint_problem;
use anglerfish_core::call::{CallRequest, RequestFault};
use anglerfish_core::config::{ApiConfig, EndpointConfig, read_call_url};
use anglerfish_core::problem::Problem;
use bytes::Bytes;

/// The longest key, in bytes; it has to find room in a header field.
const LONGEST_KEY: usize = 256;

/// A request to an API.
#[derive(Debug, Clone, Default)]
pub struct NewCall {
    /// The API.
    pub api: String,
    /// What tells it from other requests to the API; the same again is the same request. Without one it gets one.
    pub key: Option<String>,
    /// What is asked for.
    pub request: CallRequest,
    /// What is sent.
    pub body: Bytes,
}

impl NewCall {
    /// A `POST` of this body to the URL of an API.
    #[must_use]
    pub fn new(api: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { api: api.into(), body: body.into(), ..Self::default() }
    }

    /// The same with a key: whoever asks again with it gets this request and its answer.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with another method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.request.method = Some(method.into());
        self
    }

    /// The same below the URL of the API.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.request.path = path.into();
        self
    }

    /// The same to a whole URL, for an API that is called wherever a request says.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.request.path = url.into();
        self
    }

    /// The same with a header field more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// Everything that is wrong with it as a request to this API, through a proxy that `resolves` names or without one.
    pub(super) fn problems(&self, api: &ApiConfig, resolves: bool) -> Vec<Problem> {
        let mut problems: Vec<Problem> = { self.request.faults().into_iter() }
            .map(|fault| {
                let message = fault.to_string();
                match fault {
                    RequestFault::Method => Problem::new("method", message),
                    RequestFault::Path(_) => Problem::new("path", message),
                    RequestFault::Header(name, _) if name.is_empty() => Problem::new("headers", message),
                    RequestFault::Header(name, _) => Problem::new(format!("headers.{name}"), message),
                    RequestFault::Signature(_) => Problem::new("", message),
                }
            })
            .collect();
        let is_key = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(&api.idempotency_header);
        let keys = self.request.headers.iter().filter(is_key);
        problems.extend(keys.map(|(name, _)| {
            Problem::new(
                format!("headers.{name}"),
                "the key is no header field here: give it as `external_uuid`",
            )
        }));
        problems.extend(self.place_problems(api, resolves));
        if let Some(key) = &self.key {
            let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
            if key.is_empty() || key.len() > LONGEST_KEY || !is_plain {
                let message = format!("must be 1 to {LONGEST_KEY} printable ASCII characters without spaces");
                problems.push(Problem::new("external_uuid", message));
            }
        }
        let is_bodiless =
            matches!(self.request.method.as_deref().unwrap_or(&api.endpoint.method), "GET" | "HEAD");
        if is_bodiless && !self.body.is_empty() {
            problems.push(Problem::new("body", "a request of this method has none"));
        }
        problems
    }

    /// What is wrong with where it goes.
    fn place_problems(&self, api: &ApiConfig, resolves: bool) -> Vec<Problem> {
        match (self.request.url(), api.any_url) {
            (None, false) => Vec::new(),
            (Some(url), false) => {
                let message = "must begin with / or ?: it follows the url of the api";
                let hint = "a whole url is for an api with `any_url = true`";
                let place = if url.contains("://") { "url" } else { "path" };
                vec![Problem::new(place, message).with_hint(hint)]
            }
            (None, true) => {
                vec![Problem::new("url", "missing: this api is called wherever a request says")]
            }
            (Some(url), true) => match read_call_url(api, url, "url") {
                Err(problems) => problems,
                Ok(()) => {
                    let endpoint = EndpointConfig { url: url.into(), ..api.endpoint.clone() };
                    endpoint_problem(&endpoint, resolves)
                        .map(|message| Problem::new("url", message))
                        .into_iter()
                        .collect()
                }
            },
        }
    }
}
