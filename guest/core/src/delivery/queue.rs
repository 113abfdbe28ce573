//! One subscription: what it holds, what it may hold, and whether the store has more for it.

use super::backoff::Backoff;
use super::breaker::Probe;
use super::fault::{Fault, is_seeded};
use super::flow::{Effect, Flow};
use super::model::{DisableCause, Leased, Now, QueueStatus, Standing, Waiting, Work, WorkLease};
use super::shared::{SharedRate, SharedRates};
use crate::config::{DeliveryConfig, DeliveryMode};
use crate::policy::{Consequences, Settled};
use crate::request::UnixMillis;
use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

/// How much data one subscription may hold before it holds no more deliveries than it needs, in bytes.
const HELD_BYTES: usize = 1 << 20;

/// How many attempts may wait for their record, per attempt that may run. They hold no data any more; recording is
/// slower than a near endpoint, and the store records many at once.
const UNSETTLED: usize = 24;

/// How long a store is left alone that calls a delivery due and does not lease it: without a wait the two of them would
/// keep a processor busy.
const CONTRADICTION: Duration = Duration::from_millis(5);

/// How far a queue may go on. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// As fast as the policy allows.
    Run,
    /// Running attempts end, no new ones start.
    Drain,
    /// Running attempts are broken off.
    Abort,
}

/// What is known of the store's part of the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backlog {
    /// Nothing: the survey that will tell has not begun.
    Unknown,
    /// The survey is under way.
    Surveyed,
    /// There may be more that is due. New deliveries line up behind it.
    Behind,
    /// Nothing is due before `next`.
    Clear,
}

/// One subscription's queue.
#[derive(Debug)]
pub(super) struct Queue<P> {
    pub(super) name: Arc<str>,
    pub(super) policy: Arc<DeliveryConfig>,
    /// A rate that it has together with others.
    pub(super) shared: Option<Arc<SharedRate>>,
    pub(super) stage: Stage,
    pub(super) standing: Standing,
    /// Whether the store does not know yet how it stands, and whether it is being told.
    pub(super) is_standing_new: bool,
    pub(super) is_standing_told: bool,
    /// Until when it is not told.
    pub(super) untold: Option<Duration>,
    pub(super) standing_backoff: Backoff,
    /// Deliveries to attempt.
    ready: VecDeque<Work<P>>,
    /// To be given back.
    pub(super) returns: Vec<WorkLease>,
    /// Attempts under way.
    pub(super) running: usize,
    /// Whether there was no answer the last time.
    pub(super) unanswered: bool,
    /// Attempts that wait for their record.
    pub(super) recording: usize,
    /// How much data `ready` and `running` have.
    bytes: usize,
    /// How many deliveries are being leased.
    pub(super) leasing: Option<usize>,
    /// Whether leases are being given back.
    pub(super) releasing: bool,
    pub(super) backlog: Backlog,
    /// Whether the store got more since the lease or survey under way began, which may have missed it.
    again: bool,
    /// When the store's next delivery falls due, as far as it is known.
    pub(super) next: Option<UnixMillis>,
    /// Until when the store is left alone.
    pub(super) quiet: Option<Duration>,
    pub(super) lease_backoff: Backoff,
    /// Until when nothing is given back.
    pub(super) unreleased: Option<Duration>,
    pub(super) release_backoff: Backoff,
    /// What holds up attempts. Of most subscriptions there is nothing to know.
    flow: Option<Box<Flow>>,
    /// Where the alarms stand.
    pub(super) due_alarm: Option<UnixMillis>,
    pub(super) wait_alarm: Option<Duration>,
    /// Whether it is in the engine's list of this kind.
    pub(super) is_dirty: bool,
    pub(super) is_leasing_next: bool,
    pub(super) is_starting: bool,
    /// Whether it waits for its turn by the rate that it shares.
    pub(super) is_sharing: bool,
}

impl<P> Queue<P> {
    pub(super) fn new(name: Arc<str>, policy: Arc<DeliveryConfig>) -> Self {
        Self {
            name,
            policy,
            shared: None,
            stage: Stage::Run,
            standing: Standing::Active,
            is_standing_new: false,
            is_standing_told: false,
            untold: None,
            standing_backoff: Backoff::default(),
            ready: VecDeque::new(),
            returns: Vec::new(),
            running: 0,
            unanswered: false,
            recording: 0,
            bytes: 0,
            leasing: None,
            releasing: false,
            backlog: Backlog::Unknown,
            again: false,
            next: None,
            quiet: None,
            lease_backoff: Backoff::default(),
            unreleased: None,
            release_backoff: Backoff::default(),
            flow: None,
            due_alarm: None,
            wait_alarm: None,
            is_dirty: false,
            is_leasing_next: false,
            is_starting: false,
            is_sharing: false,
        }
    }

    /// How many attempts may run at once.
    pub(super) fn concurrency(&self) -> usize {
        self.policy.deliveries_at_once()
    }

    fn is_going(&self) -> bool {
        self.stage == Stage::Run
            && self.standing == Standing::Active
            && matches!(self.policy.mode, DeliveryMode::Push | DeliveryMode::Function)
    }

    /// How many deliveries may be held, running ones included. Where they are small the store is asked seldom and for
    /// many at once; where they are large, what may run is held, and as much again.
    fn capacity(&self) -> usize {
        self.concurrency().saturating_mul(if self.bytes < HELD_BYTES { 8 } else { 2 })
    }

    fn room(&self) -> usize {
        let held = self.ready.len() + self.running + self.leasing.unwrap_or(0);
        self.capacity().saturating_sub(held)
    }

    /// Takes a delivery in, or gives it back to the store: if there is no room, and if older ones wait there.
    pub(super) fn offer(&mut self, work: Work<P>) {
        if !self.is_going() || self.backlog != Backlog::Clear || self.room() == 0 {
            self.returns.push(work.lease);
            self.look_again();
        } else {
            self.bytes += work.bytes;
            self.ready.push_back(work);
        }
    }

    /// The store has, or may have, more that is due.
    pub(super) fn look_again(&mut self) {
        self.again = true;
        if self.backlog == Backlog::Clear {
            self.backlog = Backlog::Behind;
        }
    }

    /// Something falls due at this time.
    pub(super) fn foresee(&mut self, due: Option<UnixMillis>) {
        self.next = match (self.next, due) {
            (Some(_), Some(due)) if is_seeded(Fault::HiddenRetry) => Some(due),
            (Some(next), Some(due)) => Some(next.min(due)),
            (next, due) => next.or(due),
        };
    }

    /// Looks at the clocks.
    pub(super) fn tick(&mut self, now: Now) {
        if self.next.is_some_and(|next| next <= now.wall) && self.backlog != Backlog::Unknown {
            self.next = None;
            self.look_again();
        }
        self.quiet = self.quiet.filter(|until| *until > now.elapsed);
        self.unreleased = self.unreleased.filter(|until| *until > now.elapsed);
        if let Some(flow) = &mut self.flow {
            flow.tick(now.elapsed);
            if self.ready.is_empty() {
                flow.rest();
            } else if matches!(flow.holds(&self.policy, now.elapsed), Some(Waiting::Rate(_))) {
                flow.wait();
            }
        }
        self.untold = self.untold.filter(|until| *until > now.elapsed);
    }

    /// What holds up attempts.
    pub(super) fn flow(&mut self) -> &mut Flow {
        self.flow.get_or_insert_default()
    }

    /// What holds an attempt up now.
    fn holds(&self, now: Duration) -> Option<Waiting> {
        self.flow.as_ref()?.holds(&self.policy, now)
    }

    /// An attempt ended like this. Says what follows for the subscription.
    pub(super) fn conclude(
        &mut self,
        now: Now,
        consequences: &Consequences,
        probe: Option<Probe>,
        random: u64,
    ) -> Effect {
        let policy = Arc::clone(&self.policy);
        let flow = self.flow();
        if consequences.is_own {
            flow.forgo(now, probe);
            return Effect::default();
        }
        let effect = match consequences.settled {
            Settled::Delivered | Settled::Discarded => flow.succeed(&policy),
            Settled::Retry(_) | Settled::Dead => flow.fail(&policy, now, probe, random),
        };
        if let Some(asked) = consequences.throttle.filter(|_| !is_seeded(Fault::IgnoredThrottle)) {
            flow.throttle(&policy, now, asked, random);
        }
        self.is_standing_new |= effect.is_worth_knowing;
        let cause = consequences.gone.map(DisableCause::Gone).or(effect.disable.map(DisableCause::Failing));
        if let Some(cause) = cause {
            self.stand(Standing::Disabled(cause));
        }
        effect
    }

    /// Since when nothing but failures came back, if the store is to know.
    pub(super) fn failing(&self) -> Option<UnixMillis> {
        self.flow.as_ref()?.written()
    }

    /// How it is doing.
    pub(super) fn status(&self, now: Duration, shared: &SharedRates) -> QueueStatus {
        let turn = self.shared.as_ref().filter(|_| self.is_sharing).map(|rate| shared.turn(rate));
        let waiting = if self.ready.is_empty() && self.standing == Standing::Active {
            None
        } else if self.standing != Standing::Active {
            Some(Waiting::Stopped)
        } else if let Some(held) = self.holds(now) {
            Some(held)
        } else if self.running >= self.concurrency() || !self.may_record() {
            Some(Waiting::Concurrency)
        } else if self.running >= self.width() {
            Some(Waiting::Ramp)
        } else if let Some(turn) = turn {
            Some(Waiting::SharedRate(turn))
        } else {
            Some(Waiting::Places)
        };
        QueueStatus {
            running: self.running,
            ready: self.ready.len(),
            waiting,
            next: self.next,
            failing: self.flow.as_ref().and_then(|flow| flow.failing()),
        }
    }

    /// It stands like this from now on, which the store is to know. Who lets it go on does not wait for anything.
    pub(super) fn stand(&mut self, standing: Standing) {
        let is_disabled = |standing| matches!(standing, Standing::Disabled(_));
        if self.standing == standing && standing != Standing::Active
            || is_disabled(self.standing) && is_disabled(standing)
        {
            return;
        }
        if standing == Standing::Active {
            self.flow().reset();
        }
        self.standing = standing;
        self.is_standing_new = true;
    }

    /// Whether the store is to be told now how it stands.
    pub(super) fn tells_standing(&self) -> bool {
        self.is_standing_new && !self.is_standing_told && self.untold.is_none() && self.stage != Stage::Abort
    }

    /// How many deliveries to ask the store for now, if any.
    pub(super) fn wants_lease(&self) -> Option<usize> {
        let is_free = self.leasing.is_none() && !self.releasing && self.returns.is_empty();
        if !self.is_going() || self.backlog != Backlog::Behind || !is_free || self.quiet.is_some() {
            return None;
        }
        let (room, capacity) = (self.room(), self.capacity());
        // Leasing a few at a time would cost a query each.
        (room > 0 && (self.ready.is_empty() || room >= capacity / 2)).then_some(room)
    }

    pub(super) fn begin_survey(&mut self) {
        self.backlog = Backlog::Surveyed;
        self.again = false;
    }

    pub(super) fn begin_lease(&mut self, limit: usize) {
        self.leasing = Some(limit);
        self.again = false;
        // Whatever is due now is leased, and what comes after it is told anew.
        self.next = None;
    }

    /// The survey or the lease under way got all that was due when it began.
    pub(super) fn catch_up(&mut self, next: Option<UnixMillis>) {
        let missed = self.again || self.releasing || !self.returns.is_empty();
        let missed = missed && !is_seeded(Fault::LostWakeUp);
        self.backlog = if missed { Backlog::Behind } else { Backlog::Clear };
        self.foresee(next);
    }

    /// Takes what was leased.
    pub(super) fn handle_leased(&mut self, now: Now, leased: Leased<P>) {
        self.leasing = None;
        self.lease_backoff.reset();
        let nothing = leased.works.is_empty();
        if self.is_going() {
            self.bytes += leased.works.iter().map(|work| work.bytes).sum::<usize>();
            self.ready.extend(leased.works);
        } else {
            self.returns.extend(leased.works.into_iter().map(|work| work.lease));
        }
        let contradicts = match leased.next {
            Some(next) => {
                self.catch_up(next);
                next.is_some_and(|next| next <= now.wall)
            }
            None => true,
        };
        if nothing && contradicts {
            self.quiet = Some(now.elapsed + CONTRADICTION);
        }
    }

    /// The store did not lease.
    pub(super) fn handle_unleased(&mut self, now: Now, random: u64) {
        self.leasing = None;
        self.quiet = Some(now.elapsed + self.lease_backoff.next(random));
    }

    /// Whether an attempt may start.
    pub(super) fn may_start(&self, now: Duration) -> bool {
        self.is_going()
            && !self.ready.is_empty()
            && self.running < self.width()
            && self.may_record()
            && self.holds(now).is_none()
    }

    /// How many attempts may run at once just now.
    fn width(&self) -> usize {
        let window = self.flow.as_ref().and_then(|flow| flow.window());
        window.map_or(self.concurrency(), |window| window.min(self.concurrency()))
    }

    fn may_record(&self) -> bool {
        self.recording < self.concurrency().saturating_mul(UNSETTLED)
    }

    /// Whether it has to be looked at because nothing may start that could otherwise.
    pub(super) fn is_held(&self, now: Duration) -> bool {
        !self.ready.is_empty() && self.holds(now).is_some()
    }

    /// Takes the delivery to attempt next. One whose lease has ended is somebody else's by now, and dropped.
    /// With it comes whether it is the probe of an open breaker.
    pub(super) fn start(&mut self, now: Now) -> Option<(Work<P>, Option<Probe>)> {
        while let Some(work) = self.ready.pop_front() {
            if work.deadline > now.wall || is_seeded(Fault::ExpiredLease) {
                self.running += 1;
                let policy = Arc::clone(&self.policy);
                let is_limited = policy.rate.is_some() || self.flow.is_some();
                let probe = if is_limited { self.flow().start(&policy, now.elapsed) } else { None };
                return Some((work, probe));
            }
            self.bytes = self.bytes.saturating_sub(work.bytes);
            self.look_again();
        }
        None
    }

    /// Drops what it has not begun with and what is not its own any more; says whether there was any.
    pub(super) fn drop_expired(&mut self, now: Now) -> bool {
        let before = self.ready.len();
        self.ready.retain(|work| work.deadline > now.wall || is_seeded(Fault::ExpiredLease));
        if self.ready.len() == before {
            return false;
        }
        // What runs has its share still.
        self.look_again();
        true
    }

    /// Whether the store should be asked for more because nothing is left to start.
    pub(super) fn has_run_dry(&self) -> bool {
        self.ready.is_empty()
    }

    /// An attempt ended.
    pub(super) fn end(&mut self, bytes: usize) {
        self.running = self.running.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Gives back what is not attempted, if nothing is attempted any more.
    pub(super) fn withdraw(&mut self) {
        if !self.is_going() && !self.ready.is_empty() {
            for work in take(&mut self.ready) {
                self.bytes = self.bytes.saturating_sub(work.bytes);
                self.returns.push(work.lease);
            }
            self.look_again();
        }
    }

    /// Whether a queue that was told to end has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.stage != Stage::Run
            && self.running == 0
            && self.recording == 0
            && self.leasing.is_none()
            && !self.releasing
            && self.returns.is_empty()
            && !self.is_standing_told
            && (!self.is_standing_new || self.stage == Stage::Abort)
    }

    /// When to look at it next by the wall clock.
    pub(super) fn due(&self) -> Option<UnixMillis> {
        // While it is behind it asks the store anyway, and is told anew.
        self.next.filter(|_| self.is_going() && self.backlog == Backlog::Clear)
    }

    /// When to look at it next by the time that passes.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let held = if self.is_going() && !self.ready.is_empty() { self.holds(now) } else { None };
        let held = match held {
            Some(Waiting::Rate(until) | Waiting::Throttled(until) | Waiting::Local(until)) => Some(until),
            Some(Waiting::Breaker(until)) => until,
            _ => None,
        };
        [self.quiet, self.unreleased, held, self.untold].into_iter().flatten().min()
    }

    /// Deliveries that it holds and has not begun with.
    pub(super) fn ready_mut(&mut self) -> &mut VecDeque<Work<P>> {
        &mut self.ready
    }
}
