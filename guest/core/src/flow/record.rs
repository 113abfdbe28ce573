//! What is recorded of a flow.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that a flow has done, and when (Unix milliseconds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRecord {
    /// When.
    pub at: u64,
    /// What.
    pub record: FlowRecord,
}

/// Something that a flow has done. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FlowRecord {
    /// A step of its own has ended.
    Step {
        /// Which.
        name: String,
        /// How.
        outcome: StepOutcome,
    },
    /// It has drawn a random number.
    Random {
        /// This one.
        value: u64,
    },
    /// It has looked at the clock.
    Now {
        /// What it showed.
        at: u64,
    },
    /// It has begun something that ends some time.
    Begun {
        /// What.
        wait: FlowWait,
    },
    /// The first of some that it had begun has ended, and the others are given up.
    Ended {
        /// Which it waited for: the numbers of their records.
        of: Vec<usize>,
        /// Which of them ended: an index of `of`.
        winner: usize,
        /// How.
        outcome: WaitOutcome,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// With this result.
    Done(Value),
    /// With an error, in words.
    Failed(String),
}

/// What a flow can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FlowWait {
    /// A request to an API.
    Call {
        /// The API.
        api: String,
        /// The key of the request: the same for every attempt, and after every restart.
        key: String,
        /// What tells it from other requests: a hash of what is sent.
        content: String,
    },
    /// Somebody who comes to an address.
    Callback {
        /// What the code calls it.
        name: String,
        /// The callback's own name.
        callback: String,
        /// Its address.
        url: String,
    },
    /// A point in time.
    Timer {
        /// When.
        until: u64,
    },
}

/// How what a flow waited for has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WaitOutcome {
    /// A request has its outcome.
    Called {
        /// `success`, `failure`, `timeout` or `cancelled`.
        state: String,
        /// The status of the answer, if there is one.
        status: Option<u16>,
        /// Header fields that were kept of it.
        headers: Vec<(String, String)>,
        /// Its body.
        body: Content,
    },
    /// A request could not be made at all.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// Somebody came.
    Received {
        /// The id of what they said.
        id: String,
        /// Its type.
        kind: String,
        /// Its media type.
        datacontenttype: Option<String>,
        /// Header fields that were kept of the request.
        headers: Vec<(String, String)>,
        /// Its data.
        data: Content,
    },
    /// Nobody came, and nobody will.
    Over,
    /// The time has come.
    Time,
}

/// Bytes, in JSON as text where they are text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written {
    Text(String),
    Base64(String),
}

impl Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match std::str::from_utf8(&self.0) {
            Ok(text) => Written::Text(text.to_owned()),
            Err(_) => Written::Base64(STANDARD.encode(&self.0)),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Base64(text) => STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl FlowRecord {
    /// What it is, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Step { name, .. } => format!("the step {name:?}"),
            Self::Random { .. } => "a random number".to_owned(),
            Self::Now { .. } => "a look at the clock".to_owned(),
            Self::Begun { wait } => wait.words(),
            Self::Ended { of, .. } => waiting(of),
        }
    }
}

impl FlowWait {
    /// What it is, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Call { api, content, .. } => {
                format!("a call of {api:?} with the content {}", content.get(..12).unwrap_or(content))
            }
            Self::Callback { name, .. } => format!("the callback {name:?}"),
            Self::Timer { .. } => "a timer".to_owned(),
        }
    }

    /// Whether the code that asks for `other` asks for this. When a timer ends and where a callback is reached is the
    /// journal's to say.
    pub(super) fn is_asked_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Call { api, content, .. }, Self::Call { api: asked, content: said, .. }) => {
                api == asked && content == said
            }
            (Self::Callback { name, .. }, Self::Callback { name: asked, .. }) => name == asked,
            (Self::Timer { .. }, Self::Timer { .. }) => true,
            _ => false,
        }
    }
}

/// A wait, in a few words.
pub(super) fn waiting(of: &[usize]) -> String {
    let numbers: Vec<String> = of.iter().map(|number| format!("entry {number}")).collect();
    format!("waiting for {}", numbers.join(" or "))
}
