//! All that there is to say of a source's verification before a request comes.

use super::verifier::Verifier;
use crate::node::overlap;
use crate::problem::Problem;

/// What was found of a source's verification.
#[derive(Debug)]
pub struct Judgement {
    /// The verification, or every problem that it has.
    pub result: Result<Verifier, Vec<Problem>>,
    /// What is right as it is written and will not do what it seems to; known of a source with problems, too.
    pub warnings: Vec<Problem>,
    /// For how long a request that was accepted once would still count as fresh, in seconds; 0 if nothing limits it, or it
    /// is not known.
    pub replay_window: u64,
}

impl Judgement {
    pub(super) const fn unknown(problems: Vec<Problem>) -> Self {
        Self { result: Err(problems), warnings: Vec::new(), replay_window: 0 }
    }

    /// The same without what is said of places at which something is known to be wrong: what stands there was not read.
    #[must_use]
    pub fn beside(self, known: &[Problem]) -> Self {
        let fresh = |found: Vec<Problem>| -> Vec<Problem> {
            let told = |one: &Problem| known.iter().any(|other| overlap(&one.path, &other.path));
            found.into_iter().filter(|one| !told(one)).collect()
        };
        let Self { result, warnings, replay_window } = self;
        Self { result: result.map_err(fresh), warnings: fresh(warnings), replay_window }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::read_source;
    use crate::verify::Verifier;
    use serde_json::{Value, json};

    /// The paths of everything that is said of a source, read and judged.
    fn told(source: &Value) -> Vec<String> {
        let (read, mut problems) = read_source(source, "s");
        let judged = Verifier::judge("s", &read.unwrap().verification).beside(&problems);
        problems.extend(judged.result.err().unwrap_or_default());
        let mut paths: Vec<String> = problems.into_iter().map(|problem| problem.path).collect();
        paths.sort();
        paths
    }

    #[test]
    fn no_problem_of_a_source_hides_another_one() {
        let places = json!({
            "event": {"id": ["json:id", "body"], "type": "header:", "kind": 1, "time": {"at": "nowhere"}},
            "deduplicate": {"by": ["", "json:id", "header:x"], "within": "soon"},
            "split": "json:events",
            "methods": [3, "FETCH"],
            "tolerance": "none",
            "typo": 1,
        });
        let expected = [
            "s.deduplicate.by[0]",
            "s.deduplicate.by[1]",
            "s.deduplicate.within",
            "s.event.id[0]",
            "s.event.kind",
            "s.event.time.at",
            "s.event.time.unit",
            "s.event.type",
            "s.methods[0]",
            "s.methods[1]",
        ];
        for scheme in [json!("github"), json!("gitbub"), json!(""), json!(3), json!(null)] {
            for secrets in [json!(["x"]), json!([" x "]), json!([]), json!([3, ""]), json!("x")] {
                let mut source = json!({"name": "a b", "scheme": scheme, "secrets": secrets});
                source.as_object_mut().unwrap().extend(places.as_object().unwrap().clone());
                let told = told(&source);
                for path in expected {
                    let times = told.iter().filter(|told| *told == path).count();
                    assert_eq!(times, 1, "{path} of {source}: {told:?}");
                }
                assert!(told.iter().any(|path| path == "s.name") && told.iter().any(|path| path == "s.typo"));
            }
        }
    }

    #[test]
    fn what_was_not_read_is_not_found_missing() {
        assert_eq!(told(&json!({"name": "a", "scheme": "github", "secrets": "x"})), ["s.secrets"]);
        assert_eq!(told(&json!({"name": "a", "scheme": "github", "secrets": [3]})), ["s.secrets[0]"]);
        assert_eq!(
            told(&json!({"name": "a", "scheme": "custom", "definition": 3, "secrets": ["x"]})),
            ["s.definition"]
        );
        let spare = json!({"name": "a", "scheme": "github", "definition": {}, "variants": ["x"]});
        assert_eq!(told(&spare), ["s.definition", "s.secrets", "s.variants[0]"]);
    }

    #[test]
    fn what_a_handshake_lacks_is_told_of_a_source_with_problems_too() {
        let source = json!({"name": "a", "scheme": "meta", "secrets": [" "]});
        let (read, _) = read_source(&source, "s");
        let judged = Verifier::judge("s", &read.unwrap().verification);
        assert!(judged.result.is_err());
        assert_eq!(judged.warnings.len(), 1, "{:?}", judged.warnings);
    }

    #[test]
    fn secrets_that_no_request_will_match_are_told_without_being_quoted() {
        let warned = |scheme: &str, secret: &str| {
            let (read, _) =
                read_source(&json!({"name": "a", "scheme": scheme, "secrets": ["x:y", secret]}), "s");
            let judged = Verifier::judge("s", &read.unwrap().verification);
            assert!(judged.result.is_ok() && judged.warnings.len() < 2, "{:?}", judged.warnings);
            judged.warnings.into_iter().next()
        };
        for (scheme, secret) in
            [("bearer", "Bearer geheim"), ("basic", "Basic Z2VoZWlt:"), ("basic", "geheim")]
        {
            let warning = warned(scheme, secret).unwrap();
            assert_eq!(warning.path, "s.secrets[1]", "{scheme} {secret}");
            assert!(!warning.message.contains("geheim") && !warning.message.contains("Z2Vo"), "{warning}");
        }
        for (scheme, secret) in [("bearer", "geheim"), ("basic", "user:geheim"), ("github", "Bearer geheim")]
        {
            assert_eq!(warned(scheme, secret), None, "{scheme} {secret}");
        }
    }
}
