//! The key of a certificate that the provider's own host gave.

use super::key::{BASE64, Key};
use crate::request::UnixMillis;
use base64::Engine as _;
use rsa::RsaPublicKey;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, Result as DerResult, SliceReader, Tag, Tagged};
use x509_cert::spki::SubjectPublicKeyInfoRef;
use x509_cert::time::{Time, Validity};

/// RFC 8017: `rsaEncryption`.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// In bytes; a signature by a shorter key is within reach of others.
const SMALLEST_KEY: usize = 256;

/// Reads the first certificate of a PEM document. Whose it is follows from the pinned host and its TLS certificate, so
/// that of the certificate itself only the dates and the key count.
pub(crate) fn key(pem: &[u8], now: UnixMillis, sha1: bool) -> Result<Key, String> {
    let unreadable = || "the provider's certificate is unreadable".to_owned();
    let der = first_block(pem).ok_or_else(unreadable)?;
    let (validity, public) = parts(&der).map_err(|_| unreadable())?;
    let seconds = |time: &Time| time.to_unix_duration().as_secs();
    if now.seconds() < seconds(&validity.not_before) || now.seconds() > seconds(&validity.not_after) {
        return Err("the provider's certificate is not valid at this time".to_owned());
    }
    if public.algorithm.oid != RSA {
        return Err("the provider's certificate has no RSA key".to_owned());
    }
    let key = RsaPublicKey::try_from(public).map_err(|_| unreadable())?;
    if rsa::traits::PublicKeyParts::size(&key) < SMALLEST_KEY {
        return Err("the provider's certificate has too short a key".to_owned());
    }
    Ok(if sha1 { Key::RsaSha1(Box::new(key)) } else { Key::Rsa(Box::new(key)) })
}

/// The first block between its lines, decoded.
fn first_block(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (block, _) = rest.split_once("-----END CERTIFICATE-----")?;
    BASE64.decode(block.split_ascii_whitespace().collect::<String>()).ok()
}

/// RFC 5280: validity and public key of the `TBSCertificate`, which is the first of the certificate's three parts. The
/// names and extensions on the way are skipped; a full reading of them doubles the code.
fn parts(der: &[u8]) -> DerResult<(Validity, SubjectPublicKeyInfoRef<'_>)> {
    let certificate = AnyRef::from_der(der)?;
    certificate.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(certificate.value())?.sequence(|fields| {
        // The version may be absent; the serial number never is.
        if AnyRef::decode(fields)?.tag() != Tag::Integer {
            AnyRef::decode(fields)?.tag().assert_eq(Tag::Integer)?;
        }
        let (_algorithm, _issuer) = (AnyRef::decode(fields)?, AnyRef::decode(fields)?);
        let validity = Validity::decode(fields)?;
        let _subject = AnyRef::decode(fields)?;
        let public = SubjectPublicKeyInfoRef::decode(fields)?;
        while !fields.is_finished() {
            AnyRef::decode(fields)?;
        }
        Ok((validity, public))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_certificate() {
        for text in [
            "",
            "garbage",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",
        ] {
            assert!(key(text.as_bytes(), UnixMillis(0), false).is_err(), "{text}");
        }
    }
}
