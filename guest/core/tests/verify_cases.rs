//! Every recorded case of every provider ends as it must, and tells nothing that a stranger could use.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod verify_support;

use anglerfish_core::request::UnixMillis;
use anglerfish_core::verify::{Verification, Verifier, catalogue};
use verify_support::{Case, ExpectedEvent, Group, Whole, groups};

fn check(group: &Group, case: &Case) -> Result<(), String> {
    let whole = Whole::of(group, case);
    let verifier = Verifier::try_new("source", &whole.config).map_err(|problems| format!("{problems:?}"))?;
    let request = whole.request();
    let (outcome, steps) = verifier.trace(&request);
    let fail = |what: &str| Err(format!("{what}: {outcome:?} after {steps:?}"));
    if verifier.verify(&request) != outcome {
        return fail("a trace changes the outcome");
    }
    let expect = &case.expect;
    match &outcome {
        Verification::Verified(verified) => {
            if expect.outcome != "verified" {
                return fail("verified");
            }
            let secret = verified.secret.as_ref().map(|secret| secret.index);
            if expect.secret.is_some_and(|expected| Some(expected) != secret) {
                return fail("another secret");
            }
            let event = ExpectedEvent {
                id: verified.attributes.id.clone(),
                r#type: verified.attributes.kind.clone(),
                subject: verified.attributes.subject.clone(),
                time: verified.attributes.time.map(|UnixMillis(time)| time),
            };
            // The expected time is given only where the provider has one.
            let timed = |expected: &ExpectedEvent| ExpectedEvent {
                time: if expected.time.is_some() { event.time } else { None },
                ..event.clone()
            };
            if expect.event.as_ref().is_some_and(|expected| *expected != timed(expected)) {
                return fail("another event");
            }
            if expect.replay.as_ref().is_some_and(|expected| *expected != verified.replay_keys) {
                return fail("other replay keys");
            }
            match (&expect.answer, &verified.answer) {
                (Some(expected), Some(answer)) if expected.matches(answer) => {}
                (None, _) => {}
                _ => return fail("another answer"),
            }
        }
        Verification::Answered(answer) => {
            if expect.outcome != "answered"
                || !expect.answer.as_ref().is_none_or(|expected| expected.matches(answer))
            {
                return fail("answered");
            }
        }
        Verification::Rejected(rejection) => {
            if expect.outcome != "rejected" || rejection.status != expect.status.unwrap_or(401) {
                return fail("rejected");
            }
            if expect.reason.as_ref().is_some_and(|part| !rejection.reason.contains(part)) {
                return fail("another reason");
            }
            if rejection.reason.is_empty() {
                return fail("rejected without a reason");
            }
        }
        Verification::Fetch(wishes) => {
            let urls: Vec<String> = wishes.iter().map(|wish| wish.url.clone()).collect();
            if expect.outcome != "fetch" || expect.urls.as_ref().is_some_and(|expected| *expected != urls) {
                return fail("fetch");
            }
            if let Some(expected) = &expect.post {
                let post = wishes.first().and_then(|wish| wish.post.clone()).unwrap_or_default();
                if serde_json::from_slice::<serde_json::Value>(&post).ok().as_ref() != Some(expected) {
                    return fail("another document to post");
                }
            }
        }
    }
    reveals_nothing(
        group,
        &whole,
        &verifier,
        &outcome,
        &steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
    )
}

/// Neither a secret nor the right signature stands in what verification says.
fn reveals_nothing(
    group: &Group,
    whole: &Whole,
    verifier: &Verifier,
    outcome: &Verification,
    steps: &[String],
) -> Result<(), String> {
    let mut told = steps.join("\n");
    told.push_str(&format!("{verifier:?}"));
    if let Verification::Rejected(rejection) = outcome {
        told.push_str(&rejection.reason);
    }
    let secrets = whole.config.secrets.iter().map(|secret| secret.value.as_str());
    let signatures = group.request.headers.values().filter(|value| value.len() > 20).map(String::as_str);
    for hidden in secrets.chain(signatures) {
        if told.contains(hidden) {
            return Err(format!("what is said reveals `{hidden}`: {told}"));
        }
    }
    Ok(())
}

#[test]
fn every_recorded_case_ends_as_it_must() {
    let (mut failures, mut count) = (Vec::new(), 0);
    for (name, group) in groups() {
        for case in &group.cases {
            count += 1;
            if let Err(reason) = check(&group, case) {
                failures.push(format!("{name} {}: {}: {reason}", group.group, case.name));
            }
        }
    }
    println!("{count} cases");
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_provider_has_recorded_cases() {
    let recorded: Vec<String> = groups().into_iter().map(|(name, _)| name).collect();
    let missing: Vec<&str> = catalogue()
        .iter()
        .map(|definition| definition.name)
        .filter(|name| !recorded.iter().any(|other| other == name))
        .collect();
    assert!(missing.is_empty(), "without cases: {missing:?}");
}
