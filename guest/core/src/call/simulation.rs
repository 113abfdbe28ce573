//! Histories of one API that is there and away by turns, with a rate and a breaker, and of the calls that it gets.

use super::*;
use crate::config::{ApiConfig, BreakerConfig, BreakerTrip, RateConfig, RetryConfig, read_api};
use crate::delivery::Probe;
use crate::policy::{AttemptOutcome, FailureKind};
use crate::request::UnixMillis;
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);

/// An attempt under way.
struct Running {
    call: usize,
    number: u32,
    probe: Option<Probe>,
    ends: u64,
    is_well: bool,
}

/// What a history is made of. Times are milliseconds.
#[derive(Debug, Clone)]
struct Plan {
    seed: u64,
    concurrency: usize,
    failures: u32,
    probe: u64,
    per_second: Option<u32>,
    /// By turns how long the API is there and away.
    turns: Vec<u64>,
    /// When calls are made.
    calls: Vec<u64>,
    attempts: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let times = || proptest::collection::vec(0..20_000_u64, 1..40);
    let turns = proptest::collection::vec(1..8_000_u64, 0..8);
    let limits = (1..6_usize, 1..6_u32, 1..4_000_u64, proptest::option::of(1..50_u32), 1..12_usize);
    (any::<u64>(), limits, turns, times()).prop_map(|(seed, limits, turns, mut calls)| {
        let (concurrency, failures, probe, per_second, attempts) = limits;
        calls.sort_unstable();
        Plan { seed, concurrency, failures, probe, per_second, turns, calls, attempts }
    })
}

impl Plan {
    fn api(&self) -> ApiConfig {
        let mut api = read_api(&json!({"name": "a", "url": "https://a.example"}), "").unwrap();
        let trip = BreakerTrip::Failures(self.failures);
        api.breaker = Some(BreakerConfig { trip, probe: MILLI * u32::try_from(self.probe).unwrap() });
        api.rate =
            self.per_second.map(|count| RateConfig { count, period: Duration::from_secs(1), burst: 1 });
        let delays = vec![Duration::from_millis(200); self.attempts - 1];
        api.policy.retry = RetryConfig { jitter: 0.0, ..RetryConfig::with_delays(delays) };
        api
    }

    /// Whether the API is there; in the end it is.
    fn is_there(&self, at: u64) -> bool {
        let mut left = at;
        for (number, turn) in self.turns.iter().enumerate() {
            if left < *turn {
                return number % 2 == 0;
            }
            left -= turn;
        }
        true
    }
}

/// A draw that depends on nothing but what it is for (SplitMix64).
fn draw(seed: u64, what: u64) -> u64 {
    let mut mixed = seed.wrapping_add(what.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Plays a history to its end, and holds it to what must be so.
fn play(plan: &Plan) {
    let api = plan.api();
    let (mut gate, mut calls, mut running) = (Gate::default(), Vec::new(), Vec::<Running>::new());
    let (mut now, mut starts) = (0_u64, Vec::<u64>::new());
    // When the breaker opened, or its last probe failed; and the probe that is under way.
    let (mut opened, mut finding): (Option<u64>, Option<Probe>) = (None, None);
    let mut made = plan.calls.iter().peekable();
    let last = plan.calls.iter().max().copied().unwrap_or_default() + plan.turns.iter().sum::<u64>();
    loop {
        while made.next_if(|at| **at <= now).is_some() {
            calls.push(CallHistory::begin(u32::try_from(plan.attempts).unwrap(), UnixMillis(now)));
        }
        let (ended, rest) = running.into_iter().partition(|one: &Running| one.ends <= now);
        running = rest;
        for Running { call, number, probe, is_well, .. } in ended {
            let outcome = match is_well {
                true => AttemptOutcome::status(200),
                false => AttemptOutcome::Failed(FailureKind::Connection),
            };
            let told = standing(&api, &api.policy, outcome);
            let random = draw(plan.seed, now ^ u64::from(number));
            let changed = gate.handle_ended(&api, MILLI * u32::try_from(now).unwrap(), probe, told, random);
            let is_probe = probe.is_some() && probe == finding;
            match (is_well, changed) {
                (true, _) => (opened, finding) = (None, None),
                (false, Some(true)) => (opened, finding) = (Some(now), None),
                (false, _) if is_probe => (opened, finding) = (Some(now), None),
                _ => {}
            }
            let end = AttemptEnd { outcome, reason: "away", status: None };
            let history: &mut CallHistory = &mut calls[call];
            let record = judge(&api.policy, history, number, end, UnixMillis(now), 0);
            history.take(record).unwrap();
        }
        let mut held = None;
        for (index, history) in calls.iter_mut().enumerate() {
            let Todo::Attempt(number) = history.poll(UnixMillis(now)) else { continue };
            if running.len() >= plan.concurrency {
                break;
            }
            match gate.start(&api, MILLI * u32::try_from(now).unwrap()) {
                Ok(probe) => {
                    if let Some(opened) = opened {
                        assert!(probe.is_some(), "an attempt beside an open breaker at {now}");
                        assert!(now >= opened + plan.probe, "a probe before its time at {now}");
                        assert!(finding.is_none(), "two probes at {now}");
                        finding = probe;
                    }
                    let deadline = now + 60_000;
                    let happened = Happened::Attempt { attempt: number, deadline };
                    history.take(CallRecord { at: now, happened }).unwrap();
                    let ends = now + 1 + draw(plan.seed, (index as u64) << 8 | u64::from(number)) % 300;
                    let is_well = plan.is_there(ends);
                    running.push(Running { call: index, number, probe, ends, is_well });
                    starts.push(now);
                }
                Err(why) => {
                    held = Some(why);
                    break;
                }
            }
        }
        let ends = running.iter().map(|one| one.ends).min();
        let is_full = running.len() >= plan.concurrency;
        let due = match held {
            Some(held) => {
                held.until().map(|until| u64::try_from(until.as_nanos().div_ceil(1_000_000)).unwrap())
            }
            None if is_full => None,
            None => calls.iter().filter_map(|history| history.due()).map(|due| due.0).min(),
        };
        let next = ends.into_iter().chain(due).chain(made.peek().map(|at| **at)).min();
        // Nothing is left to happen: then nothing waits either.
        let Some(next) = next else { break };
        now = next.max(now + 1);
        // Each call has its attempts, and each attempt at most the wait of a probe and of the rate before it.
        let most = last + calls.len() as u64 * plan.attempts as u64 * (plan.probe * 2 + 2000) + 60_000;
        assert!(now < most, "it does not end: {now}");
    }
    for history in &calls {
        assert!(matches!(history.state(), CallState::Success | CallState::Failure), "{history:?}");
        assert!(usize::try_from(history.count()).unwrap() <= plan.attempts);
    }
    if let Some(per_second) = plan.per_second {
        for window in starts.windows(usize::try_from(per_second).unwrap() + 2) {
            let (first, last) = (window[0], window[window.len() - 1]);
            // A start may be as late as a shell may be with waking, and the times are whole milliseconds.
            assert!(last - first >= 1000 - 25, "more than {per_second} in a second: {window:?}");
        }
    }
}

proptest! {
    #[test]
    fn behind_an_open_breaker_one_attempt_after_another_finds_out_and_every_call_ends(plan in plan()) {
        play(&plan);
    }
}

#[test]
fn while_an_api_is_away_calls_behind_a_breaker_keep_their_attempts() {
    // Away for an hour: each of the calls has five attempts, and would be over within a second.
    let plan = Plan {
        seed: 7,
        concurrency: 3,
        failures: 3,
        probe: 600_000,
        per_second: None,
        turns: vec![1, 3_600_000],
        calls: (1..=30).collect(),
        attempts: 10,
    };
    play(&plan);
    let api = plan.api();
    let mut gate = Gate::default();
    let mut attempts = 0;
    let mut now = Duration::ZERO;
    while now < Duration::from_secs(3600) {
        match gate.start(&api, now) {
            Ok(probe) => {
                attempts += 1;
                let _ = gate.handle_ended(&api, now, probe, Standing::Broken, 0);
            }
            Err(held) => now = held.until().unwrap(),
        }
    }
    assert_eq!(attempts, 3 + 5);
}

#[test]
fn what_never_left_or_was_refused_for_a_while_says_nothing_of_an_api() {
    let api = read_api(&json!({"name": "a", "url": "https://a.example", "breaker": true}), "").unwrap();
    let told = |outcome| standing(&api, &api.policy, outcome);
    for (status, expected) in [
        (200, Standing::Well),
        (422, Standing::Well),
        (489, Standing::Well),
        (429, Standing::Unknown),
        (503, Standing::Broken),
    ] {
        assert_eq!(told(AttemptOutcome::status(status)), expected, "{status}");
    }
    assert_eq!(told(AttemptOutcome::Failed(FailureKind::Timeout)), Standing::Broken);
    assert_eq!(told(AttemptOutcome::Local), Standing::Unknown);
    assert_eq!(told(AttemptOutcome::Unsendable), Standing::Unknown);
}
