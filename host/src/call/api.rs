//! An API, made ready once so that an attempt only fills in what is its own.

use crate::delivery::Target;
use crate::outbound::Outbound;
use anglerfish_core::call::CallRequest;
use anglerfish_core::config::{ApiConfig, CALL_POLICY_KEYS, CallPolicy, DeliveryConfig, read_call_policy};
use anglerfish_core::problem::Problem;
use http::HeaderName;
use serde_json::{Map, Value};
use std::time::Duration;

/// An API as the configuration has it.
#[derive(Debug, Clone)]
pub struct ApiDefinition {
    /// What it is.
    pub config: ApiConfig,
    /// Its policy as it is written: what its requests are made with as long as nobody says otherwise.
    pub policy: Value,
}

/// An API as it is at the moment.
#[derive(Debug, Clone)]
pub struct ApiReport {
    /// Its name.
    pub name: String,
    /// The policy that requests get which are made now, as a document.
    pub policy: Value,
    /// What of that was said at run time.
    pub settings: Value,
    /// The keys of what was said at run time and does not go with what is configured now: they hold again once they do.
    pub aside: Vec<String>,
    /// How many attempts a request has.
    pub attempts: u32,
    /// How many attempts are under way, without those whose answers are awaited after their time.
    pub running: usize,
    /// How many may be.
    pub concurrency: usize,
    /// Why none starts now, in the words of `GET /v1/apis`, and for how long if that is known.
    pub waits: Option<(&'static str, Option<Duration>)>,
}

impl ApiDefinition {
    /// The part of its table that is its policy.
    #[must_use]
    pub fn of(config: ApiConfig, document: &Value) -> Self {
        let members = document.as_object().into_iter().flatten();
        let members = members.filter(|(key, _)| CALL_POLICY_KEYS.contains(&key.as_str()));
        let policy = Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect());
        Self { config, policy }
    }

    /// Says what about it cannot be used, as one of its table's problems.
    ///
    /// # Errors
    ///
    /// The problem.
    pub(crate) fn check(&self, outbound: &Outbound) -> Result<(), Problem> {
        target(&self.config, outbound).map(drop)
    }
}

/// An API that is ready.
#[derive(Debug)]
pub(super) struct ReadyApi {
    pub(super) definition: ApiDefinition,
    pub(super) target: Target,
    pub(super) key_field: HeaderName,
    /// What was said of it at run time, and what of that goes with what is configured.
    pub(super) said: Value,
    pub(super) settings: Value,
    /// The policy of requests that are made now, as a document, as that is kept with each, and as it is used.
    pub(super) document: Value,
    pub(super) written: String,
    pub(super) policy: CallPolicy,
}

impl ReadyApi {
    /// Makes it ready with all of what was `said` of it at run time that goes with what is configured; what was said first of
    /// it, `settings`, does.
    pub(super) fn saying(
        definition: ApiDefinition,
        settings: &Value,
        said: Value,
        outbound: &Outbound,
    ) -> Result<Self, Vec<Problem>> {
        let goes = |settings: &Value| read_call_policy(&merged(&definition.policy, settings), "").is_ok();
        let mut holds = merged(settings, &said);
        if !goes(&holds) {
            holds = settings.clone();
            for (key, value) in said.as_object().into_iter().flatten() {
                let next =
                    merged(&holds, &Value::Object([(key.clone(), value.clone())].into_iter().collect()));
                if goes(&next) {
                    holds = next;
                }
            }
        }
        Ok(Self { said, ..Self::try_new(definition, holds, outbound)? })
    }

    /// Whether a request says where it goes as this API asks for.
    pub(super) fn takes(&self, request: &CallRequest) -> bool {
        request.url().is_some() == self.definition.config.any_url
    }

    /// The keys of what was said at run time and does not hold.
    pub(super) fn aside(&self) -> Vec<String> {
        let said = self.said.as_object().into_iter().flatten();
        said.filter(|(key, value)| self.settings.get(key) != Some(value))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Makes it ready, with what was said of it at run time.
    pub(super) fn try_new(
        definition: ApiDefinition,
        settings: Value,
        outbound: &Outbound,
    ) -> Result<Self, Vec<Problem>> {
        let target = target(&definition.config, outbound).map_err(|problem| vec![problem])?;
        let key_field = definition
            .config
            .idempotency_header
            .parse()
            .map_err(|_| vec![Problem::new("idempotency_header", "not the name of a header field")])?;
        let document = merged(&definition.policy, &settings);
        let policy = read_call_policy(&document, "")?;
        let said = settings.clone();
        let written = document.to_string();
        Ok(Self { definition, target, key_field, said, settings, document, written, policy })
    }
}

fn target(config: &ApiConfig, outbound: &Outbound) -> Result<Target, Problem> {
    // Of a delivery's policy only the number of connections that are kept counts here.
    let connections = DeliveryConfig { concurrency: config.concurrency, ..DeliveryConfig::default() };
    Target::try_new(&config.endpoint, &connections, outbound).map_err(|error| {
        let path = error.path();
        Problem::new(path.strip_prefix("endpoint.").unwrap_or(&path), error.to_string())
    })
}

/// One document over another: its keys go before, and `null` takes one away.
pub(super) fn merged(below: &Value, above: &Value) -> Value {
    let mut merged: Map<String, Value> = below.as_object().cloned().unwrap_or_default();
    for (key, value) in above.as_object().into_iter().flatten() {
        match value {
            Value::Null => merged.remove(key),
            value => merged.insert(key.clone(), value.clone()),
        };
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::OutboundOptions;
    use anglerfish_core::config::read_api;
    use serde_json::json;

    fn api(discard: &Value, said: &Value) -> ReadyApi {
        let document = json!({"name": "small", "url": "https://api.example.com", "discard": discard});
        let definition = ApiDefinition::of(read_api(&document, "").unwrap(), &document);
        let outbound = Outbound::try_new(OutboundOptions::default()).unwrap();
        ReadyApi::saying(definition, &json!({}), said.clone(), &outbound).unwrap()
    }

    #[test]
    fn what_was_said_at_run_time_is_left_aside_only_as_far_and_as_long_as_it_goes_against_the_file() {
        let said = json!({"retries": 7, "success": ["2xx", 404]});
        let (fine, against) = (api(&json!([489]), &said), api(&json!([404]), &said));
        assert_eq!((&fine.settings, fine.policy.attempts()), (&said, 8));
        assert!(fine.aside().is_empty());
        assert_eq!((&against.settings, against.policy.attempts()), (&json!({"retries": 7}), 8));
        assert_eq!((&against.said, against.aside()), (&said, vec!["success".to_owned()]));
        assert!(api(&json!([489]), &against.said).policy.success.contains(404));
    }
}
