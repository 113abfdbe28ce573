//! Calling others, with name servers of the test's own.

mod address;
mod certificate;
mod name;
pub(crate) mod name_server;
mod proxy;
