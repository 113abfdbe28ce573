//! One flow while its code runs.

use super::flows::{Code, Flows, json_size};
use super::ledger::Open;
use super::waiting::{AGAIN, rest};
use super::{FlowContext, FlowEnd, FlowState};
use crate::callback::{CallbackError, CallbackOptions};
use crate::clock::WallClock;
use crate::store::StoreError;
use crate::supervision;
use anglerfish_core::flow::{Asked, FlowRecord, Journal, flow_callback};
use anglerfish_core::request::UnixMillis;
use futures_util::FutureExt;
use std::fmt;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One flow while its code runs.
pub(super) struct Run {
    pub(super) flows: Flows,
    pub(super) open: Open,
    journal: Mutex<Journal>,
    halt: Mutex<Option<Halt>>,
    halted: Notify,
    /// What is written of it, here and elsewhere.
    pub(super) writes: TaskTracker,
}

/// Why code is not run on.
#[derive(Debug, Clone)]
enum Halt {
    /// It took another way than its journal.
    Differs(String),
    /// It met a limit, or what it has done cannot be written.
    Failed(String),
    /// Somebody else ended it.
    Fenced,
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Run").field("flow", &self.open.flow).finish_non_exhaustive()
    }
}

impl Run {
    /// What is recorded of what the code is about to do. Where something else is recorded this does not return: the flow ends.
    pub(super) async fn asked(&self, asked: Asked<'_>) -> Option<(usize, FlowRecord)> {
        let answer = self.journal().handle_asked(asked);
        match answer {
            Ok(recorded) => recorded,
            Err(difference) => self.halt(Halt::Differs(difference.to_string())).await,
        }
    }

    /// The number of the next entry.
    pub(super) fn next(&self) -> usize {
        self.journal().len()
    }

    /// Whether nothing was done after what the code did last.
    pub(super) fn is_newest(&self) -> bool {
        self.journal().is_newest()
    }

    /// Writes what was done, however long that takes; returns its number. Where it has no room, or somebody else has ended the
    /// flow, this does not return.
    pub(super) async fn write(&self, record: FlowRecord) -> usize {
        let entry = match self.flows.ledger().entry(record.clone()) {
            Ok(entry) => entry,
            Err(error) => return self.halt(Halt::Failed(error.to_string())).await,
        };
        let (number, fits) = {
            let journal = self.journal();
            (journal.len(), journal.fits(entry.len()))
        };
        if let Err(full) = fits {
            return self.halt(Halt::Failed(full.to_string())).await;
        }
        loop {
            let (flows, open, entry) = (self.flows.clone(), self.open.clone(), entry.clone());
            let append = async move { flows.ledger().append(&open, number, entry).await };
            match to_the_end(&self.writes, append).await {
                Ok(true) => break,
                Ok(false) => return self.halt(Halt::Fenced).await,
                Err(error) => rest(&error).await,
            }
        }
        self.flows.metrics().entry(&self.open.flow.flow);
        self.journal().add(record, entry.len())
    }

    /// Takes hold of a callback; its address.
    pub(super) async fn hold(&self, name: &str, options: &CallbackOptions) -> Result<String, CallbackError> {
        let callbacks = &self.flows.waits().callbacks;
        loop {
            let (held, name, options) = (callbacks.clone(), name.to_owned(), options.clone());
            let hold = async move { held.hold_any(Some(name), &options).await };
            match to_the_end(&self.writes, hold).await {
                Ok(held) => return Ok(callbacks.url(&held)),
                Err(CallbackError::Store(error)) => rest(&error).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until nothing that its code had asked for is written any more.
    async fn settled(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    async fn halt<T>(&self, halt: Halt) -> T {
        *self.halt.lock().unwrap_or_else(PoisonError::into_inner) = Some(halt);
        self.halted.notify_one();
        pending().await
    }

    async fn halted(&self) -> Halt {
        self.halted.notified().await;
        let halt = self.halt.lock().unwrap_or_else(PoisonError::into_inner).take();
        halt.unwrap_or(Halt::Fenced)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes something to its end, also when the code that asked for it is dropped: whoever ends the flow then waits for it, so
/// that nothing of it comes behind the end. Where it breaks down this does not return, as where nothing is written.
pub(super) async fn to_the_end<T: Send + 'static>(
    writes: &TaskTracker,
    write: impl Future<Output = T> + Send + 'static,
) -> T {
    match writes.spawn(write).await {
        Ok(written) => written,
        Err(error) => {
            tracing::error!(%error, "what a flow writes broke down");
            pending().await
        }
    }
}

fn ended(at: UnixMillis, state: FlowState, reason: String) -> FlowEnd {
    FlowEnd { state, at: at.0, result: None, reason: Some(reason), journal: Vec::new() }
}

/// Runs the code of a flow from its beginning, with what is in its journal, until it ends, the gateway stops, or somebody
/// cancels it.
pub(super) async fn run(flows: Flows, code: Arc<Code>, open: Open, cancelled: CancellationToken) {
    let flow = open.flow.clone();
    let written = loop {
        match flows.ledger().replay(&open).await {
            Ok(Some(written)) => break written,
            // It has ended meanwhile, or somebody else goes on with it.
            Ok(None) => return,
            Err(StoreError::Internal(reason)) => {
                // It is left alone as it is: a program that knows more may read it.
                tracing::error!(
                    flow = flow.flow,
                    id = flow.id,
                    reason,
                    "the journal of a flow cannot be read"
                );
                return;
            }
            Err(error) => rest(&error).await,
        }
    };
    let run = Arc::new(Run {
        flows: flows.clone(),
        open,
        journal: Mutex::new(Journal::new(written, code.limits)),
        halt: Mutex::default(),
        halted: Notify::new(),
        writes: TaskTracker::new(),
    });
    let context = FlowContext { run: Arc::clone(&run) };
    let input = flow.input.clone();
    // Called inside, so that a panic in making the future is caught as well.
    let work = AssertUnwindSafe(async { (code.call)(context, input).await }).catch_unwind();
    let ended = |state, reason| ended(flows.clock().now(), state, reason);
    let end = tokio::select! {
        biased;
        () = flows.stopped() => None,
        () = cancelled.cancelled() => None,
        halt = run.halted() => match halt {
            Halt::Differs(difference) => Some(ended(FlowState::Differs, difference)),
            Halt::Failed(reason) => Some(ended(FlowState::Failure, reason)),
            Halt::Fenced => None,
        },
        () = too_old(&code, flow.created, flows.clock()) => {
            let age = humantime::format_duration(code.max_age.unwrap_or_default());
            Some(ended(FlowState::Failure, format!("it was older than {age}")))
        }
        done = work => Some(match (run.journal().handle_asked(Asked::End), done) {
            (Err(difference), Ok(_)) => ended(FlowState::Differs, difference.to_string()),
            (_, Ok(Ok(result))) if json_size(&result) > code.limits.entry => {
                let (bytes, most) = (json_size(&result), code.limits.entry);
                ended(FlowState::Failure, format!("its result has {bytes} bytes, over the limit of {most}"))
            }
            (_, Ok(Ok(result))) => FlowEnd {
                state: FlowState::Success,
                at: flows.clock().now().0,
                result: Some(result),
                reason: None,
                journal: Vec::new(),
            },
            (_, Ok(Err(reason))) => ended(FlowState::Failure, reason),
            (_, Err(panic)) => {
                ended(FlowState::Failure, format!("its code panicked: {}", supervision::reason(&*panic)))
            }
        }),
    };
    run.settled().await;
    let Some(end) = end else { return };
    end_to_the_end(&flows, &run.open, end).await;
}

async fn too_old(code: &Code, created: u64, clock: &WallClock) {
    let Some(age) = code.max_age else { return pending().await };
    let end = created.saturating_add(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    loop {
        let left = Duration::from_millis(end.saturating_sub(clock.now().0));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(60))).await;
    }
}

/// Gives up what was begun, and writes how it ended, however long that takes. `false` if it is not what it was.
pub(super) async fn end_to_the_end(flows: &Flows, open: &Open, end: FlowEnd) -> bool {
    let flow = &open.flow;
    let mut journal = loop {
        match flows.ledger().replay(open).await {
            Ok(Some(journal)) => break journal,
            Ok(None) => return false,
            Err(StoreError::Internal(reason)) => {
                tracing::error!(
                    flow = flow.flow,
                    id = flow.id,
                    reason,
                    "the journal of a flow cannot be read"
                );
                return false;
            }
            Err(error) => rest(&error).await,
        }
    };
    if end.state != FlowState::Differs {
        let known = Journal::new(journal.clone(), anglerfish_core::flow::JournalLimits::default());
        for (_, wait) in known.open() {
            flows.waits().give_up(wait).await;
        }
        // Held, and not in the journal yet when its code was dropped.
        let next = flow_callback(&flow.flow, &flow.id, known.len());
        flows.waits().close(&next).await;
    }
    let state = end.state;
    if let Some(reason) = &end.reason {
        tracing::info!(
            flow = flow.flow,
            id = flow.id,
            state = state.word(),
            reason,
            "a flow has ended without a result"
        );
    }
    let end = FlowEnd { journal: journal.drain(..).map(|(written, _)| written).collect(), ..end };
    loop {
        match flows.ledger().end(open, end.clone()).await {
            Ok(ended) => {
                let done = ended.is_some();
                if done {
                    flows.metrics().end(&flow.flow, state);
                }
                flows.tell(flow);
                return done;
            }
            Err(StoreError::Closed) => return false,
            Err(error) => {
                tracing::debug!(%error, "a flow waits for the store");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
