//! The addresses of streams, as they are described.

use super::{handler, publish, upgrade};
use utoipa::{OpenApi as _, ToSchema};

#[derive(utoipa::OpenApi)]
#[openapi(paths(handler::read, upgrade::connect, handler::read_topic, publish::publish))]
struct Description;

/// Events, and where to go on.
#[derive(ToSchema)]
#[schema(as = Batch)]
#[expect(dead_code, reason = "it only describes what is written")]
pub(super) struct BatchDocument {
    /// The events in CloudEvents' JSON format, in the order of the log; none if nothing came in time.
    #[schema(value_type = Vec<Object>)]
    events: Vec<String>,
    /// The position to go on behind (`after`). It moves also where the subscription wants nothing.
    position: String,
}

/// What is described of them.
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}
