//! What is asked of those who come to a callback's address.

use crate::subscription::shown_without;
use anglerfish_core::config::SOURCE_SECRETS;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// What is asked of those who come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallbackOptions {
    /// After how long it takes nothing any more. It counts from when the callback was first made.
    pub expires: Option<Duration>,
    /// How requests are verified: the keys of a source (`scheme`, `secrets`, …) but its name. Without it whoever knows the
    /// address may come, with POST, PUT or PATCH.
    pub verify: Option<Value>,
    /// A CEL expression; what it does not want is answered and not kept.
    pub filter: Option<String>,
    /// Whether it takes one only.
    pub once: bool,
    /// How many may wait to be done with; whoever comes then is asked to come again.
    /// [`CallbackOptions::MOST_WAITING`] where nothing is said, [`CallbackOptions::LARGEST_INBOX`] at most.
    pub max_waiting: Option<u64>,
    /// How long a request waits for the answer that the program chooses; without it, or after that, it is 202.
    pub reply_within: Option<Duration>,
    /// Whether, where the callback is there already, what is asked there goes on to be asked, and not what is said here.
    pub keeps_rules: bool,
}

/// What is asked of those who come to a callback, to be shown: secrets that are written out are `…`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// How requests are verified.
    pub verify: Option<Value>,
    /// What of them is kept.
    pub filter: Option<String>,
    /// Whether it takes one only.
    pub once: bool,
    /// How many may wait to be done with.
    pub max_waiting: u64,
    /// How long a request waits for the answer that the program chooses.
    pub reply_within: Option<Duration>,
}

impl From<Document> for Rules {
    fn from(document: Document) -> Self {
        Self {
            max_waiting: document.most(),
            verify: document.verify.map(|verify| shown_without(&verify, SOURCE_SECRETS)),
            filter: document.filter,
            once: document.once,
            reply_within: document.reply_within.map(Duration::from_millis),
        }
    }
}

impl CallbackOptions {
    /// How many wait in an inbox at most where nothing is said.
    pub const MOST_WAITING: u64 = 10_000;
    /// How many may be let wait in an inbox.
    pub const LARGEST_INBOX: u64 = 1_000_000;
}

/// What is kept of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verify: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    pub(super) once: bool,
    pub(super) max_waiting: Option<u64>,
    /// In milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reply_within: Option<u64>,
}

impl Document {
    /// How many may wait.
    pub(super) fn most(&self) -> u64 {
        self.max_waiting.unwrap_or(CallbackOptions::MOST_WAITING)
    }
}

impl From<&CallbackOptions> for Document {
    fn from(options: &CallbackOptions) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            verify: options.verify.clone(),
            filter: options.filter.clone(),
            once: options.once,
            max_waiting: options.max_waiting,
            reply_within: options.reply_within.map(millis),
        }
    }
}

/// The answer that a program gives to whoever came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackReply {
    /// The status, 200 to 599.
    pub status: u16,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}
