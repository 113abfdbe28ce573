//! What a sender is answered: faults of the rooms behind, and replies as HTTP.

use crate::engine::EngineError;
use crate::store::StoreError;
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::exchange::RETRY_AFTER;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
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

/// Writes a reply; one that HTTP cannot carry becomes a 500, as in every shell.
pub(super) fn response(reply: Reply) -> Response<Full<Bytes>> {
    written(reply).or_else(|| written(Fault::Internal.reply())).unwrap_or_else(|| {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn written(reply: Reply) -> Option<Response<Full<Bytes>>> {
    let length = HeaderValue::from(reply.body.len());
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).ok()?;
    for (name, value) in reply.headers {
        let name = HeaderName::try_from(name.as_ref()).ok()?;
        response.headers_mut().append(name, HeaderValue::try_from(value).ok()?);
    }
    // RFC 9110, section 8.6. The server would leave it out of the answer to a HEAD if there is no body anyway.
    if response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    Some(response)
}
