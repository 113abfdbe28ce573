//! One refused request.

use super::excerpt::{excerpt, requested_name, without_values};
use crate::engine::InboundRequest;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::Explanation;
use async_trait::async_trait;
use http::Method;
use std::net::IpAddr;
use std::sync::Arc;

/// Larger requests are not kept to be explained again, only their beginning is.
pub(super) const LARGEST: usize = 64 * 1024;

/// A request that may be refused.
#[derive(Debug, Clone)]
pub struct Refusal<'a> {
    /// The source that it names.
    pub source: &'a str,
    /// Whether there is such a source.
    pub known: bool,
    /// Who sent it.
    pub peer: IpAddr,
    /// The method.
    pub method: Method,
    /// The path, where the whole URL is not known.
    pub path: &'a str,
    /// The whole request, if it was read.
    pub request: Option<Arc<InboundRequest>>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason<'a> {
    pub(super) status: u16,
    pub(super) code: &'a str,
    pub(super) text: &'a str,
}

/// A request that was refused.
#[derive(Debug)]
pub struct Rejection {
    /// Its number since the start.
    pub number: u64,
    /// The source that it named; of one that does not exist at most 64 characters.
    pub source: String,
    /// When it came in.
    pub received: UnixMillis,
    /// The status that it was answered with.
    pub status: u16,
    /// The stable word for the reason.
    pub code: String,
    /// The reason.
    pub reason: String,
    /// Who sent it.
    pub peer: IpAddr,
    /// The method.
    pub method: String,
    /// The URL without the values of its parameters.
    pub url: String,
    /// The names of its header fields, in the order received.
    pub headers: Vec<String>,
    /// What it says that its body is.
    pub content_type: Option<String>,
    /// The length of its body in bytes, if it was read.
    pub size: Option<usize>,
    /// The beginning of its body as text.
    pub excerpt: String,
    request: Option<Arc<InboundRequest>>,
}

/// Says what would be decided about a request now.
#[async_trait]
pub trait Explainer: Send + Sync + 'static {
    /// The decision without effects.
    ///
    /// # Errors
    ///
    /// Why it cannot be had now.
    async fn explain(&self, request: &InboundRequest) -> Result<Explanation, String>;
}

impl Rejection {
    pub(super) fn new(number: u64, received: UnixMillis, refusal: &Refusal<'_>, reason: Reason<'_>) -> Self {
        /// Reasons are sentences of the gateway's own; some name what was sent.
        const LONGEST_REASON: usize = 1024;
        let request = refusal.request.as_ref();
        let headers = request.map(|request| &request.headers);
        let names = headers.into_iter().flat_map(|headers| headers.iter().map(|(name, _)| name.to_string()));
        let content_type = headers.and_then(|headers| headers.get(http::header::CONTENT_TYPE));
        let kept = request.filter(|request| weight(request) <= LARGEST);
        Self {
            number,
            source: if refusal.known { refusal.source.to_owned() } else { requested_name(refusal.source) },
            received,
            status: reason.status,
            code: reason.code.to_owned(),
            reason: reason.text.chars().take(LONGEST_REASON).collect(),
            peer: refusal.peer,
            method: refusal.method.to_string(),
            url: without_values(request.map_or(refusal.path, |request| &request.url)),
            headers: names.take(100).collect(),
            content_type: content_type
                .and_then(|value| value.to_str().ok())
                .map(|text| text.chars().take(256).collect()),
            size: request.map(|request| request.body.len()),
            excerpt: request.map(|request| excerpt(&request.body)).unwrap_or_default(),
            request: kept.cloned(),
        }
    }

    /// The request itself, to be explained; `None` if it was too large to be kept or never read whole.
    #[must_use]
    pub fn request(&self) -> Option<&InboundRequest> {
        self.request.as_deref()
    }

    /// About how many bytes of memory it holds.
    pub(super) fn weight(&self) -> usize {
        /// The parts of fixed size and what the allocator adds.
        const BASE: usize = 1024;
        let texts = self.reason.len() + self.url.len() + self.excerpt.len();
        let names: usize = self.headers.iter().map(|name| name.len() + size_of::<String>()).sum();
        BASE + texts + names + self.request.as_deref().map_or(0, weight)
    }
}

/// About how many bytes of memory a request holds.
fn weight(request: &InboundRequest) -> usize {
    /// A field's place in the map.
    const FIELD: usize = 100;
    let fields = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    let fetched = request.fetched.iter().map(|document| document.url.len() + document.body.len());
    request.body.len() + request.url.len() + fields.sum::<usize>() + fetched.sum::<usize>()
}
