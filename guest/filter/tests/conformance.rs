//! The CEL specification's conformance suite, as far as it needs no protocol buffers.

use anglerfish_filter::conformance;
use std::path::Path;

/// What this implementation does otherwise on purpose, with the reason.
const DIFFERENT: &[(&str, &str)] = &[];

#[test]
fn passes_every_case_of_the_suite_that_can_be_run() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/cel-conformance.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: there is no file of conformance cases beside the repository");
        return;
    };
    let report = conformance::run(&text).unwrap();
    println!("{report}");
    let known = |name: &str| DIFFERENT.iter().any(|(different, _)| *different == name);
    let unexpected: Vec<_> = report.failed.iter().filter(|(name, _)| !known(name)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(report.passed > 1000, "only {} cases ran", report.passed);
}
