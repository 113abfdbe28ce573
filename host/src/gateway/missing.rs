//! What stands where the feature `api` is not built in: the same doors, and nothing behind them. A configuration that asks for what
//! would be there is refused where it is read, so that nothing listens.

use super::BuiltGateway;
use super::routing::EngineRouting;
use crate::document::{Documents, DocumentsConfig};
use crate::plugin::Plugins;
use crate::rejection::Rejections;
use crate::store::Store;
use crate::subscription::Subscriptions;
use crate::web::Access;
use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) fn router(
    _: &BuiltGateway,
    _: Access,
    _: (Rejections, Plugins, Arc<EngineRouting>),
    _: Option<String>,
) -> Router {
    Router::new()
}

pub(super) fn documents(
    _: &DocumentsConfig,
    _: SocketAddr,
    _: (Documents, Subscriptions, Arc<dyn Store>),
) -> Router {
    Router::new()
}

pub(super) fn description() -> Router {
    Router::new()
}
