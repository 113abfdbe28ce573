//! What the gateway tells about itself: log lines, metrics, readiness.

mod backlog;
mod classic;
mod filter;
mod ingress;
mod log;
mod repeated;
mod scrape;
mod section;
mod sink;
mod trace;

pub use crate::supervision::{Latch, Readiness};
pub use classic::CLASSIC_TEXT;
pub use filter::{Activity, FilterActivity, SILENCE};
pub use ingress::{IngressMetrics, SourceMetrics};
pub use log::{Log, LogControl, LogError, LogFormat, TraceLayer, init, seconds};
pub(crate) use repeated::{Repeated, SharedRepeated};
pub use scrape::{OPENMETRICS_TEXT, Scrape};
pub use section::{LogConfig, TelemetryConfig};
pub(crate) use sink::register as register_log;
pub(crate) use trace::{TARGET as TRACE, TRACEPARENT, follow, onward, resume};
pub use trace::{Traces, traces};
