//! `/v1/status`: which gateway this is.

use super::query::{NoParameters, Query};
use crate::engine::gateway_hash;
use axum::Json as Answer;
use serde::Serialize;
use utoipa::ToSchema;

/// Which gateway this is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayStatus {
    /// The version of the program.
    version: &'static str,
    /// The SHA-256 of the component that decides, as `sha256:…`: the same in every shell that decides by it.
    gateway: &'static str,
}

/// Tells the version, and which component decides.
#[utoipa::path(
    get, path = "/v1/status", operation_id = "status", tag = "configuration",
    responses((status = 200, description = "Which gateway this is.", body = GatewayStatus))
)]
pub(super) async fn show(Query(NoParameters {}): Query<NoParameters>) -> Answer<GatewayStatus> {
    Answer(GatewayStatus { version: env!("CARGO_PKG_VERSION"), gateway: gateway_hash() })
}
