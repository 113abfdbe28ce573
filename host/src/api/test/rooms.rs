//! The rooms beside the registry, as far as it sees them.

use super::NOW;
use crate::api::{Configuration, Presence, ReaderDocument};
use crate::config::{ConfigProblem, ConfigStatus, ReloadCause, ReloadOutcome, ReloadReport};
use crate::engine::InboundRequest;
use crate::ingress::Outlet;
use crate::rejection::Explainer;
use crate::source::SourceTable;
use crate::store::LeasedDelivery;
use crate::subscription::{
    Dispatch, LeaseReport, PastEvent, QueueReport, Routing, RoutingError, SendError, SendReport,
    StandingError, SubscriptionStanding, Verdict, VerdictOutcome, WaitReason,
};
use crate::telemetry::Activity;
use anglerfish_core::config::{
    DeliveryConfig, EndpointConfig, Node, Problems, SigningKeyConfig, SourceConfig, SubscriptionConfig,
    WhenRemoved, read_start,
};
use anglerfish_core::decision::{self, Intent};
use anglerfish_core::delivery::Standing;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{Explanation, RenderConfig, VerificationOutcome, VerificationReport};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A routing table: a filter matches if it is the event's type, and does not compile if it is `)`.
#[derive(Default)]
pub(super) struct Table {
    filters: Mutex<BTreeMap<String, Option<String>>>,
    /// Whether [`Routing::put`] fails, though not for what was there before.
    pub(super) broken: AtomicBool,
}

impl Table {
    pub(super) fn insert(&self, subscription: &SubscriptionConfig) {
        self.filters.lock().unwrap().insert(subscription.id.clone(), subscription.filter.clone());
    }

    pub(super) fn filters(&self) -> BTreeMap<String, Option<String>> {
        self.filters.lock().unwrap().clone()
    }
}

fn verdict(id: &str, filter: Option<&str>, event: &PastEvent) -> Verdict {
    let matches = filter.is_none_or(|filter| filter == event.event.kind);
    let outcome = if matches { VerdictOutcome::Match } else { VerdictOutcome::NoMatch };
    Verdict { subscription: id.into(), outcome, reason: format!("{} bytes", event.data.len()) }
}

#[async_trait]
impl Explainer for Table {
    async fn explain(&self, request: &InboundRequest) -> Result<Explanation, String> {
        let verification = VerificationReport {
            outcome: VerificationOutcome::Rejected,
            scheme: "github".into(),
            reason: format!("{} bytes", request.body.len()),
            steps: vec!["secret 1: no match".into()],
        };
        let (parts, subscriptions) = (Vec::new(), Vec::new());
        Ok(Explanation { verification, parts, event: None, duplicate: false, subscriptions })
    }
}

#[async_trait]
impl Routing for Table {
    fn review(&self, _sources: &[String], filter: Option<&str>) -> Vec<Problem> {
        let mut problem = Problem::new("filter", "unexpected `)`");
        (problem.line, problem.column) = (Some(1), Some(1));
        if filter == Some(")") { vec![problem] } else { Vec::new() }
    }

    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError> {
        let problems = self.review(&[], subscription.filter.as_deref());
        if problems.is_empty() { Ok(()) } else { Err(RoutingError::Invalid(problems)) }
    }

    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), RoutingError> {
        self.check(subscription).await?;
        let known = self.filters().get(&subscription.id) == Some(&subscription.filter);
        if self.broken.load(Ordering::Relaxed) && !known {
            return Err(RoutingError::Unavailable("no instance answers".into()));
        }
        self.insert(subscription);
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), RoutingError> {
        self.filters.lock().unwrap().remove(id);
        Ok(())
    }

    fn left_out(&self, _id: &str) {}

    fn activity(&self, _id: &str, _now: UnixMillis) -> Option<Activity> {
        None
    }

    async fn missing_fields(&self, _filter: &str, _bodies: Vec<Bytes>) -> Result<Vec<String>, RoutingError> {
        Ok(Vec::new())
    }

    async fn route(&self, event: PastEvent) -> Result<decision::Routing, RoutingError> {
        let filters = self.filters();
        let wanted =
            filters.iter().filter(|(_, filter)| filter.as_ref().is_none_or(|one| *one == event.event.kind));
        let intents = wanted.map(|(id, _)| Intent { subscription: id.clone(), ..Intent::default() });
        Ok(decision::Routing { intents: intents.collect(), failures: Vec::new() })
    }

    async fn explain(&self, event: PastEvent, only: Option<&str>) -> Result<Vec<Verdict>, RoutingError> {
        let filters = self.filters();
        let asked = filters.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        Ok(asked.map(|(id, filter)| verdict(id, filter.as_deref(), &event)).collect())
    }

    async fn explain_with(
        &self,
        event: PastEvent,
        _sources: &[String],
        filter: Option<&str>,
    ) -> Result<Verdict, RoutingError> {
        if filter == Some(")") {
            return Err(RoutingError::Invalid(vec![Problem::new("filter", "unexpected `)`")]));
        }
        Ok(verdict("test", filter, &event))
    }

    async fn render(
        &self,
        event: PastEvent,
        made: RenderConfig,
    ) -> Result<Result<String, String>, RoutingError> {
        Ok(Ok(format!("{:?}", (made.transform, event.event.id))))
    }
}

#[async_trait]
impl SourceTable for Table {
    async fn put(&self, _source: &SourceConfig) -> Result<(), RoutingError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(RoutingError::Unavailable("no instance answers".into()));
        }
        Ok(())
    }

    /// A subscription names the source `named`.
    async fn delete(&self, name: &str) -> Result<(), RoutingError> {
        match name {
            "named" => Err(RoutingError::Invalid(vec![Problem::new("", "subscription `a` names it")])),
            _ => Ok(()),
        }
    }
}

impl Outlet for Queues {
    fn offer(&self, deliveries: Vec<LeasedDelivery>) {
        self.offered.lock().unwrap().extend(deliveries.into_iter().map(|delivery| delivery.subscription));
    }
}

/// Queues, by subscription with the URL that they deliver to, and whom they were woken for.
#[derive(Default)]
pub(super) struct Queues {
    urls: Mutex<BTreeMap<String, String>>,
    woken: Mutex<Vec<String>>,
    pub(super) standings: Mutex<BTreeMap<String, Standing>>,
    offered: Mutex<Vec<String>>,
}

impl Queues {
    pub(super) fn urls(&self) -> BTreeMap<String, String> {
        self.urls.lock().unwrap().clone()
    }

    /// For whom deliveries were handed over.
    pub(super) fn offered(&self) -> Vec<String> {
        std::mem::take(&mut *self.offered.lock().unwrap())
    }

    pub(super) fn woken(&self) -> Vec<String> {
        std::mem::take(&mut *self.woken.lock().unwrap())
    }
}

fn endpoint_url(subscription: &SubscriptionConfig) -> &str {
    subscription.endpoint.as_ref().map_or("", |endpoint| endpoint.url.reveal())
}

#[async_trait]
impl Dispatch for Queues {
    async fn check(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>> {
        if endpoint_url(subscription).contains("undeliverable") {
            return Err(vec![Problem::new("endpoint.url", "cannot be delivered to")]);
        }
        Ok(())
    }

    async fn put(&self, subscription: &SubscriptionConfig) -> Result<(), Vec<Problem>> {
        self.check(subscription).await?;
        assert!(!endpoint_url(subscription).contains("explosive"), "a test says so");
        self.urls.lock().unwrap().insert(subscription.id.clone(), endpoint_url(subscription).to_owned());
        Ok(())
    }

    async fn remove(&self, id: &str) {
        self.urls.lock().unwrap().remove(id);
    }

    fn wake(&self, id: &str) {
        self.woken.lock().unwrap().push(id.into());
    }

    async fn stand(&self, id: &str, standing: Standing) -> Result<(), StandingError> {
        if id == "unwritable" {
            return Err(StandingError::Unwritten);
        }
        self.standings.lock().unwrap().insert(id.into(), standing);
        Ok(())
    }

    fn leases(&self, _id: &str) -> Option<LeaseReport> {
        None
    }

    fn standing(&self, id: &str) -> SubscriptionStanding {
        let standing = self.standings.lock().unwrap().get(id).copied().unwrap_or_default();
        let (since, reason) = match standing {
            Standing::Active => (None, None),
            Standing::Paused | Standing::Disabled(_) => (Some(NOW), Some("a test says so".to_owned())),
        };
        SubscriptionStanding { standing, since, reason }
    }

    async fn report(&self, id: &str) -> Option<QueueReport> {
        let reason = Some(WaitReason::Rate);
        (id == "a").then_some(QueueReport {
            running: 1,
            ready: 2,
            reason,
            until: Some(NOW),
            ..Default::default()
        })
    }

    async fn send(&self, _: &str, quantity: usize, concurrency: usize) -> Result<SendReport, SendError> {
        match quantity {
            1 => Err(SendError::NotPassive),
            _ => Ok(SendReport { delivered: quantity, failed: concurrency, ..SendReport::default() }),
        }
    }

    fn forget(&self, id: &str) {
        self.standings.lock().unwrap().remove(id);
    }
}

/// Reads what these tests write; `env:GONE` is a secret that is no longer there.
pub(super) fn read(document: &[u8]) -> Result<SubscriptionConfig, Vec<Problem>> {
    let document: Value = serde_json::from_slice(document).unwrap();
    let mut problems = Vec::new();
    let mut text = |pointer: &str, path: &str| {
        let value = document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        value.unwrap_or_else(|| {
            problems.push(Problem::new(path, "missing key"));
            String::new()
        })
    };
    let (id, url) = (text("/id", "id"), text("/endpoint/url", "endpoint.url"));
    let start =
        document.get("start").and_then(|start| read_start(&Node::root(start, "start", &Problems::default())));
    let secret = document.pointer("/endpoint/secret").and_then(Value::as_str);
    if secret == Some("env:GONE") {
        problems.push(Problem::new("endpoint.secret", "the environment variable GONE is not set"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(SubscriptionConfig {
        plugins: Vec::new(),
        id,
        sources: Vec::new(),
        filter: document.get("filter").and_then(Value::as_str).map(str::to_owned),
        endpoint: Some(EndpointConfig {
            secrets: secret.map(SigningKeyConfig::new).into_iter().collect(),
            ..EndpointConfig::new(url)
        }),
        flow: None,
        tokens: Vec::new(),
        notification: None,
        delivery: DeliveryConfig::default(),
        start: start.unwrap_or_default(),
        when_removed: if document.get("when_removed").and_then(Value::as_str) == Some("wait") {
            WhenRemoved::Wait
        } else {
            WhenRemoved::End
        },
    })
}

/// A configuration whose next one has a problem.
pub(super) struct Fixed;

#[async_trait]
impl Configuration for Fixed {
    fn status(&self) -> ConfigStatus {
        ConfigStatus {
            file: "a.toml".into(),
            generation: 1,
            since: NOW,
            needs_restart: Vec::new(),
            last: None,
        }
    }

    async fn reload(&self) -> ConfigStatus {
        let problem = ConfigProblem {
            file: "a.toml".into(),
            line: Some(3),
            column: Some(1),
            path: "source[0].scheme".into(),
            message: "no such scheme".into(),
            hint: None,
        };
        let last = ReloadReport {
            at: NOW,
            cause: ReloadCause::Api,
            outcome: ReloadOutcome::Refused,
            problems: vec![problem],
            error: None,
            changes: Vec::new(),
        };
        ConfigStatus { last: Some(last), ..self.status() }
    }
}

/// Nobody reads.
pub(super) struct Nobody;

impl Presence for Nobody {
    fn readers(&self, _: Option<&str>) -> Vec<ReaderDocument> {
        Vec::new()
    }
}
