//! Knowing, when the time of a call is over, whether it was still waiting for this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    // The pool connects within the task of the call that it connects for.
    static HERE: Arc<AtomicBool>;
}

/// Watches one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// Runs the call under watch.
    pub(crate) async fn over<F: Future>(&self, call: F) -> F::Output {
        HERE.scope(Arc::clone(&self.0), call).await
    }

    /// Whether it has got no further than this machine: it waits for its turn, or for a name.
    pub(crate) fn waits_here(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for something of this machine.
pub(super) async fn here<F: Future>(wait: F) -> F::Output {
    let mark = |waits: bool| {
        // A connection that the pool makes on its own belongs to no call.
        let _ = HERE.try_with(|here| here.store(waits, Ordering::Relaxed));
    };
    mark(true);
    let done = wait.await;
    mark(false);
    done
}
