//! What is wrong with a configuration document.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One problem, with its place in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The place as keys and indexes: `subscriptions[2].filter`.
    pub path: String,
    /// What is wrong, as a lower-case fragment; never the value of a secret.
    pub message: String,
    /// Line (from 1) within the value at `path`, for values with an inner structure such as an expression.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// Column (from 1, in characters) within that line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// What would help: `did you mean "retry"?`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the whole value at `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), line: None, column: None, hint: None }
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, message) = (&self.path, &self.message);
        match (path.as_str(), self.line.zip(self.column)) {
            ("", None) => formatter.write_str(message),
            ("", Some((line, column))) => write!(formatter, "line {line}, column {column}: {message}"),
            (_, None) => write!(formatter, "{path}: {message}"),
            (_, Some((line, column))) => {
                write!(formatter, "{path} (line {line}, column {column}): {message}")
            }
        }
    }
}
