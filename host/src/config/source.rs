//! Sources that are written at run time.

use super::reference::ReferenceList;
use super::secret::Resolver;
use anglerfish_core::config::{SourceConfig, read_source};
use anglerfish_core::problem::Problem;
use anglerfish_core::verify::Verifier;
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
        let mut problems = self.resolver.resolve_source(&mut value, "", &permitted).problems;
        // What stands behind a reference that leads nowhere is not known, so nothing else is said of it.
        let fresh = |problems: &[Problem], found: Vec<Problem>| -> Vec<Problem> {
            let known = |one: &Problem| problems.iter().any(|other| other.path == one.path);
            found.into_iter().filter(|one| !known(one)).collect()
        };
        let source = match read_source(&value, "") {
            Ok(source) => source,
            Err(found) => {
                problems.extend(fresh(&problems, found));
                return Err(problems);
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let verifier = Verifier::try_new("", &source.verification).map_err(|found| {
            // Paths begin at the source itself.
            let within = |path: String| path.strip_prefix('.').map(str::to_owned).unwrap_or(path);
            found.into_iter().map(|one| Problem { path: within(one.path), ..one }).collect::<Vec<_>>()
        })?;
        match forgotten_within(&verifier, self.retention) {
            Some((message, hint)) => Err(vec![Problem::new("tolerance", message).with_hint(hint)]),
            None => Ok(source),
        }
    }
}

/// What was accepted is remembered for as long as it is kept: shorter than it is fresh would let it be replayed.
pub(crate) fn forgotten_within(verifier: &Verifier, retention: Duration) -> Option<(String, String)> {
    let window = Duration::from_secs(verifier.replay_window());
    (retention < window).then(|| {
        let message =
            "the window is longer than `store.retention`: a request that was forgotten could come again within it";
        let hint = format!("keep events for {} s at least, or narrow the tolerance", window.as_secs());
        (message.to_owned(), hint)
    })
}
