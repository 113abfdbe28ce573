//! What of a request's head says nothing of the request.

/// Fields of the connection that a request came by (RFC 9110, section 7.6.1; `http2-settings` is RFC 7540's), in lower case.
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header field, by its lower-case name, is the connection's and not the request's. A shell hands no such field to the
/// component: HTTP/2 and WASI have none, and what is decided must not depend on how a request came.
#[must_use]
pub fn is_of_connection(name: &str) -> bool {
    OF_CONNECTION.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_of_connection;

    #[test]
    fn what_a_proxy_would_not_hand_on_is_the_connections_and_all_else_is_not() {
        for name in ["connection", "transfer-encoding", "te", "upgrade"] {
            assert!(is_of_connection(name), "{name}");
        }
        for name in ["host", "content-length", "content-encoding", "authorization", "expect", "trailer"] {
            assert!(!is_of_connection(name), "{name}");
        }
    }
}
