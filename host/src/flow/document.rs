//! What is kept of a flow beside its journal.

use anglerfish_core::flow::WrittenRecord;
use anglerfish_core::request::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a flow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowState {
    /// It has not ended.
    Running,
    /// It ended with a result.
    Success,
    /// It ended with an error, panicked, or met a limit.
    Failure,
    /// Its code took another way than its journal, so it was stopped.
    Differs,
    /// Somebody cancelled it.
    Cancelled,
}

impl FlowState {
    /// As the API says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Differs => "differs",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFlow {
    /// The name of its code.
    pub flow: String,
    /// Its id, unique among those of this name.
    pub id: String,
    /// The version of the code that it was started with.
    pub version: String,
    /// What it was started with.
    pub input: Value,
    /// When it was started, in Unix milliseconds.
    pub created: u64,
    /// Grows each time that it is opened again: whoever ran it before writes nothing any more.
    pub revision: u64,
    /// How it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<FlowEnd>,
}

/// How a flow has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowEnd {
    /// How.
    pub state: FlowState,
    /// When, in Unix milliseconds.
    pub at: u64,
    /// The result, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it has none, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it had done.
    pub journal: Vec<WrittenRecord>,
}

impl StoredFlow {
    /// How it stands.
    #[must_use]
    pub fn state(&self) -> FlowState {
        self.end.as_ref().map_or(FlowState::Running, |end| end.state)
    }

    /// Why it has no result; empty if nobody said.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.end.as_ref().and_then(|end| end.reason.as_deref()).unwrap_or_default()
    }

    /// When it was started.
    #[must_use]
    pub fn started(&self) -> UnixMillis {
        UnixMillis(self.created)
    }
}
