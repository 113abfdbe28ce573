//! The endpoint of a resource's subscriber: what it is told is settled when the attempt is made.

use super::attempt::notify;
use super::{AttemptFailure, Attempted, Endpoint, Target, TargetError};
use crate::clock::WallClock;
use crate::delivery::render::{DocumentNotices, RenderError};
use crate::outbound::Outbound;
use crate::store::LeasedDelivery;
use anglerfish_core::attempt::{telling_event, telling_policy};
use anglerfish_core::config::{DeliveryConfig, EndpointConfig, NotificationConfig};
use anglerfish_core::resource::Action;
use anglerfish_core::router::Telling;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The endpoint of a resource's subscriber.
pub(in crate::delivery) struct DocumentEndpoint {
    /// Where each action is told.
    targets: [(Action, Target); 3],
    /// What is said.
    notification: Arc<NotificationConfig>,
    /// When it counts.
    policy: Arc<DeliveryConfig>,
    /// What is news to the subscriber.
    notices: Arc<dyn DocumentNotices>,
    clock: WallClock,
}

#[async_trait]
impl Endpoint for DocumentEndpoint {
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted {
        // What an attempt that was interrupted told, its subscriber may have.
        if delivery.interrupted
            && let Err(error) = self.notices.doubt(&delivery).await
        {
            return self.undecided(error);
        }
        let notice = match self.notices.notice(&delivery).await {
            Ok(notice) => notice,
            Err(error) => return self.undecided(error),
        };
        let (subscription, url) =
            (delivery.subscription.clone(), delivery.event.subject.clone().unwrap_or_default());
        let Some(telling) = notice.telling else {
            return match self.notices.acknowledge(&subscription, &url, notice.receipt).await {
                Ok(()) => self.none(AttemptFailure::Unneeded, notice.reason),
                Err(error) => self.undecided(error),
            };
        };
        let target = self.targets.iter().find(|(action, _)| *action == telling.action);
        let Some((_, target)) = target else {
            return self.none(AttemptFailure::Unsendable, "there is no endpoint for this".to_owned());
        };
        let untold = delivery.clone();
        let delivery = match self.told(delivery, &telling) {
            Ok(delivery) => delivery,
            Err(error) => return self.none(AttemptFailure::Unsendable, error.to_string()),
        };
        let tried = notify(target, delivery, telling.values, timeout, &self.clock).await;
        let is_in_doubt = tried.is_in_doubt();
        let attempted: Attempted = tried.into();
        // The attempt failed in any case; only what is written down of it is not lost with this program.
        if is_in_doubt && let Err(error) = self.notices.doubt(&untold).await {
            return self.undecided(error);
        }
        let is_settled = |status: u16| {
            self.policy.success.contains(status) || self.policy.discard.contains(status) || attempted.is_abort
        };
        if attempted.failure.is_some() || !attempted.status.is_some_and(is_settled) {
            return attempted;
        }
        // What it has is written down before the delivery ends: if that is lost, the next attempt finds that it has it.
        match self.notices.acknowledge(&subscription, &url, notice.receipt).await {
            Ok(()) => attempted,
            Err(error) => self.undecided(error),
        }
    }
}

impl DocumentEndpoint {
    /// Makes an endpoint ready.
    pub(in crate::delivery) fn try_new(
        endpoint: &EndpointConfig,
        policy: &Arc<DeliveryConfig>,
        notification: &Arc<NotificationConfig>,
        outbound: &Outbound,
        (notices, clock): (Arc<dyn DocumentNotices>, WallClock),
    ) -> Result<Self, TargetError> {
        let targets = Self::targets(endpoint, policy, notification, outbound)?;
        let (policy, notification) = (Arc::clone(policy), Arc::clone(notification));
        Ok(Self { targets, notification, policy, notices, clock })
    }

    /// Where each action is told.
    pub(in crate::delivery) fn targets(
        endpoint: &EndpointConfig,
        delivery: &DeliveryConfig,
        notification: &NotificationConfig,
        outbound: &Outbound,
    ) -> Result<[(Action, Target); 3], TargetError> {
        let delivery = telling_policy(delivery, notification);
        let of = |action| -> Result<_, TargetError> {
            let endpoint = notification.endpoint(endpoint, action);
            Ok((action, Target::try_new(&endpoint, &delivery, outbound)?))
        };
        Ok([of(Action::Create)?, of(Action::Update)?, of(Action::Delete)?])
    }

    fn undecided(&self, error: RenderError) -> Attempted {
        match error {
            RenderError::Unfit(reason) => self.none(AttemptFailure::Unsendable, reason),
            RenderError::Unavailable(reason) => self.none(AttemptFailure::Local, reason),
        }
    }

    /// An attempt that sent nothing, and why.
    fn none(&self, failure: AttemptFailure, reason: String) -> Attempted {
        Attempted { failure: Some(failure), error: Some(reason), ..Attempted::internal(self.clock.now()) }
    }

    /// The delivery with what is said in the place of the log's entry.
    fn told(&self, mut delivery: LeasedDelivery, telling: &Telling) -> serde_json::Result<LeasedDelivery> {
        let (event, data) = telling_event(&self.notification, &delivery.event, telling)?;
        (delivery.event, delivery.data) = (event, Bytes::from(data));
        Ok(delivery)
    }
}
