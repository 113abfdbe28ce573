//! Why an attempt had no answer, in an operator's words.

use super::connector::ResolveError;
use super::guard::Refused;
use rustls::{CertificateError, Error as TlsError};
use std::error::Error;
use std::io::{self, ErrorKind};

/// Says what is at the bottom of a transport error.
pub(super) fn words(error: &(dyn Error + 'static)) -> String {
    known(error).unwrap_or_else(|| chain(error))
}

/// The deepest error of a kind known here.
fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(refused.to_string());
    }
    if let Some(unresolved) = error.downcast_ref::<ResolveError>() {
        return Some(unresolved.to_string());
    }
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return Some(format!("tls: {}", tls(error)));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // `source` of an I/O error skips the error that it wraps.
        let wrapped = error.get_ref().and_then(|inner| known(inner));
        return wrapped.or_else(|| io(error));
    }
    error.source().and_then(known).or_else(|| error.downcast_ref().and_then(http))
}

fn io(error: &io::Error) -> Option<String> {
    let words = match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::ConnectionReset => "connection reset",
        ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            "connection closed"
        }
        ErrorKind::TimedOut => "connection timed out",
        ErrorKind::HostUnreachable => "host unreachable",
        ErrorKind::NetworkUnreachable => "network unreachable",
        _ => return Some(error.to_string()),
    };
    Some(words.to_owned())
}

fn http(error: &hyper::Error) -> Option<String> {
    if error.is_incomplete_message() {
        Some("connection closed before the answer was complete".to_owned())
    } else if error.is_parse_too_large() {
        Some("the head of the answer is too large".to_owned())
    } else if error.is_parse() {
        Some(format!("the answer is not http: {error}"))
    } else {
        None
    }
}

fn tls(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate has expired".into()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate is not valid yet".into()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "certificate is for another host".into()
            }
            CertificateError::UnknownIssuer => "certificate is from an unknown issuer".into(),
            CertificateError::Revoked => "certificate is revoked".into(),
            other => format!("certificate is not valid: {other}"),
        },
        TlsError::AlertReceived(alert) => format!("the endpoint refused the handshake: {alert:?}"),
        TlsError::InvalidMessage(_) => "the endpoint does not speak tls".into(),
        other => other.to_string(),
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn finds_what_is_at_the_bottom() {
        assert_eq!(words(&Outer(ErrorKind::ConnectionRefused.into())), "connection refused");
        let tls = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let nested = io::Error::other(io::Error::new(ErrorKind::InvalidData, tls));
        assert_eq!(words(&Outer(nested)), "tls: certificate is from an unknown issuer");
        let eof = io::Error::other(io::Error::new(ErrorKind::UnexpectedEof, "tls handshake eof"));
        assert_eq!(words(&eof), "connection closed");
    }

    #[test]
    fn an_unknown_error_is_told_with_all_its_causes() {
        assert_eq!(words(&Outer(io::Error::other("strange"))), "strange");
        let error: Box<dyn Error + Send + Sync> = "plain".into();
        assert_eq!(words(error.as_ref()), "plain");
    }
}
