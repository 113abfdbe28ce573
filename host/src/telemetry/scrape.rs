//! All metrics as one text.

use super::backlog::{Backlog, BacklogMetrics, chosen};
use super::classic::classic;
use crate::clock::WallClock;
use crate::store::{Store, StoreError};
use anglerfish_core::request::UnixMillis;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The media type of [`Scrape::text`].
pub const OPENMETRICS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry with all metrics in it, those of the program that the gateway is part of among them.
pub struct Scrape {
    registry: Registry,
    backlog: BacklogMetrics,
    store: Arc<dyn Store>,
    /// The subscriptions that there are.
    names: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    clock: WallClock,
    /// One at a time: what is read from the store is set before it is written out.
    turn: Mutex<()>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Scrape {
    /// The part of a registry to which the rooms add their metrics: every name begins with `anglerfish_`, behind the
    /// prefix of the whole, and has its labels.
    #[must_use]
    pub fn registry(whole: &mut Registry) -> &mut Registry {
        whole.sub_registry_with_prefix("anglerfish")
    }

    /// Takes a registry that is complete and adds what is read from the store.
    #[must_use]
    pub fn new(mut registry: Registry, store: Arc<dyn Store>, clock: WallClock) -> Self {
        let backlog = BacklogMetrics::register(Self::registry(&mut registry));
        Self { registry, backlog, store, names: Box::new(Vec::new), clock, turn: Mutex::new(()) }
    }

    /// Shows a backlog of 0 for those that have none, of the subscriptions that there are at a scrape: a rule that looks
    /// at a series which is not there says nothing.
    #[must_use]
    pub fn with_names(mut self, names: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        self.names = Box::new(names);
        self
    }

    /// All metrics in the classic text format.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written out.
    pub async fn classic(&self) -> Result<String, fmt::Error> {
        Ok(classic(&self.text().await?))
    }

    /// All metrics in the `OpenMetrics` text format. A store that is out of reach leaves a gap and no error, since
    /// that is when the other metrics are wanted most.
    pub async fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        self.encode(&mut text).await?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// Adds all metrics to a text in the `OpenMetrics` format, without its end.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written out.
    pub async fn encode(&self, text: &mut String) -> Result<(), fmt::Error> {
        let _turn = self.turn.lock().await;
        if let Err(error) = self.read_backlog().await {
            tracing::warn!("metrics go out without backlogs: {error}");
            self.backlog.unknown();
        }
        encode_registry(text, &self.registry)
    }

    /// Asks only for what is shown: beside very many subscriptions the scrape stays as quick as it is.
    async fn read_backlog(&self) -> Result<(), StoreError> {
        self.backlog.count(self.store.overflows());
        self.store.check().await?;
        let (listed, others) = chosen(with_zeroes(self.store.backlog().await?, (self.names)()));
        let names: Vec<String> = listed.iter().map(|(subscription, _)| subscription.clone()).collect();
        let oldest = self.store.oldest(&names).await?;
        let now = self.clock.now();
        let age = |made: Option<UnixMillis>| made.map_or(Duration::ZERO, |made| age(made, now));
        let backlogs = listed.into_iter().zip(oldest.of_each).map(|((subscription, open), made)| Backlog {
            subscription,
            open,
            age: age(made),
        });
        self.backlog.set(backlogs.collect(), others, age(oldest.of_all));
        Ok(())
    }
}

/// How long ago that was; nothing, if the clock was put back since.
fn age(then: UnixMillis, now: UnixMillis) -> Duration {
    Duration::from_millis(now.0.saturating_sub(then.0))
}

fn with_zeroes(backlog: Vec<(String, u64)>, names: Vec<String>) -> Vec<(String, u64)> {
    let mut all: BTreeMap<String, u64> = names.into_iter().map(|name| (name, 0)).collect();
    all.extend(backlog);
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::backlog::LABELS;
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn backlogs_beyond_the_labels_are_summed_up_and_old_ones_go() {
        let mut registry = Registry::default();
        let metrics = BacklogMetrics::register(Scrape::registry(&mut registry));
        let set = |backlog| {
            let (listed, others) = chosen(backlog);
            let backlogs = listed.into_iter().map(|(subscription, open)| Backlog {
                subscription,
                open,
                age: Duration::from_secs(open),
            });
            metrics.set(backlogs.collect(), others, Duration::from_secs(9));
        };
        set(vec![("gone".into(), 7)]);
        let mut backlog = (0..LABELS).map(|n| (format!("s{n}"), 10)).collect::<Vec<_>>();
        backlog.push(("small-1".into(), 1));
        backlog.push(("small-2".into(), 2));
        set(backlog);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("anglerfish_backlog_deliveries{subscription=\"(others)\"} 3\n"));
        assert!(text.contains("anglerfish_backlog_deliveries{subscription=\"s0\"} 10\n"));
        assert!(text.contains("anglerfish_backlog_oldest_age_seconds{subscription=\"s0\"} 10.0\n"), "{text}");
        assert!(text.contains("anglerfish_oldest_delivery_age_seconds 9.0\n"), "{text}");
        assert!(!text.contains("small") && !text.contains("gone"));
        metrics.unknown();
        text.clear();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("anglerfish_oldest_delivery_age_seconds NaN\n"), "{text}");
    }

    #[test]
    fn a_subscription_without_open_deliveries_has_a_backlog_of_0() {
        let names = vec!["busy".to_owned(), "idle".to_owned()];
        let all = with_zeroes(vec![("busy".to_owned(), 3), ("gone".to_owned(), 1)], names);
        let expected = [("busy", 3), ("gone", 1), ("idle", 0)].map(|(name, open)| (name.to_owned(), open));
        assert_eq!(all, expected);
    }
}
