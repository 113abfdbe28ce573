//! Entries of the log.

use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

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

impl Origin {
    /// Whether entries of it are for subscriptions of all sources. What the gateway tells of itself and of its calls, and what came
    /// in at awaited URLs, is for those who name the source: readers' addresses are in it, and answers that somebody else waits for.
    #[must_use]
    pub const fn is_for_all(self) -> bool {
        match self {
            Self::Request | Self::Published | Self::Document => true,
            Self::Call | Self::Callback | Self::Operational => false,
        }
    }
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

/// What tells one log from another, so that a position of one is not taken for one of another. Cheap to clone.
///
/// A store that is put back from a copy is another log from the end of the copy on, and gives positions out anew that its lost
/// end had. Nobody can see that at the file. But whoever opens a store draws a mark, and an entry's position has the mark of
/// the opening in which it was appended: what was appended to the copy has another one than what was lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogId {
    /// Drawn when the store was made.
    pub store: u32,
    /// In the order of the log.
    openings: Arc<[Opening]>,
}

/// A time that a store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The entries behind this position were appended then, up to those of the next opening.
    pub behind: EventSeq,
    /// Drawn at that time, and not zero.
    pub mark: u32,
}

impl LogId {
    /// A store with its openings, in the order of the log.
    #[must_use]
    pub fn new(store: u32, openings: impl IntoIterator<Item = Opening>) -> Self {
        Self { store, openings: openings.into_iter().collect() }
    }

    /// The mark of the opening in which a position was given out; zero before openings were written down.
    #[must_use]
    pub fn mark(&self, seq: EventSeq) -> u32 {
        let opened = self.openings.partition_point(|opening| opening.behind < seq);
        opened.checked_sub(1).and_then(|last| self.openings.get(last)).map_or(0, |opening| opening.mark)
    }

    /// The last position that an opening with this mark gave out here; `None` if there was none, or it goes on.
    #[must_use]
    pub fn end(&self, mark: u32) -> Option<EventSeq> {
        let next = match mark {
            0 => 0,
            _ => self.openings.iter().position(|opening| opening.mark == mark)? + 1,
        };
        self.openings.get(next).map(|opening| opening.behind)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_has_the_mark_of_the_opening_that_it_was_given_out_in() {
        let opening = |behind, mark| Opening { behind: EventSeq(behind), mark };
        let log = LogId::new(1, [opening(3, 30), opening(5, 50)]);
        let marks = [0, 3, 4, 5, 6, i64::MAX].map(|seq| log.mark(EventSeq(seq)));
        assert_eq!(marks, [0, 0, 30, 30, 50, 50]);
        assert_eq!(LogId::default().mark(EventSeq(9)), 0);
        let ends = [0, 30, 50, 9].map(|mark| log.end(mark));
        assert_eq!(ends, [Some(EventSeq(3)), Some(EventSeq(5)), None, None]);
    }
}
