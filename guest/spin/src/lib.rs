//! The Spin app's HTTP component: it takes requests in, asks the gateway component, keeps what was decided in the
//! key-value store, answers, and then sends what is due. What it does not come to stays in the outbox for whoever comes next.
//!
//! Everything that decides is in the gateway component, which the app composes in; everything that both shells need is
//! in `anglerfish-core`. `docs/spin.md` says what this shell does and does not do.

mod admin;
mod binding;
mod bucket;
mod claim;
mod clock;
mod configuration;
mod convert;
mod delivery;
mod diagnostic;
mod document;
mod drain;
mod ingress;
mod outbox;
mod pause;
mod plugin;
mod request;
mod resource;
mod setting;
mod table;

use spin_sdk::http::{IntoResponse, Request};

/// Answers one request.
#[spin_sdk::http_service]
async fn handle(request: Request) -> impl IntoResponse {
    ingress::handle(request).await
}
