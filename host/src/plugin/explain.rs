//! What plugins would say of an event, without effects.

use super::ask::ask;
use super::pool::{Judged, Question, Verdict};
use super::set::Plugins;
use anglerfish_core::config::PluginUse;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long an explanation waits for places among the plugins' calls.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a plugin says of an event that the filter wants.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PluginVerdict {
    /// The plugin.
    pub plugin: String,
    /// `deliver`, `drop` or `replace`; what it failed at: `error`, `timeout`, `memory`, `stack`, `answer`, `trap`; or
    /// `unasked`.
    pub outcome: &'static str,
    /// Why it is not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long the call took, in milliseconds.
    pub duration_ms: f64,
}

impl PluginVerdict {
    /// Whether the event is delivered, as far as this plugin goes.
    #[must_use]
    pub fn agrees(&self) -> bool {
        matches!(self.outcome, "deliver" | "replace")
    }

    fn of(plugin: &str, asked: &Result<Judged, &'static str>) -> Self {
        let plugin = plugin.to_owned();
        match asked {
            Ok(judged) => Self {
                plugin,
                outcome: judged.outcome(),
                reason: judged.reason(),
                duration_ms: (judged.duration.as_secs_f64() * 1e6).round() / 1e3,
            },
            Err(reason) => {
                Self { plugin, outcome: "unasked", reason: Some((*reason).to_owned()), duration_ms: 0.0 }
            }
        }
    }
}

impl Plugins {
    /// Asks the plugins of a subscription as a delivery would, until one does not agree. What they set and log is forgotten,
    /// and nothing is counted.
    pub async fn explain(&self, uses: &[PluginUse], mut question: Question) -> Vec<PluginVerdict> {
        let until = Instant::now() + PATIENCE;
        let mut verdicts = Vec::with_capacity(uses.len());
        for used in uses {
            let asked = match self.get(&used.name) {
                Some(plugin) => {
                    let (question, config) = (question.clone(), used.config.clone());
                    ask(plugin, until, move |plugin| plugin.explain(&question, &config)).await
                }
                None => Err("there is no such plugin now"),
            };
            verdicts.push(PluginVerdict::of(&used.name, &asked));
            match asked.map(|judged| judged.result) {
                Ok(Ok(Verdict::Deliver)) => {}
                Ok(Ok(Verdict::Replace(kind, data))) => {
                    question.data = data;
                    question.event.datacontenttype = kind.or(question.event.datacontenttype);
                }
                _ => break,
            }
        }
        verdicts
    }
}
