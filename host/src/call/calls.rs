//! The calls of a gateway: made, looked at, cancelled, opened again.

use super::api::{ApiDefinition, ApiReport, ReadyApi, merged};
use super::lane::Lane;
use super::ledger::{Change, Ledger, history};
use super::request::NewCall;
use super::{CallError, CallMetrics, entry};
use crate::clock;
use crate::ingress::Outlet;
use crate::outbound::Outbound;
use crate::store::{CallHead, EventSeq, Owner, Store, StoreError, StoredApi, StoredCall};
use crate::subscription::Subscriptions;
use crate::supervision::Supervisor;
use crate::waiter::{Looks, Waiters};
use anglerfish_core::call::{CallHistory, CallRecord, CallRequest, CallState, Happened};
use anglerfish_core::problem::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
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
    /// What is configured may not be what the log told last.
    pub(super) is_changed: AtomicBool,
    /// Held by the one who tells the log of it.
    recording: tokio::sync::Mutex<()>,
    /// Told when a lane is to be looked at.
    pub(super) woken: Notify,
    pub(super) tasks: TaskTracker,
    /// Who waits for a call learns how it stands now.
    leave: CancellationToken,
    /// Nothing begins any more.
    pub(super) stop: CancellationToken,
    /// What runs is broken off.
    pub(super) abort: CancellationToken,
    outbound: Outbound,
    lanes: RwLock<BTreeMap<String, Arc<Lane>>>,
    waiters: Waiters,
}

/// APIs that can be gone on with.
pub(crate) struct ReadyApis(BTreeMap<String, Arc<ReadyApi>>);

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
    /// Who notices that one breaks down.
    pub supervisor: Supervisor,
    /// What counts them.
    pub metrics: CallMetrics,
}

impl fmt::Debug for Calls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn lane(&self, api: &str) -> Option<Arc<Lane>> {
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
        let CallParts { store, subscriptions, outlet, outbound, supervisor, metrics } = parts;
        let shared = Shared {
            ledger: Ledger { store, subscriptions, outlet, metrics },
            owner: Owner::new(format!("gateway-{:016x}", fastrand::u64(..))),
            supervisor,
            is_changed: AtomicBool::new(true),
            recording: tokio::sync::Mutex::default(),
            woken: Notify::new(),
            tasks: TaskTracker::new(),
            leave: CancellationToken::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            outbound,
            lanes: RwLock::default(),
            waiters: Waiters::default(),
        };
        let calls = Self { shared: Arc::new(shared) };
        let apis = calls.prepare(apis).await?;
        calls.replace(apis);
        Ok(calls)
    }

    /// Says what of an API cannot be used as it is configured, as one of its table's problems.
    ///
    /// # Errors
    ///
    /// The problem.
    pub(crate) fn check(&self, api: &ApiDefinition) -> Result<(), Problem> {
        api.check(&self.shared.outbound)
    }

    /// Makes APIs ready, each with what was said of it at run time.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or an API cannot be used as it is configured.
    pub(crate) async fn prepare(&self, apis: Vec<ApiDefinition>) -> Result<ReadyApis, CallError> {
        let stored = self.shared.ledger.store.apis().await?;
        let mut ready = BTreeMap::new();
        for definition in apis {
            let name = definition.config.name.clone();
            let settings = stored.iter().find(|api| api.name == name);
            let said = settings.map_or_else(nothing, |api| settings_of(&api.settings));
            let api = ReadyApi::saying(definition, &nothing(), said, &self.shared.outbound);
            let api = api.map_err(CallError::Invalid)?;
            let aside = api.aside();
            if !aside.is_empty() {
                // What is configured now goes before, for as long as it is.
                tracing::warn!(api = name, ?aside, "what was said of an api at run time is left aside");
            }
            ready.insert(name, Arc::new(api));
        }
        Ok(ReadyApis(ready))
    }

    /// Goes on with these APIs. Requests to one that is gone wait for it.
    pub(crate) fn replace(&self, ReadyApis(ready): ReadyApis) {
        let mut lanes = self.shared.lanes.write().unwrap_or_else(PoisonError::into_inner);
        for (name, lane) in lanes.iter() {
            if !ready.contains_key(name) {
                lane.replace(None);
            }
        }
        for (name, api) in ready {
            let lane = lanes.entry(name.clone()).or_insert_with(|| Arc::new(Lane::new(&name)));
            lane.replace(Some(api));
        }
        for (name, lane) in lanes.iter() {
            self.shared.ledger.metrics.breaker(name, lane.is_open());
        }
        drop(lanes);
        self.shared.is_changed.store(true, Ordering::Release);
        self.shared.woken.notify_one();
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
            return same(known, &new, api.as_deref()).map(|call| (call, false));
        }
        let api = shared.lane(&new.api).and_then(|lane| lane.api());
        let api = api.ok_or_else(|| CallError::UnknownApi(new.api.clone()))?;
        let problems = new.problems(&api.definition.config, shared.outbound.proxy_resolves());
        if !problems.is_empty() {
            return Err(CallError::Invalid(problems));
        }
        self.record_policies().await?;
        let now = clock::now();
        let NewCall { api: name, key, request, body } = new.clone();
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
            owner: None,
            ended: None,
            policy: api.written.clone(),
            request,
            records: history.records().to_vec(),
            entries: Vec::new(),
        };
        let call = StoredCall { head, body, answer: None };
        let key = call.head.key.clone();
        match shared.ledger.insert(call).await? {
            Some(call) => {
                shared.wake(&name);
                Ok((call, true))
            }
            // It was made at this moment.
            None => match shared.ledger.store.call_of_key(&name, &key).await? {
                Some(known) => same(known, &new, Some(&api)).map(|call| (call, false)),
                None => Err(CallError::Contended),
            },
        }
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
            let record = CallRecord { at: clock::now().0, happened };
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
    pub fn waits_for(&self, api: &str) -> Option<String> {
        let lane = self.shared.lane(api);
        let Some((lane, ready)) = lane.and_then(|lane| Some((Arc::clone(&lane), lane.api()?))) else {
            return Some(format!("there is no api `{api}` in the configuration"));
        };
        let (word, left) = lane.waits(&ready)?;
        let left = left.map(|left| Duration::from_secs(left.as_secs().saturating_add(1)));
        let left = left.map(|left| humantime::format_duration(left).to_string());
        Some(match (word, left) {
            ("breaker", Some(left)) => {
                format!("the breaker of api `{api}` is open; an attempt finds out within {left}")
            }
            ("breaker", None) => format!("the breaker of api `{api}` is open; an attempt finds out now"),
            (_, left) => {
                format!("api `{api}` has asked to be left alone for {}", left.unwrap_or_default())
            }
        })
    }

    /// Whether an API of this name is configured.
    #[must_use]
    pub fn has(&self, api: &str) -> bool {
        self.shared.lane(api).is_some_and(|lane| lane.api().is_some())
    }

    /// The APIs, by name.
    #[must_use]
    pub fn apis(&self) -> Vec<ApiReport> {
        let lanes = self.shared.lanes();
        let reports = lanes.iter().filter_map(|lane| {
            let api = lane.api()?;
            Some(ApiReport {
                name: lane.name.clone(),
                policy: api.document.clone(),
                settings: api.settings.clone(),
                aside: api.aside(),
                attempts: api.policy.attempts(),
                running: lane.count(),
                concurrency: api.definition.config.concurrency,
                waits: lane.waits(&api),
            })
        });
        reports.collect()
    }

    /// Says at run time how requests to an API are judged and repeated that are made from now on: each key goes before the
    /// configuration's, and `null` gives that its say again.
    ///
    /// # Errors
    ///
    /// There is no such API, what is said has problems, or it cannot be written down.
    pub async fn configure(&self, name: &str, said: Map<String, Value>) -> Result<ApiReport, CallError> {
        let (calls, name) = (self.clone(), name.to_owned());
        to_the_end(async move { calls.configure_to_the_end(&name, said).await }).await
    }

    async fn configure_to_the_end(
        &self,
        name: &str,
        said: Map<String, Value>,
    ) -> Result<ApiReport, CallError> {
        let unknown = || CallError::UnknownApi(name.to_owned());
        let lane = self.shared.lane(name).ok_or_else(unknown)?;
        let _writing = lane.writing.lock().await;
        let api = lane.api().ok_or_else(unknown)?;
        let report = || self.apis().into_iter().find(|api| api.name == name).ok_or_else(unknown);
        let new = Value::Object(said);
        let (settings, said) = (merged(&api.settings, &new), merged(&api.said, &new));
        // What is said now has to hold; what is left aside may.
        let outbound = &self.shared.outbound;
        let next =
            ReadyApi::try_new(api.definition.clone(), settings, outbound).map_err(CallError::Invalid)?;
        let next =
            ReadyApi::saying(next.definition, &next.settings, said, outbound).map_err(CallError::Invalid)?;
        if (&next.said, &next.settings) == (&api.said, &api.settings) {
            // There is nothing to tell of.
            return report();
        }
        self.write_policy(&next).await?;
        lane.replace(Some(Arc::new(next)));
        self.shared.woken.notify_one();
        report()
    }

    /// Lets attempts to an API start again that has asked to be left alone: whoever says so knows better by now.
    ///
    /// # Errors
    ///
    /// There is no such API.
    pub fn resume(&self, name: &str) -> Result<ApiReport, CallError> {
        let unknown = || CallError::UnknownApi(name.to_owned());
        self.shared.lane(name).ok_or_else(unknown)?.resume();
        self.shared.woken.notify_one();
        self.apis().into_iter().find(|api| api.name == name).ok_or_else(unknown)
    }

    /// Writes down what is configured of APIs, where the log has not told of it: before the first call that goes by it.
    pub(super) async fn record_policies(&self) -> Result<(), CallError> {
        if !self.shared.is_changed.load(Ordering::Acquire) {
            return Ok(());
        }
        let _recording = self.shared.recording.lock().await;
        if !self.shared.is_changed.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let recorded = self.try_record_policies().await;
        if recorded.is_err() {
            self.shared.is_changed.store(true, Ordering::Release);
        }
        recorded
    }

    async fn try_record_policies(&self) -> Result<(), CallError> {
        let stored = self.shared.ledger.store.apis().await?;
        for api in self.shared.lanes().iter().filter_map(|lane| lane.api()) {
            let known = stored.iter().find(|known| known.name == api.definition.config.name);
            let recorded = known.map(|known| settings_of(&known.recorded));
            if recorded.as_ref() != Some(&api.document) {
                self.write_policy(&api).await?;
            }
        }
        Ok(())
    }

    async fn write_policy(&self, api: &ReadyApi) -> Result<(), CallError> {
        let (name, now) = (&api.definition.config.name, clock::now());
        let shown = (api.policy.attempts().saturating_sub(1), api.policy.timeout.as_secs_f64());
        let id = format!("{name}.configuration.{}", clock::request_id(now));
        let entry = entry::of_policy(name, &api.document, shown, id, now);
        let settings = api.said.to_string();
        let stored = StoredApi { name: name.clone(), settings, recorded: api.written.clone() };
        self.shared.ledger.put_api(stored, entry).await
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
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a call broke down");
        Err(StoreError::Internal("it broke down; the log says where".into()).into())
    })
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

fn settings_of(json: &str) -> Value {
    match serde_json::from_str(json) {
        Ok(Value::Null) => nothing(),
        Ok(settings) => settings,
        Err(error) => {
            tracing::warn!(%error, "what is stored of an api cannot be read, and is left aside");
            nothing()
        }
    }
}

/// The request that has the key already, if it is this one. Whoever says the method that the API has anyhow asks for the same.
fn same(known: StoredCall, new: &NewCall, api: Option<&ReadyApi>) -> Result<StoredCall, CallError> {
    let own = api.map(|api| api.definition.config.endpoint.method.as_str());
    let method = |request: &CallRequest| request.method.as_deref().or(own).map(str::to_owned);
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
    let is_same = (method(before), &before.path) == (method(now), &now.path)
        && fields(before) == fields(now)
        && known.body == new.body;
    if is_same { Ok(known) } else { Err(CallError::KeyReused(Box::new(known))) }
}
