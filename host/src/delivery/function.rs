//! Functions of this program that take deliveries.

use super::endpoint::Endpoint;
use anglerfish_core::config::SubscriptionConfig;
use anglerfish_core::problem::Problem;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Makes what starts a flow of this name by each delivery.
pub type FlowEndpoints = dyn Fn(&str) -> Arc<dyn Endpoint> + Send + Sync;

/// What takes the deliveries of subscriptions with `mode = "function"`, by their ids, and what starts flows by them. Cheap to
/// clone; all clones are one.
#[derive(Clone, Default)]
pub struct Functions {
    by_id: Arc<RwLock<HashMap<String, Arc<dyn Endpoint>>>>,
    /// There is one where the program may have flows. What makes them stands on deliveries, and so comes later.
    flows: Option<Arc<OnceLock<Box<FlowEndpoints>>>>,
}

impl Functions {
    /// Those of a program that may have flows.
    #[must_use]
    pub fn with_flows() -> Self {
        Self { by_id: Arc::default(), flows: Some(Arc::default()) }
    }

    /// Says how flows are started, once there are any.
    pub fn start_flows_by(&self, endpoints: Box<FlowEndpoints>) {
        if let Some(flows) = &self.flows {
            // Only the first counts: a gateway has its flows for good.
            let _ = flows.set(endpoints);
        }
    }

    /// What starts flows of this name.
    pub(super) fn flow(&self, name: &str) -> Option<Arc<dyn Endpoint>> {
        Some(self.flows.as_ref()?.get()?(name))
    }

    /// Deliveries of this subscription go there from when it is put next.
    pub fn put(&self, id: impl Into<String>, function: Arc<dyn Endpoint>) {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).insert(id.into(), function);
    }

    /// What takes a subscription's deliveries.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<dyn Endpoint>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Forgets one; what was put goes on by it.
    pub fn remove(&self, id: &str) {
        self.by_id.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Whether there is one for this subscription, or flows that it can start: of which names is known once they run.
    ///
    /// # Errors
    ///
    /// A problem of the subscription's `mode`, or of its `flow`.
    pub(super) fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Problem> {
        if subscription.flow.is_some() {
            return if self.flows.is_some() { Ok(()) } else { Err(no_flows()) };
        }
        if self.get(&subscription.id).is_some() { Ok(()) } else { Err(no_function()) }
    }
}

/// A subscription names a flow where there are none.
pub(crate) fn no_flows() -> Problem {
    let hint =
        "flows are code of a program that the gateway is part of; this one is none: see docs/embedding.md";
    Problem::new("flow", "there are no flows in this program").with_hint(hint)
}

/// A subscription wants a function that is not there.
pub(crate) fn no_function() -> Problem {
    let hint = "the program that the gateway is part of gives them to its builder, by the subscription's id";
    Problem::new("mode", "there is no function for it in this program").with_hint(hint)
}

impl fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_set().entries(by_id.keys()).finish()
    }
}
