//! The address of streams.

use super::handler;
use super::registry::Streams;
use crate::passive::Refusals;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the address of streams looks at. Cheap to clone.
#[derive(Clone)]
pub struct StreamOut {
    pub(super) streams: Streams,
    pub(super) refusals: Arc<Refusals>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub(super) trusted: Arc<[IpNet]>,
}

impl StreamOut {
    /// These streams, behind these proxies.
    #[must_use]
    pub fn new(streams: Streams, refusals: Arc<Refusals>, trusted: &[IpNet]) -> Self {
        Self { streams, refusals, trusted: trusted.into() }
    }
}

impl fmt::Debug for StreamOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamOut").finish_non_exhaustive()
    }
}

/// What is added to the addresses below `/out`.
pub(crate) fn addresses() -> OpenApiRouter<StreamOut> {
    OpenApiRouter::default().routes(routes!(handler::read))
}
