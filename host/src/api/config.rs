//! `/v1/config`: the configuration in use, and reading it again.

use super::query::{NoParameters, Query};
use super::{Api, ProblemDetails};
use crate::config::{ConfigProblem, ConfigStatus, ReloadOutcome};
use anglerfish_core::problem::Problem;
use async_trait::async_trait;
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;

/// What reads the configuration again.
#[async_trait]
pub trait Configuration: Send + Sync + 'static {
    /// How the one in use came to be.
    fn status(&self) -> ConfigStatus;

    /// Reads it again and puts it in use, or leaves all as it was.
    async fn reload(&self) -> ConfigStatus;
}

/// How the configuration in use came to be.
#[utoipa::path(
    get, path = "/v1/config/status", operation_id = "configuration", tag = "configuration",
    responses((status = 200, description = "The last attempt to change it is in `last`.", body = ConfigStatus))
)]
pub(super) async fn status(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Answer<ConfigStatus> {
    Answer(api.configuration.status())
}

/// Read the configuration again.
///
/// It is checked as a whole and put in use; if it has any problem, all stays as it was.
#[utoipa::path(
    post, path = "/v1/config/reload", operation_id = "reload_configuration", tag = "configuration",
    responses(
        (status = 200, description = "It is in use.", body = ConfigStatus),
        (status = 422, description = "It has problems, and the old one stays in use: `invalid-configuration`."),
        (status = 503, description = "Something else failed, and the old one stays in use: `reload-failed`."),
    )
)]
pub(super) async fn reload(
    State(api): State<Api>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Answer<ConfigStatus>, ProblemDetails> {
    let status = api.configuration.reload().await;
    let Some(last) = &status.last else { return Ok(Answer(status)) };
    let said = last.error.clone().unwrap_or_else(|| match last.problems.len() {
        1 => "it has a problem".to_owned(),
        many => format!("it has {many} problems"),
    });
    let detail = format!("the configuration stays as it was: {said}");
    match last.outcome {
        ReloadOutcome::Applied => Ok(Answer(status)),
        ReloadOutcome::Refused => {
            let problems: Vec<Problem> = last.problems.iter().map(place).collect();
            let refused = StatusCode::UNPROCESSABLE_ENTITY;
            Err(ProblemDetails::new(refused, "invalid-configuration", detail).problems(&problems))
        }
        ReloadOutcome::Failed => {
            Err(ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "reload-failed", detail))
        }
    }
}

/// A problem with its place in the file before its path.
fn place(problem: &ConfigProblem) -> Problem {
    let ConfigProblem { file, line, column, path, message, hint } = problem;
    let place = match (line, column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => file.clone(),
    };
    // What is no document has a place and no key.
    let path = if path.is_empty() { place } else { format!("{place}: {path}") };
    Problem { hint: hint.clone(), ..Problem::new(path, message.clone()) }
}

#[cfg(test)]
mod tests {
    use super::{ConfigProblem, place};

    #[test]
    fn a_problem_is_told_with_its_place_and_its_key_if_it_has_one() {
        let problem = |path: &str, line| ConfigProblem {
            file: "a.toml".into(),
            line,
            column: line,
            path: path.into(),
            message: "m".into(),
            hint: None,
        };
        let told = [("", Some(1)), ("source", Some(2)), ("source", None), ("", None)]
            .map(|(path, line)| place(&problem(path, line)).to_string());
        assert_eq!(told, ["a.toml:1:1: m", "a.toml:2:2: source: m", "a.toml: source: m", "a.toml: m"]);
    }
}
