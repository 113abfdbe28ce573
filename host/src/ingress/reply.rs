//! What a sender is answered: faults of the rooms behind, and replies as HTTP.

use crate::engine::EngineError;
use crate::store::StoreError;
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::exchange::RETRY_AFTER;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// What the sender is told where the component gave no decision.
pub(super) fn engine_fault(error: EngineError) -> Fault {
    match error {
        EngineError::Overloaded
        | EngineError::NotLoaded(_)
        | EngineError::BrokenOff
        | EngineError::Stopped => Fault::Overloaded { retry_after: RETRY_AFTER },
        EngineError::Trapped(_) | EngineError::Deadline => Fault::Internal,
    }
}

/// What the sender is told where the store did not take a decision.
pub(super) fn store_fault(error: &StoreError) -> Fault {
    // A store out of reach has said so once, where it noticed; not again for each request that it refuses.
    if error.is_unreachable() {
        tracing::debug!(%error, "an event could not be stored");
    } else {
        tracing::error!(%error, "an event could not be stored");
    }
    Fault::StoreUnavailable { retry_after: RETRY_AFTER }
}

/// Writes a reply; one that HTTP cannot carry becomes a 500.
pub(super) fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    let Ok(status) = StatusCode::from_u16(reply.status) else { return response_of_fault() };
    *response.status_mut() = status;
    for (name, value) in reply.headers {
        match (HeaderName::try_from(name.as_ref()), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => response.headers_mut().append(name, value),
            _ => return response_of_fault(),
        };
    }
    response
}

fn response_of_fault() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
