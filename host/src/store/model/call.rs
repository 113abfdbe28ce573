//! Outgoing calls: requests to other systems' APIs, with all that has happened to them.

use super::{EventSeq, Owner};
use anglerfish_core::call::{CallRecord, CallRequest, CallState};
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;

/// A request to an API as it stands, without what was sent and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallHead {
    /// The position of its log entry; before it is written nothing is known of it.
    pub seq: EventSeq,
    /// What it is called.
    pub id: String,
    /// The API.
    pub api: String,
    /// What tells it from other requests to the same API, for the caller and for the API.
    pub key: String,
    /// Grows with every write. Who has seen another one has not seen all that happened.
    pub revision: u64,
    /// How it stands.
    pub state: CallState,
    /// When it was made.
    pub created: UnixMillis,
    /// When something is to be done about it; `None` once it has ended. While attempts are under way it is when somebody
    /// else may take them over.
    pub due: Option<UnixMillis>,
    /// When `due` was planned, by the clock of then.
    pub planned: UnixMillis,
    /// Who makes the attempts that are under way.
    pub owner: Option<Owner>,
    /// When it ended, the last time that it did.
    pub ended: Option<UnixMillis>,
    /// How it is judged and repeated: the document that was in force when it was made.
    pub policy: String,
    /// What was asked for.
    pub request: CallRequest,
    /// What has happened to it, in order.
    pub records: Vec<CallRecord>,
    /// The positions of the log entries that tell of it, in the same order.
    pub entries: Vec<EventSeq>,
}

/// A request to an API, with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// How it stands.
    pub head: CallHead,
    /// What is sent, byte for byte.
    pub body: Bytes,
    /// The answer that counts, or the last one that does not.
    pub answer: Option<CallAnswer>,
}

/// What an API answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAnswer {
    /// The status.
    pub status: u16,
    /// The header fields, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// A request that is written, in one transaction with the entries of its commit.
#[derive(Debug, Clone)]
pub struct CallWrite {
    /// What is written. Of one that is there already, its API, key, request and body stay as they are.
    pub call: StoredCall,
    /// The revision that it must have, and what it has becomes one more; `None` if it must be new, and no other request to its
    /// API may have its key. It is then what the first entry of the commit tells of. Otherwise the commit is a conflict.
    pub expected: Option<u64>,
}

/// What was said of an API at run time, and what was last recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApi {
    /// The API's name.
    pub name: String,
    /// What goes before the configuration file (JSON).
    pub settings: String,
    /// The whole policy as the log last told of it (JSON).
    pub recorded: String,
}

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// Only those that stand so.
    pub state: Option<CallState>,
    /// Only those to this API.
    pub api: Option<String>,
    /// Only older than this one.
    pub cursor: Option<EventSeq>,
    /// At most so many.
    pub limit: usize,
}

/// Requests about which something is to be done.
#[derive(Debug, Clone, Default)]
pub struct DueCalls {
    /// Those that are due, oldest due first.
    pub calls: Vec<StoredCall>,
    /// When the next one falls due that is not among them.
    pub next: Option<UnixMillis>,
}
