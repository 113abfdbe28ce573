//! The states of a request, and what must hold of every history.

use super::*;
use crate::config::{CallPolicy, RetryConfig};
use crate::policy::{AttemptOutcome, FailureKind};
use crate::request::UnixMillis;
use proptest::prelude::*;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn record(happened: Happened) -> CallRecord {
    CallRecord { at: NOW.0, happened }
}

fn attempt(attempt: u32) -> CallRecord {
    record(Happened::Attempt { attempt, deadline: NOW.0 + 1000 })
}

fn failure(attempt: u32) -> CallRecord {
    record(Happened::Failure { attempt, status: None, reason: "x".into(), next: Some(NOW.0) })
}

fn timeout(attempt: u32) -> CallRecord {
    record(Happened::Timeout { attempt, next: Some(NOW.0) })
}

fn response(attempt: u32) -> CallRecord {
    record(Happened::Response { attempt, status: 200 })
}

fn history(records: &[CallRecord]) -> CallHistory {
    let mut history = CallHistory::begin(2, NOW);
    for record in records {
        history.take(record.clone()).unwrap();
    }
    history
}

#[test]
fn a_request_with_one_retry_has_the_states_of_its_attempts() {
    use CallState::{Failure, Pending, Success, Timeout};
    let cases: [(&[CallRecord], CallState, Todo); 8] = [
        (&[], Pending, Todo::Attempt(0)),
        (&[attempt(0)], Pending, Todo::Await),
        (&[attempt(0), response(0)], Success, Todo::Nothing),
        (&[attempt(0), failure(0)], Pending, Todo::Attempt(1)),
        (&[attempt(0), timeout(0)], Pending, Todo::Attempt(1)),
        (&[attempt(0), failure(0), attempt(1), response(1)], Success, Todo::Nothing),
        (&[attempt(0), failure(0), attempt(1), failure(1)], Failure, Todo::Nothing),
        (&[attempt(0), timeout(0), attempt(1), timeout(1)], Timeout, Todo::Nothing),
    ];
    for (records, state, todo) in cases {
        let history = history(records);
        assert_eq!((history.state(), history.poll(NOW)), (state, todo), "{records:?}");
    }
}

#[test]
fn an_answer_counts_also_when_it_comes_after_the_timeout() {
    let mut late = history(&[attempt(0), timeout(0), attempt(1), timeout(1)]);
    assert_eq!(late.state(), CallState::Timeout);
    late.take(response(0)).unwrap();
    assert_eq!(late.state(), CallState::Success);
    // And what then happens to the others changes nothing.
    assert_eq!(late.take(timeout(1)), Ok(Effect::Ignored));
    late.take(failure(1)).unwrap();
    assert_eq!((late.state(), late.poll(NOW)), (CallState::Success, Todo::Nothing));
}

#[test]
fn a_failure_of_an_attempt_that_another_one_has_followed_starts_none() {
    let mut both = history(&[attempt(0), timeout(0), attempt(1)]);
    both.take(failure(0)).unwrap();
    assert_eq!((both.state(), both.poll(NOW)), (CallState::Pending, Todo::Await));
}

#[test]
fn what_cannot_have_happened_changes_nothing() {
    let mut history = history(&[attempt(0)]);
    assert_eq!(history.take(attempt(0)), Err(Misfit::Order(0)));
    assert_eq!(history.take(attempt(1)), Err(Misfit::Order(1)));
    assert_eq!(history.take(response(1)), Err(Misfit::Unknown(1)));
    assert_eq!(history.take(record(Happened::Request { attempts: 1 })), Err(Misfit::Request));
    let again = history.take(record(Happened::Reopened { attempts: 2 }));
    assert_eq!(again, Err(Misfit::State(CallState::Pending, "opened again")));
    assert_eq!((history.records().len(), history.state()), (2, CallState::Pending));
    assert_eq!(CallHistory::read(vec![attempt(0)]).unwrap_err(), Misfit::Request);
}

#[test]
fn a_cancelled_request_makes_no_attempt_and_has_all_of_them_again_once_it_is_reopened() {
    let cancelled = record(Happened::Cancelled { reason: "by hand".into() });
    let mut history = history(&[attempt(0), failure(0), cancelled.clone()]);
    assert_eq!((history.state(), history.poll(NOW)), (CallState::Cancelled, Todo::Nothing));
    assert_eq!(history.take(cancelled), Err(Misfit::State(CallState::Cancelled, "cancelled")));
    history.take(record(Happened::Reopened { attempts: 2 })).unwrap();
    assert_eq!((history.state(), history.poll(NOW)), (CallState::Pending, Todo::Attempt(1)));
    for more in [attempt(1), failure(1), attempt(2), failure(2)] {
        history.take(more).unwrap();
    }
    assert_eq!((history.state(), history.poll(NOW)), (CallState::Failure, Todo::Nothing));
    assert_eq!(history.before(2), (1, NOW));
}

#[test]
fn an_attempt_that_was_interrupted_is_one_of_the_budget() {
    let policy = policy(2);
    let mut history = history(&[attempt(0)]);
    for (later, is_timeout) in [(500, false), (1000, true)] {
        let records = interrupted(&policy, &history, UnixMillis(NOW.0 + later), 0);
        let [CallRecord { happened, .. }] = &records[..] else { panic!("{records:?}") };
        assert_eq!(matches!(happened, Happened::Timeout { .. }), is_timeout);
    }
    for record in interrupted(&policy, &history, NOW, 0) {
        history.take(record).unwrap();
    }
    assert_eq!(history.state(), CallState::Pending);
    history.take(attempt(1)).unwrap();
    for record in interrupted(&policy, &history, NOW, 0) {
        history.take(record).unwrap();
    }
    assert_eq!((history.state(), history.poll(NOW)), (CallState::Failure, Todo::Nothing));
}

#[test]
fn the_policy_says_what_is_an_answer_what_is_tried_again_and_what_is_not() {
    let (policy, history) = (CallPolicy::default(), history(&[attempt(0)]));
    let judged = |outcome| {
        let end = AttemptEnd { outcome, reason: "x" };
        judge(&policy, &history, 0, end, NOW, 1 << 63).happened
    };
    let status = AttemptOutcome::status;
    assert_eq!(judged(status(204)), Happened::Response { attempt: 0, status: 204 });
    let next = |happened: Happened| match happened {
        Happened::Failure { next, .. } => next,
        other => panic!("{other:?}"),
    };
    assert_eq!(next(judged(status(503))), Some(NOW.0 + 1000));
    assert_eq!(next(judged(AttemptOutcome::Local)), Some(NOW.0 + 1000));
    for refused in [400, 404, 422, 489] {
        assert_eq!(next(judged(status(refused))), None, "{refused}");
    }
    assert_eq!(next(judged(AttemptOutcome::Unsendable)), None);
}

#[test]
fn a_history_is_written_in_the_words_of_this_version_and_read_again() {
    let written = r#"[{"at":1,"happened":{"request":{"attempts":2}}},{"at":2,"happened":{"attempt":{"attempt":0,"deadline":9}}},{"at":3,"happened":{"failure":{"attempt":0,"status":503,"reason":"answered 503","next":4}}},{"at":4,"happened":{"attempt":{"attempt":1,"deadline":9}}},{"at":5,"happened":{"response":{"attempt":1,"status":200}}}]"#;
    let records: Vec<CallRecord> = serde_json::from_str(written).unwrap();
    let history = CallHistory::read(records).unwrap();
    assert_eq!(history.state(), CallState::Success);
    assert_eq!(serde_json::to_string(history.records()).unwrap(), written);
    for broken in
        [r#"[{"at":1,"happened":{"request":{"attempts":1,"x":1}}}]"#, r#"[{"at":1,"happened":"request"}]"#]
    {
        assert!(serde_json::from_str::<Vec<CallRecord>>(broken).is_err(), "{broken}");
    }
}

fn policy(attempts: usize) -> CallPolicy {
    let delays = vec![Duration::from_millis(100); attempts - 1];
    CallPolicy { retry: RetryConfig::with_delays(delays), ..CallPolicy::default() }
}

/// What can happen to a gateway that works on a request.
#[derive(Debug, Clone)]
enum Step {
    /// The next attempt is made, if it is its time.
    Attempt,
    /// The attempt of this number, of those that run, ends so.
    End(usize, u16),
    Drop(usize),
    Expire(usize),
    /// The process is killed and starts anew: what ran is gone.
    Crash,
    Pass(u64),
    Cancel,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Attempt),
        3 => (0..3usize, prop_oneof![Just(200u16), Just(503), Just(503), Just(404)]).prop_map(|(n, s)| Step::End(n, s)),
        1 => (0..3usize).prop_map(Step::Drop),
        1 => (0..3usize).prop_map(Step::Expire),
        1 => Just(Step::Crash),
        3 => (0..2000u64).prop_map(Step::Pass),
        1 => Just(Step::Cancel),
        1 => Just(Step::Reopen),
    ]
}

/// The same request in the simplest way: what became of each attempt, in the words of the first of these brokers.
#[derive(Debug, Default)]
struct Model {
    attempts: Vec<&'static str>,
    first: usize,
    budget: usize,
    given_up: bool,
    cancelled: bool,
}

impl Model {
    fn state(&self) -> CallState {
        let now = &self.attempts[self.first..];
        if self.attempts.contains(&"success") {
            CallState::Success
        } else if self.cancelled {
            CallState::Cancelled
        } else if now.contains(&"pending") || (now.len() < self.budget && !self.given_up) {
            CallState::Pending
        } else if now.last() == Some(&"timeout") {
            CallState::Timeout
        } else {
            CallState::Failure
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_history_agrees_with_a_model_and_with_itself_read_again(
        attempts in 1..4usize,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let policy = policy(attempts);
        let policy = CallPolicy {
            retry: RetryConfig { on: CallPolicy::causes(), ..policy.retry }, ..policy
        };
        let budget = u32::try_from(attempts).unwrap();
        let mut history = CallHistory::begin(budget, NOW);
        let mut model = Model { budget: attempts, ..Model::default() };
        let (mut now, mut running, mut answered) = (NOW, Vec::<u32>::new(), false);
        for step in steps {
            match step {
                Step::Pass(millis) => now.0 += millis,
                Step::Attempt => {
                    let Todo::Attempt(number) = history.poll(now) else { continue };
                    prop_assert!(!answered, "an attempt after an answer");
                    let deadline = now.0 + 1000;
                    history.take(CallRecord { at: now.0, happened: Happened::Attempt { attempt: number, deadline } }).unwrap();
                    model.attempts.push("pending");
                    running.push(number);
                    prop_assert!(model.attempts.len() - model.first <= attempts, "beyond the budget");
                }
                Step::End(which, status) => {
                    let Some(number) = running.get(which).copied() else { continue };
                    running.remove(which);
                    let end = AttemptEnd { outcome: AttemptOutcome::status(status), reason: "x" };
                    history.take(judge(&policy, &history, number, end, now, 7)).unwrap();
                    let index = number as usize;
                    if status == 200 {
                        (model.attempts[index], answered) = ("success", true);
                    } else if model.attempts[index] != "success" {
                        model.attempts[index] = "failure";
                        let is_last = index + 1 == model.attempts.len();
                        model.given_up |= status == 404 && is_last && index >= model.first;
                    }
                }
                Step::Drop(which) => {
                    let Some(number) = running.get(which).copied() else { continue };
                    running.remove(which);
                    let end = AttemptEnd { outcome: AttemptOutcome::Failed(FailureKind::Connection), reason: "x" };
                    history.take(judge(&policy, &history, number, end, now, 7)).unwrap();
                    model.attempts[number as usize] = "failure";
                }
                Step::Expire(which) => {
                    let Some(number) = running.get(which).copied() else { continue };
                    // The gateway waits on for its answer.
                    let effect = history.take(expired(&policy, &history, number, now, 7)).unwrap();
                    if model.attempts[number as usize] == "pending" {
                        prop_assert_eq!(effect, Effect::Taken);
                        model.attempts[number as usize] = "timeout";
                    } else {
                        prop_assert_eq!(effect, Effect::Ignored);
                    }
                }
                Step::Crash => {
                    running.clear();
                    history = CallHistory::read(history.records().to_vec()).unwrap();
                    let pending: Vec<(u32, UnixMillis)> = history.pending().collect();
                    for record in interrupted(&policy, &history, now, 7) {
                        history.take(record).unwrap();
                    }
                    for (number, deadline) in pending {
                        model.attempts[number as usize] = if deadline <= now { "timeout" } else { "failure" };
                    }
                    prop_assert!(history.pending().next().is_none());
                }
                Step::Cancel => {
                    let happened = Happened::Cancelled { reason: "x".into() };
                    let taken = history.take(CallRecord { at: now.0, happened });
                    prop_assert_eq!(taken.is_ok(), model.state() == CallState::Pending);
                    if taken.is_ok() {
                        model.cancelled = true;
                        // Who works on it breaks its attempts off.
                        for number in running.drain(..) {
                            model.attempts[number as usize] = "failure";
                        }
                    }
                }
                Step::Reopen => {
                    if !running.is_empty() { continue }
                    let taken = history.take(CallRecord { at: now.0, happened: Happened::Reopened { attempts: budget } });
                    let ended = !matches!(model.state(), CallState::Pending | CallState::Success);
                    prop_assert_eq!(taken.is_ok(), ended);
                    if taken.is_ok() {
                        (model.first, model.given_up, model.cancelled) = (model.attempts.len(), false, false);
                    }
                }
            }
            prop_assert_eq!(history.state(), model.state(), "{:?} {:?}", model, history);
            let again = CallHistory::read(history.records().to_vec()).unwrap();
            prop_assert_eq!((again.state(), again.due()), (history.state(), history.due()));
        }
        // Without more trouble it comes to an end.
        for number in running {
            let end = AttemptEnd { outcome: AttemptOutcome::status(503), reason: "x" };
            history.take(judge(&policy, &history, number, end, now, 7)).unwrap();
        }
        for _ in 0..=attempts {
            now.0 += 10_000;
            if let Todo::Attempt(attempt) = history.poll(now) {
                history.take(CallRecord { at: now.0, happened: Happened::Attempt { attempt, deadline: now.0 } }).unwrap();
                let end = AttemptEnd { outcome: AttemptOutcome::status(503), reason: "x" };
                history.take(judge(&policy, &history, attempt, end, now, 7)).unwrap();
            }
        }
        prop_assert_eq!(history.poll(now), Todo::Nothing);
        prop_assert!(history.state() != CallState::Pending);
    }

    #[test]
    fn no_list_of_records_breaks_the_reader(
        kinds in proptest::collection::vec((0..7u8, 0..4u32, proptest::option::of(0..9u64)), 0..20),
    ) {
        let records = kinds.into_iter().map(|(kind, attempt, next)| record(match kind {
            0 => Happened::Request { attempts: 3 },
            1 => Happened::Attempt { attempt, deadline: 5 },
            2 => Happened::Response { attempt, status: 200 },
            3 => Happened::Failure { attempt, status: None, reason: String::new(), next },
            4 => Happened::Timeout { attempt, next },
            5 => Happened::Cancelled { reason: String::new() },
            _ => Happened::Reopened { attempts: 2 },
        }));
        let records: Vec<CallRecord> = records.collect();
        let _ = CallHistory::read(records.clone());
        // Of such a list next to nothing follows from what is before it: so the rest is looked at with what is taken of it.
        let mut history = CallHistory::begin(3, NOW);
        for one in records {
            let before = (history.records().len(), history.state(), history.due());
            if history.take(one).is_err() {
                prop_assert_eq!((history.records().len(), history.state(), history.due()), before);
            }
        }
        let begun = history.records().iter().filter(|one| matches!(one.happened, Happened::Attempt { .. }));
        prop_assert_eq!(begun.count() as u32, history.count());
        let again = CallHistory::read(history.records().to_vec()).unwrap();
        prop_assert_eq!((again.state(), again.poll(NOW)), (history.state(), history.poll(NOW)));
    }
}
