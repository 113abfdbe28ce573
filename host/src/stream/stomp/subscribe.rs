//! SUBSCRIBE frames, and what is kept of a subscription.

use super::failure::Failure;
use crate::delivery::{MessageToken, PassiveSubscription};
use crate::store::EventSeq;
use crate::stream::request::Start;
use crate::stream::session::{Request, Way};
use anglerfish_core::stomp::{Frame, Version};
use std::collections::VecDeque;
use std::time::Duration;

/// How many messages a client may have that it has not answered for, where it does not say.
const PREFETCH: u64 = 100;
const MOST_PREFETCHED: u64 = 10_000;

/// For how many seconds messages may be leased.
const LONGEST_LEASE: u64 = 12 * 3600;

/// How messages are answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckMode {
    /// By being sent.
    Auto,
    /// One at a time, with all before it.
    Cumulative,
    /// One at a time.
    Individual,
}

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    Subscription(String),
    Topic(String),
}

impl Destination {
    /// `/subscription/{id}` or `/topic/{name}`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let topic = text.strip_prefix("/topic/").map(|name| Self::Topic(name.to_owned()));
        topic.or_else(|| text.strip_prefix("/subscription/").map(|id| Self::Subscription(id.to_owned())))
    }
}

/// What a client wants to be given.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Its name; 1.0 has clients that give none.
    pub(super) id: Option<String>,
    pub(super) text: String,
    pub(super) destination: Destination,
    pub(super) ack: AckMode,
    pub(super) request: Request,
    /// Whether leases go on while the connection does.
    pub(super) is_extended: bool,
    pub(super) prefetch: u64,
    /// A token of its own.
    pub(super) token: Option<String>,
}

impl Wanted {
    pub(super) fn read(frame: &Frame, version: Version) -> Result<Self, Failure> {
        let text = frame.header("destination").ok_or_else(|| Failure::missing(frame, "destination"))?;
        let destination = Destination::parse(text).ok_or_else(|| {
            Failure::header(frame, "destination", "must be /subscription/ and an id, or /topic/ and a name")
        })?;
        let id = frame.header("id").map(str::to_owned);
        if id.is_none() && version >= Version::V1_1 {
            return Err(Failure::missing(frame, "id"));
        }
        let ack = match frame.header("ack") {
            None | Some("auto") => AckMode::Auto,
            Some("client") => AckMode::Cumulative,
            Some("client-individual") => AckMode::Individual,
            Some(_) => {
                return Err(Failure::header(frame, "ack", "must be auto, client or client-individual"));
            }
        };
        let start = start(frame)?;
        let lease = match frame.header("lease") {
            None => None,
            Some(text) => Some(seconds(text).ok_or_else(|| {
                Failure::header(frame, "lease", "must be seconds from 1 to 43200, such as 30s")
            })?),
        };
        let prefetch = match frame.header("prefetch-count") {
            None => PREFETCH,
            Some(text) => {
                let count = text.parse().ok().filter(|count| (1..=MOST_PREFETCHED).contains(count));
                count.ok_or_else(|| Failure::header(frame, "prefetch-count", "must be from 1 to 10000"))?
            }
        };
        let mode = match frame.header("mode") {
            None => None,
            Some("stream") => Some(Way::Stream),
            Some("passive") => Some(Way::Passive),
            Some(_) => return Err(Failure::header(frame, "mode", "must be stream or passive")),
        };
        let token = frame.header("token").or_else(|| frame.header("passcode"));
        Ok(Self {
            id,
            text: text.to_owned(),
            destination,
            ack,
            request: Request { start, mode, lease },
            is_extended: lease.is_none(),
            prefetch,
            token: token.map(str::to_owned),
        })
    }
}

fn start(frame: &Frame) -> Result<Option<Start>, Failure> {
    let mut named = ["after", "last-event-id", "from"]
        .into_iter()
        .filter_map(|name| Some((name, frame.header(name).filter(|text| !text.is_empty())?)));
    let Some((name, text)) = named.next() else { return Ok(None) };
    if let Some((other, _)) = named.next() {
        let what = format!("says where to begin, as \"{name}\" does; give one of them");
        return Err(Failure::header(frame, other, &what));
    }
    let start = Start::named(name, text);
    start
        .map(Some)
        .map_err(|problem| Failure::header(frame, name, &format!("is wrong: {}", problem.detail())))
}

fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s').unwrap_or(text).parse().ok();
    number.filter(|seconds| (1..=LONGEST_LEASE).contains(seconds)).map(Duration::from_secs)
}

/// A subscription of a connection.
pub(super) struct Subscription {
    pub(super) id: Option<String>,
    /// The destination, as the client wrote it.
    pub(super) destination: String,
    pub(super) ack: AckMode,
    pub(super) passive: Option<PassiveSubscription>,
    pub(super) is_extended: bool,
    /// Where a reader of the log is.
    pub(super) position: Option<EventSeq>,
    /// What it was sent and has not answered for, in order.
    pub(super) unanswered: VecDeque<Unanswered>,
    /// How many of them, the last ones, have not been sent yet.
    pub(super) unsent: usize,
}

/// A message that a client has not answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// What it is named by.
    pub(super) ack: String,
    pub(super) what: Sent,
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Logged(EventSeq),
    Leased(MessageToken),
}

impl Subscription {
    /// Takes what a client answers for out of what it has: one message, or with it all before it.
    pub(super) fn answer(&mut self, ack: &str) -> Vec<Unanswered> {
        let Some(index) = self.unanswered.iter().position(|one| one.ack == ack) else { return Vec::new() };
        match self.ack {
            AckMode::Cumulative => self.unanswered.drain(..=index).collect(),
            AckMode::Individual | AckMode::Auto => self.unanswered.remove(index).into_iter().collect(),
        }
    }

    /// The leases that it has not answered for.
    pub(super) fn leases(&self) -> Vec<MessageToken> {
        self.unanswered.iter().filter_map(Unanswered::lease).collect()
    }
}

impl Unanswered {
    /// Its lease, if it has one.
    pub(super) fn lease(&self) -> Option<MessageToken> {
        match self.what {
            Sent::Leased(token) => Some(token),
            Sent::Logged(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::stomp::Command;

    fn refused(frame: &Frame) -> String {
        let failure = Wanted::read(frame, Version::V1_2).unwrap_err().frame();
        failure.header("message").unwrap().to_owned()
    }

    #[test]
    fn what_is_wrong_with_a_subscription_names_its_header() {
        let good = || Frame::new(Command::Subscribe).with("id", "0").with("destination", "/topic/a");
        let wanted = Wanted::read(&good(), Version::V1_2).unwrap();
        assert_eq!((wanted.ack, wanted.prefetch, wanted.is_extended), (AckMode::Auto, 100, true));
        assert!(refused(&Frame::new(Command::Subscribe)).contains("\"destination\""));
        let no_id = Frame::new(Command::Subscribe).with("destination", "/topic/a");
        assert!(refused(&no_id).contains("\"id\"") && Wanted::read(&no_id, Version::V1_0).is_ok());
        for (header, value) in [
            ("ack", "manual"),
            ("from", "soon"),
            ("after", "7"),
            ("lease", "0s"),
            ("lease", "1d"),
            ("prefetch-count", "0"),
            ("mode", "push"),
        ] {
            assert!(refused(&good().with(header, value)).contains(&format!("\"{header}\"")), "{header}");
        }
        let queue = Frame::new(Command::Subscribe).with("id", "0").with("destination", "/queue/a");
        assert!(refused(&queue).contains("\"destination\""));
        assert!(refused(&good().with("from", "now").with("after", "x")).contains("\"from\""));
    }

    #[test]
    fn one_answer_is_for_one_message_or_for_all_up_to_it() {
        let one = |number: i64| Unanswered { ack: number.to_string(), what: Sent::Logged(EventSeq(number)) };
        let mut subscription = Subscription {
            id: None,
            destination: String::new(),
            ack: AckMode::Cumulative,
            passive: None,
            is_extended: false,
            position: None,
            unanswered: (1..=4).map(one).collect(),
            unsent: 0,
        };
        assert_eq!(subscription.answer("2"), [one(1), one(2)]);
        assert!(subscription.answer("2").is_empty());
        subscription.ack = AckMode::Individual;
        assert_eq!(subscription.answer("4"), [one(4)]);
        assert_eq!(subscription.unanswered, [one(3)]);
    }
}
