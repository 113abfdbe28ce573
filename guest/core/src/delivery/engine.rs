//! The engine: all subscriptions together.

mod attempt;
mod clock;
mod exchange;
mod poll;
mod subscription;

use super::alarm::Alarms;
use super::backoff::Backoff;
use super::breaker::Probe;
use super::health::Health;
use super::model::{AttemptId, Now, Output, SubscriptionKey, WorkLease};
use super::registry::Registry;
use super::shared::SharedRates;
use super::turn::Turn;
use crate::config::DeliveryConfig;
use crate::policy::{Past, Settled};
use crate::request::UnixMillis;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How often one record is tried that the store refuses while it is in reach: a minute and a half.
const REFUSALS: u8 = 24;

/// How many leases are under way at once over all subscriptions, so that a store is not flooded after a start.
const LEASES: usize = 64;

/// How many places one subscription may have for each place that is still free. Without a share that shrinks,
/// subscribers that never answer would take all places, each within its own concurrency; so the last ones stay free for
/// those that have few or none. (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
/// switches", 1998.)
const SHARE: usize = 8;

/// One place in so many is kept from those that did not answer the last time: each of their attempts holds its place until
/// its time is over, and a few hundred of them would make everyone else wait for as long.
const KEPT: usize = 4;

/// How much memory the deliveries may take that all subscriptions together hold, in bytes, before each of them holds no more
/// than it needs: with a thousand endpoints that are behind, what each of them may hold would be too much.
const HELD_BYTES: usize = 24 << 20;

/// The end of a lease that does not end by itself.
const NEVER: UnixMillis = UnixMillis(u64::MAX);

/// How far the wall clock may go back without being noticed.
const DRIFT: i128 = 1000;

/// What all subscriptions share.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Where all jitter comes from.
    pub seed: u64,
    /// How many attempts may run at once over all subscriptions.
    pub attempts: usize,
    /// For how long the store leases; one that comes near its end is extended.
    pub lease: Duration,
}

impl Default for EngineConfig {
    /// 4096 attempts at once, leases of a minute.
    fn default() -> Self {
        Self { seed: 0, attempts: 4096, lease: Duration::from_mins(1) }
    }
}

/// An attempt, until its lease has ended.
#[derive(Debug)]
struct Attempt {
    key: SubscriptionKey,
    lease: WorkLease,
    deadline: UnixMillis,
    past: Past,
    bytes: usize,
    policy: Arc<DeliveryConfig>,
    /// Whether it is counted among those whose subscription did not answer the last time.
    unanswered: bool,
    /// Whether it finds out for an open breaker.
    probe: Option<Probe>,
    /// Whether its request was another attempt's as well, which stands for both.
    is_joined: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// It is being made.
    Running,
    /// It waits for its record. `is_sent` while the store has it.
    Recording {
        settled: Settled,
        planned: UnixMillis,
        is_sent: bool,
        refusals: Backoff,
        alarm: Option<Duration>,
    },
}

impl Phase {
    /// Just ended like this.
    fn recording(settled: Settled, now: Now) -> Self {
        let planned = now.wall;
        Self::Recording { settled, planned, is_sent: false, refusals: Backoff::default(), alarm: None }
    }
}

/// Whether the store is to plan anew what another clock planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replanning {
    Wanted,
    UnderWay,
    Done,
}

/// The delivery engine; see [the module](super).
#[derive(Debug)]
pub struct Engine<P> {
    config: EngineConfig,
    registry: Registry<P>,
    alarms: Alarms,
    outputs: VecDeque<Output<P>>,
    /// Rates that the attempt uses which begins.
    paced: VecDeque<Output<P>>,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Which of them has a delivery. Only looked up, never walked through.
    attempted: HashMap<i64, AttemptId>,
    next_attempt: u64,
    /// How much memory the deliveries take that are held.
    held: usize,
    /// How many attempts are under way.
    running: usize,
    /// How many of them are of subscriptions that did not answer the last time.
    unanswered: usize,
    /// Records to hand to the store, oldest first.
    records: VecDeque<AttemptId>,
    /// How many attempts wait for their record.
    recording: usize,
    /// Queues in which something happened.
    dirty: Turn,
    /// Queues that want to lease.
    leasing_next: Turn,
    /// Leases under way.
    leasing: usize,
    /// Queues that want to start attempts.
    starting: Turn,
    /// Rates that several queues share.
    shared: SharedRates,
    /// Whether the store takes records. While it does not, no attempt starts: it could not be recorded.
    recorder: Health,
    /// Whether the store leases.
    lessor: Health,
    /// Queues that the next survey is for.
    unknown: Vec<SubscriptionKey>,
    /// Queues that the survey under way is for.
    surveyed: Option<Vec<SubscriptionKey>>,
    /// Leases of deliveries that were offered for a subscription which is not here, with its name.
    homeless: Vec<(Arc<str>, WorkLease)>,
    /// Those that are being given back.
    rehoming: Vec<(Arc<str>, WorkLease)>,
    rehoming_backoff: Backoff,
    rehoming_quiet: Option<Duration>,
    /// When leases are looked at next.
    extension: Option<Duration>,
    is_extending: bool,
    replanning: Replanning,
    /// By how much the wall clock is ahead of the time that passes, in milliseconds.
    offset: Option<i128>,
    is_ending: bool,
}

impl<P> Engine<P> {
    /// An engine without subscriptions.
    #[must_use]
    pub fn new(config: EngineConfig) -> Self {
        Self {
            config,
            registry: Registry::new(),
            alarms: Alarms::default(),
            outputs: VecDeque::new(),
            paced: VecDeque::new(),
            attempts: BTreeMap::new(),
            attempted: HashMap::new(),
            next_attempt: 0,
            held: 0,
            running: 0,
            unanswered: 0,
            records: VecDeque::new(),
            recording: 0,
            dirty: Turn::default(),
            leasing_next: Turn::default(),
            leasing: 0,
            starting: Turn::default(),
            shared: SharedRates::default(),
            recorder: Health::new(),
            lessor: Health::new(),
            unknown: Vec::new(),
            surveyed: None,
            homeless: Vec::new(),
            rehoming: Vec::new(),
            rehoming_backoff: Backoff::default(),
            rehoming_quiet: None,
            extension: None,
            is_extending: false,
            replanning: Replanning::Wanted,
            offset: None,
            is_ending: false,
        }
    }

    /// How many subscriptions there are, those that are ending included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.registry.len()
    }

    /// Whether nothing is held and nothing under way, as after the end of [`Engine::handle_drained`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registry.is_empty() && self.homeless.is_empty() && self.rehoming.is_empty()
    }

    /// The present key of a subscription.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<SubscriptionKey> {
        self.registry.find(name)
    }

    /// Whether an attempt is under way or waits for its record.
    #[must_use]
    pub fn has_attempt(&self, attempt: AttemptId) -> bool {
        self.attempts.contains_key(&attempt)
    }

    /// How many attempts of a subscription are under way.
    #[must_use]
    pub fn running(&self, key: SubscriptionKey) -> usize {
        self.registry.get(key).map_or(0, |queue| queue.running)
    }

    fn touch(&mut self, key: SubscriptionKey) {
        if let Some(queue) = self.registry.get_mut(key) {
            self.dirty.push(key, &mut queue.is_dirty);
        }
    }
}
