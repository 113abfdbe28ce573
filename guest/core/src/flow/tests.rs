//! The journal against what a flow does.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn call(api: &str, content: &str) -> FlowWait {
    FlowWait::Call { api: api.into(), key: "k".into(), content: content.into() }
}

fn timer(until: u64) -> FlowWait {
    FlowWait::Timer { until }
}

fn done(name: &str, value: i64) -> FlowRecord {
    FlowRecord::Step { name: name.into(), outcome: StepOutcome::Done(json!(value)) }
}

fn replay(records: &[FlowRecord]) -> Journal {
    let written = records.iter().map(|record| (WrittenRecord { at: 0, record: record.clone() }, 10));
    Journal::new(written.collect(), JournalLimits::default())
}

#[test]
fn recorded_steps_answer_from_the_journal_and_new_ones_are_to_be_done() {
    let mut journal = replay(&[done("reserve", 1)]);
    assert_eq!(journal.handle_asked(Asked::Step("reserve")), Ok(Some((0, done("reserve", 1)))));
    assert!(journal.is_newest());
    assert_eq!(journal.handle_asked(Asked::Step("pay")), Ok(None));
    assert_eq!(journal.add(done("pay", 2), 10), 1);
    assert_eq!(journal.handle_asked(Asked::End), Ok(None));
}

#[test]
fn code_that_takes_another_way_is_a_difference_that_can_be_read() {
    let recorded = [done("reserve", 1), FlowRecord::Begun { wait: call("billing", "0123456789abcdef") }];
    let mut journal = replay(&recorded);
    let difference = journal.handle_asked(Asked::Step("pay")).unwrap_err();
    assert_eq!(
        difference.to_string(),
        "at entry 0 the journal has the step \"reserve\", and the code asks for the step \"pay\""
    );
    // It stays one.
    assert_eq!(journal.handle_asked(Asked::Random).unwrap_err().number, 0);
    let mut journal = replay(&recorded);
    assert!(journal.handle_asked(Asked::Step("reserve")).unwrap().is_some());
    let other = call("billing", "fedcba9876543210");
    assert!(
        journal.handle_asked(Asked::Begin(&other)).unwrap_err().to_string().contains("content 0123456789ab")
    );
    // It ends where its journal goes on.
    assert_eq!(journal.handle_asked(Asked::End).unwrap_err().asked, "nothing more");
    assert!(journal.handle_asked(Asked::Begin(&call("billing", "0123456789abcdef"))).unwrap().is_some());
}

#[test]
fn when_a_timer_ends_is_the_journals_to_say() {
    let mut journal = replay(&[FlowRecord::Begun { wait: timer(5) }]);
    let (number, _) = journal.handle_asked(Asked::Begin(&timer(99))).unwrap().unwrap();
    assert_eq!(journal.begun(number), Some(&timer(5)));
    assert_eq!(journal.handle_asked(Asked::Wait(&[number])), Ok(None));
}

#[test]
fn what_was_begun_is_open_until_it_has_ended_or_lost() {
    let mut journal = replay(&[
        FlowRecord::Begun { wait: timer(1) },
        FlowRecord::Begun { wait: timer(2) },
        FlowRecord::Begun { wait: timer(3) },
    ]);
    let open = |journal: &Journal| journal.open().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(open(&journal), [0, 1, 2]);
    journal.add(FlowRecord::Ended { of: vec![2, 0], winner: 1, outcome: WaitOutcome::Time }, 10);
    assert_eq!(open(&journal), [1]);
}

#[test]
fn a_journal_has_limits_of_each_kind() {
    let limits = JournalLimits { entries: 2, bytes: 30, entry: 20 };
    let mut journal = Journal::new(Vec::new(), limits);
    assert_eq!(journal.fits(21).unwrap_err().limit, 20);
    journal.add(done("a", 1), 20);
    assert_eq!(journal.fits(11).unwrap_err().limit, 30);
    assert_eq!(journal.fits(10), Ok(()));
    journal.add(done("b", 1), 10);
    assert_eq!(journal.fits(0).unwrap_err().limit, 2);
}

#[test]
fn a_retry_keeps_what_was_done_before_the_last_failure_and_what_was_given_up() {
    let written = |records: &[FlowRecord]| {
        let written = records.iter().map(|record| WrittenRecord { at: 0, record: record.clone() });
        kept_for_retry(&written.collect::<Vec<_>>())
    };
    let failed = FlowRecord::Step { name: "mail".into(), outcome: StepOutcome::Failed("no".into()) };
    let called = |of: usize, state: &str| FlowRecord::Ended {
        of: vec![of],
        winner: 0,
        outcome: WaitOutcome::Called {
            state: state.into(),
            status: None,
            headers: Vec::new(),
            body: Content(Vec::new()),
        },
    };
    let begun = FlowRecord::Begun { wait: call("billing", "c") };
    assert_eq!(written(&[]), 0);
    assert_eq!(written(&[done("a", 1), done("b", 1)]), 2);
    assert_eq!(written(&[done("a", 1), failed.clone(), done("b", 1)]), 1);
    // A call that failed is made again, and so what followed from its beginning.
    assert_eq!(written(&[done("a", 1), begun.clone(), done("b", 1), called(1, "timeout")]), 1);
    assert_eq!(written(&[begun.clone(), called(0, "success"), done("b", 1)]), 3);
    assert_eq!(written(&[done("a", 1), begun, failed]), 1);
}

#[test]
fn names_and_ids_are_short_and_plain_and_entries_are_in_order() {
    for name in ["order", "a.b-c_1", &"x".repeat(40)] {
        assert!(is_flow_name(name), "{name}");
    }
    for name in ["", "a/b", "..", "é", &"x".repeat(41)] {
        assert!(!is_flow_name(name), "{name}");
    }
    assert!(is_flow_id(&"x".repeat(72)) && !is_flow_id(&"x".repeat(73)));
    assert!(journal_key("f", "i", 9) < journal_key("f", "i", 10));
    assert!(crate::resource::is_lasting(&flow_key("f", "i")));
    assert!(crate::resource::is_lasting(&journal_key("f", "i", 9)));
    assert!(!crate::resource::is_lasting(&ended_key("f", "i")));
}

/// As the first version wrote it; it has to be read for ever.
#[test]
fn an_event_has_one_flow_and_another_event_another_one_whatever_its_id_is() {
    let long = "x".repeat(256);
    let ids = ["order-7", "evt_8a08f1f40bec115c0f3f8b34bc32f378", "", "..", "a/b", "a b", "ü", &long];
    let mut seen = std::collections::BTreeSet::new();
    for source in ["shop", "shop2", "/orders", ""] {
        for id in ids {
            let flow = event_flow_id(source, id);
            assert!(is_flow_id(&flow), "{source} {id}: {flow}");
            assert_eq!(flow, event_flow_id(source, id));
            assert!(seen.insert(flow), "{source} {id}");
        }
    }
    // The same characters, parted elsewhere.
    assert_ne!(event_flow_id("ab", "c"), event_flow_id("a", "bc"));
    // It stays what it is: a flow that runs is found by it after an update.
    assert_eq!(event_flow_id("shop", "order-7"), "order-7-6f83b94f2007a84d57e0aa0b50c1e72c");
}

#[test]
fn a_journal_of_the_first_version_is_read() {
    let text = include_str!("journal_v1.json");
    let written: Vec<WrittenRecord> = serde_json::from_str(text).unwrap();
    assert_eq!(written.len(), 10);
    assert_eq!(
        serde_json::to_value(&written).unwrap(),
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
}

fn record() -> impl Strategy<Value = FlowRecord> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..9);
    prop_oneof![
        ("[a-c]", any::<i64>()).prop_map(|(name, value)| done(&name, value)),
        "[a-c]".prop_map(|name| FlowRecord::Step { name, outcome: StepOutcome::Failed("no".into()) }),
        any::<u64>().prop_map(|value| FlowRecord::Random { value }),
        any::<u64>().prop_map(|at| FlowRecord::Now { at }),
        any::<u64>().prop_map(|until| FlowRecord::Begun { wait: timer(until) }),
        "[a-c]".prop_map(|api| FlowRecord::Begun { wait: call(&api, "c") }),
        (proptest::collection::vec(0_usize..9, 1..3), bytes).prop_map(|(of, body)| FlowRecord::Ended {
            of,
            winner: 0,
            outcome: WaitOutcome::Called {
                state: "success".into(),
                status: Some(200),
                headers: vec![("a".into(), "b".into())],
                body: Content(body),
            },
        }),
    ]
}

fn ask(record: &FlowRecord) -> Asked<'_> {
    match record {
        FlowRecord::Step { name, .. } => Asked::Step(name),
        FlowRecord::Random { .. } => Asked::Random,
        FlowRecord::Now { .. } => Asked::Now,
        FlowRecord::Begun { wait } => Asked::Begin(wait),
        FlowRecord::Ended { of, .. } => Asked::Wait(of),
    }
}

/// A journal of the first version with some bytes of it changed, dropped or repeated: what a broken disk or another program leaves.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let whole = include_bytes!("journal_v1.json").to_vec();
    let length = whole.len();
    let change = (0..length, any::<u8>(), 0..3_usize);
    proptest::collection::vec(change, 0..6).prop_map(move |changes| {
        let mut bytes = whole.clone();
        for (at, byte, how) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    })
}

/// What is read of any bytes is gone on with or refused; nothing panics.
fn take(bytes: &[u8]) {
    let Ok(written) = serde_json::from_slice::<Vec<WrittenRecord>>(bytes) else { return };
    let again = serde_json::to_vec(&written).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<WrittenRecord>>(&again).unwrap().len(), written.len());
    assert!(kept_for_retry(&written) <= written.len());
    let sized = written.iter().map(|written| (written.clone(), 10)).collect();
    let mut journal = Journal::new(sized, JournalLimits::default());
    assert!(journal.open().count() <= written.len());
    for (number, written) in written.iter().enumerate() {
        let answered = journal.handle_asked(ask(&written.record)).unwrap();
        assert_eq!(answered, Some((number, written.record.clone())));
    }
    assert!(journal.is_newest());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_a_journal_that_can_be_gone_on_with(bytes in spoilt()) {
        take(&bytes);
    }

    #[test]
    fn code_that_takes_the_same_way_gets_all_of_it_and_then_goes_on(records in proptest::collection::vec(record(), 0..20)) {
        let mut journal = replay(&records);
        for (number, record) in records.iter().enumerate() {
            prop_assert_eq!(journal.handle_asked(ask(record)), Ok(Some((number, record.clone()))));
        }
        prop_assert_eq!(journal.handle_asked(Asked::End), Ok(None));
        prop_assert!(journal.is_newest());
    }

    #[test]
    fn a_record_is_read_as_it_was_written(record in record()) {
        let text = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<FlowRecord>(&text).unwrap(), record);
    }
}
