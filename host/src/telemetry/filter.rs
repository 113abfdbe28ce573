//! What the filters of subscriptions have matched: so that one which matches nothing is seen.

use crate::clock::WallClock;
use anglerfish_core::request::UnixMillis;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// A filter that matches nothing for so long, though events come in, is silent.
pub const SILENCE: Duration = Duration::from_secs(24 * 3600);

/// So many subscriptions have a series of their own, those with the most; the others are summed up.
const LABELS: usize = 1000;

/// The label of all others; no subscription can have it.
const OTHERS: &str = "(others)";

/// What became of the filters. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct FilterActivity {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    subscriptions: RwLock<HashMap<String, Arc<Counts>>>,
    sources: RwLock<HashMap<String, Arc<Events>>>,
}

/// One subscription since it was put into the routing table.
#[derive(Debug, Default)]
struct Counts {
    sources: Vec<String>,
    /// The hash of its filter, if it has one.
    filter: Option<u64>,
    since: u64,
    /// How many events its sources had had by then.
    before: u64,
    matched: AtomicU64,
    failed: AtomicU64,
    last_match: AtomicU64,
    last_failure: AtomicU64,
}

/// The events of one source since the gateway started.
#[derive(Debug, Default)]
struct Events {
    count: AtomicU64,
    last: AtomicU64,
}

/// What a subscription's filter has done since the gateway started or the subscription was last written, whichever is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// When counting began.
    pub since: UnixMillis,
    /// Events of its sources.
    pub events: u64,
    /// Those that matched.
    pub matched: u64,
    /// Those on which the filter failed.
    pub failed: u64,
    /// The last that matched.
    pub last_match: Option<UnixMillis>,
    /// The last on which the filter failed.
    pub last_failure: Option<UnixMillis>,
    /// Whether it has matched nothing for [`SILENCE`] though events came in.
    pub silent: bool,
}

impl FilterActivity {
    /// Adds its metrics to the registry.
    pub fn register(&self, registry: &mut Registry, clock: WallClock) {
        registry.register_collector(Box::new(Scraped { activity: self.clone(), clock }));
    }

    /// A subscription was put into the routing table. Its counts begin anew, unless it asks for the same events as before. No
    /// sources mean all.
    pub fn put(&self, id: &str, sources: &[String], filter: Option<&str>, now: UnixMillis) {
        let filter = filter.map(hash);
        let before = self.events(sources).0;
        let mut subscriptions = write(&self.shared.subscriptions);
        if subscriptions.get(id).is_some_and(|known| known.sources == sources && known.filter == filter) {
            return;
        }
        let counts = Counts { sources: sources.to_vec(), filter, since: now.0, before, ..Counts::default() };
        subscriptions.insert(id.to_owned(), Arc::new(counts));
    }

    /// A subscription is gone.
    pub fn remove(&self, id: &str) {
        write(&self.shared.subscriptions).remove(id);
    }

    /// Only these subscriptions are left.
    pub fn retain(&self, ids: &HashSet<&str>) {
        write(&self.shared.subscriptions).retain(|id, _| ids.contains(id.as_str()));
    }

    /// An event was accepted: who wanted it, and whose filters failed.
    pub fn record<'s>(
        &self,
        source: &str,
        matched: impl Iterator<Item = &'s str>,
        failed: impl Iterator<Item = &'s str>,
        now: UnixMillis,
    ) {
        let events = self.source(source);
        events.count.fetch_add(1, Ordering::Relaxed);
        events.last.fetch_max(now.0, Ordering::Relaxed);
        let subscriptions = read(&self.shared.subscriptions);
        for counts in matched.filter_map(|id| subscriptions.get(id)) {
            counts.matched.fetch_add(1, Ordering::Relaxed);
            counts.last_match.fetch_max(now.0, Ordering::Relaxed);
        }
        for counts in failed.filter_map(|id| subscriptions.get(id)) {
            counts.failed.fetch_add(1, Ordering::Relaxed);
            counts.last_failure.fetch_max(now.0, Ordering::Relaxed);
        }
    }

    /// What a subscription's filter has done.
    #[must_use]
    pub fn of(&self, id: &str, now: UnixMillis) -> Option<Activity> {
        let counts = Arc::clone(read(&self.shared.subscriptions).get(id)?);
        Some(self.activity(&counts, now))
    }

    fn activity(&self, counts: &Counts, now: UnixMillis) -> Activity {
        let (events, last_event) = self.events(&counts.sources);
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let time = |number: &AtomicU64| Some(get(number)).filter(|time| *time > 0).map(UnixMillis);
        let last_match = time(&counts.last_match);
        let quiet_since = last_match.map_or(counts.since, |time| time.0.max(counts.since));
        let day = u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX);
        Activity {
            since: UnixMillis(counts.since),
            events: events.saturating_sub(counts.before),
            matched: get(&counts.matched),
            failed: get(&counts.failed),
            last_match,
            last_failure: time(&counts.last_failure),
            silent: counts.filter.is_some()
                && now.0.saturating_sub(quiet_since) >= day
                && last_event > quiet_since,
        }
    }

    /// The number of events of these sources, and when the last one came.
    fn events(&self, sources: &[String]) -> (u64, u64) {
        let known = read(&self.shared.sources);
        let all = known.iter().filter(|(name, _)| sources.is_empty() || sources.contains(name));
        all.fold((0, 0), |(count, last), (_, events)| {
            let more = events.count.load(Ordering::Relaxed);
            (count + more, last.max(events.last.load(Ordering::Relaxed)))
        })
    }

    /// The counts of a source; only sources of the configuration have events, so that there are few.
    fn source(&self, name: &str) -> Arc<Events> {
        if let Some(known) = read(&self.shared.sources).get(name) {
            return Arc::clone(known);
        }
        Arc::clone(write(&self.shared.sources).entry(name.to_owned()).or_default())
    }
}

/// The activity as metrics.
#[derive(Debug)]
struct Scraped {
    activity: FilterActivity,
    clock: WallClock,
}

impl Collector for Scraped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = self.clock.now();
        let all: Vec<(String, Activity)> = read(&self.activity.shared.subscriptions)
            .iter()
            .map(|(id, counts)| (id.clone(), self.activity.activity(counts, now)))
            .collect();
        let silent = all.iter().filter(|(_, activity)| activity.silent).count();
        let gauge = ConstGauge::new(i64::try_from(silent).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(
            "silent_filters",
            "Subscriptions whose filter has matched nothing for a day though events of their sources came in",
            None,
            MetricType::Gauge,
        )?)?;
        let mut counters = |name: &str, help: &str, count: fn(&Activity) -> u64| {
            // Those at 0 too: a rule that looks at a series which is not there says nothing.
            let mut counted: Vec<(&str, u64)> =
                all.iter().map(|(id, activity)| (id.as_str(), count(activity))).collect();
            counted.sort_unstable_by_key(|(id, count)| (Reverse(*count), *id));
            let rest: u64 = counted.iter().skip(LABELS).map(|(_, count)| count).sum();
            counted.truncate(LABELS);
            counted.extend((rest > 0).then_some((OTHERS, rest)));
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (id, count) in counted {
                ConstCounter::new(count).encode(metric.encode_family(&[("subscription", id)])?)?;
            }
            Ok(())
        };
        counters(
            "subscription_matches",
            "Events that matched, by subscription, since it was last written",
            |activity| activity.matched,
        )?;
        counters(
            "subscription_filter_failures",
            "Events on which the filter failed, by subscription, since it was last written",
            |activity| activity.failed,
        )
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const START: u64 = 1_700_000_000_000;

    fn record(activity: &FilterActivity, source: &str, matched: &[&str], failed: &[&str], hour: u64) {
        let now = UnixMillis(START + hour * HOUR);
        activity.record(source, matched.iter().copied(), failed.iter().copied(), now);
    }

    #[test]
    fn a_filter_is_silent_after_a_day_of_events_without_a_match_and_not_when_nothing_came() {
        let activity = FilterActivity::default();
        for (id, source) in [("busy", "shop"), ("mute", "shop"), ("idle", "desk")] {
            activity.put(id, &[source.to_owned()], Some("message.x == 1"), UnixMillis(START));
        }
        activity.put("everything", &[], None, UnixMillis(START));
        let silent = |id: &str, hour: u64| activity.of(id, UnixMillis(START + hour * HOUR)).unwrap().silent;
        record(&activity, "shop", &["busy"], &["mute"], 1);
        assert!(!silent("mute", 23));
        record(&activity, "shop", &["busy"], &[], 20);
        assert!(
            silent("mute", 24) && !silent("busy", 24) && !silent("idle", 24) && !silent("everything", 24)
        );
        assert!(!silent("busy", 44), "no event came since its last match");
        record(&activity, "shop", &[], &[], 45);
        assert!(silent("busy", 45));
        let mute = activity.of("mute", UnixMillis(START)).unwrap();
        assert_eq!((mute.events, mute.matched, mute.failed), (3, 0, 1));
        assert_eq!(mute.last_failure, Some(UnixMillis(START + HOUR)));
        let again = |filter: &str| {
            activity.put("mute", &["shop".to_owned()], Some(filter), UnixMillis(START + 45 * HOUR));
        };
        again("message.x == 1");
        assert_eq!(
            activity.of("mute", UnixMillis(START)).unwrap().events,
            3,
            "it asks for what it asked for"
        );
        again("message.x == 2");
        assert!(!silent("mute", 46));
        assert_eq!(activity.of("mute", UnixMillis(START)).unwrap().events, 0);
        activity.remove("mute");
        assert!(activity.of("mute", UnixMillis(START)).is_none());
    }

    #[test]
    fn series_beyond_the_labels_are_summed_up() {
        let activity = FilterActivity::default();
        for number in 0..LABELS + 2 {
            let id = format!("s{number}");
            activity.put(&id, &[], Some("true"), UnixMillis(START));
            record(&activity, "shop", &[&id], &[], 1);
        }
        record(&activity, "shop", &["s0"], &["s1"], 1);
        let mut registry = Registry::with_prefix("anglerfish");
        activity.register(&mut registry, crate::clock::standing(UnixMillis(START)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("anglerfish_subscription_matches_total{subscription=\"s0\"} 2\n"), "{text}");
        assert!(
            text.contains("anglerfish_subscription_matches_total{subscription=\"(others)\"} 2\n"),
            "{text}"
        );
        assert!(
            text.contains("anglerfish_subscription_filter_failures_total{subscription=\"s1\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("anglerfish_subscription_filter_failures_total{subscription=\"s0\"} 0\n"),
            "one that never failed has a series: {text}"
        );
        assert!(text.contains("anglerfish_silent_filters 0\n"), "{text}");
    }
}
