//! Who reads, as operators are told.

use super::registry::Streams;
use crate::store::EventSeq;
use anglerfish_core::request::UnixMillis;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// One who reads.
#[derive(Debug, Clone)]
pub struct ReaderRecord {
    /// What it is named by as long as the process runs.
    pub number: u64,
    /// The subscription that it reads, or the topic.
    pub subscription: Arc<str>,
    /// How.
    pub protocol: &'static str,
    /// The address it reads from.
    pub address: IpAddr,
    /// How it calls itself.
    pub agent: Option<String>,
    /// Since when.
    pub since: UnixMillis,
    /// Up to where it was given the log, if that is what it reads.
    pub position: Option<EventSeq>,
    /// How many events it was given.
    pub events: u64,
}

impl ReaderRecord {
    /// How many entries there are behind its position.
    pub(super) fn behind(&self, head: EventSeq) -> Option<u64> {
        self.position.map(|position| u64::try_from(head.0.saturating_sub(position.0)).unwrap_or_default())
    }
}

impl Streams {
    /// Adds to the registry how far behind readers are.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Behind(self.clone())));
    }

    pub(super) fn head(&self) -> EventSeq {
        *self.shared.log.head().borrow()
    }
}

/// How far behind the last reader of each subscription is, as a metric.
struct Behind(Streams);

impl fmt::Debug for Behind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Behind").finish_non_exhaustive()
    }
}

impl Collector for Behind {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let head = self.0.head();
        let mut last: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for record in self.0.shared.places.readers(None) {
            let Some(behind) = record.behind(head) else { continue };
            let most = last.entry(record.subscription).or_default();
            *most = behind.max(*most);
        }
        let help = "Entries of the log that the reader that is furthest behind has not been given";
        let mut metric = encoder.encode_descriptor("stream_behind", help, None, MetricType::Gauge)?;
        for (subscription, behind) in &last {
            let gauge = ConstGauge::new(i64::try_from(*behind).unwrap_or(i64::MAX));
            gauge.encode(metric.encode_family(&[("subscription", &**subscription)])?)?;
        }
        Ok(())
    }
}
