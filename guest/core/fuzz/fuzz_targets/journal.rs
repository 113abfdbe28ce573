//! Any bytes as the journal of a flow: refused or read; what is read is written again, and answers code that takes its way.
#![no_main]

use anglerfish_core::flow::{Asked, FlowRecord, Journal, JournalLimits, WrittenRecord, kept_for_retry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(written) = serde_json::from_slice::<Vec<WrittenRecord>>(bytes) else { return };
    let again = serde_json::to_vec(&written).expect("what was read is written");
    let again: Vec<WrittenRecord> = serde_json::from_slice(&again).expect("what was written is read");
    assert_eq!(again.len(), written.len());
    assert!(kept_for_retry(&written) <= written.len());
    let sized = written.iter().map(|written| (written.clone(), 10)).collect();
    let mut journal = Journal::new(sized, JournalLimits::default());
    assert!(journal.open().count() <= written.len());
    for (number, written) in written.iter().enumerate() {
        let asked = match &written.record {
            FlowRecord::Step { name, .. } => Asked::Step(name),
            FlowRecord::Random { .. } => Asked::Random,
            FlowRecord::Now { .. } => Asked::Now,
            FlowRecord::Begun { wait } => Asked::Begin(wait),
            FlowRecord::Ended { of, .. } => Asked::Wait(of),
        };
        let answered = journal.handle_asked(asked).expect("it takes the same way");
        assert_eq!(answered, Some((number, written.record.clone())));
    }
    assert!(journal.is_newest());
});
