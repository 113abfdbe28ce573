//! Sources that are written at run time.

use super::reference::ReferenceList;
use super::secret::Resolver;
use anglerfish_core::config::{SourceConfig, overlap, read_source};
use anglerfish_core::problem::Problem;
use anglerfish_core::verify::{DeduplicateConfig, Verifier};
use serde_json::Value;
use std::time::Duration;

/// Reads sources that are written at run time as the configuration's file is read.
#[derive(Debug, Clone)]
pub struct SourceReader {
    resolver: Resolver,
    references: ReferenceList,
    retention: Duration,
}

impl SourceReader {
    /// `references` says which may be used at run time; what is accepted is remembered for `retention`.
    pub(crate) fn new(resolver: Resolver, references: ReferenceList, retention: Duration) -> Self {
        Self { resolver, references, retention }
    }

    /// Reads a source's document (JSON), resolves its references to secrets and builds its verification.
    ///
    /// Only the references that `admin.references` names are taken.
    ///
    /// # Errors
    ///
    /// With every problem that it has.
    pub fn read(&self, document: &[u8]) -> Result<SourceConfig, Vec<Problem>> {
        let mut value: Value = serde_json::from_slice(document)
            .map_err(|error| vec![Problem::new("", format!("the document is not JSON: {error}"))])?;
        let permitted = |reference: &str| self.references.permits(reference);
        let mut problems = self.resolver.resolve_source(&mut value, "", &permitted);
        // What stands behind a reference that leads nowhere is not known, so nothing else is said of it.
        let fresh = |problems: &[Problem], found: Vec<Problem>| -> Vec<Problem> {
            let known = |one: &Problem| problems.iter().any(|other| overlap(&one.path, &other.path));
            found.into_iter().filter(|one| !known(one)).collect()
        };
        let (source, found) = read_source(&value, "");
        problems.extend(fresh(&problems, found));
        let Some(source) = source else { return Err(problems) };
        let judged = Verifier::judge(WITHIN, &source.verification);
        let short = forgotten_within(&source.name, judged.replay_window, self.retention);
        let judged = judged.result.err().into_iter().flatten().map(here).collect();
        problems.extend(fresh(&problems, judged));
        problems
            .extend(short.map(|(message, hint)| Problem::new(window_key(&source), message).with_hint(hint)));
        if problems.is_empty() { Ok(source) } else { Err(problems) }
    }
}

/// What a source is called while it is judged by itself.
const WITHIN: &str = "source";

/// What is odd about the verification of a source that is written at run time, though it can be used.
pub(crate) fn source_doubts(source: &SourceConfig) -> Vec<Problem> {
    Verifier::judge(WITHIN, &source.verification).warnings.into_iter().map(here).collect()
}

/// The problem with a path that begins at the source itself.
fn here(problem: Problem) -> Problem {
    match problem.path.strip_prefix(WITHIN).and_then(|path| path.strip_prefix('.')) {
        Some(path) => Problem { path: path.to_owned(), ..problem },
        None => problem,
    }
}

/// The key of a source that says how long its window is.
pub(crate) fn window_key(source: &SourceConfig) -> &'static str {
    match source.verification.deduplicate {
        Some(DeduplicateConfig::By { within_seconds: Some(_), .. }) => "deduplicate.within",
        _ => "tolerance",
    }
}

/// What was accepted is remembered for as long as it is kept: shorter than it is fresh would let it be replayed.
pub(crate) fn forgotten_within(source: &str, window: u64, retention: Duration) -> Option<(String, String)> {
    let window = Duration::from_secs(window);
    (retention < window).then(|| {
        let message = format!(
            "events are kept for {} s, which is shorter than the window of source {source:?}: a request that was forgotten \
             could come again within it",
            retention.as_secs()
        );
        let hint = format!(
            "keep events for {} s at least (`retention` of [store]), or narrow the source's window",
            window.as_secs()
        );
        (message, hint)
    })
}
