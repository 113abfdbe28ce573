//! What the gateway tells about itself: log lines, metrics, readiness.

mod backlog;
mod ingress;
mod log;
mod readiness;
mod scrape;

pub use ingress::{IngressMetrics, RequestOutcome, SourceMetrics};
pub use log::{LogError, LogFormat, init};
pub use readiness::{Latch, Readiness};
pub use scrape::{OPENMETRICS_TEXT, Scrape};
