//! Log lines on stderr, which never fail, hold up or end the work that they tell of.

use super::sink::{self, LogWriter, SinkGuard};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt as lines, reload};

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
    /// The thread that writes lines cannot be started.
    #[error("no thread for the log: {0}")]
    Thread(io::Error),
}

/// Another layer beside the one that writes lines: one that makes traces, say.
pub type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Changes which lines are written. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct LogControl {
    set: Arc<dyn Fn(EnvFilter) + Send + Sync>,
}

impl fmt::Debug for LogControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogControl").finish_non_exhaustive()
    }
}

impl LogControl {
    /// Lines that pass this filter are written from now on.
    ///
    /// # Errors
    ///
    /// If it is not a filter; the old one stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        (self.set)(parse(filter)?);
        Ok(())
    }
}

/// A log that is set up. When it is dropped, the lines that wait are written, for as long as that takes little.
#[derive(Debug)]
#[must_use = "lines that wait are lost with the process"]
pub struct Log {
    /// Changes what is written.
    pub control: LogControl,
    _sink: SinkGuard,
}

/// Sends log lines to stderr from now on, for the whole process.
///
/// `filter` is a level (`info`) or a list of directives (`info,anglerfish::delivery=debug`). Lines wait for a thread of
/// their own in a bounded queue: where nobody takes them off stderr they are lost and counted, and no caller waits.
///
/// # Errors
///
/// If `filter` is not one, or the process has a log already.
pub fn init(format: LogFormat, filter: &str, traces: Option<TraceLayer>) -> Result<Log, LogError> {
    let directives = parse(filter)?;
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = io::stderr().is_terminal() && !plain;
    let (writer, sink) = sink::spawn(io::stderr()).map_err(LogError::Thread)?;
    // Without a layer that makes traces there is none, not even an empty one: beside one that has no filter, a span that
    // no line wants is made nevertheless, and each request has several.
    let (set_up, set) = match traces {
        Some(traces) => {
            let (lines, set) = filtered(layer(format, colours, writer), directives);
            (tracing_subscriber::registry().with(traces).with(lines).try_init(), set)
        }
        None => {
            let (lines, set) = filtered(layer(format, colours, writer), directives);
            (tracing_subscriber::registry().with(lines).try_init(), set)
        }
    };
    set_up.map_err(|_| LogError::Twice)?;
    Ok(Log { control: LogControl { set }, _sink: sink })
}

/// Lets through what a filter lets through, and gives the means to change it.
fn filtered<S>(
    lines: Box<dyn Layer<S> + Send + Sync>,
    filter: EnvFilter,
) -> (impl Layer<S> + Send + Sync, Arc<dyn Fn(EnvFilter) + Send + Sync>)
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let (filter, handle) = reload::Layer::new(filter);
    let lines = lines.with_filter(filter.and(filter_fn(names_nobody)));
    // It fails only once the subscriber is gone, which a global one never is.
    (lines, Arc::new(move |filter| drop(handle.reload(filter))))
}

/// Whether a line tells of no host by its library's own words: below `info` those that connect and resolve write down
/// whom they call, and an endpoint's URL can be a secret.
fn names_nobody(line: &Metadata<'_>) -> bool {
    let calls = ["hickory_", "hyper_util"].iter().any(|library| line.target().starts_with(library));
    !calls || *line.level() <= Level::INFO
}

/// What writes lines; of itself it never writes to stderr, where a broken pipe would make it panic.
fn layer<S>(format: LogFormat, colours: bool, writer: LogWriter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let lines =
        lines::layer().with_target(true).with_writer(move || writer.clone()).log_internal_errors(false);
    match format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// A duration as a field of a log line: seconds, to the microsecond, as a number.
#[must_use]
pub fn seconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    #[test]
    fn a_filter_that_makes_no_sense_is_an_error_that_names_it() {
        assert!(parse("info,anglerfish::delivery=debug").is_ok());
        let error = parse("anglerfish=loudly").unwrap_err().to_string();
        assert!(error.contains("`anglerfish=loudly`"), "{error}");
    }

    #[test]
    fn without_traces_no_span_is_made_that_no_line_wants() {
        let filter = parse("info").unwrap();
        let kept = SharedBuffer::default();
        let (writer, _guard) = sink::spawn(kept).unwrap();
        let (lines, _set) = filtered(layer(LogFormat::Text, false, writer), filter);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            assert!(tracing::trace_span!(target: crate::telemetry::TRACE, "request").is_disabled());
            assert!(!tracing::info_span!("of interest").is_disabled());
        });
    }

    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn durations_are_numbers_in_json() {
        let kept = SharedBuffer::default();
        let (writer, guard) = sink::spawn(kept.clone()).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer(LogFormat::Json, false, writer));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(duration_s = seconds(Duration::from_micros(1_500_000)), "done");
        });
        drop(guard);
        let line: serde_json::Value = serde_json::from_slice(&kept.0.lock().unwrap()).unwrap();
        assert_eq!(line["duration_s"], 1.5);
        assert_eq!(line["message"], "done");
    }
}
