//! The recorded cases of all providers through the component, as the gateway runs it: each ends as it must, and the
//! component decides what the same code decides natively.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails loudly"
)]

#[path = "../../guest/core/tests/verify_support/mod.rs"]
mod verify_support;

use anglerfish::engine::{Engine, EngineConfig, FetchedDocument, InboundRequest};
use anglerfish_core::decision::Decision;
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::router::{Explanation, Router, RoutingDocument, RoutingSource, VerificationOutcome};
use anglerfish_core::state::Keys;
use anglerfish_core::verify::VerificationConfig;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use verify_support::{Case, Expect, Group, Whole, groups};

/// State in which nothing was ever written.
struct Nothing;

impl Keys for Nothing {
    fn get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn set(&mut self, _key: &str, _value: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// A source for each configuration that occurs.
#[derive(Default)]
struct Sources(Vec<VerificationConfig>);

impl Sources {
    fn name(&mut self, config: &VerificationConfig) -> String {
        let position = self.0.iter().position(|known| known == config).unwrap_or_else(|| {
            self.0.push(config.clone());
            self.0.len() - 1
        });
        format!("s{position}")
    }

    fn document(self) -> RoutingDocument {
        let source = |(position, verification)| RoutingSource { name: format!("s{position}"), verification };
        RoutingDocument {
            source: self.0.into_iter().enumerate().map(source).collect(),
            ..RoutingDocument::default()
        }
    }
}

/// The request as it comes over HTTP.
fn inbound(source: &str, whole: &Whole) -> InboundRequest {
    let mut headers = HeaderMap::new();
    for (name, value) in &whole.headers {
        headers
            .append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let fetched = whole.fetched.iter().map(|document| FetchedDocument {
        url: document.url.clone(),
        status: document.status,
        body: Bytes::from(document.body.clone()),
    });
    InboundRequest {
        id: whole.request().id.to_owned(),
        source: source.to_owned(),
        method: Method::try_from(whole.method.as_str()).unwrap(),
        url: whole.url.clone(),
        headers,
        body: Bytes::from(whole.body.clone()),
        received: UnixMillis::from_seconds(whole.now),
        added_prefix: String::new(),
        fetched: fetched.collect(),
    }
}

/// The same request as the core sees it, with its header fields in the order in which they go over HTTP.
fn native<'a>(inbound: &'a InboundRequest, whole: &'a Whole) -> Request<'a> {
    Request {
        source: &inbound.source,
        headers: inbound
            .headers
            .iter()
            .map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() })
            .collect(),
        ..whole.request()
    }
}

/// Whether a decision is the one that the case asks for.
fn agrees(
    expect: &Expect,
    config: &VerificationConfig,
    decision: &Decision,
    explanation: &Explanation,
) -> Result<(), &'static str> {
    let asked = match decision {
        Decision::Accept(_) => "verified",
        Decision::Answer(_) => "answered",
        Decision::Reject(_) => "rejected",
        Decision::Fetch(_) => "fetch",
        Decision::Duplicate(_) => return Err("a duplicate of nothing"),
        Decision::Other(_) => return Err("an unknown decision"),
    };
    if asked != expect.outcome {
        return Err("another outcome");
    }
    let explained = match explanation.verification.outcome {
        VerificationOutcome::Verified => "verified",
        VerificationOutcome::Answered => "answered",
        VerificationOutcome::Rejected => "rejected",
        VerificationOutcome::Pending => "fetch",
    };
    if explained != expect.outcome {
        return Err("the explanation has another outcome");
    }
    match decision {
        Decision::Accept(acceptance) => {
            let secret = expect.secret.map(|index| match &config.secrets[index].label {
                Some(label) => format!("secret `{label}` matches"),
                None => format!("secret {index} matches"),
            });
            if secret.is_some_and(|secret| explanation.verification.reason != secret) {
                return Err("another secret");
            }
            let event = &acceptance.events[0].event;
            if let Some(expected) = &expect.event {
                let id = expected.id.as_ref().is_none_or(|id| *id == event.id);
                let kind = expected.r#type.as_ref().is_none_or(|kind| *kind == event.kind);
                let time = expected.time.is_none_or(|time| UnixMillis(time) == event.time);
                if !(id && kind && time && expected.subject == event.subject) {
                    return Err("another event");
                }
            }
            match (&expect.answer, &acceptance.answer) {
                (Some(expected), Some(answer)) if expected.matches(answer) => Ok(()),
                (None, _) => Ok(()),
                _ => Err("another answer"),
            }
        }
        Decision::Answer(answer) => match &expect.answer {
            Some(expected) if !expected.matches(answer) => Err("another answer"),
            _ => Ok(()),
        },
        Decision::Reject(rejection) => {
            let reason = expect.reason.as_ref().is_none_or(|part| rejection.reason.contains(part));
            let status = rejection.status == expect.status.unwrap_or(401);
            if reason && status { Ok(()) } else { Err("another rejection") }
        }
        Decision::Fetch(wishes) => {
            let urls: Vec<&String> = wishes.iter().map(|wish| &wish.url).collect();
            match &expect.urls {
                Some(expected) if expected.iter().collect::<Vec<_>>() != urls => Err("other documents"),
                _ => Ok(()),
            }
        }
        Decision::Duplicate(_) => Err("a duplicate of nothing"),
        Decision::Other(_) => Err("an unknown decision"),
    }
}

#[tokio::test]
async fn every_recorded_case_ends_through_the_component_as_it_must_and_as_it_does_natively() {
    let mut sources = Sources::default();
    let mut cases: Vec<(String, Case, Whole, String)> = Vec::new();
    for (name, group) in groups() {
        let Group { cases: recorded, .. } = &group;
        for case in recorded {
            let whole = Whole::of(&group, case);
            let source = sources.name(&whole.config);
            cases.push((format!("{name} {}: {}", group.group, case.name), case.clone(), whole, source));
        }
    }
    let document = sources.document();
    let mut router = Router::load(&serde_json::to_vec(&document).unwrap()).unwrap();
    let config = EngineConfig { workers: 1, ..EngineConfig::default() };
    let engine = Engine::start_without_state(document, &config).unwrap();
    let mut failures = Vec::new();
    for (name, case, whole, source) in &cases {
        let inbound = inbound(source, whole);
        let decision = engine.decide(inbound.clone()).await.unwrap().decision;
        let explanation = engine.explain(inbound.clone()).await.unwrap();
        if let Err(what) = agrees(&case.expect, &whole.config, &decision, &explanation) {
            failures.push(format!("{name}: {what}: {decision:?} {explanation:?}"));
        }
        let native = native(&inbound, whole);
        if router.decide(&native, &mut Nothing) != decision {
            failures.push(format!("{name}: decided otherwise natively"));
        }
        if router.explain(&native, &mut Nothing) != explanation {
            failures.push(format!("{name}: explained otherwise natively"));
        }
    }
    println!("{} cases", cases.len());
    assert!(cases.len() > 1000, "there are only {} cases", cases.len());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
