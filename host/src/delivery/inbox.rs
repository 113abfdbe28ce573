//! What other tasks tell the driver.

use super::roster::Settings;
use crate::store::LeasedDelivery;
use crate::subscription::QueueReport;
use anglerfish_core::delivery::{Standing, StoreFault};
use std::collections::VecDeque;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// How much memory deliveries may take that wait here, in bytes. The driver takes everything at once within microseconds; if it cannot keep
/// up, deliveries go to it by way of the store.
const MOST_BYTES: usize = 16 << 20;

/// Something to tell the driver.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are offers")]
pub(super) enum Message {
    /// A subscription is there, or has new settings.
    Put(Arc<str>, Arc<Settings>),
    /// A subscription is gone; to be answered once it holds nothing any more.
    Remove(Arc<str>, oneshot::Sender<()>),
    /// Deliveries leased to whoever takes them.
    Offer(LeasedDelivery),
    /// A subscription got deliveries that are due in the store.
    Wake(Arc<str>),
    /// Attempts of a subscription stop, or go on; to be answered once that is written down, or cannot be now.
    Stand(Arc<str>, Standing, oneshot::Sender<Result<(), StoreFault>>),
    /// Somebody wants to know how a subscription is doing.
    Ask(Arc<str>, oneshot::Sender<Option<QueueReport>>),
    /// The end begins.
    Drain,
    /// The end comes.
    Abort,
    /// The driver breaks down.
    #[cfg(test)]
    BreakDown,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    bytes: usize,
}

/// The driver's inbox.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    notify: Notify,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the driver something.
    pub(super) fn send(&self, message: Message) {
        self.state().messages.push_back(message);
        self.notify.notify_one();
    }

    /// Offers deliveries; those that find no room come back.
    pub(super) fn offer(&self, deliveries: Vec<LeasedDelivery>) -> Vec<LeasedDelivery> {
        let mut refused = Vec::new();
        let mut state = self.state();
        for delivery in deliveries {
            if state.bytes + delivery.memory() > MOST_BYTES {
                refused.push(delivery);
            } else {
                state.bytes += delivery.memory();
                state.messages.push_back(Message::Offer(delivery));
            }
        }
        drop(state);
        self.notify.notify_one();
        refused
    }

    /// Takes everything.
    pub(super) fn take(&self) -> VecDeque<Message> {
        let mut state = self.state();
        state.bytes = 0;
        take(&mut state.messages)
    }

    /// Waits until something may have come.
    pub(super) async fn changed(&self) {
        self.notify.notified().await;
    }
}
