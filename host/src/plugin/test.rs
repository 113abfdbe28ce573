//! Plugins that behave, and that do not: the bytes of `guest/plugin/examples/probe.rs`, as they were built for the first
//! version of the contract.

use super::*;
use crate::delivery::{AttemptFailure, Attempted, Endpoint, EndpointFilter};
use crate::store::{DeliveryId, EventSeq, LeaseToken, LeasedDelivery};
use anglerfish_core::config::{OnPluginError, PluginUse};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use async_trait::async_trait;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/plugin/probe-0.1.0.wasm")
}

fn config() -> PluginConfig {
    PluginConfig { state: 64 << 10, instances: 1, ..PluginConfig::new("probe", probe()) }
}

fn plugin(config: PluginConfig) -> Plugin {
    Plugin::load(&Sandbox::try_new().unwrap(), config)
        .map_err(|(key, error)| format!("{key}: {error}"))
        .unwrap()
}

fn question(data: &'static str) -> Question {
    let event = Event {
        id: "evt_1".to_owned(),
        source: "shop".to_owned(),
        kind: "order.created".to_owned(),
        time: UnixMillis(1_700_000_000_000),
        ..Event::default()
    };
    Question { subscription: "orders".to_owned(), event, headers: [].into(), data: Bytes::from(data) }
}

fn ask(plugin: &Plugin, config: &str) -> Result<Verdict, PluginFailure> {
    plugin.judge(&question("{}"), &format!("{config:?}")).result
}

#[test]
fn a_plugin_built_for_the_first_version_says_what_it_said_then() {
    let plugin = plugin(config());
    assert_eq!(ask(&plugin, "deliver"), Ok(Verdict::Deliver));
    let reason = "order.created of shop is not wanted".to_owned();
    assert_eq!(ask(&plugin, "drop"), Ok(Verdict::Drop(reason)));
    let replaced = Verdict::Replace(Some("text/plain".to_owned()), Bytes::from("2 bytes for orders"));
    assert_eq!(ask(&plugin, "replace"), Ok(replaced));
    assert_eq!(ask(&plugin, "error"), Err(PluginFailure::Said("cannot say".to_owned())));
    for call in 1..=3 {
        assert_eq!(ask(&plugin, "count"), Ok(Verdict::Drop(format!("call {call}"))));
    }
    // What was remembered is the plugin's, not the instance's.
    assert_eq!(ask(&plugin, "trap").unwrap_err().name(), "trap");
    assert_eq!(ask(&plugin, "count"), Ok(Verdict::Drop("call 4".to_owned())));
}

#[test]
fn what_was_compiled_once_is_not_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let load = || {
        let sandbox = Sandbox::try_new().unwrap().with_cache(Some(cache.clone()));
        Plugin::load(&sandbox, config()).map_err(|(key, error)| format!("{key}: {error}")).unwrap()
    };
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect()
    };
    assert_eq!(ask(&load(), "deliver"), Ok(Verdict::Deliver));
    let kept = files();
    assert_eq!(kept.len(), 1, "{kept:?}");
    // What another program with the same bytes left there is what runs.
    assert_eq!(ask(&load(), "deliver"), Ok(Verdict::Deliver));
    assert_eq!(files(), kept);
    std::fs::write(&kept[0].0, b"no code").unwrap();
    assert_eq!(ask(&load(), "deliver"), Ok(Verdict::Deliver), "damaged, it is made anew");
    assert_eq!(files(), kept);
}

#[test]
fn whatever_a_plugin_does_it_ends_within_its_limits_and_the_next_call_is_answered() {
    let plugin = plugin(config());
    for (behaviour, failure) in [
        ("loop", "timeout"),
        ("memory", "memory"),
        ("stack", "stack"),
        ("trap", "trap"),
        ("giant", "answer"),
        ("state", "error"),
    ] {
        let begun = Instant::now();
        let judged = plugin.judge(&question("{}"), &format!("{behaviour:?}"));
        assert_eq!(judged.result.map_err(|failure| failure.name()), Err(failure), "{behaviour}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{behaviour} took {:?}", begun.elapsed());
        assert_eq!(ask(&plugin, "deliver"), Ok(Verdict::Deliver), "after {behaviour}");
    }
}

#[test]
fn a_plugin_that_logs_more_than_is_written_goes_on() {
    // So many lines take long on a slow machine, and time is not what this is about.
    let plugin = plugin(PluginConfig { timeout: Duration::from_secs(60), ..config() });
    assert_eq!(ask(&plugin, "log"), Ok(Verdict::Deliver));
}

#[test]
fn what_is_no_plugin_is_refused_with_the_key_that_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = |bytes: &[u8]| {
        let path = directory.path().join("p.wasm");
        std::fs::write(&path, bytes).unwrap();
        Plugin::load(&Sandbox::try_new().unwrap(), PluginConfig::new("p", path)).err().unwrap()
    };
    assert_eq!(file(b"not wasm").0, "path");
    // A module that says nothing of how it becomes a component, and a component that exports nothing.
    assert!(matches!(file(b"\0asm\x01\0\0\0"), ("path", PluginError::NoPlugin(_))));
    assert!(matches!(file(b"\0asm\x0d\0\x01\0"), ("path", PluginError::NoPlugin(_))));
    // One that was copied half.
    let whole = std::fs::read(probe()).unwrap();
    for length in [9, 100, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(file(&whole[..length]), ("path", PluginError::NoPlugin(_))), "{length} bytes");
    }
    let missing = PluginConfig::new("p", directory.path().join("missing.wasm"));
    let missing = Plugin::load(&Sandbox::try_new().unwrap(), missing).err().unwrap();
    assert!(matches!(missing, ("path", PluginError::Unreadable(_))));
    let other = PluginConfig { sha256: Some([0; 32]), ..config() };
    let other = Plugin::load(&Sandbox::try_new().unwrap(), other).err().unwrap();
    assert!(matches!(other, ("sha256", PluginError::Hash(_))));
}

/// Keeps what arrives.
#[derive(Default)]
struct Kept(Mutex<Vec<LeasedDelivery>>);

#[async_trait]
impl Endpoint for Kept {
    async fn attempt(&self, delivery: LeasedDelivery, _: Duration) -> Attempted {
        self.0.lock().unwrap().push(delivery);
        Attempted {
            started: UnixMillis(0),
            duration: Duration::ZERO,
            status: Some(200),
            retry_after: None,
            rate_limit_reset: None,
            is_abort: false,
            answer: None,
            failure: None,
            error: None,
            is_joined: false,
        }
    }
}

fn delivery() -> LeasedDelivery {
    let Question { event, data, headers, subscription } = question("{}");
    LeasedDelivery {
        id: DeliveryId(1),
        token: LeaseToken(1),
        until: UnixMillis(u64::MAX),
        subscription,
        seq: EventSeq(1),
        event,
        data,
        headers,
        attempts: 0,
        created: UnixMillis(0),
        interrupted: false,
        outlived: false,
    }
}

fn uses(config: &str, on_error: OnPluginError) -> PluginUse {
    PluginUse { name: "probe".to_owned(), config: format!("{config:?}"), on_error }
}

async fn attempt(plugins: &Plugins, uses: Vec<PluginUse>) -> (Attempted, Vec<LeasedDelivery>) {
    let kept = Arc::new(Kept::default());
    let endpoint = plugins.filtered(uses, Arc::clone(&kept) as _);
    let attempted = endpoint.attempt(delivery(), Duration::from_secs(30)).await;
    let arrived = std::mem::take(&mut *kept.0.lock().unwrap());
    (attempted, arrived)
}

#[tokio::test]
async fn all_have_to_agree_and_what_fails_does_not_arrive() {
    let plugins = Plugins::default();
    plugins.replace(plugins.load(&[config()]).unwrap());
    let discard = |behaviour| uses(behaviour, OnPluginError::Discard);
    let (_, arrived) = attempt(&plugins, vec![discard("deliver"), discard("replace")]).await;
    assert_eq!(arrived[0].data, "2 bytes for orders");
    assert_eq!(arrived[0].event.datacontenttype.as_deref(), Some("text/plain"));
    for (used, failure, reason) in [
        (
            discard("drop"),
            AttemptFailure::Unwanted,
            "plugin probe dropped it: order.created of shop is not wanted",
        ),
        (discard("trap"), AttemptFailure::Unwanted, "plugin probe failed: trapped: "),
        (
            uses("loop", OnPluginError::Hold),
            AttemptFailure::Unsendable,
            "plugin probe failed: ran into its time limit",
        ),
        (uses("error", OnPluginError::Hold), AttemptFailure::Unsendable, "plugin probe failed: cannot say"),
    ] {
        let (attempted, arrived) = attempt(&plugins, vec![discard("deliver"), used]).await;
        assert_eq!((attempted.failure, arrived.len()), (Some(failure), 0));
        assert!(attempted.error.as_deref().unwrap().starts_with(reason), "{:?}", attempted.error);
    }
    let gone = PluginUse { name: "gone".to_owned(), ..discard("deliver") };
    let (attempted, arrived) = attempt(&plugins, vec![gone]).await;
    assert_eq!((attempted.failure, arrived.len()), (Some(AttemptFailure::Local), 0), "it waits");
}

#[tokio::test]
async fn a_plugin_that_is_as_it_was_keeps_what_it_remembers_over_a_reload() {
    let plugins = Plugins::default();
    plugins.replace(plugins.load(&[config()]).unwrap());
    let count =
        || async { attempt(&plugins, vec![uses("count", OnPluginError::Discard)]).await.0.error.unwrap() };
    assert!(count().await.ends_with("call 1"));
    plugins.replace(plugins.load(&[config()]).unwrap());
    assert!(count().await.ends_with("call 2"));
    let staged = plugins.stage(plugins.load(&[]).unwrap());
    drop(staged);
    assert!(count().await.ends_with("call 3"), "what is not applied changes nothing");
    let other = PluginConfig { timeout: Duration::from_millis(50), ..config() };
    plugins.replace(plugins.load(&[other]).unwrap());
    assert!(count().await.ends_with("call 1"));
}
