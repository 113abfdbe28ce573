//! Which topics there are, and who may do what there.

use super::TopicMessage;
use crate::publish::Published;
use anglerfish_core::config::{AccessToken, TOPIC_PREFIX, TopicConfig, is_topic_name};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use std::sync::{Arc, PoisonError, RwLock};

/// Which topics there are. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    configured: Arc<RwLock<Arc<[TopicConfig]>>>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    /// The source of its events, which is also its address: `/topic/NAME`.
    pub(crate) source: String,
    pub(crate) config: TopicConfig,
    /// Which events are its, if it stands for several topics: then nothing is published to it.
    pub(crate) filter: Option<String>,
}

/// Why somebody may not publish something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// It is too large.
    #[error("a message of this topic has at most {0} bytes")]
    Size(u64),
    /// Its attributes have these problems.
    #[error("{}", said(.0))]
    Invalid(Vec<Problem>),
}

fn said(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Topics {
    /// Those of a configuration.
    #[must_use]
    pub fn new(configured: impl IntoIterator<Item = TopicConfig>) -> Self {
        let topics = Self::default();
        topics.replace(configured);
        topics
    }

    /// From now on there are these.
    pub fn replace(&self, configured: impl IntoIterator<Item = TopicConfig>) {
        let configured = configured.into_iter().collect();
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = configured;
    }

    fn configured(&self) -> Arc<[TopicConfig]> {
        Arc::clone(&self.configured.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn find(&self, name: &str) -> Option<Topic> {
        let configured = self.configured();
        let config = configured.iter().find(|topic| topic.name.matches(name) && is_topic_name(name))?;
        Some(Topic { source: format!("{TOPIC_PREFIX}{name}"), config: config.clone(), filter: None })
    }

    /// All topics that a pattern of the configuration stands for, without those that an earlier one says something else of.
    fn find_all(&self, pattern: &str) -> Option<Topic> {
        let configured = self.configured();
        let place = configured.iter().position(|topic| topic.name.to_string() == pattern)?;
        let (before, config) = (configured.get(..place)?, configured.get(place)?);
        let others = before.iter().filter(|other| other.name.overlaps(&config.name));
        let filter = others.fold(config.name.expression(), |filter, other| {
            format!("{filter} && !{}", other.name.expression())
        });
        Some(Topic {
            source: format!("{TOPIC_PREFIX}{pattern}"),
            config: config.clone(),
            filter: Some(filter),
        })
    }

    /// The largest message of any of them, in bytes.
    pub(crate) fn largest(&self) -> u64 {
        self.configured().iter().map(|topic| topic.max_size).max().unwrap_or_default()
    }

    /// Whether a token opens any of them.
    pub(crate) fn knows(&self, shown: &[u8]) -> bool {
        // All are compared, whichever it is.
        self.configured()
            .iter()
            .fold(false, |known, topic| known | topic.lets_read(shown) | topic.lets_publish(shown))
    }

    /// A topic, or all of a pattern as it stands in the configuration, for whoever shows a token that lets them read it.
    pub(crate) fn to_read(&self, name: &str, shown: &[u8]) -> Option<Topic> {
        let found = if name.contains('*') { self.find_all(name) } else { self.find(name) };
        Self::opened(found, |topic| topic.lets_read(shown), shown)
    }

    /// The same for publishing.
    pub(crate) fn to_publish(&self, name: &str, shown: &[u8]) -> Option<Topic> {
        Self::opened(self.find(name), |topic| topic.lets_publish(shown), shown)
    }

    fn opened(found: Option<Topic>, opens: impl FnOnce(&TopicConfig) -> bool, shown: &[u8]) -> Option<Topic> {
        match found {
            Some(topic) => opens(&topic.config).then_some(topic),
            None => {
                // It takes as long.
                let _ = AccessToken::is_one_of(&[], shown) | AccessToken::is_one_of(&[], shown);
                None
            }
        }
    }
}

impl Topic {
    /// The event of the log that a message for it is.
    ///
    /// # Errors
    ///
    /// Why it may not be one.
    pub(crate) fn event(&self, message: TopicMessage, now: UnixMillis) -> Result<Published, Denied> {
        let most = self.config.max_size;
        if u64::try_from(message.data.len()).is_ok_and(|length| length > most) {
            return Err(Denied::Size(most));
        }
        message.into_event(&self.source, now).map_err(Denied::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::TopicPattern;
    use bytes::Bytes;
    use std::collections::BTreeMap;

    fn config(name: &str, token: &str) -> TopicConfig {
        TopicConfig {
            name: TopicPattern::parse(name).unwrap(),
            tokens: vec![AccessToken::of(token)],
            read_tokens: Vec::new(),
            publish_tokens: vec![AccessToken::of("writer")],
            max_size: 3,
            history: None,
        }
    }

    #[test]
    fn the_first_that_fits_counts_and_a_star_is_no_name() {
        let topics = Topics::new([config("chat.vip", "vip"), config("chat.*", "all")]);
        assert!(topics.to_read("chat.vip", b"vip").is_some() && topics.to_read("chat.vip", b"all").is_none());
        assert_eq!(topics.to_read("chat.a", b"all").unwrap().source, "/topic/chat.a");
        assert!(
            topics.to_read("chat.a", b"writer").is_none() && topics.to_publish("chat.a", b"writer").is_some()
        );
        for name in ["chat.**", "*", "chat", "", "chat.a/b"] {
            assert!(topics.to_read(name, b"all").is_none(), "{name}");
        }
        // A pattern is read as it is written, and without what an earlier one keeps to itself.
        let all = topics.to_read("chat.*", b"all").unwrap();
        let filter = "event.source.matches(r'^/topic/chat[.][A-Za-z0-9_-]+$') && !event.source.matches(r'^/topic/chat[.]vip$')";
        assert_eq!((all.source.as_str(), all.filter.as_deref()), ("/topic/chat.*", Some(filter)));
        assert!(topics.to_read("chat.*", b"vip").is_none() && topics.to_publish("chat.*", b"all").is_none());
        topics.replace([]);
        assert!(topics.to_read("chat.a", b"all").is_none());
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let topic = Topics::new([config("a", "t")]).to_publish("a", b"t").unwrap();
        let message =
            |data: &'static str| TopicMessage { attributes: BTreeMap::new(), data: Bytes::from(data) };
        assert!(topic.event(message("abc"), UnixMillis(1)).is_ok());
        assert_eq!(topic.event(message("abcd"), UnixMillis(1)), Err(Denied::Size(3)));
    }
}
