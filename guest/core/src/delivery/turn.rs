//! Whose turn it is.

use super::model::SubscriptionKey;
use std::collections::VecDeque;

/// A list of queues to look at, each at most once.
#[derive(Debug, Default)]
pub(super) struct Turn(VecDeque<SubscriptionKey>);

impl Turn {
    pub(super) fn push(&mut self, key: SubscriptionKey, is_in: &mut bool) {
        if !*is_in {
            *is_in = true;
            self.0.push_back(key);
        }
    }

    pub(super) fn pop(&mut self) -> Option<SubscriptionKey> {
        self.0.pop_front()
    }

    /// Puts one back that was just taken and stays in.
    pub(super) fn push_back(&mut self, key: SubscriptionKey) {
        self.0.push_back(key);
    }

    /// The same, at the front.
    pub(super) fn push_front(&mut self, key: SubscriptionKey) {
        self.0.push_front(key);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
