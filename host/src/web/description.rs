//! What descriptions of addresses share.

use super::problem::DocumentProblem;
use serde_json::Value;
use utoipa::ToSchema;

/// What is wrong, as problem details (RFC 9457). Programs tell problems apart by `code`.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it only describes what `ProblemDetails` writes")]
pub(crate) struct ProblemBody {
    /// Always `about:blank`.
    r#type: String,
    /// The status's own phrase.
    title: String,
    /// The status.
    status: u16,
    /// A stable word for programs.
    code: String,
    /// A sentence for people.
    detail: String,
    /// With `invalid-document` and `invalid-configuration`: everything that is wrong with it.
    #[schema(required = false)]
    problems: Vec<DocumentProblem>,
    /// With `ambiguous-event`: the sources that have an event of this id.
    #[schema(required = false)]
    sources: Vec<String>,
    /// With `stale-lease`: what became of each.
    #[schema(required = false)]
    results: Vec<Value>,
    /// With `not-ready`: what holds the gateway back.
    #[schema(required = false)]
    reasons: Vec<String>,
    /// With `nothing-to-replay`: subscriptions that are gone.
    #[schema(required = false)]
    gone: Vec<String>,
}
