//! What an answer says about trying again.

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// Where an answer says when a rate limit starts anew: many send the first, a draft of the IETF names the second.
const RATE_LIMIT_RESETS: [&str; 2] = ["x-ratelimit-reset", "ratelimit-reset"];
/// Where an answer says that the request is not to be made again: `abort`.
const WEBHOOK_DELIVERY: &str = "webhook-delivery";

/// What an answer says about trying again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RetryAdvice {
    /// The `Retry-After` field.
    pub(crate) retry_after: Option<String>,
    /// The `X-RateLimit-Reset` field, or `RateLimit-Reset`.
    pub(crate) rate_limit_reset: Option<String>,
    /// Whether it says `webhook-delivery: abort`.
    pub(crate) is_abort: bool,
}

impl RetryAdvice {
    /// Reads it. What is not text is as good as absent.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self {
            retry_after: text(RETRY_AFTER.as_str()),
            rate_limit_reset: RATE_LIMIT_RESETS.into_iter().find_map(text),
            is_abort: headers
                .get_all(WEBHOOK_DELIVERY)
                .iter()
                .any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"abort")),
        }
    }
}
