//! What the engine says, step by step, where a rule is easier seen than searched for.

use super::queue::Queue;
use super::*;
use crate::config::{BreakerConfig, BreakerTrip, DeliveryConfig, RateConfig, RetryConfig};
use crate::policy::{Answered, AttemptOutcome, FailureKind, Settled};
use crate::request::UnixMillis;
use std::sync::Arc;
use std::time::Duration;

const fn at(millis: u64) -> Now {
    Now { wall: UnixMillis(1_700_000_000_000 + millis), elapsed: Duration::from_millis(millis) }
}

fn work(delivery: i64) -> Work<()> {
    Work {
        lease: WorkLease { delivery, token: delivery.unsigned_abs() },
        deadline: UnixMillis(u64::MAX),
        before: 0,
        created: UnixMillis(1_700_000_000_000),
        bytes: 100,
        payload: (),
    }
}

fn engine(attempts: usize) -> Engine<()> {
    Engine::new(EngineConfig { attempts, ..EngineConfig::default() })
}

/// A subscription whose backlog is known to be empty.
fn put(engine: &mut Engine<()>, name: &str, concurrency: usize) -> SubscriptionKey {
    put_policy(engine, name, DeliveryConfig { concurrency, ..DeliveryConfig::default() })
}

fn put_policy(engine: &mut Engine<()>, name: &str, policy: DeliveryConfig) -> SubscriptionKey {
    let key = engine.handle_configured(at(0), &name.into(), Arc::new(policy), None);
    while let Some(output) = engine.poll(at(0)) {
        if matches!(output, Output::Replan) {
            engine.handle_replanned(at(0), Ok(()));
        }
    }
    engine.handle_surveyed(at(0), Ok(std::iter::empty()));
    key
}

/// The attempts that it begins now, by whose they are.
fn begun(engine: &mut Engine<()>, now: Now) -> Vec<(SubscriptionKey, AttemptId)> {
    let mut begun = Vec::new();
    while let Some(output) = engine.poll(now) {
        if let Output::Attempt { subscription, attempt, .. } = output {
            begun.push((subscription, attempt));
        }
    }
    begun
}

#[test]
fn an_idle_subscription_is_less_than_half_a_kibibyte() {
    assert!(size_of::<Queue<()>>() <= 512, "{}", size_of::<Queue<()>>());
}

#[test]
fn subscriptions_take_turns_where_places_are_few() {
    let mut engine = engine(1);
    let (_, short) = (put(&mut engine, "long", 5), put(&mut engine, "short", 5));
    for delivery in 0..5 {
        engine.handle_offered(at(0), "long", work(delivery));
    }
    engine.handle_offered(at(0), "short", work(9));
    let mut order = Vec::new();
    while let [(key, attempt)] = begun(&mut engine, at(0))[..] {
        order.push(key);
        engine.handle_attempted(at(0), attempt, AttemptOutcome::status(200));
    }
    assert_eq!(order.len(), 6);
    assert!(order[..2].contains(&short), "{order:?}");
}

#[test]
fn the_last_places_are_for_those_that_have_none() {
    let mut engine = engine(20);
    let _ = put(&mut engine, "greedy", 1000);
    for delivery in 0..100 {
        engine.handle_offered(at(0), "greedy", work(delivery));
    }
    let taken = begun(&mut engine, at(0)).len();
    assert!((16..20).contains(&taken), "{taken}");
    let other = put(&mut engine, "other", 10);
    engine.handle_offered(at(0), "other", work(200));
    assert_eq!(begun(&mut engine, at(0)).iter().filter(|(key, _)| *key == other).count(), 1);
}

#[test]
fn those_that_never_answer_leave_a_quarter_of_the_places_to_those_that_do() {
    let mut engine = engine(8);
    let well = put(&mut engine, "well", 2);
    let names: Vec<String> = (0..20).map(|number| format!("hanging {number}")).collect();
    for name in &names {
        let _ = put(&mut engine, name, 2);
    }
    for (number, name) in (0..).zip(&names) {
        engine.handle_offered(at(0), name, work(number * 2));
        engine.handle_offered(at(0), name, work(number * 2 + 1));
    }
    // Whether they answer is not known the first time.
    for _ in 0..3 {
        let begun = begun(&mut engine, at(0));
        assert_eq!(begun.len(), 8);
        for (_, attempt) in begun {
            engine.handle_attempted(at(0), attempt, AttemptOutcome::Failed(FailureKind::Connection));
        }
    }
    let hanging = begun(&mut engine, at(0));
    assert_eq!(hanging.len(), 6);
    engine.handle_offered(at(0), "well", work(100));
    assert!(matches!(begun(&mut engine, at(0))[..], [(key, _)] if key == well));
    // What is free among theirs is theirs.
    engine.handle_attempted(at(0), hanging[0].1, AttemptOutcome::Failed(FailureKind::Connection));
    assert_eq!(begun(&mut engine, at(0)).len(), 1);
}

#[test]
fn what_this_machine_could_not_do_uses_up_no_attempt_and_is_tried_again() {
    let mut engine = engine(10);
    let key = put(&mut engine, "a", 1);
    engine.handle_offered(at(0), "a", work(1));
    let [(_, attempt)] = begun(&mut engine, at(0))[..] else { panic!("not one attempt") };
    engine.handle_attempted(at(0), attempt, AttemptOutcome::Local);
    let Some(Output::Release { leases, .. }) = engine.poll(at(0)) else { panic!("not given back") };
    assert_eq!(leases, [work(1).lease]);
    engine.handle_released(at(0), Some(key), Ok(()));
    assert!(matches!(engine.poll(at(0)), Some(Output::Lease { .. })));
    engine.handle_leased(at(0), key, Ok(Leased { works: vec![work(1)], next: Lines::both(Some(None)) }));
    assert!(begun(&mut engine, at(0)).is_empty(), "at once");
    let wait = engine.wait(at(0)).unwrap();
    assert!(wait >= Duration::from_millis(25) && wait <= Duration::from_millis(50), "{wait:?}");
    engine.handle_timeout(at(50));
    assert_eq!(begun(&mut engine, at(50)).len(), 1);
}

#[test]
fn what_cannot_be_sent_is_dead_and_holds_nothing_against_the_endpoint() {
    let mut engine = engine(10);
    let breaker = Some(BreakerConfig { trip: BreakerTrip::Failures(1), probe: Duration::from_secs(30) });
    let policy = DeliveryConfig { concurrency: 1, breaker, ..DeliveryConfig::default() };
    let key = put_policy(&mut engine, "a", policy);
    for delivery in 0..2 {
        engine.handle_offered(at(0), "a", work(delivery));
    }
    let [(_, attempt)] = begun(&mut engine, at(0))[..] else { panic!("not one attempt") };
    engine.handle_attempted(at(0), attempt, AttemptOutcome::Unsendable);
    let outputs: Vec<_> = std::iter::from_fn(|| engine.poll(at(0))).collect();
    let dead = |output: &Output<()>| matches!(output, Output::Record { lease, settled: Settled::Dead, .. } if *lease == work(0).lease);
    assert!(outputs.iter().any(dead), "{outputs:?}");
    assert!(outputs.iter().any(|output| matches!(output, Output::Attempt { .. })), "{outputs:?}");
    assert_eq!(engine.status(at(0), key).unwrap().failing, None);
}

#[test]
fn an_attempt_whose_lease_ran_out_goes_on_by_the_new_one_and_has_none_beside_it() {
    let mut engine = engine(10);
    let key = put(&mut engine, "a", 5);
    engine.handle_offered(at(0), "a", work(1));
    let [(_, attempt)] = begun(&mut engine, at(0))[..] else { panic!("not one attempt") };
    let again = Work { lease: WorkLease { delivery: 1, token: 2 }, ..work(1) };
    engine.handle_leased(
        at(0),
        key,
        Ok(Leased { works: vec![again.clone(), work(3)], next: Lines::both(Some(None)) }),
    );
    let [(_, other)] = begun(&mut engine, at(0))[..] else { panic!("not the other one alone") };
    for (attempt, lease) in [(attempt, again.lease), (other, work(3).lease)] {
        engine.handle_attempted(at(0), attempt, AttemptOutcome::status(200));
        let recorded = std::iter::from_fn(|| engine.poll(at(0))).find_map(|output| match output {
            Output::Record { lease, .. } => Some(lease),
            _ => None,
        });
        assert_eq!(recorded, Some(lease));
        engine.handle_recorded(at(0), attempt, Ok(Recorded::Written));
    }
    // Once it is recorded, a delivery that comes back is attempted.
    engine.handle_leased(at(0), key, Ok(Leased { works: vec![again], next: Lines::both(Some(None)) }));
    assert_eq!(begun(&mut engine, at(0)).len(), 1);
}

#[test]
fn a_record_says_by_which_clock_the_retry_was_planned() {
    let mut engine = engine(10);
    let _ = put(&mut engine, "a", 1);
    engine.handle_offered(at(0), "a", work(1));
    let [(_, attempt)] = begun(&mut engine, at(0))[..] else { panic!("not one attempt") };
    engine.handle_attempted(at(70), attempt, AttemptOutcome::Failed(FailureKind::Connection));
    let Some(Output::Record { settled: Settled::Retry(due), planned, .. }) = engine.poll(at(70)) else {
        panic!("no record")
    };
    assert_eq!(planned, at(70).wall);
    assert!((4_000..=6_000).contains(&(due.0 - planned.0)), "{due:?}");
}

#[test]
fn an_endpoint_that_asks_to_be_left_alone_is_left_alone_by_the_whole_subscription() {
    let mut engine = engine(10);
    let _ = put(&mut engine, "a", 2);
    for delivery in 0..4 {
        engine.handle_offered(at(0), "a", work(delivery));
    }
    let [(_, one), (_, two)] = begun(&mut engine, at(0))[..] else { panic!("not two attempts") };
    let answer = Answered { status: 429, retry_after: Some("7"), rate_limit_reset: None, is_abort: false };
    engine.handle_attempted(at(0), one, AttemptOutcome::Answered(answer));
    engine.handle_attempted(at(0), two, AttemptOutcome::status(200));
    assert!(begun(&mut engine, at(0)).is_empty());
    engine.handle_timeout(at(6999));
    assert!(begun(&mut engine, at(6999)).is_empty());
    engine.handle_timeout(at(7000));
    assert!(!begun(&mut engine, at(7000)).is_empty());
}

#[test]
fn a_subscription_whose_endpoint_is_gone_stops_until_somebody_lets_it_go_on() {
    let mut engine = engine(10);
    let key = put(&mut engine, "a", 1);
    for delivery in 0..2 {
        engine.handle_offered(at(0), "a", work(delivery));
    }
    let [(_, attempt)] = begun(&mut engine, at(0))[..] else { panic!("not one attempt") };
    engine.handle_attempted(at(0), attempt, AttemptOutcome::status(410));
    let mut told = Vec::new();
    while let Some(output) = engine.poll(at(0)) {
        match output {
            Output::Stand { standing, .. } => told.push(standing),
            Output::Attempt { .. } => panic!("it goes on"),
            _ => {}
        }
    }
    assert_eq!(told, [Standing::Disabled(DisableCause::Gone(410))]);
    assert!(!engine.handle_stood(at(0), key, Err(StoreFault::Unavailable)));
    engine.handle_timeout(at(60));
    let told_again = std::iter::from_fn(|| engine.poll(at(60)))
        .any(|output| matches!(output, Output::Stand { standing: Standing::Disabled(_), .. }));
    assert!(told_again && engine.handle_stood(at(60), key, Ok(())));
    engine.handle_standing(at(70), key, Standing::Active);
    let outputs: Vec<_> = std::iter::from_fn(|| engine.poll(at(70))).collect();
    assert!(outputs.iter().any(|output| matches!(output, Output::Stand { standing: Standing::Active, .. })));
}

#[test]
fn a_rate_lets_the_rest_wait_and_says_until_when() {
    let mut engine = engine(100);
    let rate = Some(RateConfig { count: 10, period: Duration::from_secs(1), burst: 3 });
    let policy = DeliveryConfig { concurrency: 50, rate, ..DeliveryConfig::default() };
    let key = put_policy(&mut engine, "a", policy);
    for delivery in 0..20 {
        engine.handle_offered(at(0), "a", work(delivery));
    }
    assert_eq!(begun(&mut engine, at(0)).len(), 3);
    let status = engine.status(at(0), key).unwrap();
    assert_eq!((status.running, status.ready), (3, 17));
    assert_eq!(status.waiting, Some(Waiting::Rate(Duration::from_millis(100))));
    assert_eq!(engine.wait(at(0)), Some(Duration::from_millis(100)));
    let mut count = 3;
    for millis in 1..=1000 {
        engine.handle_timeout(at(millis));
        count += begun(&mut engine, at(millis)).len();
    }
    assert_eq!(count, 13);
}

#[test]
fn an_open_breaker_lets_one_attempt_find_out() {
    let mut engine = engine(100);
    let breaker = Some(BreakerConfig { trip: BreakerTrip::Failures(2), probe: Duration::from_secs(30) });
    let policy = DeliveryConfig { concurrency: 2, breaker, ..DeliveryConfig::default() };
    let key = put_policy(&mut engine, "a", policy);
    for delivery in 0..6 {
        engine.handle_offered(at(0), "a", work(delivery));
    }
    let two = begun(&mut engine, at(0));
    for (_, attempt) in &two {
        engine.handle_attempted(at(0), *attempt, AttemptOutcome::status(500));
    }
    assert_eq!(two.len(), 2);
    assert!(begun(&mut engine, at(0)).is_empty());
    assert!(matches!(engine.status(at(0), key).unwrap().waiting, Some(Waiting::Breaker(Some(_)))));
    let wait = engine.wait(at(0)).unwrap();
    assert!(wait >= Duration::from_secs(30) && wait <= Duration::from_secs(36), "{wait:?}");
    engine.handle_timeout(at(36_000));
    let [(_, probe)] = begun(&mut engine, at(36_000))[..] else { panic!("not one probe") };
    assert_eq!(engine.status(at(36_000), key).unwrap().waiting, Some(Waiting::Breaker(None)));
    engine.handle_attempted(at(36_100), probe, AttemptOutcome::status(200));
    assert_eq!(begun(&mut engine, at(36_100)).len(), 2);
}

#[test]
fn nothing_but_failures_for_too_long_disables_also_over_a_restart() {
    let policy =
        || DeliveryConfig { disable_after: Some(Duration::from_secs(100)), ..DeliveryConfig::default() };
    let stands = |engine: &mut Engine<()>, now| {
        std::iter::from_fn(|| engine.poll(now))
            .filter_map(|output| match output {
                Output::Stand { standing, failing, .. } => Some((standing, failing)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let fail = |engine: &mut Engine<()>, now, delivery| {
        engine.handle_offered(now, "a", work(delivery));
        let [(_, attempt)] = begun(engine, now)[..] else { panic!("not one attempt") };
        engine.handle_attempted(now, attempt, AttemptOutcome::status(500));
    };
    let mut first = engine(10);
    let _ = put_policy(&mut first, "a", policy());
    fail(&mut first, at(0), 1);
    assert!(stands(&mut first, at(0)).is_empty());
    fail(&mut first, at(6_000), 2);
    assert_eq!(stands(&mut first, at(6_000)), [(Standing::Active, Some(at(0).wall))]);

    let mut second = engine(10);
    let key = put_policy(&mut second, "a", policy());
    let restart = Now { wall: at(90_000).wall, elapsed: Duration::ZERO };
    let restored = Restored { failing: Some(at(0).wall), ..Restored::default() };
    second.handle_restored(restart, key, restored);
    let later =
        |seconds| Now { wall: at(90_000 + seconds * 1000).wall, elapsed: Duration::from_secs(seconds) };
    fail(&mut second, later(9), 3);
    assert!(stands(&mut second, later(9)).is_empty());
    fail(&mut second, later(10), 4);
    let cause = DisableCause::Failing(Duration::from_secs(100));
    assert_eq!(stands(&mut second, later(10)), [(Standing::Disabled(cause), Some(at(0).wall))]);
}

#[test]
fn a_shared_rate_is_taken_in_turns_and_says_whose_it_is() {
    let mut engine = engine(100);
    let rate = RateConfig { count: 10, period: Duration::from_secs(1), burst: 1 };
    let shared = Some(Arc::new(SharedRate { name: "host".into(), rate }));
    let keys = ["a", "b", "c"].map(|name| {
        let key = put(&mut engine, name, 10);
        engine.handle_configured(at(0), &name.into(), Arc::default(), shared.clone());
        key
    });
    for name in ["a", "b", "c"] {
        for delivery in 0..9 {
            engine.handle_offered(at(0), name, work(delivery));
        }
    }
    let mut counts = [0; 3];
    for millis in 0..1000 {
        engine.handle_timeout(at(millis));
        for (key, attempt) in begun(&mut engine, at(millis)) {
            counts[keys.iter().position(|known| *known == key).unwrap()] += 1;
            engine.handle_attempted(at(millis), attempt, AttemptOutcome::status(200));
        }
    }
    counts.sort_unstable();
    assert_eq!(counts, [3, 3, 4]);
    let waiting = keys.map(|key| engine.status(at(999), key).unwrap().waiting);
    assert_eq!(waiting, [Some(Waiting::SharedRate(Duration::from_secs(1))); 3]);
    assert_eq!(engine.wait(at(999)), Some(Duration::from_millis(1)));
}

#[test]
fn failures_that_are_far_apart_disable_nothing() {
    let policy = DeliveryConfig {
        disable_after: Some(Duration::from_secs(100)),
        retry: RetryConfig::with_delays(vec![Duration::from_secs(10)]),
        timeout: Duration::from_secs(1),
        ..DeliveryConfig::default()
    };
    let mut engine = engine(10);
    let key = put_policy(&mut engine, "a", policy);
    let mut fail = |seconds: u64, delivery| {
        let now = at(seconds * 1000);
        engine.handle_offered(now, "a", work(delivery));
        let [(_, attempt)] = begun(&mut engine, now)[..] else { panic!("not one attempt") };
        engine.handle_attempted(now, attempt, AttemptOutcome::status(500));
        engine.status(now, key).unwrap().failing
    };
    assert_eq!(fail(0, 1), Some(at(0).wall));
    assert_eq!(fail(50, 2), Some(at(0).wall));
    // The next one is more than half of the time later: a new time of failing begins.
    assert_eq!(fail(101, 3), Some(at(101_000).wall));
    assert_eq!(fail(151, 4), Some(at(101_000).wall));
}

#[test]
fn first_attempts_and_retries_take_turns() {
    let mut engine = engine(10);
    let key = put(&mut engine, "a", 1);
    engine.handle_woken(at(0), key);
    let Some(Output::Lease { limit, .. }) = engine.poll(at(0)) else { panic!("no lease") };
    assert_eq!(limit, Lines::both(8));
    let again = |delivery| Work { before: 1, ..work(delivery) };
    // As many as it may hold, which keeps out no first attempt.
    let works = (0..8).map(again).chain((10..12).map(work)).collect();
    // There are more retries in the store, and no more first attempts.
    let next = Lines { firsts: Some(None), retries: None };
    engine.handle_leased(at(0), key, Ok(Leased { works, next }));
    engine.handle_offered(at(0), "a", work(12));
    let mut order = Vec::new();
    for _ in 0..7 {
        while let Some(output) = engine.poll(at(0)) {
            let Output::Attempt { attempt, work, .. } = output else { continue };
            order.push(work.lease.delivery);
            engine.handle_attempted(at(0), attempt, AttemptOutcome::status(200));
        }
    }
    assert_eq!(order[..7], [10, 0, 11, 1, 12, 2, 3]);
}

#[test]
fn a_rate_goes_on_after_a_restart_where_it_was() {
    let rate = RateConfig { count: 1, period: Duration::from_secs(10), burst: 3 };
    let policy = DeliveryConfig { concurrency: 9, rate: Some(rate), ..DeliveryConfig::default() };
    let started = |rests: Option<UnixMillis>, now: Now| {
        let mut engine = engine(10);
        let key = put_policy(&mut engine, "a", policy.clone());
        engine.handle_restored(at(0), key, Restored { rests, ..Restored::default() });
        for delivery in 0..9 {
            engine.handle_offered(at(0), "a", work(delivery));
        }
        let (mut count, mut kept) = (0, None);
        engine.handle_timeout(now);
        while let Some(output) = engine.poll(now) {
            match output {
                Output::Paced { rests, .. } => kept = Some(rests),
                Output::Attempt { .. } => count += 1,
                _ => {}
            }
        }
        (count, kept)
    };
    // Unused, it has its burst; used up a moment ago, it has nothing before its time.
    assert_eq!(started(None, at(0)), (3, Some(at(30_000).wall)));
    assert_eq!(started(Some(at(30_000).wall), at(9_999)).0, 0);
    assert_eq!(started(Some(at(30_000).wall), at(10_000)), (1, Some(at(40_000).wall)));
    // Used at a time that nobody knows, or by a clock that was put back, it is as empty as it can be.
    assert_eq!(started(Some(UnixMillis(u64::MAX)), at(9_999)).0, 0);
    assert_eq!(started(Some(UnixMillis(u64::MAX)), at(10_000)).0, 1);
    assert_eq!(started(Some(at(20_000).wall), at(0)).0, 1);
}

#[test]
fn what_is_broken_off_is_recorded_and_uses_up_no_attempt() {
    let mut engine = engine(10);
    let _ = put(&mut engine, "a", 1);
    engine.handle_offered(at(0), "a", work(1));
    let [(_, attempt)] = begun(&mut engine, at(0))[..] else { panic!("not one attempt") };
    engine.handle_aborted(at(1));
    assert!(matches!(engine.poll(at(1)), Some(Output::Cancel { .. })));
    engine.handle_cancelled(at(2), attempt);
    let Some(Output::Record { settled, .. }) = engine.poll(at(2)) else { panic!("not recorded") };
    assert_eq!(settled, Settled::Interrupted);
    // Nobody waits for a store that is out of reach.
    engine.handle_recorded(at(3), attempt, Err(StoreFault::Unavailable));
    assert!(matches!(engine.poll(at(3)), Some(Output::Release { .. })));
}
