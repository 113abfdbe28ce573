//! The calls of a gateway: made, looked at, cancelled, opened again.

use super::api::{ApiDefinition, ReadyApi};
use super::driver::start;
use super::host::Hosts;
use super::lane::{Lane, Place};
use super::ledger::{Change, Ledger, history};
use super::request::NewCall;
use super::run::{Turn, begun};
use super::{CallError, CallMetrics};
use crate::clock::{self, WallClock};
use crate::ingress::Outlet;
use crate::outbound::Outbound;
use crate::store::{CallHead, EventSeq, Owner, Store, StoreError, StoredCall};
use crate::subscription::Subscriptions;
use crate::supervision::Supervisor;
use crate::waiter::{Looks, Waiters};
use anglerfish_core::call::{CallHistory, CallRecord, CallRequest, CallState, Happened, Todo};
use anglerfish_core::config::RateConfig;
use anglerfish_core::request::UnixMillis;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often something is tried that others change at the same time.
const MOST_CONFLICTS: usize = 16;

/// The calls of a gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Calls {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) owner: Owner,
    pub(super) supervisor: Supervisor,
    /// How often what is configured of APIs has changed, and up to which change the log has told of it.
    pub(super) changes: AtomicU64,
    pub(super) told: AtomicU64,
    /// Held by the one who has the log tell of it.
    pub(super) telling: Mutex<()>,
    /// Told when a lane is to be looked at.
    pub(super) woken: Notify,
    pub(super) tasks: TaskTracker,
    /// Who waits for a call learns how it stands now.
    leave: CancellationToken,
    /// Nothing begins any more.
    pub(super) stop: CancellationToken,
    /// What runs is broken off.
    pub(super) abort: CancellationToken,
    pub(super) outbound: Outbound,
    /// The rates that they share with the calls of other APIs.
    pub(super) hosts: Hosts,
    pub(super) lanes: RwLock<BTreeMap<String, Arc<Lane>>>,
    waiters: Waiters,
}

/// What the calls are made of.
pub struct CallParts {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Who may want to know of them.
    pub subscriptions: Subscriptions,
    /// Where their deliveries go.
    pub outlet: Arc<dyn Outlet>,
    /// What everything that leaves shares.
    pub outbound: Outbound,
    /// How many attempts may start to a host in which time, over all APIs; by the host in its canonical form.
    pub host_rates: BTreeMap<String, RateConfig>,
    /// Who notices that one breaks down.
    pub supervisor: Supervisor,
    /// What counts them.
    pub metrics: CallMetrics,
    /// The clock of the gateway.
    pub clock: WallClock,
}

impl fmt::Debug for Calls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn now(&self) -> UnixMillis {
        self.ledger.clock.now()
    }

    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn lane(&self, api: &str) -> Option<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(api).cloned()
    }

    /// Writes what happened, and tells those who wait for it.
    pub(super) async fn write(&self, change: Change) -> Result<Option<StoredCall>, CallError> {
        let written = self.ledger.write(change).await?;
        if let Some(call) = written.as_ref().filter(|call| call.head.state != CallState::Pending) {
            self.waiters.tell(&call.head.id);
        }
        Ok(written)
    }

    fn wake(&self, api: &str) {
        if let Some(lane) = self.lane(api) {
            lane.wake();
        }
        self.woken.notify_one();
    }
}

impl Calls {
    /// Those of this store, with the APIs of the configuration. Nothing is attempted before [`Calls::run`].
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or an API cannot be used as it is configured.
    pub async fn open(parts: CallParts, apis: Vec<ApiDefinition>) -> Result<Self, CallError> {
        let CallParts { store, subscriptions, outlet, outbound, host_rates, supervisor, metrics, clock } =
            parts;
        let shared = Shared {
            ledger: Ledger { store, subscriptions, outlet, metrics, clock },
            owner: Owner::new(format!("gateway-{:016x}", fastrand::u64(..))),
            supervisor,
            changes: AtomicU64::new(1),
            told: AtomicU64::new(0),
            telling: Mutex::default(),
            woken: Notify::new(),
            tasks: TaskTracker::new(),
            leave: CancellationToken::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            outbound,
            hosts: Hosts::new(host_rates),
            lanes: RwLock::default(),
            waiters: Waiters::default(),
        };
        let calls = Self { shared: Arc::new(shared) };
        let apis = calls.prepare(apis).await?;
        calls.replace(apis);
        Ok(calls)
    }

    /// Makes a request, or finds the one that has its key. Says which: `true` if it is new.
    ///
    /// # Errors
    ///
    /// It cannot be sent, another one has its key, or it cannot be written down.
    pub async fn add(&self, new: NewCall) -> Result<(StoredCall, bool), CallError> {
        let calls = self.clone();
        to_the_end(async move { calls.add_to_the_end(new).await }).await
    }

    async fn add_to_the_end(&self, new: NewCall) -> Result<(StoredCall, bool), CallError> {
        let shared = &self.shared;
        // What was made is there also while its API is not.
        if let Some(key) = &new.key
            && let Some(known) = shared.ledger.store.call_of_key(&new.api, key).await?
        {
            let api = shared.lane(&new.api).and_then(|lane| lane.api());
            return match same(known, &new, api.as_deref()) {
                Err(reused) => {
                    // What is wrong with it is told first: it would not be made under another key either.
                    let resolves = shared.outbound.proxy_resolves();
                    let problems = api.map(|api| new.problems(&api.definition.config, resolves));
                    Err(problems.filter(|found| !found.is_empty()).map_or(reused, CallError::Invalid))
                }
                known => known.map(|call| (call, false)),
            };
        }
        let lane = shared.lane(&new.api);
        let ready = lane.and_then(|lane| Some((Arc::clone(&lane), lane.api()?)));
        let (lane, api) = ready.ok_or_else(|| CallError::UnknownApi(new.api.clone()))?;
        let problems = new.problems(&api.definition.config, shared.outbound.proxy_resolves());
        if !problems.is_empty() {
            return Err(CallError::Invalid(problems));
        }
        self.record_policies().await?;
        let now = shared.now();
        let NewCall { api: name, key, mut request, body } = new.clone();
        request.api_method = match request.method {
            Some(_) => None,
            None => Some(api.definition.config.endpoint.method.clone()),
        };
        // An API that is told to know the key elsewhere does not know it again.
        request.key_field = Some(api.definition.config.idempotency_header.clone());
        let history = CallHistory::begin(api.policy.attempts(), now);
        let head = CallHead {
            seq: EventSeq(0),
            id: format!("call_{}", clock::request_id(now).replace('-', "")),
            api: name.clone(),
            key: key.unwrap_or_else(|| clock::request_id(now)),
            revision: 0,
            state: CallState::Pending,
            created: now,
            due: Some(now),
            planned: now,
            owner: None,
            ended: None,
            policy: api.written.clone(),
            request,
            records: history.records().to_vec(),
            entries: Vec::new(),
        };
        let mut call = StoredCall { head, body, answer: None };
        let key = call.head.key.clone();
        // Whoever stops waits for what has begun by then.
        let token = shared.tasks.token();
        let host = shared.hosts.of(&api, &call.head.request);
        let place = self.begin(&mut call, history, &lane, &api, host.as_ref());
        let inserted = shared.ledger.insert(call).await;
        if let (Some(_), Some(host), Err(_) | Ok(None)) = (&place, &host, &inserted) {
            shared.hosts.give_back(host, None);
        }
        match inserted? {
            Some(call) => {
                match place {
                    Some((place, attempt)) => start(shared, Turn::Begun(call.clone(), attempt), place),
                    None => shared.wake(&name),
                }
                drop(token);
                Ok((call, true))
            }
            // It was made at this moment.
            None => match shared.ledger.store.call_of_key(&name, &key).await? {
                Some(known) => same(known, &new, Some(&api)).map(|call| (call, false)),
                None => Err(CallError::Contended),
            },
        }
    }

    /// Has a new request begin with its first attempt where that may start at once: both are one commit then. Takes the place of
    /// the attempt.
    fn begin(
        &self,
        call: &mut StoredCall,
        mut history: CallHistory,
        lane: &Arc<Lane>,
        api: &Arc<ReadyApi>,
        host: Option<&(String, RateConfig)>,
    ) -> Option<(Place, u32)> {
        let now = call.head.created;
        let Todo::Attempt(attempt) = history.poll(now) else { return None };
        if self.shared.stop.is_cancelled() || !api.takes(&call.head.request) {
            return None;
        }
        let (record, until) = begun(&api.policy, attempt, now);
        history.take(record).ok()?;
        if host.is_some_and(|host| !self.shared.hosts.start_at_once(host)) {
            return None;
        }
        let place = lane.start_at_once(api, &call.head.id, attempt);
        if let (None, Some(host)) = (&place, host) {
            self.shared.hosts.give_back(host, None);
        }
        let place = place?;
        call.head.records = history.records().to_vec();
        (call.head.owner, call.head.due) = (Some(self.shared.owner.clone()), Some(until));
        Some((place, attempt))
    }

    /// Makes a request and waits for how it ends, however long that takes. Dropping this ends the waiting, not the request.
    ///
    /// # Errors
    ///
    /// Like [`Calls::add`].
    pub async fn call(&self, new: NewCall) -> Result<StoredCall, CallError> {
        let (call, _) = self.add(new).await?;
        loop {
            let call = self.wait(&call.head.id, Duration::from_secs(3600)).await?;
            if call.head.state != CallState::Pending {
                return Ok(call);
            }
        }
    }

    /// How a request stands.
    ///
    /// # Errors
    ///
    /// There is none, or the store cannot be read.
    pub async fn get(&self, id: &str) -> Result<StoredCall, CallError> {
        let call = self.shared.ledger.store.call(id).await?;
        call.ok_or_else(|| CallError::Unknown(id.to_owned()))
    }

    /// How a request stands once it has ended, or when this time is over.
    ///
    /// # Errors
    ///
    /// There is none, or the store cannot be read.
    pub async fn wait(&self, id: &str, time: Duration) -> Result<StoredCall, CallError> {
        let (end, mut looks) = (Instant::now() + time, Looks::new());
        let waiters = &self.shared.waiters;
        loop {
            let waiter = waiters.on(id);
            let call = {
                let mut told = std::pin::pin!(waiter.notify().notified());
                // From here on no end is missed.
                told.as_mut().enable();
                match self.get(id).await {
                    Ok(call) if call.head.state == CallState::Pending && Instant::now() < end => {
                        let until = end.min(Instant::now() + looks.next());
                        drop(tokio::time::timeout_at(until, told).await);
                        None
                    }
                    done => Some(done),
                }
            };
            if let Some(done) = call {
                return done;
            }
        }
    }

    /// The same for somebody who would hold up the stop of the gateway: once it begins, it is how the request stands.
    ///
    /// # Errors
    ///
    /// Like [`Calls::wait`].
    pub async fn wait_until_stop(&self, id: &str, time: Duration) -> Result<StoredCall, CallError> {
        tokio::select! {
            biased;
            done = self.wait(id, time) => done,
            () = self.shared.leave.cancelled() => self.get(id).await,
        }
    }

    /// Tells all who wait in [`Calls::wait_until_stop`] that the gateway stops.
    pub fn leave(&self) {
        self.shared.leave.cancel();
    }

    /// Ends a request that nobody wants any more. An attempt that is under way is broken off; whether the API has done what
    /// was asked for nobody knows.
    ///
    /// # Errors
    ///
    /// There is none, it has ended, or that cannot be written down.
    pub async fn cancel(&self, id: &str) -> Result<StoredCall, CallError> {
        let (calls, id) = (self.clone(), id.to_owned());
        to_the_end(async move { calls.cancel_to_the_end(&id).await }).await
    }

    async fn cancel_to_the_end(&self, id: &str) -> Result<StoredCall, CallError> {
        let cancelled = |_: &StoredCall| {
            let reason = "somebody cancelled it".to_owned();
            (Happened::Cancelled { reason }, None)
        };
        let call = self.change(id, "it cannot be cancelled", cancelled).await?;
        if let Some(lane) = self.shared.lane(&call.head.api) {
            lane.cancel(id);
        }
        self.shared.hosts.leave(id);
        Ok(call)
    }

    /// Opens a request again that ended without an answer: under its key, with all attempts of the policy that its API has now.
    ///
    /// # Errors
    ///
    /// There is none, it has not ended or has an answer, its API is gone, or that cannot be written down.
    pub async fn reopen(&self, id: &str) -> Result<StoredCall, CallError> {
        let (calls, id) = (self.clone(), id.to_owned());
        to_the_end(async move { calls.reopen_to_the_end(&id).await }).await
    }

    async fn reopen_to_the_end(&self, id: &str) -> Result<StoredCall, CallError> {
        let call = self.get(id).await?;
        let lane = self.shared.lane(&call.head.api);
        let api = lane.and_then(|lane| lane.api());
        let api = api.ok_or_else(|| CallError::UnknownApi(call.head.api.clone()))?;
        let reopened = |_: &StoredCall| {
            let attempts = api.policy.attempts();
            (Happened::Reopened { attempts }, Some(api.written.clone()))
        };
        let call = self.change(id, "it cannot be tried again", reopened).await?;
        self.shared.wake(&call.head.api);
        Ok(call)
    }

    async fn change(
        &self,
        id: &str,
        what: &'static str,
        happened: impl Fn(&StoredCall) -> (Happened, Option<String>),
    ) -> Result<StoredCall, CallError> {
        for _ in 0..MOST_CONFLICTS {
            let call = self.get(id).await?;
            let (happened, policy) = happened(&call);
            let record = CallRecord { at: self.shared.now().0, happened };
            if history(&call)?.take(record.clone()).is_err() {
                return Err(CallError::State(Box::new(call), what));
            }
            let change = Change { policy, ..Change::new(call, vec![record]) };
            if let Some(call) = self.shared.write(change).await? {
                return Ok(call);
            }
        }
        Err(CallError::Contended)
    }

    /// What of its API holds up a request that has not ended, in words.
    #[must_use]
    pub fn waits_for(&self, call: &CallHead) -> Option<String> {
        let api = &call.api;
        let lane = self.shared.lane(api);
        let Some((lane, ready)) = lane.and_then(|lane| Some((Arc::clone(&lane), lane.api()?))) else {
            return Some(format!("there is no api `{api}` in the configuration"));
        };
        if !ready.takes(&call.request) {
            return Some(match call.request.url() {
                Some(_) => format!(
                    "api `{api}` has a url of its own now, and the call names a whole one: it waits until the api is as it was"
                ),
                None => format!(
                    "api `{api}` is called at whole urls now (`any_url`), and the call has none: it waits until the api is as it was"
                ),
            });
        }
        // What is not due yet waits for its time.
        let is_due = call.due.is_some_and(|due| due <= self.shared.now());
        let in_words = |left: Duration| {
            let left = Duration::from_secs(left.as_secs().saturating_add(1));
            humantime::format_duration(left).to_string()
        };
        let waits = lane.waits(&ready).filter(|(word, _)| is_due || !matches!(*word, "rate" | "concurrency"));
        let Some((word, left)) = waits else {
            let (host, left) = self.shared.hosts.waits(&call.id)?;
            let left = in_words(left);
            return Some(format!("the rate of host `{host}` (`outbound.host_rates`) is used up for {left}"));
        };
        Some(match (word, left.map(in_words)) {
            ("concurrency", _) => {
                let most = ready.definition.config.concurrency;
                format!("as many attempts of api `{api}` are under way as may be (`concurrency`): {most}")
            }
            ("rate", left) => {
                let left = left.unwrap_or_default();
                format!(
                    "the rate of api `{api}` is used up; the next of those that wait starts within {left}"
                )
            }
            ("breaker", Some(left)) => {
                format!("the breaker of api `{api}` is open; an attempt finds out within {left}")
            }
            ("breaker", None) => format!("the breaker of api `{api}` is open; an attempt finds out now"),
            (_, left) => {
                format!("api `{api}` has asked to be left alone for {}", left.unwrap_or_default())
            }
        })
    }

    /// Begins no attempt any more, and lets those under way end until this time; then they are broken off, and found as
    /// interrupted at the next start.
    pub async fn shutdown(&self, deadline: Instant) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout_at(deadline, self.shared.tasks.wait()).await.is_err() {
            self.abort();
            self.shared.tasks.wait().await;
        }
    }

    /// Ends at once.
    pub fn abort(&self) {
        self.shared.stop.cancel();
        self.shared.abort.cancel();
        self.shared.tasks.close();
    }

    /// How many requests to each API have not ended.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn open_calls(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.shared.ledger.store.open_calls().await
    }
}

/// Does something to its end, also when whoever asked hangs up: what is written has its consequences.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a call broke down");
        Err(StoreError::Internal("it broke down; the log says where".into()).into())
    })
}

/// The request that has the key already, if it is this one. Whoever says the method that the API has anyhow asks for the same.
fn same(known: StoredCall, new: &NewCall, api: Option<&ReadyApi>) -> Result<StoredCall, CallError> {
    let own = api.map(|api| api.definition.config.endpoint.method.as_str());
    let method = |request: &CallRequest| request.method().or(own).map(str::to_owned);
    // In which order fields of different names stand, and how the names are written, says nothing (RFC 9110, section 5.3).
    let fields = |request: &CallRequest| {
        let mut fields: Vec<(String, String)> = { request.headers.iter() }
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        // What stands under one name keeps its order.
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        fields
    };
    let (before, now) = (&known.head.request, &new.request);
    // Whoever says nothing of it twice asks for the same, whatever the API has by now.
    let is_same_method = before.method == now.method || method(before) == method(now);
    let is_same =
        is_same_method && before.path == now.path && fields(before) == fields(now) && known.body == new.body;
    if is_same { Ok(known) } else { Err(CallError::KeyReused(Box::new(known))) }
}
