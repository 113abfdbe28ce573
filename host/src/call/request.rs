//! A request as somebody asks for it, and what is wrong with it.

use anglerfish_core::call::{CallRequest, RequestFault};
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

    /// The same with a header field more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// Everything that is wrong with it; `method` is that of its API, which it has if it says none.
    pub(super) fn problems(&self, method: &str) -> Vec<Problem> {
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
        if let Some(key) = &self.key {
            let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
            if key.is_empty() || key.len() > LONGEST_KEY || !is_plain {
                let message = format!("must be 1 to {LONGEST_KEY} printable ASCII characters without spaces");
                problems.push(Problem::new("external_uuid", message));
            }
        }
        let is_bodiless = matches!(self.request.method.as_deref().unwrap_or(method), "GET" | "HEAD");
        if is_bodiless && !self.body.is_empty() {
            problems.push(Problem::new("body", "a request of this method has none"));
        }
        problems
    }
}
