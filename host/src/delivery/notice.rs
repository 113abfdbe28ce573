//! What others are told of subscriptions that stop and go on.

use super::report;
use anglerfish_core::delivery::Standing;
use anglerfish_core::request::UnixMillis;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// A subscription stands otherwise from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingNotice {
    /// The subscription.
    pub subscription: Arc<str>,
    /// How it stands.
    pub standing: Standing,
    /// Why, if it does not stand as usual.
    pub reason: Option<String>,
    /// Since when.
    pub at: UnixMillis,
}

/// Where notices go, if anybody wants them. There is one for each time that somebody or the engine stops a subscription,
/// or somebody lets it go on: few enough that they are all kept until they are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Option<mpsc::UnboundedSender<StandingNotice>>>>);

impl Notices {
    /// Reads them from now on; whoever read them before gets no more.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<StandingNotice> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    pub(super) fn send(&self, subscription: &Arc<str>, standing: Standing, at: UnixMillis) {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*listener {
            let reason = report::reason(standing);
            // Who listened may be gone.
            let _ =
                sender.send(StandingNotice { subscription: Arc::clone(subscription), standing, reason, at });
        }
    }
}
