//! Everything that leaves: which addresses may be called, names, connections, TLS, clients, and why a call failed.
//!
//! A client of this room connects to permitted addresses only, and the address that was checked is the one that is
//! connected to.

mod advice;
mod check;
mod client;
mod connections;
mod connector;
mod escape;
mod failure;
mod guard;
mod literal;
mod names;
#[expect(clippy::module_inception, reason = "the room is named after what it is about")]
mod outbound;
mod provider;
mod proxy;
mod redactor;
mod section;
mod server;
mod stream;
#[cfg(test)]
pub(crate) mod test;
mod tls;
mod waiting;

pub(crate) use advice::RetryAdvice;
pub use check::{endpoint_problem, tls_problem};
pub(crate) use client::Client;
pub(crate) use connector::FixedNames;
pub(crate) use failure::{is_local, is_unreached, words};
pub(crate) use guard::Guard;
pub use guard::NetworkError;
#[cfg(feature = "cli")]
pub(crate) use guard::special_networks;
pub(crate) use literal::canonical;
pub use outbound::{Outbound, OutboundError, OutboundOptions};
pub use provider::{ProviderClient, ProviderOptions};
pub use proxy::{Proxy, ProxyUrlError};
pub(crate) use redactor::Redactor;
pub use section::OutboundConfig;
pub use server::NameServers;
#[cfg(feature = "cli")]
pub(crate) use tls::tls;
pub(crate) use tls::{Connector, EndpointTlsError, Tls, over};
pub use tls::{Root, TlsError};
pub(crate) use waiting::Watch;
