//! Leases that a connection leaves behind.

use crate::delivery::{MessageToken, PassiveSubscription, Returned};
use std::time::Duration;

/// Whoever had these messages is gone: they come again at once.
pub(in crate::stream) async fn give_back(passive: &PassiveSubscription, leases: Vec<MessageToken>) {
    if leases.is_empty() {
        return;
    }
    let reason = Some("the connection ended before an answer".to_owned());
    let returned = Returned { delay: Some(Duration::ZERO), is_dead: false, reason };
    if let Err(error) = passive.return_messages(leases, returned).await {
        tracing::warn!(%error, "messages of a connection that ended cannot be given back now; their leases run out");
    }
}
