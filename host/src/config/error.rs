//! What is wrong with a configuration.

use anglerfish_core::problem::Problem;
use serde::Serialize;
use std::fmt;

/// One problem with its place. Its `Display` form is one line, `file:line:column: key: message`, without the hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfigProblem {
    /// The configuration file as it was named, or the environment variable that a value came from.
    pub file: String,
    /// Line, from 1; `None` if it is not about a place in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The key, as a path; empty if it is about the text as a whole.
    #[serde(rename = "key", skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What is wrong; never the value of a secret.
    pub message: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_place(formatter)?;
        write!(formatter, ": {}", self.message)
    }
}

/// A problem as a warning: it says so behind its place.
#[derive(Debug)]
pub struct Warning<'a>(&'a ConfigProblem);

impl fmt::Display for Warning<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_place(formatter)?;
        write!(formatter, ": warning: {}", self.0.message)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read {file}: {reason}")]
    Unreadable {
        /// The file as it was named.
        file: String,
        /// What the operating system says.
        reason: String,
    },
    /// It was read and has problems, ordered by their places.
    #[error("{} problem(s) in the configuration: {}", .0.len(), listed(.0))]
    Invalid(Vec<ConfigProblem>),
}

/// All of these in one line.
pub(crate) fn listed(problems: &[impl fmt::Display]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl ConfigProblem {
    /// The same as a warning: `file:line:column: key: warning: message`.
    #[must_use]
    pub fn as_warning(&self) -> Warning<'_> {
        Warning(self)
    }

    fn write_place(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(formatter, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(formatter, ": {}", self.path)?;
        }
        Ok(())
    }

    /// A problem of the document at a place of a file.
    pub(super) fn new(file: &str, line: Option<u32>, column: Option<u32>, problem: Problem) -> Self {
        let Problem { path, message, hint, .. } = problem;
        Self { file: file.to_owned(), line, column, path, message, hint }
    }
}
