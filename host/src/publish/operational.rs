//! What the gateway tells of itself: subscriptions that stop and go on, as events of the log.

use super::{Published, Publisher};
use crate::delivery::StandingNotice;
use crate::subscription::Subscriptions;
use anglerfish_core::config::OPERATIONAL_SOURCE;
use anglerfish_core::delivery::Standing;
use anglerfish_core::event::Event;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// How long the log is left alone that cannot be written.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes notices as events, for subscriptions that name the source [`OPERATIONAL_SOURCE`]. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OperationalEvents {
    publisher: Publisher,
    subscriptions: Subscriptions,
    /// What is being read, and what was read and is not in the log yet.
    notices: Arc<Mutex<(mpsc::UnboundedReceiver<StandingNotice>, Option<StandingNotice>)>>,
}

impl OperationalEvents {
    /// Publishes what comes here.
    pub(crate) fn new(
        publisher: Publisher,
        subscriptions: Subscriptions,
        notices: mpsc::UnboundedReceiver<StandingNotice>,
    ) -> Self {
        Self { publisher, subscriptions, notices: Arc::new(Mutex::new((notices, None))) }
    }

    /// Runs as long as there are deliveries.
    pub(crate) async fn run(self) {
        let mut state = self.notices.lock().await;
        loop {
            if state.1.is_none() {
                state.1 = state.0.recv().await;
            }
            let Some(notice) = &state.1 else { return };
            match self.publish(notice).await {
                Ok(()) => state.1 = None,
                Err(error) => {
                    tracing::warn!(%error, "what happened to a subscription cannot be logged as an event now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn publish(&self, notice: &StandingNotice) -> Result<(), super::PublishError> {
        let wants = |id: &str| {
            let entry = self.subscriptions.get(id);
            let config = entry.as_ref().and_then(|entry| entry.config());
            config.is_some_and(|config| config.sources.iter().any(|source| source == OPERATIONAL_SOURCE))
        };
        self.publisher.publish_operational(event(notice), self.publisher.now(), &wants).await
    }
}

/// The event of a notice. The same notice is the same event, however often it is published.
fn event(notice: &StandingNotice) -> Published {
    let state = match notice.standing {
        Standing::Active => "resumed",
        Standing::Paused => "paused",
        Standing::Disabled(_) => "disabled",
    };
    let subscription = &*notice.subscription;
    let data = json!({
        "subscription": subscription,
        "state": if notice.standing == Standing::Active { "active" } else { state },
        "reason": notice.reason,
        "since": notice.at.rfc3339(),
    });
    let event = Event {
        id: format!("{subscription}.{state}.{}", notice.at.0),
        source: OPERATIONAL_SOURCE.to_owned(),
        kind: format!("anglerfish.subscription.{state}"),
        subject: Some(subscription.to_owned()),
        time: notice.at,
        datacontenttype: Some("application/json".to_owned()),
        ..Event::default()
    };
    Published { event, data: data.to_string().into() }
}
