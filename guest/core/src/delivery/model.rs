//! What goes into the engine and comes out of it.

use crate::config::DeliveryConfig;
use crate::policy::Settled;
use crate::request::UnixMillis;
use std::sync::Arc;
use std::time::Duration;

/// The present moment, by both clocks of a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, by which deliveries fall due and leases end. Somebody may set it at any time, in both directions.
    pub wall: UnixMillis,
    /// The time since some fixed moment. It never goes back; whatever is waited for inside of the process goes by it.
    pub elapsed: Duration,
}

impl Now {
    /// A time of the wall clock by the time that passes; the present moment if it is over.
    pub(super) fn at(self, wall: UnixMillis) -> Duration {
        self.elapsed.saturating_add(Duration::from_millis(wall.0.saturating_sub(self.wall.0)))
    }

    /// The other way round, rounded up.
    pub(super) fn wall_at(self, elapsed: Duration) -> UnixMillis {
        let wait = elapsed.saturating_sub(self.elapsed).as_nanos().div_ceil(1_000_000);
        self.wall.after(Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX)))
    }
}

/// One subscription within one engine. A subscription that is removed and put again has another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl SubscriptionKey {
    /// A small number that no other present subscription has; free again once the subscription has ended.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }
}

/// One attempt, from its beginning until it is recorded; never used twice by one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub(super) u64);

/// The right to work on a delivery, by which the store knows it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkLease {
    /// The delivery's number.
    pub delivery: i64,
    /// Which lease of it this is.
    pub token: u64,
}

/// A leased delivery.
#[derive(Debug, Clone)]
pub struct Work<P> {
    /// The lease.
    pub lease: WorkLease,
    /// When the lease ends by itself, by the wall clock. [`Engine`](super::Engine) has it extended before.
    pub deadline: UnixMillis,
    /// How many attempts were made before.
    pub before: u32,
    /// When the delivery was made.
    pub created: UnixMillis,
    /// How much memory it takes, in bytes.
    pub bytes: usize,
    /// What an attempt needs; the engine hands it on.
    pub payload: P,
}

impl<P> Work<P> {
    /// In which line it waits.
    #[must_use]
    pub fn line(&self) -> Line {
        if self.before == 0 { Line::Firsts } else { Line::Retries }
    }
}

/// One of the two lines in which the deliveries of a subscription wait. Their attempts take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// Those that were not attempted yet, or not since they were retried by hand.
    Firsts,
    /// The others.
    Retries,
}

impl Line {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Firsts, Self::Retries];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Firsts => Self::Retries,
            Self::Retries => Self::Firsts,
        }
    }
}

/// Something of both lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines<T> {
    /// Of first attempts.
    pub firsts: T,
    /// Of retries.
    pub retries: T,
}

impl<T: Copy> Lines<T> {
    /// That of one line.
    pub fn get(&self, line: Line) -> T {
        match line {
            Line::Firsts => self.firsts,
            Line::Retries => self.retries,
        }
    }

    /// The same for both.
    pub fn both(each: T) -> Self {
        Self { firsts: each, retries: each }
    }
}

/// What the store handed out.
#[derive(Debug, Clone)]
pub struct Leased<P> {
    /// Deliveries that were due, those of each line in the order to attempt them.
    pub works: Vec<Work<P>>,
    /// What is left of each line: `None` if there may be more that is due, else when the next one that is not leased falls
    /// due, if there is one.
    pub next: Lines<Option<Option<UnixMillis>>>,
}

/// Why a store did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// It is out of reach; later it may work.
    Unavailable,
    /// It does not like this call; others may work.
    Refused,
    /// It is closed and stays so.
    Closed,
}

/// Whether attempts of a subscription may start, as far as somebody has said something about it. It outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// They may.
    #[default]
    Active,
    /// Somebody has stopped them.
    Paused,
    /// The engine has stopped them; somebody has to let them go on.
    Disabled(DisableCause),
}

/// What an earlier process has left of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// How it stands.
    pub standing: Standing,
    /// Since when nothing but failures came back, by the wall clock.
    pub failing: Option<UnixMillis>,
    /// When its rate is as if it had never been used, by the wall clock; a time that never comes if it was used and nobody
    /// knows when.
    pub rests: Option<UnixMillis>,
}

/// Why a subscription was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisableCause {
    /// Its endpoint answered with this status, which says that nobody is there any more.
    Gone(u16),
    /// Nothing but failures for so long.
    Failing(Duration),
}

/// Why no attempt of a subscription starts although it has something to attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It is paused or disabled.
    Stopped,
    /// As many attempts as it may have are under way, or wait for their record.
    Concurrency,
    /// After a trouble fewer attempts than usual run at once, and more with each that succeeds.
    Ramp,
    /// All places for attempts are taken, or the store takes no records.
    Places,
    /// Its rate allows the next one at this time.
    Rate(Duration),
    /// The rate that it shares with others allows the next one of them at this time.
    SharedRate(Duration),
    /// Its breaker is open; the next probe is at this time, or under way.
    Breaker(Option<Duration>),
    /// Its endpoint asked to be left alone until this time.
    Throttled(Duration),
    /// This machine could not make the last attempt; it is tried again at this time.
    Local(Duration),
}

/// How a subscription is doing at the moment. Times are of the clock that only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueStatus {
    /// Attempts under way.
    pub running: usize,
    /// Deliveries in memory that wait for their attempt; there may be more in the store.
    pub ready: usize,
    /// What they wait for.
    pub waiting: Option<Waiting>,
    /// When the next delivery in the store falls due, by the wall clock.
    pub next: Option<UnixMillis>,
    /// Since when nothing but failures came back, by the wall clock.
    pub failing: Option<UnixMillis>,
}

/// What became of a record that the store has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is written; the lease has ended.
    Written,
    /// The same, and with it the next delivery that waited for this one has fallen due.
    Freed,
    /// The lease had been lost before: nothing was changed.
    Stale,
}

/// Whose a rate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PacedRate {
    /// A subscription's own.
    Own(SubscriptionKey),
    /// The one of this name, which several share.
    Shared(Arc<str>),
}

/// What a shell is to do. Each of them but [`Output::Paced`], [`Output::Cancel`], [`Output::Breaker`] and [`Output::Ended`] is
/// answered by the `handle_*` that it names, sooner or later and exactly once.
#[derive(Debug)]
pub enum Output<P> {
    /// After a start, and after the wall clock was put back: plan anew what a clock planned that was ahead of this one, as
    /// long from now as it was to wait then: [`handle_replanned`](super::Engine::handle_replanned).
    Replan,
    /// Find out which subscriptions have open deliveries and when the first of each falls due:
    /// [`handle_surveyed`](super::Engine::handle_surveyed).
    Survey,
    /// Lease up to `limit` deliveries that are due: [`handle_leased`](super::Engine::handle_leased).
    Lease {
        /// Of this subscription.
        subscription: SubscriptionKey,
        /// At most so many of each line. Of a line with none nothing is to be found out either.
        limit: Lines<usize>,
    },
    /// Give leases back, as if they had never been: [`handle_released`](super::Engine::handle_released).
    Release {
        /// Whose they are; `None` if it was offered for a subscription that is not here.
        subscription: Option<SubscriptionKey>,
        /// The leases.
        leases: Vec<WorkLease>,
    },
    /// Put the end of leases off: [`handle_extended`](super::Engine::handle_extended).
    Extend {
        /// The leases.
        leases: Vec<WorkLease>,
    },
    /// Make an attempt: [`handle_attempted`](super::Engine::handle_attempted), or
    /// [`handle_cancelled`](super::Engine::handle_cancelled) if it was broken off.
    Attempt {
        /// Whose endpoint to call.
        subscription: SubscriptionKey,
        /// The attempt.
        attempt: AttemptId,
        /// What to send.
        work: Work<P>,
        /// By which policy; a later one does not change an attempt that runs.
        policy: Arc<DeliveryConfig>,
    },
    /// An attempt that comes next uses a rate: to be kept for the process after this one, before the attempt is made, and told
    /// to its engine by [`handle_restored`](super::Engine::handle_restored) and
    /// [`handle_resumed`](super::Engine::handle_resumed).
    Paced {
        /// Whose rate it is.
        rate: PacedRate,
        /// When it is as if it had never been used, by the wall clock.
        rests: UnixMillis,
    },
    /// Break an attempt off. It ends as it would have otherwise, or as cancelled.
    Cancel {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Write what came of an attempt, which ends the lease: [`handle_recorded`](super::Engine::handle_recorded). The same
    /// record comes again if the store was out of reach.
    Record {
        /// The attempt.
        attempt: AttemptId,
        /// The lease that it was made under.
        lease: WorkLease,
        /// What follows from it.
        settled: Settled,
        /// What the wall clock said when that was found.
        planned: UnixMillis,
    },
    /// Write down how a subscription stands: [`handle_stood`](super::Engine::handle_stood).
    Stand {
        /// The subscription.
        subscription: SubscriptionKey,
        /// How it stands.
        standing: Standing,
        /// Since when nothing but failures came back, if that is long enough to be worth knowing after a restart.
        failing: Option<UnixMillis>,
    },
    /// A breaker opened or closed: to be told to whoever looks.
    Breaker {
        /// The subscription.
        subscription: SubscriptionKey,
        /// Whether it is open now.
        is_open: bool,
    },
    /// A subscription that was removed, or drained, holds nothing any more.
    Ended {
        /// The subscription.
        subscription: SubscriptionKey,
    },
}
