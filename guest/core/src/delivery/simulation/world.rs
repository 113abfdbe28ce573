//! The world: plays a plan against the engine, step by step, and watches.

mod befall;
mod bulk;
mod serve;

use super::expectation::{self, Expectation, SECOND};
use super::job::{Defect, Step};
use super::network;
use super::plan::{Action, Mood, Plan, TROUBLED};
use super::random::Random;
use super::store::{Status, Store};
use crate::config::DeliveryConfig;
use crate::delivery::{
    AttemptId, Engine, Leased, Line, Lines, Now, Output, PacedRate, Recorded, Standing, StoreFault,
    SubscriptionKey, Work, WorkLease,
};
use crate::policy::{AttemptOutcome, Settled};
use crate::request::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where the wall clock stands at the beginning.
const EPOCH: i64 = 1_700_000_000_000;
/// Once all troubles are over everything is done within this time, in milliseconds: the longest schedules of retries,
/// leases that have to run out, and the backlog.
const BOUND: u64 = 600_000;
/// How long a delivery that is due may lie while its subscription has a place for it and nothing is wrong, in
/// microseconds.
const NEGLECT: u64 = 2_000_000;
/// How long a trouble may be felt after its end, in microseconds: the longest wait between two tries, and some.
const ECHO: u64 = 7_000_000;
/// More steps than any honest history takes.
const STEPS: usize = 200_000;

/// What a world does next, at a time.
#[derive(Debug)]
enum Event {
    Action(usize),
    Heal,
    /// Somebody lets a subscription go on.
    Resume(usize),
    Offer(u8, Work<()>),
    Call(Call),
    Answer(Answer),
    Attempted(AttemptId, AttemptOutcome<'static>),
    Cancelled(AttemptId),
    /// The engine is woken.
    Wake,
    Start,
    Abort,
    Kill,
    /// A job's next step is made ready.
    Job(usize),
    /// It comes to the store.
    Step(Step),
    /// A subscription is told that deliveries became due.
    Woken(u8),
}

/// A call of the store, on its way there.
#[derive(Debug)]
enum Call {
    Replan,
    Survey,
    Lease(SubscriptionKey, Lines<usize>),
    Release(Option<SubscriptionKey>, Vec<WorkLease>),
    Extend(Vec<WorkLease>),
    Record(AttemptId, WorkLease, Settled, UnixMillis),
    Stand(SubscriptionKey, Standing, Option<UnixMillis>),
}

/// Its answer, on its way back.
#[derive(Debug)]
enum Answer {
    Replanned(Result<(), StoreFault>),
    Surveyed(Result<Vec<(u8, UnixMillis)>, StoreFault>),
    Leased(SubscriptionKey, Result<Leased<()>, StoreFault>),
    Released(Option<SubscriptionKey>, Result<(), Vec<WorkLease>>),
    Extended(Result<Vec<(WorkLease, Option<UnixMillis>)>, StoreFault>),
    Recorded(AttemptId, Result<Recorded, StoreFault>),
    Stood(SubscriptionKey, Result<(), StoreFault>),
}

/// An attempt under way.
#[derive(Debug)]
struct Running {
    key: SubscriptionKey,
    delivery: i64,
    ends: (u64, u64),
    policy: Arc<DeliveryConfig>,
}

/// What a world knows of a subscription.
#[derive(Debug, Clone)]
struct Island {
    name: Arc<str>,
    mood: Mood,
    policies: [Arc<DeliveryConfig>; 2],
    /// Whether its second policy holds.
    second: bool,
    /// Whether it is to be there.
    wanted: bool,
    /// What its present key is expected to do.
    expected: Expectation,
    /// Since when it stands as it does, in microseconds.
    stood: u64,
    key: Option<SubscriptionKey>,
    /// A key that is being deleted; its deliveries end with it.
    leaving: Option<SubscriptionKey>,
    /// How many calls of the store it made; their times follow from it.
    calls: u64,
}

impl Island {
    fn policy(&self) -> Arc<DeliveryConfig> {
        self.policies[usize::from(self.second)].clone()
    }
}

/// An attempt that was begun: when, in microseconds, and of which delivery.
pub(super) type Begun = (u64, i64);

/// A world with one engine after another.
pub(super) struct World {
    plan: Plan,
    engine: Option<Engine<()>>,
    store: Store,
    islands: Vec<Island>,
    /// Microseconds since the beginning.
    time: u64,
    /// By how much the wall clock is set wrong, in milliseconds.
    wrong: i64,
    /// What is to come, in its order; with the life of the process that it belongs to.
    events: BTreeMap<(u64, u64), (u64, Event)>,
    serial: u64,
    life: u64,
    woken: Option<(u64, u64)>,
    outage: u64,
    refusal: u64,
    /// Until when the last trouble may be felt.
    echo: u64,
    /// When the subscriptions are looked at next, and since when each of them has lying what it could attempt.
    looked: u64,
    lying: Vec<Option<u64>>,
    running: BTreeMap<AttemptId, Running>,
    /// How many attempts of its other line each line of each subscription has seen more than of its own while it waits.
    overtaken: Vec<Lines<usize>>,
    random: Random,
    /// When attempts started that share a rate.
    shared: Vec<Duration>,
    /// How many attempts of each delivery ended or were broken off, those aside that this machine could not make.
    ended: BTreeMap<i64, u32>,
    /// Deliveries whose last attempt this machine could not make, which the store may not know yet.
    unmade: BTreeSet<i64>,
    /// How many steps of jobs were made ready.
    steps: u64,
    /// What jobs do wrong.
    pub(super) defect: Option<Defect>,
    /// All attempts of each subscription.
    pub(super) begun: Vec<Vec<Begun>>,
    /// Each step in words, if anybody wants to read them.
    pub(super) trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let islands = (0..plan.subscriptions).map(|number| Island {
            name: format!("s{number}").into(),
            mood: Mood::Fine,
            policies: [false, true].map(|second| Arc::new(plan.policy(number, second))),
            second: false,
            wanted: true,
            expected: Expectation::default(),
            stood: 0,
            key: None,
            leaving: None,
            calls: 0,
        });
        let mut world = Self {
            engine: None,
            store: Store::new(plan.lease),
            islands: islands.collect(),
            time: 0,
            wrong: 0,
            events: BTreeMap::new(),
            serial: 0,
            life: 0,
            woken: None,
            outage: 0,
            refusal: 0,
            echo: 0,
            looked: 0,
            lying: vec![None; usize::from(plan.subscriptions)],
            running: BTreeMap::new(),
            overtaken: vec![Lines::default(); usize::from(plan.subscriptions)],
            random: Random::new(plan.seed, 2),
            begun: vec![Vec::new(); usize::from(plan.subscriptions)],
            shared: Vec::new(),
            ended: BTreeMap::new(),
            unmade: BTreeSet::new(),
            steps: 0,
            defect: None,
            trace: None,
            plan,
        };
        for place in 0..world.plan.actions.len() {
            let at = world.plan.actions[place].0;
            world.add(at * 1000, Event::Action(place));
        }
        world.add(TROUBLED * 1000, Event::Heal);
        world.add(0, Event::Start);
        world
    }

    /// Plays the plan to its end. An error says which promise was broken.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.drive()?;
            self.watch()?;
            self.set_alarm();
            let Some((place, (life, event))) = self.events.pop_first() else { return self.check_end() };
            self.time = self.time.max(place.0);
            if self.time > (TROUBLED + BOUND) * 1000 {
                return Err(format!("{} deliveries are open long after all is well", self.store.open()));
            }
            let is_of_world = matches!(event, Event::Action(_) | Event::Heal | Event::Resume(_));
            if is_of_world || life == self.life {
                if let Some(trace) = &mut self.trace {
                    trace.push(format!("{:>9.3} {event:?}", self.time as f64 / 1e6));
                }
                self.handle(event)?;
            }
        }
        Err("it goes on and on without getting anywhere".to_owned())
    }

    /// Nothing that is due lies where there is a place for it.
    fn watch(&mut self) -> Result<(), String> {
        if self.time < self.looked {
            return Ok(());
        }
        self.looked = self.time + 200_000;
        let wall = self.wall();
        // Beyond that it depends on who answered the last time.
        let common = self.plan.attempts - self.plan.attempts / 4;
        let is_calm = self.engine.is_some() && self.time > self.echo && self.running.len() < common;
        for place in 0..self.islands.len() {
            let island = &self.islands[place];
            let (number, key) = (u8::try_from(place).unwrap(), island.key);
            let standing = island.expected.standing;
            let is_told = self.store.standings[place] == standing;
            let is_here = key.is_some() && island.wanted;
            if is_calm && is_here && !is_told && self.time > island.stood + ECHO {
                return Err(format!("nobody was told that s{place} is {standing:?}"));
            }
            let policy = island.policy();
            let time = Duration::from_micros(self.time);
            let is_shared =
                self.plan.shared.is_some() && self.shared.last().is_some_and(|at| *at + SECOND > time);
            let may_wait = is_shared || island.expected.may_wait(&policy, time);
            let is_going = key.is_some() && island.wanted && !may_wait && island.mood != Mood::Local;
            let running = self.running.values().filter(|running| Some(running.key) == key).count();
            let has_place = running < island.expected.width(&policy);
            if is_calm && is_going && has_place && self.store.has_due(number, wall) {
                let since = *self.lying[place].get_or_insert(self.time);
                // From now on step by step.
                self.looked = self.time;
                if self.time > since + NEGLECT {
                    return Err(format!("s{place} has a place and leaves lying what is due"));
                }
            } else {
                self.lying[place] = None;
            }
        }
        Ok(())
    }

    fn count_end(&mut self, delivery: i64) {
        *self.ended.entry(delivery).or_default() += 1;
    }

    /// Every attempt is recorded, those that were broken off as well, where the store was in reach and leases stood.
    fn check_records(&self) -> Result<(), String> {
        let is_trouble = |(_, action): &(u64, Action)| {
            matches!(
                action,
                Action::Outage { .. }
                    | Action::Refusal { .. }
                    | Action::Clock { .. }
                    | Action::Rival
                    | Action::Remove { .. }
            )
        };
        if self.plan.lease.is_some() || self.plan.actions.iter().any(is_trouble) {
            return Ok(());
        }
        let ended = |id| self.ended.get(&id).copied().unwrap_or_default();
        match self.store.made().find(|(id, made)| *made != ended(*id)) {
            None => Ok(()),
            Some((id, made)) => {
                Err(format!("of {} attempts of delivery {id} {made} were recorded", ended(id)))
            }
        }
    }

    fn check_end(&self) -> Result<(), String> {
        match self.store.open() {
            0 => self.store.check_jobs().and_then(|()| self.check_records()),
            open => Err(format!("nothing is left to do, and {open} deliveries are open")),
        }
    }

    fn now(&self) -> Now {
        let wall = EPOCH + i64::try_from(self.time / 1000).unwrap() + self.wrong;
        Now { wall: UnixMillis(u64::try_from(wall).unwrap()), elapsed: Duration::from_micros(self.time) }
    }

    fn wall(&self) -> u64 {
        self.now().wall.0
    }

    fn add(&mut self, at: u64, event: Event) -> (u64, u64) {
        self.serial += 1;
        let grain = self.plan.grain;
        // What happens comes before what is only waited for: else the waits of neighbours would show in the order.
        let class = if matches!(event, Event::Wake) { 1 << 63 } else { 0 };
        let place = (at.max(self.time).div_ceil(grain) * grain, class | self.serial);
        self.events.insert(place, (self.life, event));
        place
    }

    fn after(&mut self, micros: u64, event: Event) -> (u64, u64) {
        self.add(self.time + micros, event)
    }

    /// Does what the engine says until it says nothing.
    fn drive(&mut self) -> Result<(), String> {
        let now = self.now();
        while let Some(output) = self.engine.as_mut().and_then(|engine| engine.poll(now)) {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{:>9.3}   {output:?}", self.time as f64 / 1e6));
            }
            self.perform(output)?;
        }
        Ok(())
    }

    fn set_alarm(&mut self) {
        if let Some(place) = self.woken.take() {
            self.events.remove(&place);
        }
        let now = self.now();
        if let Some(wait) = self.engine.as_ref().and_then(|engine| engine.wait(now)) {
            let late = self.random.range(0, self.plan.late + 1) * 1000;
            let wait = u64::try_from(wait.as_nanos().div_ceil(1000)).unwrap();
            self.woken = Some(self.after(wait + late, Event::Wake));
        }
    }

    fn perform(&mut self, output: Output<()>) -> Result<(), String> {
        match output {
            Output::Replan => self.call(None, Call::Replan),
            Output::Survey => self.call(None, Call::Survey),
            Output::Lease { subscription, limit } => {
                self.call(Some(subscription), Call::Lease(subscription, limit));
            }
            Output::Release { subscription, leases } => {
                self.call(subscription, Call::Release(subscription, leases));
            }
            Output::Extend { leases } => self.call(None, Call::Extend(leases)),
            Output::Record { attempt, lease, settled, planned } => {
                let mut random = Random::new(self.plan.seed, 7_000_000 + lease.delivery.unsigned_abs());
                let wait = random.range(50, 2_000);
                self.after(wait, Event::Call(Call::Record(attempt, lease, settled, planned)));
            }
            Output::Attempt { subscription, attempt, work, policy } => {
                self.begin(subscription, attempt, &work, policy)?;
            }
            Output::Stand { subscription, standing, failing } => {
                self.call(Some(subscription), Call::Stand(subscription, standing, failing));
            }
            Output::Breaker { .. } => {}
            Output::Paced { rate: PacedRate::Own(key), rests } => {
                if let Some(place) = self.islands.iter().position(|island| island.key == Some(key)) {
                    self.store.rests[place] = Some(rests);
                }
            }
            Output::Paced { rate: PacedRate::Shared(_), rests } => self.store.shared_rests = Some(rests),
            Output::Cancel { attempt } => {
                // It may end just then.
                if let Some(running) = self.running.get(&attempt)
                    && !self.random.one_in(5)
                {
                    self.events.remove(&running.ends);
                    let wait = self.random.range(0, 2_000);
                    let ends = self.after(wait, Event::Cancelled(attempt));
                    self.running.get_mut(&attempt).unwrap().ends = ends;
                }
            }
            Output::Ended { subscription } => self.end(subscription)?,
        }
        Ok(())
    }

    fn begin(
        &mut self,
        key: SubscriptionKey,
        id: AttemptId,
        work: &Work<()>,
        policy: Arc<DeliveryConfig>,
    ) -> Result<(), String> {
        let delivery = work.lease.delivery;
        if self.store.was_dropped(work.lease) {
            let now = self.now();
            if let Some(engine) = &mut self.engine {
                engine.handle_unmade(now, id, true);
            }
            return Ok(());
        }
        let subscription = usize::from(self.store.deliveries[&delivery].subscription);
        if self.store.status(delivery) == Status::Final {
            return Err(format!("delivery {delivery} is attempted after its end"));
        }
        self.store.keeps_order(delivery, self.running.values().map(|running| running.delivery))?;
        let beside = self.running.values().filter(|running| running.key == key).count();
        if beside >= policy.concurrency {
            return Err(format!("s{subscription} has {} attempts at once", beside + 1));
        }
        if self.running.len() >= self.plan.attempts {
            return Err(format!("there are {} attempts at once", self.running.len() + 1));
        }
        let now = self.now();
        let present = self.islands[subscription].policy();
        let island = &mut self.islands[subscription];
        if island.key == Some(key) {
            island
                .expected
                .start(&present, id, now, beside)
                .map_err(|wrong| format!("s{subscription} {wrong}"))?;
        }
        if let Some(rate) = self.plan.shared {
            self.shared.push(now.elapsed);
            expectation::keeps(rate, &self.shared, now.elapsed)
                .map_err(|wrong| format!("all together {wrong}"))?;
        }
        self.take_turns(subscription, work.line(), delivery)?;
        let island = &self.islands[subscription];
        let (wait, outcome) = network::answer(self.plan.seed, island.mood, &policy, delivery, work.before);
        let micros = u64::try_from(wait.as_micros()).unwrap();
        let ends = self.after(micros, Event::Attempted(id, outcome));
        self.running.insert(id, Running { key, delivery, ends, policy });
        self.begun[subscription].push((self.time, delivery));
        Ok(())
    }

    /// First attempts and retries take turns: as long as one of each waits, no more are started of one line than of the other
    /// but for what was in memory before the other came.
    fn take_turns(&mut self, place: usize, line: Line, delivery: i64) -> Result<(), String> {
        let (number, wall) = (u8::try_from(place).unwrap(), self.wall());
        self.store.begin(delivery);
        self.unmade.remove(&delivery);
        let widest = self.islands[place].policies.iter().map(|policy| policy.concurrency).max().unwrap();
        let most = widest * 9 + 8;
        // After a trouble, a clock that was set among them, what waits may not be known until leases have run out.
        let is_known = self.time >= self.echo;
        let overtaken = &mut self.overtaken[place];
        let (own, other) = match line {
            Line::Firsts => (&mut overtaken.firsts, &mut overtaken.retries),
            Line::Retries => (&mut overtaken.retries, &mut overtaken.firsts),
        };
        *own = own.saturating_sub(1);
        *other = if is_known && self.store.waits(number, line.other(), wall) { *other + 1 } else { 0 };
        if *other > most {
            return Err(format!("s{place} lets {other} {line:?} go before one of the others"));
        }
        Ok(())
    }

    /// What the world expects of the engine after an attempt.
    fn note(&mut self, id: AttemptId, running: &Running, outcome: AttemptOutcome<'static>) {
        let now = self.now();
        let Some(place) = self.islands.iter().position(|island| island.key == Some(running.key)) else {
            return;
        };
        let island = &mut self.islands[place];
        let present = island.policy();
        let before = island.expected.standing;
        island.expected.end(&running.policy, &present, id, outcome, now);
        if island.expected.standing != before {
            island.stood = self.time;
            if self.time >= TROUBLED * 1000 {
                // It was asked before its trouble was over: whoever let it go on does so again.
                self.after(ECHO, Event::Resume(place));
            }
        }
    }

    fn end(&mut self, key: SubscriptionKey) -> Result<(), String> {
        if self.running.values().any(|running| running.key == key) {
            return Err("a subscription has ended before its attempts".to_owned());
        }
        if let Some(place) = self.islands.iter().position(|island| island.leaving == Some(key)) {
            self.islands[place].leaving = None;
            let wall = self.wall();
            self.store.abandon(u8::try_from(place).unwrap(), wall);
            if self.islands[place].wanted {
                self.put(place);
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), String> {
        let now = self.now();
        match event {
            Event::Action(place) => {
                if self.time < TROUBLED * 1000 {
                    self.act(self.plan.actions[place].1);
                }
            }
            Event::Heal => self.heal(),
            Event::Resume(place) => self.resume(place),
            Event::Start => self.start(),
            Event::Abort => {
                if let Some(engine) = &mut self.engine {
                    engine.handle_aborted(now);
                }
                self.after(2_000_000, Event::Kill);
            }
            Event::Kill => self.crash(),
            Event::Call(call) => self.serve(call)?,
            Event::Offer(subscription, work) => {
                let name = Arc::clone(&self.islands[usize::from(subscription)].name);
                if let Some(engine) = &mut self.engine {
                    engine.handle_offered(now, &name, work);
                }
            }
            Event::Wake => {
                self.woken = None;
                if let Some(engine) = &mut self.engine {
                    engine.handle_timeout(now);
                }
            }
            Event::Attempted(id, outcome) => {
                if let Some(running) = self.running.remove(&id) {
                    if outcome == AttemptOutcome::Local {
                        self.unmade.insert(running.delivery);
                    } else {
                        self.count_end(running.delivery);
                    }
                    self.note(id, &running, outcome);
                }
                if let Some(engine) = &mut self.engine {
                    engine.handle_attempted(now, id, outcome);
                }
            }
            Event::Cancelled(id) => {
                if let Some(running) = self.running.remove(&id) {
                    self.count_end(running.delivery);
                }
                if let Some(engine) = &mut self.engine {
                    engine.handle_cancelled(now, id);
                }
            }
            Event::Answer(answer) => self.hear(answer),
            Event::Job(job) => self.look_at_job(job),
            Event::Step(step) => self.step(step),
            Event::Woken(place) => {
                if let (Some(engine), Some(key)) = (&mut self.engine, self.islands[usize::from(place)].key) {
                    engine.handle_woken(now, key);
                }
            }
        }
        Ok(())
    }
}
