//! Log lines and traces: `[log]` and `[telemetry]`.

use super::LogFormat;
use crate::config::section::{Keys, Kind, Section};
use crate::config::value::set;
use anglerfish_core::config::Table;
use tracing_subscriber::EnvFilter;

/// Log lines: `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level (`info`) or a list of directives (`info,anglerfish::delivery=debug`).
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Section for LogConfig {
    const TABLE: &'static str = "log";
    const KEYS: Keys = &[("filter", Kind::Text), ("format", Kind::Text)];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        set(&mut config.filter, table.get("filter"), |node| {
            let text = node.text()?;
            if EnvFilter::builder().parse(text).is_err() {
                let hint = "write a level such as \"info\", or directives such as \"info,anglerfish::delivery=debug\"";
                node.report_with_hint("not a log filter", hint);
                return None;
            }
            Some(text.to_owned())
        });
        set(&mut config.format, table.get("format"), |node| match node.string()? {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => {
                node.report("must be \"text\" or \"json\"");
                None
            }
        });
        config
    }
}

/// Traces: `[telemetry]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// The collector that traces are sent to, by OTLP over HTTP; without one none are made.
    pub otlp: Option<String>,
}

impl Section for TelemetryConfig {
    const TABLE: &'static str = "telemetry";
    const KEYS: Keys = &[("otlp", Kind::Text)];

    fn read(table: &Table<'_>) -> Self {
        let otlp = table.get("otlp").and_then(|node| {
            let text = node.text()?;
            let uri = text.parse::<http::Uri>().ok().filter(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.host().is_some_and(|host| !host.is_empty())
            });
            if uri.is_none() {
                node.report_with_hint("not a URL", "write one such as \"http://127.0.0.1:4318\"");
            }
            uri.map(|_| text.to_owned())
        });
        Self { otlp }
    }
}
