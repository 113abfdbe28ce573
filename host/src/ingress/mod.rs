//! Where events come in: `POST /in/{source}`.
//!
//! A request is read within limits, decided by the component, committed, and only then answered.

mod address;
mod body;
mod budget;
mod finishing;
mod notice;
mod record;
mod reply;
mod section;
mod service;

pub(crate) use address::is_prefix;
pub use address::{ForwardedConfig, SourceAddress};
pub use record::Credentials;
pub(crate) use record::is_telling;
#[cfg(feature = "cli")]
pub(crate) use record::keep;
pub(crate) use record::record as record_request;
pub use section::ServerConfig;
pub use service::{CallbackAnswer, CallbackIntake, Fetcher, Ingress, IngressConfig, Outlet};
