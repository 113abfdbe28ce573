//! The driver: one task that tells the engine what happened, and does what it says.

mod attempts;
mod calls;
mod slot;
mod standing;

use super::clock::Clock;
use super::endpoint::Attempted;
use super::exchange::{self, Answer, work};
use super::inbox::{Inbox, Message};
use super::metric::DeliveryMetrics;
use super::notice::Notices;
use super::roster::Roster;
use crate::fault::fault_point;
use crate::store::{LeasedDelivery, Settlement, Store};
use crate::telemetry::Repeated;
use anglerfish_core::delivery::{AttemptId, Engine, EngineConfig, Now, Output};
use attempts::{Report, Running};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use slot::Slots;
use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{self, JoinSet};
use tokio::time::{Sleep, sleep_until};

/// How far a timer may be off before it is set anew.
const SLACK: Duration = Duration::from_millis(1);

/// What the driver shares with the rest of the room, and with the driver that takes its place if it breaks down.
#[derive(Clone)]
pub(super) struct DriverContext {
    pub(super) store: Arc<dyn Store>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) roster: Arc<Roster>,
    pub(super) metrics: DeliveryMetrics,
    pub(super) notices: Notices,
    pub(super) clock: Clock,
    pub(super) config: EngineConfig,
}

/// The driver.
pub(super) struct Driver {
    around: DriverContext,
    engine: Engine<LeasedDelivery>,
    slots: Slots,
    running: JoinSet<Attempted>,
    tasks: HashMap<task::Id, Running>,
    /// Attempts that ended and are not recorded yet.
    reports: HashMap<AttemptId, Report>,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Records for the next call.
    batch: Vec<(AttemptId, Settlement)>,
    timer: Option<(Duration, Pin<Box<Sleep>>)>,
    /// What was said of this machine's own errors.
    local_errors: Repeated,
    is_ending: bool,
}

impl Driver {
    pub(super) fn new(around: DriverContext) -> Self {
        let engine = Engine::new(around.config);
        Self {
            around,
            engine,
            slots: Slots::default(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            reports: HashMap::new(),
            calls: FuturesUnordered::new(),
            batch: Vec::new(),
            timer: None,
            local_errors: Repeated::default(),
            is_ending: false,
        }
    }

    /// Runs until the end that [`Message::Drain`] or [`Message::Abort`] begins, when every lease has ended.
    pub(super) async fn run(mut self) {
        self.begin().await;
        loop {
            fault_point("deliveries");
            let now = self.around.clock.now();
            self.read_inbox(now);
            self.engine.handle_timeout(now);
            while let Some(output) = self.engine.poll(now) {
                self.perform(now, output);
            }
            self.flush();
            self.slots.sweep(now.elapsed, &self.engine);
            if self.is_ending && self.engine.is_empty() {
                return self.end().await;
            }
            self.set_timer(now);
            // Nothing is lost with the branches that are dropped: what they wait for is still there the next time.
            tokio::select! {
                () = self.around.inbox.changed() => {}
                Some(ended) = self.running.join_next_with_id() => {
                    let now = self.around.clock.now();
                    self.handle_ended(now, ended);
                    while let Some(ended) = self.running.try_join_next_with_id() {
                        self.handle_ended(now, ended);
                    }
                }
                Some(answer) = self.calls.next() => {
                    let now = self.around.clock.now();
                    self.handle_answer(now, answer);
                    while let Some(Some(answer)) = self.calls.next().now_or_never() {
                        self.handle_answer(now, answer);
                    }
                }
                () = fired(&mut self.timer) => self.timer = None,
            }
        }
    }

    /// Takes the place of a driver that broke down, if there was one: its leases are given back.
    async fn begin(&mut self) {
        let leases = self.around.roster.take_leases();
        if !leases.is_empty() {
            let held = leases.len();
            if let Answer::Released(_, leases, false) =
                exchange::release(Arc::clone(&self.around.store), None, leases).await
            {
                tracing::error!(held, "leases of a driver that broke down cannot be given back now");
                self.around.roster.hold(leases);
            }
        }
        let now = self.around.clock.now();
        let subscriptions = self.around.roster.subscriptions();
        let rates: BTreeMap<_, _> = subscriptions
            .iter()
            .filter_map(|(_, settings)| settings.shared.as_ref())
            .map(|rate| (&rate.name, rate))
            .collect();
        for rate in rates.into_values() {
            self.resume(now, rate);
        }
        for (name, settings) in subscriptions {
            self.put(now, name, settings);
        }
        if self.around.roster.is_closed() {
            self.is_ending = true;
            self.engine.handle_drained(now);
        }
    }

    /// What came in while the last leases ended is given back as well. Who waits is told by the dropping of the rest.
    async fn end(self) {
        let mut leases = Vec::new();
        for message in self.around.inbox.take() {
            if let Message::Offer(delivery) = message {
                leases.push(work(delivery).lease);
            }
        }
        if !leases.is_empty() {
            exchange::release(self.around.store, None, leases).await;
        }
    }

    fn read_inbox(&mut self, now: Now) {
        for message in self.around.inbox.take() {
            match message {
                Message::Put(name, settings) => self.put(now, name, settings),
                Message::Remove(name, done) => match self.engine.find(&name) {
                    Some(key) => {
                        self.slots.wait(key, done);
                        self.engine.handle_removed(now, key);
                    }
                    None => {
                        let _ = done.send(());
                    }
                },
                Message::Offer(delivery) => {
                    let work = work(delivery);
                    self.around.roster.hold([work.lease]);
                    let name = work.payload.subscription.clone();
                    self.engine.handle_offered(now, &name, work);
                }
                Message::Wake(name) => {
                    if let Some(key) = self.engine.find(&name) {
                        self.engine.handle_woken(now, key);
                    }
                }
                Message::Stand(name, standing, done) => {
                    if let Some(key) = self.engine.find(&name) {
                        self.slots.await_standing(key, done);
                        self.engine.handle_standing(now, key, standing);
                    }
                }
                Message::Ask(name, done) => {
                    // Who asked may be gone.
                    let _ = done.send(self.report(now, &name));
                }
                Message::Drain => {
                    self.is_ending = true;
                    self.engine.handle_drained(now);
                }
                Message::Abort => {
                    self.is_ending = true;
                    self.engine.handle_aborted(now);
                }
                #[cfg(test)]
                Message::BreakDown => panic!("told to break down"),
            }
        }
    }

    fn perform(&mut self, now: Now, output: Output<LeasedDelivery>) {
        match output {
            Output::Attempt { subscription, attempt, work, policy } => {
                self.start_attempt(now, subscription, attempt, work, &policy);
            }
            Output::Cancel { attempt } => {
                for running in self.tasks.values().filter(|running| running.attempt == attempt) {
                    running.abort.abort();
                }
            }
            Output::Record { attempt, lease, settled, planned } => {
                self.add_record(attempt, lease, settled, planned);
            }
            Output::Stand { subscription, standing, failing } => {
                self.stand(now, subscription, standing, failing);
            }
            Output::Paced { rate, rests } => self.pace(&rate, rests),
            Output::Breaker { subscription, is_open } => self.tell_breaker(subscription, is_open),
            Output::Ended { subscription } => {
                self.reports.retain(|_, report| report.key != subscription);
                if let Some(name) = self.slots.remove(subscription)
                    && self.engine.find(&name).is_none()
                {
                    self.around.metrics.forget(&name);
                }
            }
            call => self.call(now, call),
        }
    }

    fn set_timer(&mut self, now: Now) {
        let wait = [self.engine.wait(now), self.slots.wait_for_sweep(now.elapsed)];
        let Some(wait) = wait.into_iter().flatten().min() else {
            self.timer = None;
            return;
        };
        let at = now.elapsed + wait;
        match &mut self.timer {
            Some((armed, _)) if armed.abs_diff(at) <= SLACK => {}
            Some((armed, sleep)) => {
                sleep.as_mut().reset(self.around.clock.at(at));
                *armed = at;
            }
            None => self.timer = Some((at, Box::pin(sleep_until(self.around.clock.at(at))))),
        }
    }
}

/// Waits until a timer fires; for ever if it is not set.
async fn fired(timer: &mut Option<(Duration, Pin<Box<Sleep>>)>) {
    match timer {
        Some((_, sleep)) => sleep.as_mut().await,
        None => pending().await,
    }
}
