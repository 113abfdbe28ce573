//! Anglerfish: an event gateway for webhooks, as a library to embed.
//!
//! The decisions are made inside a WebAssembly component; this crate is the native shell around it: it takes requests
//! in, runs the component, makes its decisions durable and delivers them.
//!
//! [`Anglerfish`] is a gateway that is part of a program. It comes to life in three steps: [`Anglerfish::builder`] says what
//! there is and touches nothing; [`AnglerfishBuilder::build`] holds all that can fail, and does nothing that others see;
//! [`BuiltAnglerfish::start`] lets it run. `examples/embed.rs` is a whole program, and the book has a page about it,
//! `docs/embedding.md`.
//!
//! ```
//! use anglerfish::{Anglerfish, Delivery, NewEvent, Subscription};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let data = directory.path();
//! let (arrived, mut arrivals) = tokio::sync::mpsc::channel(1);
//! let gateway = Anglerfish::builder()
//!     .data_dir(data)
//!     .subscription(
//!         Subscription::to_function("large", move |delivery: Delivery| {
//!             let arrived = arrived.clone();
//!             async move { arrived.send(delivery.event.id).await }
//!         })
//!         .filter("message.total > 100"),
//!     )
//!     .build()
//!     .await?
//!     .start();
//! let order = serde_json::json!({"total": 120});
//! gateway.publish(NewEvent::new("/orders", "order.created").id("order-7").json(&order)?).await?;
//! assert_eq!(arrivals.recv().await.as_deref(), Some("order-7"));
//! gateway.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does not do to its program
//!
//! There is no global state: several gateways run side by side, each with a data directory of its own. No logger is set up
//! (it writes with `tracing`, whoever listens), no panic hook, no metrics recorder ([`Anglerfish::metrics`] is a text, and
//! [`AnglerfishBuilder::registry`] takes the program's registry), no signal handler, no default of a TLS library, and no limit of the process is changed.
//!
//! # Features
//!
//! - `cli`, on by default: the command line. A program that embeds a gateway does without it: `default-features = false, features = ["api", "sqlite", "tls"]`.
//! - `api`, on by default: the management API, the listener of documents, and the descriptions of addresses (`OpenAPI`). Without it a
//!   configuration that asks for one of them is refused.
//! - `sqlite`, on by default: the embedded store. Without it a program gives one: [`AnglerfishBuilder::store`].
//! - `tls`, on by default: `https` to whom is called. Without it what needs that is refused when the gateway is built.
//!
//! What is re-exported here is the interface. The modules are the rooms that it is built of; they are public for this
//! workspace's tests and benchmarks, and change as they need to.

#![deny(missing_docs)]

#[cfg(feature = "api")]
#[doc(hidden)]
pub mod api;
#[doc(hidden)]
pub mod bulk;
#[doc(hidden)]
pub mod call;
#[doc(hidden)]
pub mod callback;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod delivery;
#[doc(hidden)]
pub mod document;
#[doc(hidden)]
pub mod embed;
#[doc(hidden)]
pub mod engine;
mod fault;
#[doc(hidden)]
pub mod fetch;
#[cfg(feature = "api")]
#[doc(hidden)]
pub mod flare;
#[doc(hidden)]
pub mod flow;
#[doc(hidden)]
pub mod gateway;
#[doc(hidden)]
pub mod ingress;
#[doc(hidden)]
pub mod log;
#[doc(hidden)]
pub mod outbound;
#[doc(hidden)]
pub mod passive;
#[doc(hidden)]
pub mod plugin;
#[doc(hidden)]
pub mod publish;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod rejection;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod stream;
#[doc(hidden)]
pub mod subscription;
#[doc(hidden)]
pub mod supervision;
#[doc(hidden)]
pub mod telemetry;
#[doc(hidden)]
pub mod topic;
mod waiter;
#[doc(hidden)]
pub mod web;

/// The programs of the book, which are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
mod book {}

pub use anglerfish_core::call::{CallRequest, CallState};
pub use anglerfish_core::config::{RateConfig, Secret};
pub use call::{CallError, Calls, NewCall};
pub use callback::{Callback, CallbackBuilder, CallbackError, CallbackOptions, Callbacks, ReceivedCallback};
pub use clock::{Clock, SystemClock};
pub use config::{ConfigError, ConfigProblem, Environment, NetworkList, ReferenceList};
pub use delivery::{AttemptFailure, Attempted, Endpoint};
pub use document::{ChangeError, DocumentsConfig};
pub use embed::{
    Anglerfish, AnglerfishBuilder, Api, BuiltAnglerfish, Delivery, DocumentError, EventError, IngressService,
    NewEvent, Resource, Source, Subscription, Topic,
};
pub use engine::{FetchedDocument, gateway_hash};
pub use flow::{
    Flow, FlowAnswer, FlowBuilder, FlowContext, FlowError, FlowEvent, FlowOutcome, FlowRun, FlowState, Flows,
    Pending, StoredFlow,
};
pub use gateway::{Config, Examination, GatewayError};
pub use ingress::{Fetcher, ServerConfig};
pub use outbound::{OutboundConfig, Proxy, ProxyUrlError};
pub use passive::OutConfig;
pub use plugin::PluginConfig;
pub use publish::{PublishError, Receipt};
pub use server::Descriptors;
pub use source::SourceError;
pub use store::{CallAnswer, LeasedDelivery, StoreConfig, StoredCall};
pub use subscription::{Deletion, SubscriptionError};
pub use telemetry::{LogConfig, LogFormat, TelemetryConfig};
pub use web::AdminConfig;

pub use prometheus_client;

pub use anglerfish_core::decision::Fetch;
pub use anglerfish_core::event::Event;
pub use anglerfish_core::flow::{JournalLimits, event_flow_id};
pub use anglerfish_core::problem::Problem;
pub use anglerfish_core::request::UnixMillis;

/// What this gateway calls itself in requests.
pub const USER_AGENT: &str = concat!("anglerfish/", env!("CARGO_PKG_VERSION"));
