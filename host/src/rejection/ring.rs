//! The last refused requests of each source.

use super::record::Reason;
use super::{Refusal, Rejection, RejectionMetrics};
use crate::clock::WallClock;
use anglerfish_core::request::UnixMillis;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many are kept of each source.
const PER_SOURCE: usize = 50;
/// How many bytes are kept of all sources together.
const BYTES: usize = 16 * 1024 * 1024;
/// How many of one source are kept in one second; a flood is only counted.
const PER_SECOND: u32 = 20;
/// How often one source's refusals are logged, in milliseconds.
const LOG_EVERY: u64 = 10_000;
/// All sources that do not exist share one place. No source can have this name.
const UNKNOWN: &str = "(unknown)";

/// The last refused requests of each source. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Rejections {
    inner: Arc<Mutex<Inner>>,
    metrics: RejectionMetrics,
    clock: WallClock,
}

#[derive(Debug, Default)]
struct Inner {
    sources: HashMap<String, Source>,
    number: u64,
    bytes: usize,
}

/// What was refused of one source.
#[derive(Debug, Default)]
struct Source {
    /// Oldest first.
    kept: VecDeque<Arc<Rejection>>,
    /// The second that `in_second` counts in.
    second: u64,
    in_second: u32,
    /// When a line was logged last, in milliseconds.
    logged: Option<u64>,
    /// How many were refused since then.
    silent: u64,
}

/// Which refused requests a listing is of; `None` is all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Of this source.
    pub source: Option<&'a str>,
    /// With this code.
    pub code: Option<&'a str>,
    /// Received at this time or later.
    pub since: Option<UnixMillis>,
    /// With a smaller number than this.
    pub before: Option<u64>,
}

impl Rejections {
    /// An empty one that counts in these metrics, with the clock of the gateway.
    #[must_use]
    pub fn new(metrics: RejectionMetrics, clock: WallClock) -> Self {
        Self { inner: Arc::default(), metrics, clock }
    }

    /// Keeps a refused request with the answer's status, its code and the reason, counts it, and logs it unless one of
    /// the same source was logged a moment ago.
    pub fn record(&self, refusal: &Refusal<'_>, status: u16, code: &str, reason: &str) {
        let received = refusal.request.as_ref().map_or_else(|| self.clock.now(), |request| request.received);
        self.metrics.refused(refusal.source, refusal.known, code);
        let name = if refusal.known { refusal.source } else { UNKNOWN };
        let mut inner = self.lock();
        let Inner { sources, number, bytes } = &mut *inner;
        let source = match sources.get_mut(name) {
            Some(source) => source,
            None => sources.entry(name.to_owned()).or_default(),
        };
        let line = source.line(received.0);
        if source.has_room(received.seconds()) {
            *number += 1;
            let reason = Reason { status, code, text: reason };
            let rejection = Arc::new(Rejection::new(*number, received, refusal, reason));
            *bytes += rejection.weight();
            source.kept.push_back(rejection);
            if source.kept.len() > PER_SOURCE
                && let Some(oldest) = source.kept.pop_front()
            {
                *bytes = bytes.saturating_sub(oldest.weight());
            }
            while inner.bytes > BYTES && inner.forget_oldest() {}
        }
        drop(inner);
        if let Some(silent) = line {
            let source = refusal.source.chars().take(64).collect::<String>();
            tracing::info!(source, status, code, reason, peer = %refusal.peer, more = silent, "a request was refused");
        }
    }

    /// Up to `limit` of those that are wanted, newest first. The flag says whether there are more.
    #[must_use]
    pub fn list(&self, wanted: &Wanted<'_>, limit: usize) -> (Vec<Arc<Rejection>>, bool) {
        let Wanted { source, code, since, before } = *wanted;
        let inner = self.lock();
        let mut found: Vec<_> = { inner.sources.values() }
            .flat_map(|one| &one.kept)
            .filter(|one| source.is_none_or(|source| one.source == source))
            .filter(|one| code.is_none_or(|code| one.code == code))
            .filter(|one| since.is_none_or(|since| one.received >= since))
            .filter(|one| before.is_none_or(|before| one.number < before))
            .cloned()
            .collect();
        drop(inner);
        found.sort_unstable_by_key(|one| std::cmp::Reverse(one.number));
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    /// Whether one of a source of this name is kept, be there such a source or not.
    #[must_use]
    pub fn has_of(&self, source: &str) -> bool {
        let wanted = Wanted { source: Some(source), ..Wanted::default() };
        !self.list(&wanted, 1).0.is_empty()
    }

    /// The one with this number, if it is still kept.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Rejection>> {
        let inner = self.lock();
        let mut all = inner.sources.values().flat_map(|source| &source.kept);
        all.find(|one| one.number == number).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Forgets the oldest one of all; `false` if there is none.
    fn forget_oldest(&mut self) -> bool {
        let front = |source: &Source| source.kept.front().map(|oldest| oldest.number);
        let oldest =
            self.sources.values_mut().filter(|source| !source.kept.is_empty()).min_by_key(|one| front(one));
        let Some(forgotten) = oldest.and_then(|source| source.kept.pop_front()) else { return false };
        self.bytes = self.bytes.saturating_sub(forgotten.weight());
        true
    }
}

impl Source {
    /// Whether one more may be kept in this second.
    fn has_room(&mut self, second: u64) -> bool {
        if self.second != second {
            (self.second, self.in_second) = (second, 0);
        }
        self.in_second = self.in_second.saturating_add(1);
        self.in_second <= PER_SECOND
    }

    /// Whether this one is logged, and how many were not since the last one that was.
    fn line(&mut self, now: u64) -> Option<u64> {
        // A clock that was put back must not silence the log for as long.
        let due = self.logged.is_none_or(|logged| now < logged || now - logged >= LOG_EVERY);
        if due {
            self.logged = Some(now);
            return Some(std::mem::take(&mut self.silent));
        }
        self.silent = self.silent.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::InboundRequest;
    use anglerfish_core::request::UnixMillis;
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    fn request(second: u64, body: usize) -> Arc<InboundRequest> {
        let mut headers = HeaderMap::new();
        headers.insert("x-token", "hunter2".parse().unwrap());
        Arc::new(InboundRequest {
            id: "r-1".into(),
            source: "shop".into(),
            method: Method::POST,
            url: "http://h/in/shop?token=hunter2".into(),
            headers,
            body: Bytes::from(vec![b'x'; body]),
            received: UnixMillis(second * 1000),
            added_prefix: String::new(),
            fetched: Vec::new(),
        })
    }

    fn refuse(rejections: &Rejections, source: &str, second: u64, body: usize) {
        let refusal = Refusal {
            source,
            known: source != "nowhere",
            peer: [127, 0, 0, 1].into(),
            method: Method::POST,
            path: "/in/shop",
            request: Some(request(second, body)),
        };
        rejections.record(&refusal, 401, "verification-failed", "the signature does not match");
    }

    fn numbers(rejections: &Rejections, source: Option<&str>) -> Vec<u64> {
        rejections
            .list(&Wanted { source, ..Wanted::default() }, 1000)
            .0
            .iter()
            .map(|one| one.number)
            .collect()
    }

    #[test]
    fn keeps_the_last_ones_of_each_source() {
        let rejections = Rejections::default();
        refuse(&rejections, "quiet", 0, 1);
        for second in 0..100 {
            refuse(&rejections, "noisy", second, 1);
        }
        assert_eq!(numbers(&rejections, Some("quiet")), [1]);
        assert_eq!(numbers(&rejections, Some("noisy")), (52..=101).rev().collect::<Vec<_>>());
        let (part, more) =
            rejections.list(&Wanted { source: Some("noisy"), before: Some(60), ..Wanted::default() }, 5);
        assert_eq!(
            (part.iter().map(|one| one.number).collect::<Vec<_>>(), more),
            (vec![59, 58, 57, 56, 55], true)
        );
        assert!(rejections.list(&Wanted { code: Some("too-large"), ..Wanted::default() }, 10).0.is_empty());
        assert!(rejections.get(1).is_some() && rejections.get(2).is_none());
    }

    #[test]
    fn all_together_stay_within_their_bytes_and_the_oldest_goes_first() {
        let rejections = Rejections::default();
        for number in 0..400 {
            refuse(&rejections, &format!("s{number}"), number, 60_000);
        }
        let inner = rejections.lock();
        let held: usize = inner.sources.values().flat_map(|one| &one.kept).map(|one| one.weight()).sum();
        assert_eq!(held, inner.bytes);
        assert!(held <= BYTES && held > BYTES / 2, "{held}");
        drop(inner);
        assert!(rejections.get(1).is_none() && rejections.get(400).is_some());
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let mut registry = prometheus_client::registry::Registry::with_prefix("anglerfish");
        let rejections = Rejections::new(RejectionMetrics::register(&mut registry), WallClock::default());
        for _ in 0..1000 {
            refuse(&rejections, "nowhere", 7, 1);
        }
        assert_eq!(numbers(&rejections, None).len(), PER_SECOND as usize);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let line =
            "anglerfish_ingress_rejections_total{source=\"(unknown)\",reason=\"verification-failed\"} 1000\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_source_is_logged_once_in_a_while_with_how_many_there_were() {
        let mut source = Source::default();
        assert_eq!(source.line(1000), Some(0));
        assert_eq!((source.line(1001), source.line(10_999)), (None, None));
        assert_eq!(source.line(11_000), Some(2));
        assert_eq!(source.line(500), Some(0), "the clock was put back");
    }

    #[test]
    fn what_is_shown_holds_no_values_and_large_requests_are_not_kept() {
        let rejections = Rejections::default();
        refuse(&rejections, "shop", 1, 10);
        refuse(&rejections, "shop", 2, 100_000);
        let (first, second) = (rejections.get(1).unwrap(), rejections.get(2).unwrap());
        assert_eq!(
            (first.url.as_str(), first.headers.as_slice()),
            ("http://h/in/shop?token=…", &["x-token".into()][..])
        );
        assert_eq!((first.excerpt.as_str(), first.size), ("xxxxxxxxxx", Some(10)));
        assert!(first.request().is_some() && second.request().is_none());
        assert_eq!(second.excerpt.len(), 512);
    }
}
