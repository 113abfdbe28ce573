//! The whole gateway: the rooms put together, started in order and ended in the opposite one.

mod error;
mod retention;
mod start;

pub use error::GatewayError;
pub use start::Gateway;
