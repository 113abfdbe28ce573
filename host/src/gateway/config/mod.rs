//! The whole configuration: the tables of all rooms, the sources and the subscriptions, read and checked together.
//!
//! [`Config::load`] reads it without touching anything else and reports every problem at once, each with its file, line,
//! column and key.

mod apis;
#[cfg(test)]
mod documentation;
mod inert;
mod load;
mod review;
mod section;
#[cfg(test)]
mod tests;

pub(super) use inert::inert;
pub use load::{Config, Examination};
pub(super) use review::{unknown_wildcards, unserved, unsigned};
pub(crate) use section::Sections;
