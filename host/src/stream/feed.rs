//! One subscription that is being read, and what its readers near the end of the log share.

use super::item::Item;
use crate::store::{EventSeq, LogEntry};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::{FilterTable, RoutingSubscription};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

/// How many entries are kept for those who are near the end of the log.
const MOST_ITEMS: usize = 1024;

/// How much data they may have together, in bytes, the last entry's aside.
const MOST_BYTES: usize = 8 << 20;

/// Nothing has been decided for the feed yet.
const NOT_YET: i64 = i64::MAX;

/// One subscription that is being read. Its readers hold it; without any it is dropped.
pub(super) struct Feed {
    /// What tells it from others, also from an earlier one of the same subscription.
    pub(super) number: u64,
    /// Sources and filter.
    pub(super) subscription: RoutingSubscription,
    /// The same, compiled, for those who read the log by themselves.
    pub(super) filter: Mutex<FilterTable>,
    /// From this position on the ring has what it wants.
    since: AtomicI64,
    /// Changes when the ring has something new for it.
    news: watch::Sender<EventSeq>,
}

impl Feed {
    /// # Errors
    ///
    /// What is wrong with the filter.
    pub(super) fn try_new(number: u64, subscription: &RoutingSubscription) -> Result<Self, Vec<Problem>> {
        let mut filter = FilterTable::default();
        filter.put(subscription)?;
        let (news, _) = watch::channel(EventSeq(0));
        Ok(Self {
            number,
            subscription: subscription.clone(),
            filter: Mutex::new(filter),
            since: AtomicI64::new(NOT_YET),
            news,
        })
    }

    /// Whether an entry is for its readers at all, as it is with deliveries, whatever the filter says.
    pub(super) fn may_have(&self, entry: &LogEntry) -> bool {
        entry.origin.is_for_all() || self.subscription.sources.contains(&entry.event.source)
    }

    /// What its readers wait on.
    pub(super) fn news(&self) -> watch::Receiver<EventSeq> {
        self.news.subscribe()
    }

    /// From now on the ring has what it wants, from behind this position on; its readers look again.
    pub(super) fn begin(&self, since: EventSeq) {
        self.since.store(since.0, Ordering::Release);
        self.news.send_replace(since);
    }

    /// The ring has something new for it.
    pub(super) fn tell(&self, seq: EventSeq) {
        self.news.send_replace(seq);
    }

    fn since(&self) -> EventSeq {
        EventSeq(self.since.load(Ordering::Acquire))
    }
}

/// What a reader finds in the ring.
pub(super) enum Found {
    /// Entries behind its position, in order, none left out.
    Items(Vec<Arc<Item>>),
    /// None that it wants, up to this position.
    Nothing(EventSeq),
    /// The ring does not reach back to its position: it reads the log by itself.
    Behind,
}

/// The last entries of the log that anybody who reads wants.
#[derive(Default)]
pub(super) struct Ring {
    state: RwLock<RingState>,
}

#[derive(Default)]
struct RingState {
    /// Behind this position nothing that somebody wants is missing.
    from: EventSeq,
    /// Up to here it has been decided.
    to: EventSeq,
    items: VecDeque<Arc<Item>>,
    bytes: usize,
}

impl Ring {
    /// Begins anew behind a position.
    pub(super) fn begin(&self, at: EventSeq) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = RingState { from: at, to: at, ..RingState::default() };
    }

    /// Adds what somebody wants of the entries up to a position.
    pub(super) fn add(&self, items: Vec<Arc<Item>>, to: EventSeq) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.to = state.to.max(to);
        for item in items {
            state.bytes += item.length();
            state.items.push_back(item);
            while state.items.len() > 1 && (state.items.len() > MOST_ITEMS || state.bytes > MOST_BYTES) {
                let Some(old) = state.items.pop_front() else { break };
                state.bytes = state.bytes.saturating_sub(old.length());
                state.from = old.seq();
            }
        }
    }

    /// What is behind a position for a feed: up to so many entries, and behind the first one no more than `bytes`.
    pub(super) fn after(&self, feed: &Feed, position: EventSeq, most: usize, bytes: usize) -> Found {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let since = feed.since();
        if position < state.from || position < since {
            return Found::Behind;
        }
        let first = state.items.partition_point(|item| item.seq() <= position);
        let (mut found, mut length) = (Vec::new(), 0);
        for item in state.items.range(first..).filter(|item| item.is_for(feed.number)) {
            length += item.length();
            if found.len() >= most || (!found.is_empty() && length > bytes) {
                break;
            }
            found.push(Arc::clone(item));
        }
        if found.is_empty() { Found::Nothing(state.to) } else { Found::Items(found) }
    }
}

/// A filter to evaluate; it is of use to one at a time.
pub(super) fn locked(filter: &Mutex<FilterTable>) -> MutexGuard<'_, FilterTable> {
    filter.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Origin;
    use crate::stream::test::entry;
    use anglerfish_core::config::OrderingConfig;

    fn feed(number: u64) -> Feed {
        let subscription = RoutingSubscription {
            id: "a".to_owned(),
            sources: Vec::new(),
            filter: None,
            ordering: OrderingConfig::None,
            render: anglerfish_core::router::RenderConfig::default(),
            interest: None,
        };
        Feed::try_new(number, &subscription).unwrap()
    }

    fn item(seq: i64, length: usize, feeds: &[u64]) -> Arc<Item> {
        Arc::new(Item::new(entry(seq, "t", &vec![b'x'; length]), feeds.to_vec()))
    }

    fn seqs(found: Found) -> Vec<i64> {
        match found {
            Found::Items(items) => items.iter().map(|item| item.seq().0).collect(),
            Found::Nothing(_) => Vec::new(),
            Found::Behind => panic!("the ring does not reach back"),
        }
    }

    #[test]
    fn what_the_gateway_tells_of_itself_is_for_those_who_name_its_source() {
        let mut named = feed(1);
        named.subscription.sources = vec!["anglerfish".to_owned(), "shop".to_owned()];
        for (origin, source, expected) in [
            (Origin::Request, "shop", true),
            (Origin::Published, "/topic/chat", true),
            (Origin::Document, "anglerfish.documents", true),
            (Origin::Operational, "anglerfish", false),
            (Origin::Call, "anglerfish", false),
            (Origin::Callback, "callback/paid", false),
        ] {
            let mut told = entry(1, "t", b"1");
            (told.origin, told.event.source) = (origin, source.to_owned());
            assert_eq!(feed(2).may_have(&told), expected, "{origin:?}");
            assert_eq!(named.may_have(&told), expected || source == "anglerfish", "{origin:?}");
        }
    }

    #[test]
    fn each_feed_finds_what_is_for_it_behind_its_position_and_nothing_twice() {
        let (ring, a, b) = (Ring::default(), feed(1), feed(2));
        ring.begin(EventSeq(10));
        a.begin(EventSeq(10));
        b.begin(EventSeq(12));
        ring.add(vec![item(11, 1, &[1]), item(13, 1, &[1, 2])], EventSeq(14));
        assert_eq!(seqs(ring.after(&a, EventSeq(10), 9, 99)), [11, 13]);
        assert_eq!(seqs(ring.after(&a, EventSeq(10), 1, 99)), [11]);
        assert_eq!(seqs(ring.after(&a, EventSeq(11), 9, 99)), [13]);
        assert_eq!(seqs(ring.after(&b, EventSeq(12), 9, 99)), [13]);
        assert!(matches!(ring.after(&b, EventSeq(11), 9, 99), Found::Behind), "not decided for it then");
        assert!(matches!(ring.after(&a, EventSeq(9), 9, 99), Found::Behind));
        assert!(matches!(ring.after(&a, EventSeq(13), 9, 99), Found::Nothing(EventSeq(14))));
        // Somebody who read the log itself may be ahead.
        assert!(matches!(ring.after(&a, EventSeq(20), 9, 99), Found::Nothing(EventSeq(14))));
    }

    #[test]
    fn a_feed_that_nothing_was_decided_for_is_behind_wherever_it_is() {
        let (ring, new) = (Ring::default(), feed(1));
        ring.begin(EventSeq(10));
        assert!(matches!(ring.after(&new, EventSeq(1000), 9, 99), Found::Behind));
    }

    #[test]
    fn the_ring_is_bounded_and_says_where_it_begins() {
        let (ring, a) = (Ring::default(), feed(1));
        ring.begin(EventSeq(0));
        a.begin(EventSeq(0));
        for seq in 1..=10 {
            ring.add(vec![item(seq, MOST_BYTES / 4, &[1])], EventSeq(seq));
        }
        assert!(matches!(ring.after(&a, EventSeq(5), 9, usize::MAX), Found::Behind));
        assert_eq!(seqs(ring.after(&a, EventSeq(6), 9, usize::MAX)), [7, 8, 9, 10]);
        // One that is larger than all the room is there all the same.
        ring.add(vec![item(11, MOST_BYTES * 2, &[1])], EventSeq(11));
        assert_eq!(seqs(ring.after(&a, EventSeq(10), 9, 1)), [11]);
        for seq in 12..=2000 {
            ring.add(vec![item(seq, 1, &[1])], EventSeq(seq));
        }
        assert!(matches!(ring.after(&a, EventSeq(2000 - 1025), 9, 99), Found::Behind));
        assert_eq!(seqs(ring.after(&a, EventSeq(2000 - 1024), 2, 99)), [977, 978]);
    }
}
