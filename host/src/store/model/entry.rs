//! Entries of the log.

use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The position of an entry in the log; grows by one with every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct EventSeq(pub i64);

impl fmt::Display for EventSeq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A sender's request to a source.
    #[default]
    Request,
    /// An event that a program published.
    Published,
    /// A change of a document.
    Document,
    /// An outgoing call, or what became of it.
    Call,
    /// A request to an awaited URL.
    Callback,
    /// Something that happened to the gateway itself.
    Operational,
}

/// The request that carried an event, without its body and without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// What was put in front of the URL's path because a proxy took it away; empty if nothing.
    #[serde(default)]
    pub added_prefix: String,
    /// Header fields that may be kept, in the order received; values that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
}

/// A filter that could not be evaluated on an event: its subscription did not get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFilter {
    /// The subscription.
    pub subscription: String,
    /// What went wrong.
    pub reason: String,
}

/// How often an event came again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repetitions {
    /// How many times.
    pub count: u64,
    /// When, the last [`Repetitions::MOST_TIMES`] of them, oldest first.
    pub times: Vec<UnixMillis>,
}

impl Repetitions {
    /// How many times are kept.
    pub const MOST_TIMES: usize = 20;
}

/// An entry of the log, without its data.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// Its place in the log.
    pub seq: EventSeq,
    /// Its attributes.
    pub event: Event,
    /// Where it came from.
    pub origin: Origin,
    /// The entry that caused it.
    pub cause: Option<EventSeq>,
    /// The request that carried it, if one did.
    pub request: Option<RequestRecord>,
    /// Which of the source's secrets verified it: its label or its position.
    pub secret: Option<String>,
    /// Filters that failed on it.
    pub failures: Vec<FailedFilter>,
    /// When it was received.
    pub received: UnixMillis,
    /// The length of its data in bytes.
    pub size: u64,
    /// How many deliveries it has.
    pub deliveries: u64,
    /// How often it came again.
    pub repetitions: Repetitions,
}

/// An entry of the log as its readers get it.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Its place in the log.
    pub seq: EventSeq,
    /// Its attributes.
    pub event: Event,
    /// Where it came from.
    pub origin: Origin,
    /// The entry that caused it.
    pub cause: Option<EventSeq>,
    /// The request that carried it, if one did.
    pub request: Option<RequestRecord>,
    /// When it was received.
    pub received: UnixMillis,
    /// Its data, byte for byte.
    pub data: Bytes,
}

/// What tells one log from another: drawn when the store is made, so that a position of one is not taken for one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LogId(pub u32);

/// What a reader of the log gets.
#[derive(Debug, Clone)]
pub enum LogPart {
    /// The entries behind the position that was asked for, in order, none left out; empty at the end of the log.
    Entries(Vec<LogEntry>),
    /// Entries behind that position were deleted because of their age.
    Gap {
        /// The oldest position from which on nothing was deleted: reading goes on from here.
        oldest: EventSeq,
    },
}
