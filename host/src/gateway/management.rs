//! What only the feature `api` has: the management API, the listener of documents and the descriptions of addresses, put together
//! of the rooms.

use super::routing::EngineRouting;
use super::{BuiltGateway, Reloader};
use crate::api::{self, Api, Configuration};
use crate::config::{ConfigStatus, ReloadCause};
use crate::document::{Documents, DocumentsConfig};
use crate::flare::{self, Flare};
use crate::plugin::Plugins;
use crate::rejection::Rejections;
use crate::store::Store;
use crate::subscription::Subscriptions;
use crate::web::Access;
use crate::{passive, stream};
use async_trait::async_trait;
use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;

/// The management API of a gateway, and of these rooms that nothing else shows. Requests that are made at `/request` go to the
/// API that `requests` names.
pub(super) fn router(
    built: &BuiltGateway,
    access: Access,
    (rejections, plugins, explainer): (Rejections, Plugins, Arc<EngineRouting>),
    requests: Option<String>,
) -> Router {
    let handles = &built.handles;
    let api = Api {
        store: Arc::clone(&built.store),
        subscriptions: handles.subscriptions.clone(),
        sources: handles.sources.clone(),
        publisher: handles.publisher.clone(),
        readers: Arc::new(built.streams.clone()),
        rejections,
        plugins,
        explainer,
        readiness: built.readiness.clone(),
        scrape: Arc::clone(&handles.scrape),
        clock: handles.clock.clone(),
        jobs: built.jobs.clone(),
        calls: handles.calls.clone(),
        callbacks: handles.callbacks.clone(),
        documents: built.documents.clone(),
        flows: handles.flows.clone(),
        requests,
        configuration: Arc::new(built.reloader.clone()),
    };
    api::router(api, access)
}

/// Where documents come in, at a listener with this address.
pub(super) fn documents(
    config: &DocumentsConfig,
    address: SocketAddr,
    (documents, subscriptions, store): (Documents, Subscriptions, Arc<dyn Store>),
) -> Router {
    let access = Access::new(config.token.as_ref(), address);
    let body_limit = usize::try_from(config.body_limit).unwrap_or(usize::MAX);
    flare::router(Flare::new(documents, subscriptions, store, access, body_limit))
}

/// What is described of the addresses below `/out`.
pub(super) fn description() -> Router {
    passive::description(stream::description())
}

#[async_trait]
impl Configuration for Reloader {
    fn status(&self) -> ConfigStatus {
        Self::status(self)
    }

    async fn reload(&self) -> ConfigStatus {
        Self::reload(self, ReloadCause::Api).await
    }
}
