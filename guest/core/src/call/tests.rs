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
    record(Happened::Timeout { attempt, next: Some(NOW.0), awaited: None })
}

/// Its time is over, and an answer still counts.
fn late(attempt: u32) -> CallRecord {
    record(Happened::Timeout { attempt, next: Some(NOW.0), awaited: Some(NOW.0 + 5000) })
}

fn refusal(attempt: u32) -> CallRecord {
    record(Happened::Failure { attempt, status: Some(422), reason: "x".into(), next: None })
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
fn a_request_has_one_end_where_answers_are_waited_for_after_their_time() {
    use CallState::{Failure, Pending, Success, Timeout};
    let unanswered = |attempt| unanswered(attempt, NOW);
    let both = [attempt(0), late(0), attempt(1), late(1)];
    let after = |records: &[CallRecord]| history(&[&both[..], records].concat());
    // As long as one may come it has not ended.
    assert_eq!((after(&[]).state(), after(&[]).poll(NOW)), (Pending, Todo::Await));
    assert_eq!(after(&[]).awaited().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(after(&[unanswered(1)]).state(), Pending);
    assert_eq!(after(&[unanswered(1), unanswered(0)]).state(), Timeout);
    assert_eq!(after(&[unanswered(1), response(0)]).state(), Success);
    // That none came is told once.
    let mut told = after(&[unanswered(1)]);
    assert_eq!(told.take(unanswered(1)).unwrap(), Effect::Ignored);
    assert_eq!(told.take(late(1)).unwrap(), Effect::Ignored);
    // An answer that says that it is of no use ends it at once, beside whatever attempt: none follows, none counts.
    for records in [vec![attempt(0), late(0), refusal(0)], vec![attempt(0), late(0), attempt(1), refusal(0)]]
    {
        let mut history = history(&records);
        assert_eq!((history.state(), history.poll(NOW)), (Failure, Todo::Nothing), "{records:?}");
        assert_eq!((history.pending().count(), history.awaited().count()), (0, 0));
        history.take(record(Happened::Reopened { attempts: 2 })).unwrap();
        assert_eq!(history.state(), Pending);
    }
    // One that may be better another time changes nothing about when that is.
    let again =
        Happened::Failure { attempt: 0, status: Some(503), reason: "x".into(), next: Some(NOW.0 + 9) };
    let history = history(&[attempt(0), late(0), record(again)]);
    assert_eq!((history.state(), history.due()), (Pending, Some(NOW)));
}

#[test]
fn whoever_takes_over_waits_for_no_answers_of_who_is_gone() {
    let policy = CallPolicy { wait_after_timeout: Duration::from_secs(60), ..CallPolicy::default() };
    let mut history = history(&[attempt(0), late(0), attempt(1)]);
    for record in interrupted(&policy, &history.clone(), UnixMillis(NOW.0 + 2000), 7) {
        assert_eq!(history.take(record).unwrap(), Effect::Taken);
    }
    assert_eq!((history.state(), history.awaited().count()), (CallState::Timeout, 0));
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
        let end = AttemptEnd { outcome, reason: "x", status: None };
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
    refused: bool,
    cancelled: bool,
}

impl Model {
    fn state(&self) -> CallState {
        let now = &self.attempts[self.first..];
        if self.attempts.contains(&"success") {
            CallState::Success
        } else if self.cancelled {
            CallState::Cancelled
        } else if self.refused {
            CallState::Failure
        } else if now.contains(&"pending") || now.contains(&"late") || now.len() < self.budget {
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
            retry: RetryConfig { on: CallPolicy::causes(), ..policy.retry },
            wait_after_timeout: Duration::from_secs(60),
            ..policy
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
                    let end = AttemptEnd { outcome: AttemptOutcome::status(status), reason: "x", status: None };
                    history.take(judge(&policy, &history, number, end, now, 7)).unwrap();
                    let index = number as usize;
                    if status == 200 {
                        (model.attempts[index], answered) = ("success", true);
                    } else if model.attempts[index] != "success" {
                        model.attempts[index] = "failure";
                        let has_room = index >= model.first && index + 1 - model.first < attempts;
                        model.refused |= status == 404 && has_room;
                    }
                }
                Step::Drop(which) => {
                    let Some(number) = running.get(which).copied() else { continue };
                    running.remove(which);
                    let word = &mut model.attempts[number as usize];
                    if *word == "late" && now.0 % 2 == 0 {
                        // It is waited for no longer.
                        history.take(unanswered(number, now)).unwrap();
                        *word = "timeout";
                    } else {
                        let outcome = AttemptOutcome::Failed(FailureKind::Connection);
                        let end = AttemptEnd { outcome, reason: "x", status: None };
                        history.take(judge(&policy, &history, number, end, now, 7)).unwrap();
                        *word = "failure";
                    }
                }
                Step::Expire(which) => {
                    let Some(number) = running.get(which).copied() else { continue };
                    // The gateway waits on for its answer.
                    let effect = history.take(expired(&policy, &history, number, now, 7)).unwrap();
                    if model.attempts[number as usize] == "pending" {
                        prop_assert_eq!(effect, Effect::Taken);
                        model.attempts[number as usize] = "late";
                    } else {
                        prop_assert_eq!(effect, Effect::Ignored);
                    }
                }
                Step::Crash => {
                    running.clear();
                    history = CallHistory::read(history.records().to_vec()).unwrap();
                    let pending: Vec<(u32, UnixMillis)> = history.pending().collect();
                    if model.state() == CallState::Pending {
                        for word in model.attempts[model.first..].iter_mut().filter(|word| **word == "late") {
                            *word = "timeout";
                        }
                    }
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
                        (model.first, model.refused, model.cancelled) = (model.attempts.len(), false, false);
                    }
                }
            }
            prop_assert_eq!(history.state(), model.state(), "{:?} {:?}", model, history);
            let again = CallHistory::read(history.records().to_vec()).unwrap();
            prop_assert_eq!((again.state(), again.due()), (history.state(), history.due()));
        }
        // Without more trouble it comes to an end.
        for number in running {
            let end = AttemptEnd { outcome: AttemptOutcome::status(503), reason: "x", status: None };
            history.take(judge(&policy, &history, number, end, now, 7)).unwrap();
        }
        for _ in 0..=attempts {
            now.0 += 10_000;
            if let Todo::Attempt(attempt) = history.poll(now) {
                history.take(CallRecord { at: now.0, happened: Happened::Attempt { attempt, deadline: now.0 } }).unwrap();
                let end = AttemptEnd { outcome: AttemptOutcome::status(503), reason: "x", status: None };
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
            4 => Happened::Timeout { attempt, next, awaited: next.filter(|next| next % 2 == 0) },
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
