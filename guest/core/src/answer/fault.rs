//! Refusals that are the shell's own: no decision was asked for, or none could be kept.

use super::Reply;
use std::borrow::Cow;
use std::time::Duration;

/// Why a shell refuses a request by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The path is not `/in/{source}`.
    NotFound,
    /// The method is none of those that providers use: `POST` for events, `GET` and `HEAD` for handshakes.
    MethodNotAllowed,
    /// The body ended early or could not be read.
    UnreadableBody,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is longer than so many bytes.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// This sender or source sends too much.
    TooManyRequests {
        /// When to try again; rounded up to whole seconds.
        retry_after: Duration,
    },
    /// There is more work than workers.
    Overloaded {
        /// When to try again; rounded up to whole seconds.
        retry_after: Duration,
    },
    /// The event could not be stored, so it was not accepted.
    StoreUnavailable {
        /// When to try again; rounded up to whole seconds.
        retry_after: Duration,
    },
    /// The key-value state that decisions need could not be read or written.
    StateUnavailable {
        /// When to try again; rounded up to whole seconds.
        retry_after: Duration,
    },
    /// There is nothing yet to decide by: no configuration, or none that can be used.
    NotReady {
        /// When to try again; rounded up to whole seconds.
        retry_after: Duration,
    },
    /// No decision was had: the component failed, or said something that this shell does not know.
    Internal,
}

impl Fault {
    /// The stable word for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::UnreadableBody => "unreadable-body",
            Self::BodyTimeout => "body-timeout",
            Self::TooLarge { .. } => "too-large",
            Self::TooManyRequests { .. } => "too-many-requests",
            Self::Overloaded { .. } => "overloaded",
            Self::StoreUnavailable { .. } => "store-unavailable",
            Self::StateUnavailable { .. } => "state-unavailable",
            Self::NotReady { .. } => "not-ready",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UnreadableBody => 400,
            Self::BodyTimeout => 408,
            Self::TooLarge { .. } => 413,
            Self::TooManyRequests { .. } => 429,
            Self::Overloaded { .. }
            | Self::StoreUnavailable { .. }
            | Self::StateUnavailable { .. }
            | Self::NotReady { .. } => 503,
            Self::Internal => 500,
        }
    }

    /// The answer to write.
    #[must_use]
    pub fn reply(self) -> Reply {
        let mut reply = Reply::problem(self.status(), self.code(), &self.detail());
        match self {
            Self::MethodNotAllowed => {
                reply.headers.push((Cow::Borrowed("allow"), "GET, HEAD, POST".to_owned()))
            }
            Self::TooManyRequests { retry_after }
            | Self::Overloaded { retry_after }
            | Self::StoreUnavailable { retry_after }
            | Self::StateUnavailable { retry_after }
            | Self::NotReady { retry_after } => {
                reply.headers.push((Cow::Borrowed("retry-after"), whole_seconds(retry_after).to_string()));
            }
            _ => {}
        }
        reply
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(self) -> String {
        match self {
            Self::NotFound => "events go to /in/{source}".to_owned(),
            Self::MethodNotAllowed => "events are sent with POST, handshakes with GET".to_owned(),
            Self::UnreadableBody => "the body ended early or could not be read".to_owned(),
            Self::BodyTimeout => "the body did not arrive in time".to_owned(),
            Self::TooLarge { limit } => format!("the body is longer than {limit} bytes"),
            Self::TooManyRequests { .. } => "too many requests at once".to_owned(),
            Self::Overloaded { .. } => "there is more work than workers".to_owned(),
            Self::StoreUnavailable { .. } => "the event could not be stored and was not accepted".to_owned(),
            Self::StateUnavailable { .. } => "the state cannot be used now".to_owned(),
            Self::NotReady { .. } => "nothing can be taken in now".to_owned(),
            Self::Internal => "no decision could be made".to_owned(),
        }
    }
}

/// Rounds up, and asks for one second at the least: `retry-after: 0` would invite a storm.
fn whole_seconds(wait: Duration) -> u64 {
    let seconds = if wait.subsec_nanos() == 0 { wait.as_secs() } else { wait.as_secs().saturating_add(1) };
    seconds.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(reply: &Reply, name: &str) -> Option<String> {
        reply.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn too_large_names_the_limit() {
        let reply = Fault::TooLarge { limit: 1_048_576 }.reply();
        assert_eq!(
            std::str::from_utf8(&reply.body).unwrap(),
            concat!(
                r#"{"type":"about:blank","title":"Content Too Large","status":413,"#,
                r#""detail":"the body is longer than 1048576 bytes","code":"too-large"}"#
            )
        );
        assert_eq!(field(&reply, "content-type").as_deref(), Some("application/problem+json"));
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds_and_is_never_zero() {
        for (wait, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (2000, "2")] {
            let reply = Fault::Overloaded { retry_after: Duration::from_millis(wait) }.reply();
            assert_eq!((reply.status, field(&reply, "retry-after").as_deref()), (503, Some(seconds)));
        }
    }

    #[test]
    fn another_method_is_told_which_ones_are_right() {
        assert_eq!(field(&Fault::MethodNotAllowed.reply(), "allow").as_deref(), Some("GET, HEAD, POST"));
    }
}
