//! Topics as they are read: each like a subscription to the source that it is.

use super::registry::{Readable, Streams};
use anglerfish_core::config::{DeliveryMode, OrderingConfig};
use anglerfish_core::router::{RenderConfig, RoutingSubscription};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many topics are kept that nobody reads any more: coming again costs them nothing.
const UNREAD: usize = 1000;

/// The topics that somebody reads, by their sources.
#[derive(Default)]
pub(super) struct TopicFeeds {
    known: Mutex<HashMap<Arc<str>, Arc<Readable>>>,
}

impl Streams {
    /// A topic by its source, `/topic/NAME`, or all topics of a pattern with a filter that says which. Whoever asks has shown that
    /// they may read it. Metrics call it by the label.
    pub(super) fn topic(&self, source: &str, label: &str, filter: Option<String>) -> Arc<Readable> {
        let mut known = self.shared.topics.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = known.get(source) {
            return Arc::clone(topic);
        }
        if known.len() >= UNREAD {
            known.retain(|_, topic| topic.is_read());
        }
        let id: Arc<str> = source.into();
        let subscription = RoutingSubscription {
            id: source.to_owned(),
            sources: if filter.is_some() { Vec::new() } else { vec![source.to_owned()] },
            filter,
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        };
        let ended = self.shared.stop.child_token();
        let topic = Readable::new(Arc::clone(&id), Vec::new(), DeliveryMode::Stream, subscription, ended);
        let topic = Arc::new(topic.labelled(label));
        known.insert(id, Arc::clone(&topic));
        topic
    }

    /// Who may read which topic is another thing now: those who read one are let go, and come again if they may.
    pub fn end_topics(&self) {
        let mut known = self.shared.topics.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, topic) in known.drain() {
            topic.ended.cancel();
            self.shared.metrics.forget(&topic.label);
        }
    }
}
