//! The whole gateway: the rooms put together, started in order and ended in the opposite one.
//!
//! [`GatewayBuilder`] says what it is made of; [`BuiltGateway`] holds all that can fail, and does nothing yet;
//! [`Gateway`] runs. Whatever is dropped early takes all with it.

mod builder;
mod config;
mod difference;
mod error;
mod exits;
#[cfg(feature = "api")]
mod management;
#[cfg(not(feature = "api"))]
mod missing;
mod reload;
mod retention;
mod routing;
mod running;
mod source_table;
mod status;
mod wiring;

pub(crate) use builder::Handles;
pub use builder::{BuiltGateway, GatewayBuilder};
pub(crate) use config::Sections;
pub use config::{Config, Examination};
pub use error::GatewayError;
#[cfg(not(feature = "api"))]
use missing as management;
pub use reload::{Loader, Reloader};
pub use running::Gateway;
pub(crate) use wiring::Binding;
#[cfg(feature = "cli")]
pub(crate) use wiring::credentials;
