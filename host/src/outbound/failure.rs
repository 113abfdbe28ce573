//! Why a call had no answer, in an operator's words, and whether the reason is on this side.

use super::connections::NoFreeConnection;
use super::guard::{Plain, Refused};
use super::names::NameError;
use super::proxy::ProxyError;
use super::tls;
use std::error::Error;
use std::io::{self, ErrorKind};

/// Says what is at the bottom of a transport error.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    known(error).unwrap_or_else(|| chain(error))
}

/// The deepest error of a kind known here.
fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(refused.to_string());
    }
    if let Some(plain) = error.downcast_ref::<Plain>() {
        return Some(plain.to_string());
    }
    if let Some(unresolved) = error.downcast_ref::<NameError>() {
        return Some(unresolved.to_string());
    }
    if let Some(error) = error.downcast_ref::<ProxyError>() {
        return Some(error.to_string());
    }
    if let Some(none) = error.downcast_ref::<NoFreeConnection>() {
        return Some(none.to_string());
    }
    if let Some(words) = tls::words(error) {
        return Some(words);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // `source` of an I/O error skips the error that it wraps.
        let wrapped = error.get_ref().and_then(|inner| known(inner));
        return wrapped.or_else(|| io(error));
    }
    error.source().and_then(known).or_else(|| error.downcast_ref().and_then(http))
}

/// Whether nothing was sent: no connection was made.
pub(crate) fn is_unreached(error: &(dyn Error + 'static)) -> bool {
    let is_connect = |error: &hyper_util::client::legacy::Error| error.is_connect();
    error.is::<NoFreeConnection>()
        || error.downcast_ref().is_some_and(is_connect)
        || error.source().is_some_and(is_unreached)
}

/// Whether a transport error says nothing about whom was called: this machine lacks descriptors, memory, ports, a name
/// server, or a turn.
pub(crate) fn is_local(error: &(dyn Error + 'static)) -> bool {
    if let Some(unresolved) = error.downcast_ref::<NameError>() {
        return unresolved.is_local();
    }
    if let Some(error) = error.downcast_ref::<ProxyError>() {
        return error.is_local();
    }
    if error.is::<NoFreeConnection>() {
        return true;
    }
    if let Some(is_local) = tls::is_local(error) {
        return is_local;
    }
    if let Some(error) = error.downcast_ref::<io::Error>()
        && (lack(error).is_some() || error.get_ref().is_some_and(|inner| is_local(inner)))
    {
        return true;
    }
    error.source().is_some_and(is_local)
}

/// What this machine lacks.
fn lack(error: &io::Error) -> Option<&'static str> {
    // The same numbers on every Unix; `ErrorKind` has no names for them.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    match (error.kind(), error.raw_os_error()) {
        (_, Some(ENFILE | EMFILE)) if cfg!(unix) => Some("no file descriptor is left on this machine"),
        (_, Some(ENOBUFS)) if cfg!(unix) => Some("no buffer is left on this machine"),
        (ErrorKind::OutOfMemory, _) => Some("no memory is left on this machine"),
        (ErrorKind::AddrNotAvailable, _) => Some("no local port is left on this machine"),
        (ErrorKind::NetworkDown, _) => Some("the network of this machine is down"),
        _ => None,
    }
}

fn io(error: &io::Error) -> Option<String> {
    if let Some(lack) = lack(error) {
        return Some(lack.to_owned());
    }
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
    use rustls::pki_types::{InvalidDnsNameError, UnixTime};
    use rustls::{AlertDescription, CertificateError, Error as TlsError};

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
    fn a_host_that_is_no_name_is_told_as_one() {
        let error = io::Error::other(InvalidDnsNameError);
        assert_eq!(words(&Outer(error)), "dns: the host is not a name that can be looked up");
    }

    #[test]
    fn what_is_wrong_with_tls_is_told_in_words() {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
        for (error, said) in [
            (
                TlsError::InvalidCertificate(CertificateError::ExpiredContext { time, not_after: time }),
                "certificate has expired on 1970-01-01T00:00:01Z",
            ),
            (
                TlsError::InvalidCertificate(CertificateError::NotValidForNameContext {
                    expected: "a.test".try_into().unwrap(),
                    presented: vec!["DnsName(\"b.test\")".into(), "x\u{1b}[31m".into()],
                }),
                "certificate is for another host: b.test, …",
            ),
            (
                TlsError::InvalidCertificate(CertificateError::NotValidForNameContext {
                    expected: "a.test".try_into().unwrap(),
                    presented: Vec::new(),
                }),
                "certificate names no host: it has no subject alternative name",
            ),
            (
                TlsError::AlertReceived(AlertDescription::CertificateRequired),
                "the endpoint asks for a client certificate, and `endpoint.tls` has none",
            ),
            (
                TlsError::AlertReceived(AlertDescription::DecodeError),
                "the endpoint refused the handshake: DecodeError",
            ),
        ] {
            assert_eq!(words(&Outer(io::Error::other(error))), format!("tls: {said}"));
        }
    }

    #[test]
    fn what_this_machine_lacks_is_local_and_nothing_else_is() {
        for code in [12, 23, 24] {
            assert!(is_local(&Outer(io::Error::from_raw_os_error(code))), "{code}");
        }
        assert!(is_local(&Outer(ErrorKind::AddrNotAvailable.into())));
        assert!(is_local(&io::Error::other(io::Error::from_raw_os_error(24))));
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::TimedOut, ErrorKind::HostUnreachable] {
            assert!(!is_local(&Outer(kind.into())), "{kind}");
        }
        let tls = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(!is_local(&io::Error::other(tls)));
        assert_eq!(
            words(&Outer(io::Error::from_raw_os_error(24))),
            "no file descriptor is left on this machine"
        );
    }

    #[test]
    fn an_unknown_error_is_told_with_all_its_causes() {
        assert_eq!(words(&Outer(io::Error::other("strange"))), "strange");
        let error: Box<dyn Error + Send + Sync> = "plain".into();
        assert_eq!(words(error.as_ref()), "plain");
    }
}
