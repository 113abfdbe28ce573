//! The commands of the real binary: exit codes, what goes to stdout and what to stderr, and what is said.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod check;
mod events;
mod explain;
mod filter;
mod help;
mod init;
mod reference;
mod send;
mod serve;
mod sink;
mod subscriptions;
mod tls;
mod width;

use anglerfish_tests::{Gateway, Ran};

/// The secret of the source `shop`.
const SHOP: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==";
/// What deliveries are signed with.
const OUTGOING: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXJlY2VpdmVyLWluLXRlc3Q=";
/// The secret of the source `hub`.
const GITHUB: &str = "secret of the repository";

/// A source of each of the providers that these tests use.
const SOURCES: &str = r#"
[[source]]
name = "shop"
scheme = "standard-webhooks"
secrets = ["whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw=="]
[[source]]
name = "hub"
scheme = "github"
secrets = ["secret of the repository"]
[[source]]
name = "team"
scheme = "slack"
secrets = ["8f742231b10e8888abcd99yyyzzz85a5"]
"#;

/// Runs a command that needs no gateway.
fn run(arguments: &[&str]) -> Ran {
    Ran::of(Gateway::command().args(arguments))
}
