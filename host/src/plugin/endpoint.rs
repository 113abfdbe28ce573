//! Plugins in front of an endpoint.

use super::ask::ask;
use super::error::PluginFailure;
use super::pool::{Question, Verdict};
use super::set::Plugins;
use crate::delivery::{AttemptFailure, Attempted, Endpoint};
use crate::store::LeasedDelivery;
use anglerfish_core::config::{OnPluginError, PluginUse};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An endpoint that gets what all plugins agree to.
pub(super) struct FilteredEndpoint {
    plugins: Plugins,
    uses: Vec<PluginUse>,
    endpoint: Arc<dyn Endpoint>,
}

/// Why a delivery does not get to its endpoint.
struct Refused {
    failure: AttemptFailure,
    reason: String,
}

impl FilteredEndpoint {
    pub(super) fn new(plugins: Plugins, uses: Vec<PluginUse>, endpoint: Arc<dyn Endpoint>) -> Self {
        Self { plugins, uses, endpoint }
    }

    /// Asks all of them, in their order; each sees what the one before it has made of the data.
    async fn judge(&self, mut delivery: LeasedDelivery, until: Instant) -> Result<LeasedDelivery, Refused> {
        for used in &self.uses {
            let name = used.name.as_str();
            let local = |reason: String| Refused { failure: AttemptFailure::Local, reason };
            let Some(plugin) = self.plugins.get(name) else {
                // Another configuration is just taking the place of one that has it. Nothing is lost by waiting.
                return Err(local(format!("there is no plugin {name} now")));
            };
            let question = Question {
                subscription: delivery.subscription.clone(),
                event: delivery.event.clone(),
                headers: Arc::clone(&delivery.headers),
                data: delivery.data.clone(),
            };
            let config = used.config.clone();
            let judged = ask(plugin, until, move |plugin| plugin.judge(&question, &config)).await;
            let judged = judged.map_err(|reason| local(reason.to_owned()))?;
            self.plugins.metrics().judged(name, &judged);
            match judged.result {
                Ok(Verdict::Deliver) => {}
                Ok(Verdict::Drop(reason)) => {
                    let reason = format!("plugin {name} dropped it: {reason}");
                    return Err(Refused { failure: AttemptFailure::Unwanted, reason });
                }
                Ok(Verdict::Replace(kind, data)) => {
                    delivery.data = data;
                    delivery.event.datacontenttype = kind.or(delivery.event.datacontenttype);
                }
                Err(failure) => {
                    if !matches!(failure, PluginFailure::Said(_)) {
                        let (subscription, event) = (&delivery.subscription, &delivery.event.id);
                        tracing::warn!(plugin = name, subscription, event, "a plugin failed: it {failure}");
                    }
                    return Err(on_error(used, &failure));
                }
            }
        }
        Ok(delivery)
    }
}

fn on_error(used: &PluginUse, failure: &dyn std::fmt::Display) -> Refused {
    let failed = match used.on_error {
        OnPluginError::Discard => AttemptFailure::Unwanted,
        OnPluginError::Hold => AttemptFailure::Unsendable,
    };
    Refused { failure: failed, reason: format!("plugin {} failed: {failure}", used.name) }
}

#[async_trait]
impl Endpoint for FilteredEndpoint {
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted {
        let (started, begun) = (self.plugins.clock.now(), Instant::now());
        match self.judge(delivery, begun + timeout).await {
            Ok(delivery) => self.endpoint.attempt(delivery, timeout.saturating_sub(begun.elapsed())).await,
            Err(Refused { failure, reason }) => {
                Attempted::within(started, begun.elapsed(), Some((failure, reason)))
            }
        }
    }

    fn withdraw(&self) {
        self.endpoint.withdraw();
    }
}
