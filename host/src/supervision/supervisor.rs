//! Keeping parts alive.

use super::pace::Pace;
use super::panic;
use super::{Latch, Readiness};
use futures_util::FutureExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Instant;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabels {
    part: String,
}

/// Keeps the parts of a gateway alive. Cheap to clone; all clones are one. The default one holds back nobody's
/// readiness and is counted nowhere.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    readiness: Readiness,
    restarts: Family<PartLabels, Counter>,
}

impl Supervisor {
    /// One whose parts hold `readiness` back while they are down.
    #[must_use]
    pub fn new(readiness: Readiness) -> Self {
        Self { readiness, restarts: Family::default() }
    }

    /// Adds its metrics to the registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("panics", "Panics of this process, wherever they happened", panic::count());
        registry.register(
            "part_restarts",
            "Parts of the gateway that broke down and were started again, by part",
            self.restarts.clone(),
        );
    }

    /// Makes `/ready` say no, with this reason, until the latch is dropped.
    pub fn hold(&self, reason: impl Into<String>) -> Latch {
        self.readiness.latch(reason)
    }

    /// Runs a task made by `make` until it returns; one that panics is made anew.
    ///
    /// What a task held when it panicked is dropped: a part that has leases or promises gives them back in a `Drop`, or
    /// when it is made anew. Aborting the handle ends the part for good.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn<F, T>(&self, part: impl Into<String>, make: F) -> JoinHandle<()>
    where
        F: FnMut() -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(self.clone().keep(part.into(), make))
    }

    async fn keep<F, T>(self, part: String, mut make: F)
    where
        F: FnMut() -> T + Send,
        T: Future<Output = ()> + Send,
    {
        let mut pace = Pace::new(Instant::now());
        loop {
            // `make` is inside, so that one that panics is caught as well.
            let run = AssertUnwindSafe(async { make().await }).catch_unwind().await;
            let Err(panic) = run else { return };
            self.report(&part, &*panic);
            let pause = pace.broken(Instant::now());
            if !pause.is_zero() {
                let _down = self.hold(format!("{part} is down"));
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// The same for a thread: `run` is called again when it panics, on the same thread.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn spawn_thread<F>(&self, part: impl Into<String>, mut run: F) -> io::Result<thread::JoinHandle<()>>
    where
        F: FnMut() + Send + 'static,
    {
        let (supervisor, part) = (self.clone(), part.into());
        thread::Builder::new().name(part.clone()).spawn(move || {
            let mut pace = Pace::new(Instant::now());
            while let Err(panic) = catch_unwind(AssertUnwindSafe(&mut run)) {
                supervisor.report(&part, &*panic);
                let pause = pace.broken(Instant::now());
                if !pause.is_zero() {
                    let _down = supervisor.hold(format!("{part} is down"));
                    thread::sleep(pause);
                }
            }
        })
    }

    /// Runs what is done once; `None` if it panicked. The caller then does what a failure asks for: answers, gives
    /// back.
    pub async fn guard<T>(&self, part: &str, work: impl Future<Output = T>) -> Option<T> {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(done) => Some(done),
            Err(panic) => {
                self.report(part, &*panic);
                None
            }
        }
    }

    /// Counts and tells that a part panicked which comes back by its own means.
    pub(crate) fn report(&self, part: &str, panic: &(dyn Any + Send)) {
        self.restarts.get_or_create(&PartLabels { part: part.to_owned() }).inc();
        tracing::error!(part, "a part of the gateway broke down: {}", panic::reason(panic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    fn counted(supervisor: &Supervisor) -> String {
        let mut registry = Registry::with_prefix("anglerfish");
        supervisor.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[tokio::test]
    async fn a_task_that_panics_is_made_anew_until_it_returns_and_each_time_is_counted() {
        let supervisor = Supervisor::default();
        let runs = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&runs);
        let kept = supervisor.spawn("pump", move || {
            let run = counter.fetch_add(1, Ordering::SeqCst);
            async move { assert!(run == 2, "the pump is stuck") }
        });
        kept.await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        let text = counted(&supervisor);
        assert!(text.contains("anglerfish_part_restarts_total{part=\"pump\"} 2\n"), "{text}");
    }

    #[tokio::test]
    async fn a_part_that_cannot_stay_up_makes_the_gateway_not_ready_and_a_thread_comes_back_too() {
        let readiness = Readiness::new();
        let supervisor = Supervisor::new(readiness.clone());
        let (broken, told) = mpsc::channel();
        let (go_on, may) = mpsc::channel::<bool>();
        let thread = supervisor
            .spawn_thread("writer", move || {
                broken.send(()).unwrap();
                assert!(may.recv().unwrap_or(true), "the writer is stuck");
            })
            .unwrap();
        for _ in 0..2 {
            told.recv().unwrap();
            assert!(readiness.reasons().is_empty());
            go_on.send(false).unwrap();
        }
        let held = tokio::time::timeout(Duration::from_secs(20), async {
            while readiness.reasons() != ["writer is down"] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        held.await.expect("a part that is down holds the gateway back");
        told.recv().unwrap();
        go_on.send(true).unwrap();
        thread.join().unwrap();
        assert!(readiness.reasons().is_empty());
    }

    #[tokio::test]
    async fn work_that_panics_tells_its_caller_so() {
        let supervisor = Supervisor::default();
        assert_eq!(supervisor.guard("answer", async { 7 }).await, Some(7));
        let broken = async { panic!("no answer") };
        assert_eq!(supervisor.guard::<()>("answer", broken).await, None);
    }
}
