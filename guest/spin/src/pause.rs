//! Endpoints that are left alone: because they asked for time, or because they said that nobody is there any more.
//!
//! What is paused until another configuration is deployed names the version that it belongs to.

use crate::bucket::Bucket;
use crate::clock;
use anglerfish_core::edge::Bucket as _;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// How long an endpoint is left alone that asks for it and does not say for how long.
const UNSAID: Duration = Duration::from_secs(30);

/// How long what waits for another configuration waits until somebody looks again, in milliseconds.
const LOOK_AGAIN: u64 = 3_600_000;

#[derive(Debug, Serialize, Deserialize)]
struct Pause {
    /// Until when, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// Without an end: the version of the configuration that has to be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// The status that asked for it.
    status: u16,
}

fn key(subscription: &str) -> String {
    format!("pause/{subscription}")
}

/// Until when these subscriptions are left alone, those that are. What cannot be read pauses nobody.
pub(crate) fn paused<'a>(
    subscriptions: impl Iterator<Item = &'a str>,
    version: u64,
) -> Result<HashMap<String, u64>, String> {
    let names: Vec<&str> = subscriptions.collect();
    let found = Bucket::open()?.get_many(names.iter().map(|name| key(name)).collect())?;
    let now = clock::now();
    let until = |name: &&str| -> Option<(String, u64)> {
        let pause: Pause = serde_json::from_slice(found.get(&key(name))?).ok()?;
        let until = match pause.version {
            Some(of) => (of == version).then(|| now.saturating_add(LOOK_AGAIN)),
            None => pause.until,
        };
        Some(((*name).to_owned(), until.filter(|until| *until > now)?))
    };
    Ok(names.iter().filter_map(until).collect())
}

/// Leaves a subscription alone for as long as its endpoint asked for, which is zero if it did not say.
pub(crate) fn throttle(subscription: &str, asked: Duration, status: u16) -> Result<(), String> {
    let wait = if asked.is_zero() { UNSAID } else { asked };
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let until = Some(clock::now().saturating_add(wait));
    set(subscription, &Pause { until, version: None, status })
}

/// Leaves a subscription alone until another configuration than this version is deployed.
pub(crate) fn disable(subscription: &str, version: u64, status: u16) -> Result<(), String> {
    set(subscription, &Pause { until: None, version: Some(version), status })
}

fn set(subscription: &str, pause: &Pause) -> Result<(), String> {
    let value = serde_json::to_vec(pause).map_err(|error| error.to_string())?;
    Bucket::open()?.set(&key(subscription), &value)
}
