//! Log lines on stderr.

use serde::{Deserialize, Serialize};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("the log filter `{filter}` is not valid: {reason}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another part of the process has set up logging before.
    #[error("logging is set up already")]
    Twice,
}

/// Sends log lines to stderr from now on, for the whole process.
///
/// `filter` is a level (`info`) or a list of directives (`info,anglerfish::delivery=debug`).
pub fn init(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let directives = parse(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(directives)
        .with_writer(io::stderr)
        .with_span_events(FmtSpan::NONE)
        .with_target(true);
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = io::stderr().is_terminal() && !plain;
    let done = match format {
        LogFormat::Text => builder.with_ansi(colours).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    done.map_err(|_| LogError::Twice)
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_filter_that_makes_no_sense_is_an_error_that_names_it() {
        assert!(parse("info,anglerfish::delivery=debug").is_ok());
        let error = parse("anglerfish=loudly").unwrap_err().to_string();
        assert!(error.contains("`anglerfish=loudly`"), "{error}");
    }
}
