//! The addresses below `/out`.

use super::access::Refusals;
use super::handler;
use super::origin::{self, Origins};
use crate::delivery::Deliveries;
use crate::web::{not_stored, unknown_address, unknown_method};
use axum::routing::post;
use axum::{Router, middleware};
use std::fmt;
use std::sync::Arc;

/// Whether a token is one of a subscription's, which need not be passive.
type IsReadWith = Arc<dyn Fn(&str, &[u8]) -> bool + Send + Sync>;

/// What the addresses below `/out` look at. Cheap to clone.
#[derive(Clone)]
pub struct Out {
    pub(super) deliveries: Deliveries,
    pub(super) refusals: Arc<Refusals>,
    pub(super) is_read_with: IsReadWith,
    origins: Origins,
}

impl Out {
    /// What is kept in these deliveries, for programs and for web pages of these origins. `is_read_with` says whether a token is
    /// one of a subscription's, also of one that nothing is kept for: whoever shows it is told that, and does not guess.
    #[must_use]
    pub fn new(
        deliveries: Deliveries,
        refusals: Arc<Refusals>,
        is_read_with: IsReadWith,
        origins: &[String],
    ) -> Self {
        Self { deliveries, refusals, is_read_with, origins: Origins::new(origins) }
    }
}

impl fmt::Debug for Out {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Out").finish_non_exhaustive()
    }
}

/// The addresses below `/out` and `others` beside them, each of which asks for a token of its subscription.
pub fn router(out: Out, others: Router) -> Router {
    let origins = out.origins.clone();
    Router::new()
        .route("/out/{subscription}/lease", post(handler::lease))
        .route("/out/{subscription}/ack", post(handler::ack))
        .route("/out/{subscription}/nack", post(handler::nack))
        .route("/out/{subscription}/extend", post(handler::extend))
        .with_state(out)
        .merge(others)
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::map_response(not_stored))
        .layer(middleware::from_fn_with_state(origins, origin::guard))
}
