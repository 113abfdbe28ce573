//! What happens to a request.

use serde::{Deserialize, Serialize};

/// Something that happened to a request, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRecord {
    /// Unix milliseconds.
    pub at: u64,
    /// What.
    pub happened: Happened,
}

/// What happened to a request. Attempts count from 0. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Happened {
    /// Somebody asked for it.
    Request {
        /// How many attempts it has.
        attempts: u32,
    },
    /// An attempt begins.
    Attempt {
        /// Which.
        attempt: u32,
        /// When it times out.
        deadline: u64,
    },
    /// An answer came that counts as one.
    Response {
        /// To which attempt.
        attempt: u32,
        /// Its status.
        status: u16,
    },
    /// An attempt came to nothing: on this side, on the way, or by a status that is no answer.
    Failure {
        /// Which.
        attempt: u32,
        /// The status, if one came.
        status: Option<u16>,
        /// Why, in words.
        reason: String,
        /// When the next attempt is due, if the policy has one.
        next: Option<u64>,
    },
    /// There was no answer to an attempt in time.
    Timeout {
        /// Which.
        attempt: u32,
        /// When the next attempt is due, if the policy has one.
        next: Option<u64>,
        /// Until when an answer still counts; another record of this kind, without this, says that none came by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        awaited: Option<u64>,
    },
    /// Somebody does not want it any more.
    Cancelled {
        /// Why, in words.
        reason: String,
    },
    /// Somebody wants it again.
    Reopened {
        /// How many attempts it has from now on.
        attempts: u32,
    },
}

/// How a kind of record is called in the log, in answers of the API and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordClass(pub &'static str);

impl Happened {
    /// The last part of the type of its log entry.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Request { .. } => "request",
            Self::Attempt { .. } => "attempt",
            Self::Response { .. } => "response",
            Self::Failure { .. } => "failure",
            Self::Timeout { .. } => "timeout",
            Self::Cancelled { .. } => "cancelled",
            Self::Reopened { .. } => "reopened",
        }
    }

    /// Its class: those that are about an attempt are told from those that are about the request.
    #[must_use]
    pub const fn class(&self) -> RecordClass {
        RecordClass(match self {
            Self::Request { .. } => "request",
            Self::Attempt { .. } => "api-request",
            Self::Response { .. } => "api-response",
            Self::Failure { .. } => "api-failure",
            Self::Timeout { .. } => "api-timeout",
            Self::Cancelled { .. } => "cancelled",
            Self::Reopened { .. } => "reopened",
        })
    }

    /// The attempt that it is about.
    #[must_use]
    pub const fn attempt(&self) -> Option<u32> {
        match self {
            Self::Attempt { attempt, .. }
            | Self::Response { attempt, .. }
            | Self::Failure { attempt, .. }
            | Self::Timeout { attempt, .. } => Some(*attempt),
            Self::Request { .. } | Self::Cancelled { .. } | Self::Reopened { .. } => None,
        }
    }
}
