//! The flows of a program: their code, and those that run.

use super::ledger::{Ledger, Open};
use super::run::{end_to_the_end, run};
use super::waiting::Waits;
use super::{FlowContext, FlowEnd, FlowError, FlowMetrics, FlowState, StoredFlow};
use crate::call::Calls;
use crate::callback::Callbacks;
use crate::clock::WallClock;
use crate::store::{Store, StoreError};
use crate::waiter::{Looks, Waiters};
use anglerfish_core::flow::{JournalLimits, WrittenRecord, is_flow_id, is_flow_name, kept_for_retry};
use anglerfish_core::problem::Problem;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The most entries that a journal may be allowed to have: so many are in the order of their keys.
const MOST_ENTRIES: usize = 1_000_000;

/// The flows of a program. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Flows {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    ledger: Ledger,
    waits: Waits,
    metrics: FlowMetrics,
    /// By name; of each the versions, the one that came last at the end.
    code: Mutex<BTreeMap<String, Vec<Arc<Code>>>>,
    /// By name and id.
    running: Mutex<HashMap<String, Running>>,
    waiters: Waiters,
    /// Told when code becomes known.
    pub(super) known: Notify,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One that runs.
struct Running {
    /// That of its flow: one that was opened again has a higher one.
    revision: u64,
    cancel: CancellationToken,
    ended: CancellationToken,
}

/// What flows stand on.
pub struct FlowParts {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// What makes their calls.
    pub calls: Calls,
    /// What has their callbacks.
    pub callbacks: Callbacks,
    /// How long what has ended is kept.
    pub retention: watch::Receiver<Duration>,
    /// Where they are counted.
    pub metrics: FlowMetrics,
    /// The clock of the gateway.
    pub clock: WallClock,
}

type Call = dyn Fn(FlowContext, Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync;

/// The code of flows of one name and version.
pub(super) struct Code {
    pub(super) name: String,
    pub(super) version: String,
    /// Flows of which other versions it runs on.
    pub(super) also: Vec<String>,
    pub(super) limits: JournalLimits,
    pub(super) max_age: Option<Duration>,
    pub(super) call: Box<Call>,
}

impl Code {
    fn runs(&self, version: &str) -> bool {
        self.version == version || self.also.iter().any(|also| also == version)
    }
}

impl fmt::Debug for Flows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flows").finish_non_exhaustive()
    }
}

fn place(flow: &str, id: &str) -> String {
    format!("{flow}/{id}")
}

impl Flows {
    /// Those of these parts. None runs before its code is there.
    #[must_use]
    pub fn new(parts: FlowParts) -> Self {
        let FlowParts { store, calls, callbacks, retention, metrics, clock } = parts;
        let shared = Shared {
            ledger: Ledger::new(Arc::clone(&store), clock.clone()),
            waits: Waits { store, calls, callbacks, retention, clock },
            metrics,
            code: Mutex::default(),
            running: Mutex::default(),
            waiters: Waiters::default(),
            known: Notify::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    pub(super) fn waits(&self) -> &Waits {
        &self.shared.waits
    }

    pub(super) fn clock(&self) -> &WallClock {
        &self.shared.waits.clock
    }

    pub(super) fn metrics(&self) -> &FlowMetrics {
        &self.shared.metrics
    }

    pub(super) async fn stopped(&self) {
        self.shared.stop.cancelled().await;
    }

    pub(super) fn tell(&self, flow: &StoredFlow) {
        self.shared.waiters.tell(&place(&flow.flow, &flow.id));
    }

    /// Knows code from now on, in the place of what it knew of this name and version, and lets all its flows go on that have
    /// not ended. Returns once they do.
    pub(super) async fn register(&self, code: Code) -> Result<Arc<Code>, FlowError> {
        let mut problems = Vec::new();
        if !is_flow_name(&code.name) {
            problems.push(Problem::new("flow", "must be 1 to 40 of `a-z A-Z 0-9 . _ -`"));
        }
        if code.version.is_empty() || code.version.len() > 64 {
            problems.push(Problem::new("version", "must have 1 to 64 bytes"));
        }
        if code.limits.entries > MOST_ENTRIES {
            problems.push(Problem::new("limits.entries", format!("must be at most {MOST_ENTRIES}")));
        }
        if !problems.is_empty() {
            return Err(FlowError::Invalid(problems));
        }
        let code = Arc::new(code);
        {
            let mut known = self.code();
            let versions = known.entry(code.name.clone()).or_default();
            versions.retain(|other| other.version != code.version);
            versions.push(Arc::clone(&code));
        }
        self.shared.known.notify_waiters();
        for open in self.shared.ledger.running(&code.name).await? {
            if code.runs(&open.flow.version) {
                self.spawn(Arc::clone(&code), open);
            } else if self.code_of(&open.flow).is_none() {
                let StoredFlow { flow, id, version, .. } = &open.flow;
                tracing::warn!(flow, id, version, "a flow waits for code of its version");
            }
        }
        Ok(code)
    }

    /// The code that runs a flow: that of its version, or one that says that it goes on with it.
    fn code_of(&self, flow: &StoredFlow) -> Option<Arc<Code>> {
        let known = self.code();
        let versions = known.get(&flow.flow)?;
        let own = versions.iter().find(|code| code.version == flow.version);
        own.or_else(|| versions.iter().rev().find(|code| code.runs(&flow.version))).cloned()
    }

    fn spawn(&self, code: Arc<Code>, open: Open) {
        let (flows, key) = (self.clone(), place(&open.flow.flow, &open.flow.id));
        let (cancel, ended) = (CancellationToken::new(), CancellationToken::new());
        let revision = open.flow.revision;
        let before = {
            let mut running = self.running();
            if self.shared.stop.is_cancelled() {
                return;
            }
            let before = running.get(&key);
            if before.is_some_and(|before| before.revision >= revision) {
                return;
            }
            let before = before.map(|before| {
                before.cancel.cancel();
                before.ended.clone()
            });
            let one = Running { revision, cancel: cancel.clone(), ended: ended.clone() };
            running.insert(key.clone(), one);
            before
        };
        self.shared.metrics.running(&code.name, 1);
        // Dropped however it ends, also by a panic or with the runtime.
        let guard = Guard { flows: self.clone(), key, revision, name: code.name.clone(), ended };
        self.shared.tasks.spawn(async move {
            let _guard = guard;
            if let Some(before) = before {
                // Its end is on disk, or it could not have been opened again; but its last lines may not be over.
                before.cancelled().await;
            }
            run(flows, code, open, cancel).await;
        });
    }

    /// Starts one with code of the program, or finds the one that has its id.
    pub(super) async fn start_with(
        &self,
        code: Arc<Code>,
        id: &str,
        input: Value,
    ) -> Result<(StoredFlow, bool), FlowError> {
        if !is_flow_id(id) {
            return Err(FlowError::Invalid(vec![Problem::new(
                "id",
                "must be 1 to 72 of `a-z A-Z 0-9 . _ -`",
            )]));
        }
        let (flows, id) = (self.clone(), id.to_owned());
        self.to_the_end(async move { flows.start_to_the_end(code, &id, input).await }).await
    }

    async fn start_to_the_end(
        &self,
        code: Arc<Code>,
        id: &str,
        input: Value,
    ) -> Result<(StoredFlow, bool), FlowError> {
        if self.shared.stop.is_cancelled() {
            return Err(FlowError::Stopping);
        }
        let (bytes, most) = (json_size(&input), code.limits.bytes);
        if bytes > most {
            let message = format!("has {bytes} bytes as JSON, over the limit of {most} of a journal");
            return Err(FlowError::Invalid(vec![Problem::new("input", message)]));
        }
        let (name, version) = (code.name.clone(), code.version.clone());
        let new = StoredFlow {
            flow: name.clone(),
            id: id.to_owned(),
            version,
            input,
            created: self.clock().now().0,
            revision: 1,
            end: None,
        };
        if let Some(open) = self.shared.ledger.start(new.clone()).await? {
            let started = open.flow.clone();
            self.spawn(code, open);
            return Ok((started, true));
        }
        let Some(known) = self.shared.ledger.get(&name, id).await? else { return Err(FlowError::Contended) };
        self.go_on(&known).await?;
        if known.input == new.input {
            Ok((known, false))
        } else {
            Err(FlowError::OtherInput(Box::new(known)))
        }
    }

    /// Lets a flow go on that nobody runs: of a commit before, which wrote it, nobody may have learnt.
    async fn go_on(&self, flow: &StoredFlow) -> Result<(), FlowError> {
        if flow.end.is_some() || self.is_running_here(flow) {
            return Ok(());
        }
        if let Some(open) = self.shared.ledger.open(&flow.flow, &flow.id).await?
            && let Some(code) = self.code_of(&open.flow)
        {
            self.spawn(code, open);
        }
        Ok(())
    }

    /// Starts one of this name with the newest code of it, or finds the one that has its id. Says which: `true` if it is new.
    ///
    /// # Errors
    ///
    /// This program has no such code, another input has this id, or it cannot be written down.
    pub async fn start(&self, name: &str, id: &str, input: Value) -> Result<(StoredFlow, bool), FlowError> {
        let code = self.newest(name).ok_or_else(|| FlowError::NoCode(name.to_owned()))?;
        self.start_with(code, id, input).await
    }

    /// The code of this name that became known last.
    pub(super) fn newest(&self, name: &str) -> Option<Arc<Code>> {
        self.code().get(name)?.last().cloned()
    }

    /// Does something to its end, also when whoever asked hangs up: a flow that is written runs, and one whose code was dropped
    /// ends.
    async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, FlowError>> + Send + 'static,
    ) -> Result<T, FlowError> {
        self.shared.tasks.spawn(work).await.unwrap_or_else(|error| {
            tracing::error!(%error, "what is done to a flow broke down");
            Err(StoreError::Internal("it broke down; the log says where".to_owned()).into())
        })
    }

    /// How one stands.
    ///
    /// # Errors
    ///
    /// There is none, or the store cannot be read.
    pub async fn get(&self, name: &str, id: &str) -> Result<StoredFlow, FlowError> {
        let found = self.shared.ledger.get(name, id).await?;
        found.ok_or_else(|| FlowError::Unknown(name.to_owned(), id.to_owned()))
    }

    /// What one has done so far.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn journal(&self, flow: &StoredFlow) -> Result<Vec<WrittenRecord>, FlowError> {
        match &flow.end {
            Some(end) => Ok(end.journal.clone()),
            None => {
                let journal = self.shared.ledger.journal(flow).await?;
                Ok(journal.into_iter().map(|(written, _)| written).collect())
            }
        }
    }

    /// Whether code of this program runs it.
    #[must_use]
    pub fn is_running_here(&self, flow: &StoredFlow) -> bool {
        self.running().contains_key(&place(&flow.flow, &flow.id))
    }

    /// Up to `limit` that run (or, `ended`, that have ended), of one name or all, behind `NAME/ID`, by name and id; each without its
    /// journal.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn list(
        &self,
        ended: bool,
        name: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<StoredFlow>, FlowError> {
        Ok(self.shared.ledger.list(ended, name, after, limit).await?)
    }

    /// How one stands once it has ended, or when this time is over.
    ///
    /// # Errors
    ///
    /// There is none, the gateway stops, or the store cannot be read.
    pub async fn wait(&self, name: &str, id: &str, time: Duration) -> Result<StoredFlow, FlowError> {
        let (end, key, mut looks) = (Instant::now() + time, place(name, id), Looks::new());
        loop {
            let waiter = self.shared.waiters.on(&key);
            let mut told = std::pin::pin!(waiter.notify().notified());
            // From here on no end is missed.
            told.as_mut().enable();
            let flow = self.get(name, id).await?;
            if flow.end.is_some() || Instant::now() >= end {
                return Ok(flow);
            }
            tokio::select! {
                _ = tokio::time::timeout_at(end.min(Instant::now() + looks.next()), told) => {}
                () = self.shared.stop.cancelled() => return Err(FlowError::Stopping),
            }
        }
    }

    /// Ends one that runs: its code is dropped where it waits, and what it had begun is given up.
    ///
    /// # Errors
    ///
    /// There is none, it has ended, or that cannot be written down.
    pub async fn cancel(&self, name: &str, id: &str) -> Result<StoredFlow, FlowError> {
        let (flows, name, id) = (self.clone(), name.to_owned(), id.to_owned());
        self.to_the_end(async move { flows.cancel_to_the_end(&name, &id).await }).await
    }

    async fn cancel_to_the_end(&self, name: &str, id: &str) -> Result<StoredFlow, FlowError> {
        let Some(open) = self.shared.ledger.open(name, id).await? else {
            let ended = self.get(name, id).await?;
            return Err(FlowError::State(Box::new(ended), "it cannot be cancelled"));
        };
        let running = {
            let running = self.running();
            running.get(&place(name, id)).map(|running| (running.cancel.clone(), running.ended.clone()))
        };
        if let Some((cancel, ended)) = running {
            // Nothing is written by its code any more once it has ended.
            cancel.cancel();
            ended.cancelled().await;
        }
        let end = FlowEnd {
            state: FlowState::Cancelled,
            at: self.clock().now().0,
            result: None,
            reason: Some("somebody cancelled it".to_owned()),
            journal: Vec::new(),
        };
        let cancelled = end_to_the_end(self, &open, end).await;
        let stands = self.get(name, id).await?;
        if cancelled { Ok(stands) } else { Err(FlowError::State(Box::new(stands), "it cannot be cancelled")) }
    }

    /// Opens one again that ended without a result: what it had done stays done, but for the failure that came last and what was
    /// given up with its end.
    ///
    /// # Errors
    ///
    /// There is none, it runs or has a result, or that cannot be written down.
    pub async fn retry(&self, name: &str, id: &str) -> Result<StoredFlow, FlowError> {
        let (flows, name, id) = (self.clone(), name.to_owned(), id.to_owned());
        self.to_the_end(async move { flows.retry_to_the_end(&name, &id).await }).await
    }

    async fn retry_to_the_end(&self, name: &str, id: &str) -> Result<StoredFlow, FlowError> {
        let flow = self.get(name, id).await?;
        self.go_on(&flow).await?;
        let kept = match &flow.end {
            Some(end) if end.state == FlowState::Differs => end.journal.len(),
            Some(end) if end.state != FlowState::Success => kept_for_retry(&end.journal),
            _ => return Err(FlowError::State(Box::new(flow), "it cannot be tried again")),
        };
        let Some(open) = self.shared.ledger.reopen(flow, kept).await? else {
            return Err(FlowError::Contended);
        };
        let flow = open.flow.clone();
        if let Some(code) = self.code_of(&flow) {
            self.spawn(code, open);
        }
        Ok(flow)
    }

    /// Lets none run any more, and waits until none does. They go on at the next start, where they are.
    pub async fn shutdown(&self, deadline: Instant) {
        self.abort();
        let _ = tokio::time::timeout_at(deadline, self.shared.tasks.wait()).await;
    }

    /// The same without waiting.
    pub fn abort(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
    }

    fn code(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Arc<Code>>>> {
        self.shared.code.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes a value has as JSON.
pub(super) fn json_size(value: &Value) -> usize {
    // Only a value whose keys are no texts cannot be written, and this type has none.
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// One that runs no more once this is dropped.
struct Guard {
    flows: Flows,
    key: String,
    revision: u64,
    name: String,
    ended: CancellationToken,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut running = self.flows.running();
        // Another one may have its place by now.
        if running.get(&self.key).is_some_and(|one| one.revision == self.revision) {
            running.remove(&self.key);
        }
        drop(running);
        self.flows.shared.metrics.running(&self.name, -1);
        self.ended.cancel();
    }
}
