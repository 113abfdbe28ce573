//! One subscription: what it holds, what it may hold, and whether the store has more for it.

use super::backoff::Backoff;
use super::breaker::Probe;
use super::fault::{Fault, is_seeded};
use super::flow::{Effect, Flow};
use super::line::{Backlog, WorkLine, WorkLines};
use super::model::{DisableCause, Leased, Line, Lines, Now, QueueStatus, Standing, Waiting, Work, WorkLease};
use super::shared::{SharedRate, SharedRates};
use crate::config::{DeliveryConfig, DeliveryMode};
use crate::policy::{Consequences, Settled};
use crate::request::UnixMillis;
use std::sync::Arc;
use std::time::Duration;

/// How much memory one subscription may take before it holds no more deliveries than it needs, in bytes.
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
    /// Deliveries to attempt, and what is known of those in the store.
    pub(super) lines: WorkLines<P>,
    /// To be given back.
    pub(super) returns: Vec<WorkLease>,
    /// Attempts under way.
    pub(super) running: usize,
    /// Whether there was no answer the last time.
    pub(super) unanswered: bool,
    /// Attempts that wait for their record.
    pub(super) recording: usize,
    /// How much memory `lines` and `running` take, and as how much of it all subscriptions together count it.
    bytes: usize,
    counted: usize,
    /// Whether all of them together hold so much that it holds no more deliveries than it needs.
    is_memory_short: bool,
    /// Whether deliveries are being leased.
    pub(super) leasing: bool,
    /// Whether leases are being given back.
    pub(super) releasing: bool,
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
            lines: WorkLines::new(),
            returns: Vec::new(),
            running: 0,
            unanswered: false,
            recording: 0,
            bytes: 0,
            counted: 0,
            is_memory_short: false,
            leasing: false,
            releasing: false,
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
    /// many at once; where they are large, or memory is short, what may run is held, and as much again.
    fn capacity(&self) -> usize {
        let is_much = self.bytes >= HELD_BYTES || self.is_memory_short;
        self.concurrency().saturating_mul(if is_much { 2 } else { 8 })
    }

    /// Counts what it holds among what all hold, which is `held` so far; says how much that is now. Once it is more than
    /// `most` nobody holds more than it needs.
    pub(super) fn count_memory(&mut self, held: usize, most: usize) -> usize {
        let held = held.saturating_sub(self.counted).saturating_add(self.bytes);
        self.counted = self.bytes;
        self.is_memory_short = held > most;
        held
    }

    /// How many more deliveries of a line may be held. Each line has room of its own: what waits in one does not keep out
    /// what comes in the other.
    fn room(&self, line: Line) -> usize {
        let WorkLine { ready, leasing, .. } = self.lines.get(line);
        let leasing = usize::try_from(*leasing).unwrap_or(usize::MAX);
        let held = ready.len().saturating_add(self.running).saturating_add(leasing);
        self.capacity().saturating_sub(held)
    }

    /// Takes a delivery in, or gives it back to the store: if there is no room, and if older ones wait there.
    pub(super) fn offer(&mut self, work: Work<P>) {
        let line = work.line();
        if !self.is_going() || self.lines.get(line).backlog != Backlog::Clear || self.room(line) == 0 {
            self.returns.push(work.lease);
            self.lines.get_mut(line).look_again();
        } else {
            self.bytes += work.bytes;
            self.lines.get_mut(line).ready.push_back(work);
        }
    }

    /// The store has, or may have, more that is due.
    pub(super) fn look_again(&mut self) {
        self.lines.both_mut().into_iter().for_each(WorkLine::look_again);
    }

    /// A retry falls due at this time.
    pub(super) fn foresee(&mut self, due: UnixMillis) {
        self.lines.get_mut(Line::Retries).foresee(Some(due));
    }

    /// The store is to be asked anew when its deliveries fall due, if it may have said otherwise.
    pub(super) fn forget_next(&mut self) -> bool {
        let is_leasing = self.leasing;
        let mut is_any = false;
        for line in self.lines.both_mut() {
            if line.next.take().is_some() || is_leasing {
                line.look_again();
                is_any = true;
            }
        }
        is_any
    }

    /// Looks at the clocks.
    pub(super) fn tick(&mut self, now: Now) {
        self.lines.both_mut().into_iter().for_each(|line| line.tick(now));
        self.quiet = self.quiet.filter(|until| *until > now.elapsed);
        self.unreleased = self.unreleased.filter(|until| *until > now.elapsed);
        if let Some(flow) = &mut self.flow {
            flow.tick(now.elapsed);
            if self.lines.is_empty() {
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

    /// When its rate is unused again, if it has one that was used.
    pub(super) fn rests(&self) -> Option<Duration> {
        self.policy.rate.and(self.flow.as_ref()).map(|flow| flow.rests())
    }

    /// What holds an attempt up now.
    fn holds(&self, now: Duration) -> Option<Waiting> {
        self.flow.as_ref()?.holds(&self.policy, now)
    }

    /// It has another policy, and another rate together with others, from now on. Says whether that closes its breaker.
    pub(super) fn configure(
        &mut self,
        now: Duration,
        policy: Arc<DeliveryConfig>,
        shared: Option<Arc<SharedRate>>,
    ) -> bool {
        let is_other = self.policy.mode != policy.mode;
        // What comes again unchanged, as with a reload, changes nothing.
        let closes =
            *self.policy != *policy && self.flow.as_mut().is_some_and(|flow| flow.change(&policy, now));
        (self.policy, self.shared) = (policy, shared);
        if is_other {
            self.look_again();
        }
        closes
    }

    /// Whether its breaker is open.
    pub(super) fn is_broken(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_broken())
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
            // Nothing of it came from the endpoint.
            Settled::Interrupted => {
                flow.forgo(now, probe);
                Effect::default()
            }
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
        let waiting = if self.lines.is_empty() && self.standing == Standing::Active {
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
            ready: self.lines.len(),
            waiting,
            next: self.next(),
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

    /// When the store's next delivery falls due, as far as it is known.
    fn next(&self) -> Option<UnixMillis> {
        self.lines.both().into_iter().filter_map(|line| line.next).min()
    }

    /// How many deliveries of each line to ask the store for now, if any.
    pub(super) fn wants_lease(&self) -> Option<Lines<usize>> {
        let is_free = !self.leasing && !self.releasing && self.returns.is_empty();
        if !self.is_going() || !is_free || self.quiet.is_some() {
            return None;
        }
        let enough = self.capacity() / 2;
        let backlog = |line| self.lines.get(line).backlog;
        let is_behind = |line| backlog(line) == Backlog::Behind;
        // A retry that somebody else has ended lets the next one of its lane go, which can be a first attempt, and nobody
        // tells of it: where there is an order a line is asked about although it seems to have nothing.
        let may_have =
            |line| is_behind(line) || backlog(line) == Backlog::Clear && !self.policy.ordering.is_none();
        let room = |line| if may_have(line) { self.room(line) } else { 0 };
        // Leasing a few at a time would cost a query each; but if one line is asked about anyway, so is the other.
        let is_worth = |line| {
            let room = room(line);
            is_behind(line) && room > 0 && (self.lines.get(line).ready.is_empty() || room >= enough)
        };
        let limit = Lines { firsts: room(Line::Firsts), retries: room(Line::Retries) };
        Line::BOTH.into_iter().any(is_worth).then_some(limit)
    }

    pub(super) fn begin_survey(&mut self) {
        // What is being given back may come to the store after the survey, and be told of before it.
        let is_returning = self.releasing || !self.returns.is_empty();
        for line in self.lines.both_mut() {
            line.backlog = Backlog::Surveyed;
            line.again = is_returning;
        }
    }

    /// The survey that was under way has come to nothing.
    pub(super) fn end_survey(&mut self) {
        self.lines.both_mut().into_iter().for_each(|line| line.backlog = Backlog::Unknown);
    }

    /// The survey under way, if there is one, found that something falls due at this time.
    pub(super) fn survey(&mut self, due: UnixMillis) {
        for line in self.lines.both_mut().into_iter().filter(|line| line.backlog == Backlog::Surveyed) {
            line.foresee(Some(due));
        }
    }

    /// It was all of them.
    pub(super) fn catch_up_surveyed(&mut self) {
        for line in Line::BOTH {
            if self.lines.get(line).backlog == Backlog::Surveyed {
                self.catch_up(line, None);
            }
        }
    }

    pub(super) fn begin_lease(&mut self, limit: Lines<usize>) {
        self.leasing = true;
        for line in Line::BOTH {
            let (limit, line) = (limit.get(line), self.lines.get_mut(line));
            if limit > 0 {
                line.leasing = u32::try_from(limit).unwrap_or(u32::MAX);
                line.again = false;
                // Whatever is due now is leased, and what comes after it is told anew.
                line.next = None;
            }
        }
    }

    /// The lease under way is over. Says how many of each line were asked for.
    fn end_lease(&mut self) -> Lines<u32> {
        let asked = self.lines.leasing();
        self.leasing = false;
        self.lines.both_mut().into_iter().for_each(|line| line.leasing = 0);
        asked
    }

    /// The survey or the lease under way got all of a line that was due when it began.
    fn catch_up(&mut self, line: Line, next: Option<UnixMillis>) {
        let missed = self.lines.get(line).again || self.releasing || !self.returns.is_empty();
        let missed = missed && !is_seeded(Fault::LostWakeUp);
        let line = self.lines.get_mut(line);
        line.backlog = if missed { Backlog::Behind } else { Backlog::Clear };
        line.foresee(next);
    }

    /// Takes what was leased.
    pub(super) fn handle_leased(&mut self, now: Now, leased: Leased<P>) {
        let asked = self.end_lease();
        self.lease_backoff.reset();
        let nothing = leased.works.is_empty();
        if self.is_going() {
            for work in leased.works {
                self.bytes += work.bytes;
                self.lines.get_mut(work.line()).ready.push_back(work);
            }
        } else {
            self.returns.extend(leased.works.into_iter().map(|work| work.lease));
        }
        let mut contradicts = false;
        for line in Line::BOTH.into_iter().filter(|line| asked.get(*line) > 0) {
            contradicts |= match leased.next.get(line) {
                Some(next) => {
                    self.catch_up(line, next);
                    next.is_some_and(|next| next <= now.wall)
                }
                None => true,
            };
        }
        if nothing && contradicts {
            self.quiet = Some(now.elapsed + CONTRADICTION);
        }
    }

    /// The store did not lease.
    pub(super) fn handle_unleased(&mut self, now: Now, random: u64) {
        self.end_lease();
        self.quiet = Some(now.elapsed + self.lease_backoff.next(random));
    }

    /// Whether an attempt may start.
    pub(super) fn may_start(&self, now: Duration) -> bool {
        self.is_going()
            && !self.lines.is_empty()
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
        !self.lines.is_empty() && self.holds(now).is_some()
    }

    /// Takes the delivery to attempt next. One whose lease has ended is somebody else's by now, and dropped.
    /// With it comes whether it is the probe of an open breaker.
    pub(super) fn start(&mut self, now: Now) -> Option<(Work<P>, Option<Probe>)> {
        while let Some(work) = self.lines.pop() {
            if work.deadline > now.wall || is_seeded(Fault::ExpiredLease) {
                self.running += 1;
                let policy = Arc::clone(&self.policy);
                let is_limited = policy.rate.is_some() || self.flow.is_some();
                let probe = if is_limited { self.flow().start(&policy, now.elapsed) } else { None };
                return Some((work, probe));
            }
            self.bytes = self.bytes.saturating_sub(work.bytes);
            self.lines.get_mut(work.line()).look_again();
        }
        None
    }

    /// Drops what it has not begun with and what is not its own any more; says whether there was any.
    pub(super) fn drop_expired(&mut self, now: Now) -> bool {
        let before = self.lines.len();
        for line in self.lines.both_mut() {
            line.ready.retain(|work| work.deadline > now.wall || is_seeded(Fault::ExpiredLease));
        }
        if self.lines.len() == before {
            return false;
        }
        // What runs has its share still.
        self.look_again();
        true
    }

    /// Whether the store should be asked for more because nothing of a line is left to start, which may have more there.
    pub(super) fn has_run_dry(&self) -> bool {
        let is_dry = |line: &&WorkLine<P>| line.ready.is_empty() && line.backlog == Backlog::Behind;
        self.lines.is_empty() || self.lines.both().iter().any(is_dry)
    }

    /// An attempt ended.
    pub(super) fn end(&mut self, bytes: usize) {
        self.running = self.running.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Gives back what is not attempted, if nothing is attempted any more.
    pub(super) fn withdraw(&mut self) {
        if !self.is_going() && !self.lines.is_empty() {
            for work in self.lines.take() {
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
            && !self.leasing
            && !self.releasing
            && self.returns.is_empty()
            && !self.is_standing_told
            && (!self.is_standing_new || self.stage == Stage::Abort)
    }

    /// When to look at it next by the wall clock.
    pub(super) fn due(&self) -> Option<UnixMillis> {
        // While it is behind it asks the store anyway, and is told anew.
        let clear = self.lines.both().into_iter().filter(|line| line.backlog == Backlog::Clear);
        clear.filter_map(|line| line.next).min().filter(|_| self.is_going())
    }

    /// When to look at it next by the time that passes.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let held = if self.is_going() && !self.lines.is_empty() { self.holds(now) } else { None };
        let held = match held {
            Some(Waiting::Rate(until) | Waiting::Throttled(until) | Waiting::Local(until)) => Some(until),
            Some(Waiting::Breaker(until)) => until,
            _ => None,
        };
        [self.quiet, self.unreleased, held, self.untold].into_iter().flatten().min()
    }

    /// Deliveries that it holds and has not begun with.
    pub(super) fn ready_mut(&mut self) -> impl Iterator<Item = &mut Work<P>> {
        self.lines.ready_mut()
    }
}
