//! Ingress and the engine as the sources' registry sees them.

use super::routing::EngineRouting;
use super::wiring;
use crate::ingress::Ingress;
use crate::source::SourceTable;
use crate::subscription::RoutingError;
use anglerfish_core::config::SourceConfig;
use anglerfish_core::router::RoutingSource;
use async_trait::async_trait;
use std::sync::Arc;

/// The table of sources: what ingress keeps out of records, and what the engine verifies by.
pub(super) struct GatewaySources {
    pub(super) routing: Arc<EngineRouting>,
    pub(super) ingress: Arc<Ingress>,
}

#[async_trait]
impl SourceTable for GatewaySources {
    async fn put(&self, source: &SourceConfig) -> Result<(), RoutingError> {
        let credentials = wiring::credentials("", source).map_err(RoutingError::Invalid)?;
        let before = self.ingress.credentials(&source.name);
        // Ingress first: no request to it may be recorded with its secrets.
        self.ingress.put_source(&source.name, credentials);
        let routing = RoutingSource { name: source.name.clone(), verification: source.verification.clone() };
        let put = self.routing.put_source(routing).await;
        if put.is_err() {
            match before {
                Some(credentials) => self.ingress.put_source(&source.name, credentials),
                None => self.ingress.delete_source(&source.name),
            }
        }
        put
    }

    async fn delete(&self, name: &str) -> Result<(), RoutingError> {
        self.routing.delete_source(name).await?;
        self.ingress.delete_source(name);
        Ok(())
    }
}
