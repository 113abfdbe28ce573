//! An API, made ready once so that an attempt only fills in what is its own.

use crate::delivery::Target;
use crate::outbound::Outbound;
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
    /// How many attempts a request has.
    pub attempts: u32,
    /// How many attempts are under way.
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
    /// What was said of it at run time.
    pub(super) settings: Value,
    /// The policy of requests that are made now, as a document, as that is kept with each, and as it is used.
    pub(super) document: Value,
    pub(super) written: String,
    pub(super) policy: CallPolicy,
}

impl ReadyApi {
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
        let written = document.to_string();
        Ok(Self { definition, target, key_field, settings, document, written, policy })
    }
}

fn target(config: &ApiConfig, outbound: &Outbound) -> Result<Target, Problem> {
    // Of a delivery's policy only the number of connections counts here.
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
