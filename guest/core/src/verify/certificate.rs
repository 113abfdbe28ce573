//! The key of a certificate that the provider's own host gave.

use super::key::Key;
use crate::request::UnixMillis;
use rsa::RsaPublicKey;
use x509_cert::Certificate;
use x509_cert::der::Encode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::DecodePublicKey;

/// RFC 8017: `rsaEncryption`.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A signature with fewer bits is within reach of others.
const SMALLEST_KEY: usize = 256;

/// Reads the first certificate of a PEM document. Whose it is follows from the pinned host and its TLS certificate.
pub(crate) fn key(pem: &[u8], now: UnixMillis, sha1: bool) -> Result<Key, String> {
    let unreadable = || "the provider's certificate is unreadable".to_owned();
    let chain = Certificate::load_pem_chain(pem).map_err(|_| unreadable())?;
    let certificate = chain.first().ok_or_else(unreadable)?.tbs_certificate();
    let validity = certificate.validity();
    let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
    if now.seconds() < seconds(&validity.not_before) || now.seconds() > seconds(&validity.not_after) {
        return Err("the provider's certificate is not valid at this time".to_owned());
    }
    let public = certificate.subject_public_key_info();
    if public.algorithm.oid != RSA {
        return Err("the provider's certificate has no RSA key".to_owned());
    }
    let der = public.to_der().map_err(|_| unreadable())?;
    let key = RsaPublicKey::from_public_key_der(&der).map_err(|_| unreadable())?;
    if rsa::traits::PublicKeyParts::size(&key) < SMALLEST_KEY {
        return Err("the provider's certificate has too short a key".to_owned());
    }
    Ok(if sha1 { Key::RsaSha1(Box::new(key)) } else { Key::Rsa(Box::new(key)) })
}
