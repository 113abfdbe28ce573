//! What an operator reads in the log about a request.

use crate::store::KeyOverlay;
use anglerfish_core::decision::RejectionCode;
use anglerfish_core::exchange::Cause;

/// What a handshake wrote for an operator to copy: names and values.
pub(super) fn copies(source: &str, keys: &KeyOverlay) -> Vec<(String, String)> {
    let prefix = format!("copy/{source}/");
    keys.writes
        .iter()
        .filter_map(|(key, value)| {
            let value = String::from_utf8_lossy(value.as_ref()?).into_owned();
            let (_, value) = value.split_once(' ')?;
            Some((key.strip_prefix(&prefix)?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Shows the operator what a handshake came with: no page of the provider's does, and the provider waits for it.
pub(super) fn tell(source: &str, copies: &[(String, String)]) {
    for (name, value) in copies {
        tracing::info!(
            source,
            name,
            value,
            "the handshake came with a value to copy into the provider's page or the configuration"
        );
    }
}

/// Tells the operator why there is no event.
pub(super) fn log(source: &str, cause: &Cause) {
    match cause {
        Cause::Defect(reason) => tracing::error!(source, reason, "no decision"),
        Cause::Rejected(rejection) if rejection.code == RejectionCode::StateUnavailable => {
            tracing::error!(source, reason = rejection.reason, "the state cannot be used");
        }
        Cause::Rejected(rejection) => {
            tracing::debug!(source, code = %rejection.code, reason = rejection.reason, "rejected");
        }
    }
}
