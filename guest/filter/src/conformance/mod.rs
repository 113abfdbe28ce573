//! Runs the CEL specification's conformance suite, in the form of a JSON file of cases.
//!
//! A case has an expression, typed bindings (`{"int": "1"}`, `{"string": "x"}`, …) and an expected value or `{"error": true}`. What cannot be
//! run is skipped with a reason, never counted as passed.

mod case;
mod typed;

pub use case::{Case, CaseResult};

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// A file of cases.
#[derive(Debug, Deserialize)]
struct Suite {
    tests: Vec<Case>,
}

/// What became of the cases of a file.
#[derive(Debug, Default)]
pub struct Report {
    /// How many passed.
    pub passed: usize,
    /// The failed ones: name, and what was wrong.
    pub failed: Vec<(String, String)>,
    /// The skipped ones: name, and why.
    pub skipped: Vec<(String, String)>,
    /// Passed and run, for each file of the suite.
    pub files: BTreeMap<String, (usize, usize)>,
}

/// Runs all cases of a file's text.
///
/// # Errors
/// The text is not such a file.
pub fn run(text: &str) -> Result<Report, serde_json::Error> {
    let suite: Suite = serde_json::from_str(text)?;
    let mut report = Report::default();
    for case in &suite.tests {
        let outcome = case.run();
        let (passed, run) = report.files.entry(case.file.clone()).or_default();
        if !matches!(outcome, CaseResult::Skipped(_)) {
            *run += 1;
        }
        match outcome {
            CaseResult::Passed => {
                *passed += 1;
                report.passed += 1;
            }
            CaseResult::Failed(why) => report.failed.push((case.full_name(), why)),
            CaseResult::Skipped(why) => report.skipped.push((case.full_name(), why)),
        }
    }
    Ok(report)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, why) in &self.failed {
            writeln!(f, "failed  {name}: {why}")?;
        }
        for (name, why) in &self.skipped {
            writeln!(f, "skipped {name}: {why}")?;
        }
        for (file, (passed, run)) in &self.files {
            writeln!(f, "{file}: {passed} of {run}")?;
        }
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed.len(), self.skipped.len())
    }
}
