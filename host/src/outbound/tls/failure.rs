//! Why there was no TLS, in an operator's words.

use crate::outbound::server::NO_NAME;
use anglerfish_core::request::UnixMillis;
use rustls::pki_types::{InvalidDnsNameError, UnixTime};
use rustls::{AlertDescription, CertificateError, Error as TlsError};
use std::error::Error;

/// What an error of TLS says, if it is one.
pub(in crate::outbound) fn words(error: &(dyn Error + 'static)) -> Option<String> {
    // Who makes connections with TLS looks at the name before anybody is asked for its addresses.
    if error.is::<InvalidDnsNameError>() {
        return Some(format!("dns: the host is {NO_NAME}"));
    }
    error.downcast_ref::<TlsError>().map(|error| format!("tls: {}", tls(error)))
}

/// Whether an error of TLS says nothing about whom was called; `None` if it is no error of TLS.
pub(in crate::outbound) fn is_local(error: &(dyn Error + 'static)) -> Option<bool> {
    let error = error.downcast_ref::<TlsError>()?;
    Some(matches!(error, TlsError::FailedToGetCurrentTime | TlsError::FailedToGetRandomBytes))
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
