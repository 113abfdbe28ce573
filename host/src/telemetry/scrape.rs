//! All metrics as one text.

use super::backlog::BacklogMetrics;
use crate::store::Store;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The media type of [`Scrape::text`].
pub const OPENMETRICS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry with all metrics in it.
pub struct Scrape {
    registry: Registry,
    backlog: BacklogMetrics,
    store: Arc<dyn Store>,
    /// One at a time: what is read from the store is set before it is written out.
    turn: Mutex<()>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Scrape {
    /// A registry to which the rooms add their metrics; every name begins with `anglerfish_`.
    #[must_use]
    pub fn registry() -> Registry {
        Registry::with_prefix("anglerfish")
    }

    /// Takes a registry that is complete and adds what is read from the store.
    #[must_use]
    pub fn new(mut registry: Registry, store: Arc<dyn Store>) -> Self {
        let backlog = BacklogMetrics::register(&mut registry);
        Self { registry, backlog, store, turn: Mutex::new(()) }
    }

    /// All metrics in the `OpenMetrics` text format. A store that is out of reach leaves a gap and no error, since
    /// that is when the other metrics are wanted most.
    pub async fn text(&self) -> Result<String, fmt::Error> {
        let _turn = self.turn.lock().await;
        let usable = self.store.check().await;
        match usable.and(self.store.backlog().await) {
            Ok(backlog) => self.backlog.set(backlog),
            Err(error) => {
                tracing::warn!("metrics go out without backlogs: {error}");
                self.backlog.unknown();
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::backlog::LABELS;
    use super::*;

    #[test]
    fn backlogs_beyond_the_labels_are_summed_up_and_old_ones_go() {
        let mut registry = Scrape::registry();
        let metrics = BacklogMetrics::register(&mut registry);
        metrics.set(vec![("gone".into(), 7)]);
        let mut backlog = (0..LABELS).map(|n| (format!("s{n}"), 10)).collect::<Vec<_>>();
        backlog.push(("small-1".into(), 1));
        backlog.push(("small-2".into(), 2));
        metrics.set(backlog);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("anglerfish_backlog_deliveries{subscription=\"(others)\"} 3\n"));
        assert!(text.contains("anglerfish_backlog_deliveries{subscription=\"s0\"} 10\n"));
        assert!(!text.contains("small") && !text.contains("gone"));
    }
}
