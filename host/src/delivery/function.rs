//! Functions of this program that take deliveries.

use super::endpoint::Endpoint;
use anglerfish_core::problem::Problem;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What takes the deliveries of subscriptions with `mode = "function"`, by their ids. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Functions {
    by_id: Arc<RwLock<HashMap<String, Arc<dyn Endpoint>>>>,
}

impl Functions {
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

    /// Whether there is one.
    ///
    /// # Errors
    ///
    /// A problem of the subscription's `mode`.
    pub(super) fn check(&self, id: &str) -> Result<(), Problem> {
        if self.get(id).is_some() {
            return Ok(());
        }
        let hint =
            "the program that the gateway is part of gives them to its builder, by the subscription's id";
        Err(Problem::new("mode", "there is no function for it in this program").with_hint(hint))
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_set().entries(by_id.keys()).finish()
    }
}
