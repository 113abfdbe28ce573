//! Why a call had no answer, in an operator's words, and whether the reason is on this side.

use super::connections::NoFreeConnection;
use super::guard::{Plain, Refused};
use super::names::NameError;
use super::proxy::ProxyError;
use super::server::NO_NAME;
use anglerfish_core::request::UnixMillis;
use rustls::pki_types::{InvalidDnsNameError, UnixTime};
use rustls::{AlertDescription, CertificateError, Error as TlsError};
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
    // Who makes connections with TLS looks at the name before anybody is asked for its addresses.
    if error.is::<InvalidDnsNameError>() {
        return Some(format!("dns: the host is {NO_NAME}"));
    }
    if let Some(none) = error.downcast_ref::<NoFreeConnection>() {
        return Some(none.to_string());
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
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return matches!(error, TlsError::FailedToGetCurrentTime | TlsError::FailedToGetRandomBytes);
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

fn tls(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(error) => match error {
            CertificateError::Expired => "certificate has expired".into(),
            CertificateError::ExpiredContext { not_after, .. } => {
                format!("certificate has expired{}", at("on", *not_after))
            }
            CertificateError::NotValidYet => "certificate is not valid yet".into(),
            CertificateError::NotValidYetContext { not_before, .. } => {
                format!("certificate is not valid yet{}", at("but from", *not_before))
            }
            CertificateError::NotValidForName => "certificate is for another host".into(),
            CertificateError::NotValidForNameContext { presented, .. } => for_others(presented),
            CertificateError::UnknownIssuer => "certificate is from an unknown issuer".into(),
            CertificateError::Revoked => "certificate is revoked".into(),
            CertificateError::BadEncoding => "certificate cannot be read".into(),
            CertificateError::BadSignature => {
                "certificate is not signed by the authority that it names: another one has the same name"
                    .into()
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "certificate is not one for servers (its extended key usage lacks serverAuth)".into()
            }
            CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
                Some(error) => webpki_words(error),
                None => format!("certificate is not valid: {other}"),
            },
            other => format!("certificate is not valid: {other}"),
        },
        TlsError::AlertReceived(alert) => alert_words(*alert),
        TlsError::InvalidMessage(_) => "the endpoint does not speak tls".into(),
        TlsError::PeerIncompatible(reason) => {
            format!("the endpoint speaks no version of tls that is safe, 1.2 or 1.3: {reason:?}")
        }
        other => other.to_string(),
    }
}

/// What the library that checks certificates has no words for.
fn webpki_words(error: &webpki::Error) -> String {
    use webpki::Error as Certificate;
    let words = match error {
        Certificate::CaUsedAsEndEntity => {
            "certificate is an authority's own (CA:TRUE), which no server shows as a rule: name this very certificate in \
             `endpoint.tls.roots`, or give the server one that is not an authority's"
        }
        Certificate::EndEntityUsedAsCa => {
            "certificate is signed by one that is no authority's: its issuer lacks CA:TRUE"
        }
        Certificate::UnsupportedCertVersion => {
            "certificate is of an old version of X.509: make one of version 3, with a subject alternative name"
        }
        Certificate::PathLenConstraintViolated | Certificate::MaximumPathDepthExceeded => {
            "certificate has more authorities above it than are permitted"
        }
        Certificate::NameConstraintViolation => {
            "certificate is for a name that its authority may not vouch for"
        }
        Certificate::MalformedExtensions | Certificate::ExtensionValueInvalid => {
            "certificate has an extension that cannot be read"
        }
        Certificate::UnsupportedCriticalExtension => {
            "certificate has a critical extension that is not known here"
        }
        other => return format!("certificate is not valid: {other}"),
    };
    words.to_owned()
}

/// An instant behind a word; nothing if it cannot be written.
fn at(word: &str, time: UnixTime) -> String {
    let time = UnixMillis(time.as_secs().saturating_mul(1000)).rfc3339();
    time.map(|time| format!(" {word} {time}")).unwrap_or_default()
}

/// Names that a certificate is for. They come from outside: few of them, and only what names are made of.
fn for_others(presented: &[String]) -> String {
    if presented.is_empty() {
        // RFC 9110, section 4.3.4: the common name is not looked at.
        return "certificate names no host: it has no subject alternative name".to_owned();
    }
    // They are told as `DnsName("…")`.
    let bare = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name));
    let is_name = |name: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-*:".contains(&byte);
        (1..256).contains(&name.len()) && name.bytes().all(fits)
    };
    let names: Vec<&str> = bare.filter(is_name).take(3).collect();
    match (names.is_empty(), presented.len() > names.len()) {
        (true, _) => "certificate is for another host".to_owned(),
        (false, false) => format!("certificate is for another host: {}", names.join(", ")),
        (false, true) => format!("certificate is for another host: {}, …", names.join(", ")),
    }
}

/// What an endpoint says that breaks the handshake off (RFC 8446, section 6.2).
fn alert_words(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let words = match alert {
        Alert::CertificateRequired => {
            "the endpoint asks for a client certificate, and `endpoint.tls` has none"
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown
        | Alert::AccessDenied => "the endpoint does not take the client certificate",
        Alert::CertificateExpired => "the endpoint says that the client certificate has expired",
        Alert::CertificateRevoked => "the endpoint says that the client certificate is revoked",
        Alert::UnknownCA => "the endpoint does not know the authority of the client certificate",
        Alert::HandshakeFailure | Alert::InsufficientSecurity => {
            "the endpoint has no cipher in common with this gateway, or asks for a client certificate"
        }
        Alert::ProtocolVersion => "the endpoint speaks no version of tls that is safe, 1.2 or 1.3",
        Alert::UnrecognisedName => "the endpoint does not serve this host name",
        Alert::NoApplicationProtocol => "the endpoint speaks neither http/1.1 nor http/2",
        other => return format!("the endpoint refused the handshake: {other:?}"),
    };
    words.to_owned()
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
