//! Readers that come and go, as events of the log.

use super::handler::at;
use super::metric::Closed;
use super::place::Visitor;
use super::registry::Streams;
use crate::publish::{PublishError, Published, Publisher};
use crate::store::EventSeq;
use crate::subscription::Subscriptions;
use crate::telemetry::SharedRepeated;
use anglerfish_core::config::OPERATIONAL_SOURCE;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// How many notices wait for the log, before the next ones are dropped and that is said: readers that come and go faster than the
/// log takes must not fill the memory.
const MOST: usize = 10_000;

/// How long the log is left alone that cannot be written.
const PAUSE: Duration = Duration::from_secs(1);

/// A reader came, or left.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// What it is named by as long as the process runs.
    pub(super) number: u64,
    pub(super) visitor: Visitor,
    pub(super) since: UnixMillis,
    pub(super) at: UnixMillis,
    pub(super) position: Option<EventSeq>,
    /// How many events it was given.
    pub(super) events: u64,
    /// Why it left, if it did.
    pub(super) closed: Option<Closed>,
}

/// Where notices are put, if anybody wants them.
#[derive(Debug)]
pub(super) struct Notices {
    sender: mpsc::Sender<Notice>,
    told: SharedRepeated,
}

impl Notices {
    pub(super) fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(MOST);
        (Self { sender, told: SharedRepeated::default() }, receiver)
    }

    /// Puts a notice where it is logged from.
    pub(super) fn tell(&self, notice: Notice) {
        if self.sender.try_send(notice).is_err()
            && let Some(count) = self.told.note("attendance")
        {
            tracing::warn!(
                count,
                "readers came or went that no event tells of: the log takes them too slowly"
            );
        }
    }
}

/// Publishes notices as events, for subscriptions that name the source [`OPERATIONAL_SOURCE`]. Cheap to clone.
#[derive(Clone)]
pub struct ReaderEvents {
    streams: Streams,
    publisher: Publisher,
    subscriptions: Subscriptions,
    /// What is being read, and what was read and is not in the log yet.
    notices: Arc<Mutex<(mpsc::Receiver<Notice>, Option<Notice>)>>,
}

impl ReaderEvents {
    /// Publishes what these streams tell; nothing if `out.reader_events` does not ask for it, or somebody else does.
    pub fn of(streams: &Streams, publisher: Publisher, subscriptions: Subscriptions) -> Option<Self> {
        let notices = streams.shared.places.notices()?;
        let notices = Arc::new(Mutex::new((notices, None)));
        Some(Self { streams: streams.clone(), publisher, subscriptions, notices })
    }

    /// Runs as long as anybody may read.
    pub async fn run(self) {
        let mut state = self.notices.lock().await;
        loop {
            if state.1.is_none() {
                state.1 = state.0.recv().await;
            }
            let Some(notice) = &state.1 else { return };
            match self.publish(notice).await {
                Ok(()) => state.1 = None,
                // When it starts nobody reads: what is not said of those who did is of no use any more.
                Err(_) if self.streams.is_stopping() => return,
                Err(error) => {
                    tracing::warn!(%error, "readers that come and go cannot be logged as events now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn publish(&self, notice: &Notice) -> Result<(), PublishError> {
        let wants = |id: &str| {
            let entry = self.subscriptions.get(id);
            let config = entry.as_ref().and_then(|entry| entry.config());
            config.is_some_and(|config| config.sources.iter().any(|source| source == OPERATIONAL_SOURCE))
        };
        self.publisher.publish_operational(self.event(notice), self.publisher.now(), &wants).await
    }

    /// The event of a notice. The same notice is the same event, however often it is published.
    fn event(&self, notice: &Notice) -> Published {
        let Notice { number, visitor, since, at: time, position, events, closed } = notice;
        let state = if closed.is_some() { "left" } else { "joined" };
        let subscription = &*visitor.subscription;
        let mut data = json!({
            "id": number,
            "subscription": subscription,
            "protocol": visitor.protocol.name(),
            "address": visitor.address.to_string(),
            "user_agent": visitor.agent,
            "since": since.rfc3339(),
            "position": position.map(|position| at(&self.streams, position)),
        });
        if let (Some(closed), Some(members)) = (closed, data.as_object_mut()) {
            members.insert("reason".to_owned(), closed.word().into());
            members.insert("events".to_owned(), (*events).into());
        }
        let event = Event {
            // Numbers begin anew with each process, and no two of them begin in one millisecond with one data directory.
            id: format!("reader.{}.{number}.{state}", since.0),
            source: OPERATIONAL_SOURCE.to_owned(),
            kind: format!("anglerfish.reader.{state}"),
            subject: Some(subscription.to_owned()),
            time: *time,
            datacontenttype: Some("application/json".to_owned()),
            ..Event::default()
        };
        Published { event, data: data.to_string().into() }
    }
}
