//! Keys as providers hand them out, read into the form that their algorithm needs.

use super::algorithm::Algorithm;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{SECRET_KEY_LENGTH, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit};
use p256::pkcs8::DecodePublicKey;
use rsa::RsaPublicKey;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// Standard base64, with or without padding.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
/// The URL-safe alphabet, with or without padding.
pub(crate) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// The text itself.
    Text,
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
    /// Base64 after `whsec_`, which may be absent (Standard Webhooks).
    Whsec,
    /// Base64 after `whpk_`, or the private key after `whsk_` (Standard Webhooks).
    Whpk,
    /// A public key as base64 DER (`SubjectPublicKeyInfo`) or as PEM.
    Spki,
}

/// A key ready for use. It has no `Debug`, so that none can be printed by accident.
#[derive(Clone)]
pub(crate) enum Key {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Hmac<Sha512>),
    Ed25519(Box<VerifyingKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    Rsa(Box<RsaPublicKey>),
    RsaSha1(Box<RsaPublicKey>),
    /// The algorithm has no key of its own: the secret stands in the template, or the key is fetched.
    Template,
}

impl KeyForm {
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("text", Self::Text),
        ("hex", Self::Hex),
        ("base64", Self::Base64),
        ("whsec", Self::Whsec),
        ("whpk", Self::Whpk),
        ("spki", Self::Spki),
    ];

    /// The key's bytes, or why there are none; the reason never quotes the key.
    fn decode(self, text: &str) -> Result<Vec<u8>, String> {
        let base64 =
            |text: &str| BASE64.decode(text).map_err(|error| format!("is not base64: {}", place(&error)));
        let bytes = match self {
            Self::Text => text.as_bytes().to_vec(),
            Self::Hex => {
                hex::decode(text).map_err(|_| "is not an even number of hexadecimal digits".to_owned())?
            }
            Self::Base64 => base64(text)?,
            Self::Whsec => {
                if let Some(prefix) = ["whpk_", "whsk_"].iter().find(|prefix| text.starts_with(**prefix)) {
                    return Err(format!("begins with `{prefix}`, which is a key of another variant"));
                }
                // Some services hand it out with the version of the signature in front.
                let versioned = text.strip_prefix("v1,").filter(|rest| rest.starts_with("whsec_"));
                let text = versioned.unwrap_or(text);
                let base = text.strip_prefix("whsec_").unwrap_or(text);
                base64(base).map_err(|reason| format!("{reason}; expected base64 after `whsec_`"))?
            }
            Self::Whpk => {
                if let Some(public) = text.strip_prefix("whpk_") {
                    base64(public)?
                } else if let Some(private) = text.strip_prefix("whsk_") {
                    signing_key(&base64(private)?)?.verifying_key().to_bytes().to_vec()
                } else {
                    return Err("does not begin with `whpk_`".to_owned());
                }
            }
            Self::Spki if text.contains("-----BEGIN") => {
                let base: String =
                    text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
                base64(&base).map_err(|_| "is not a PEM public key".to_owned())?
            }
            Self::Spki => base64(text)?,
        };
        if bytes.is_empty() { Err("is empty".to_owned()) } else { Ok(bytes) }
    }
}

/// An ed25519 private key of 32 bytes, or of 64 with the public key in its second half.
pub(crate) fn signing_key(bytes: &[u8]) -> Result<SigningKey, String> {
    let (private, public) = bytes
        .split_at_checked(SECRET_KEY_LENGTH)
        .ok_or("has too few bytes for an ed25519 private key, which has 32 or 64")?;
    let private: &[u8; SECRET_KEY_LENGTH] = private.try_into().map_err(|_| "is no private key".to_owned())?;
    let key = SigningKey::from_bytes(private);
    match public.len() {
        0 => Ok(key),
        32 if key.verifying_key().as_bytes() == public => Ok(key),
        32 => Err("holds a public half that does not belong to its private half".to_owned()),
        _ => Err("is no ed25519 private key, which has 32 or 64 bytes".to_owned()),
    }
}

impl Key {
    /// Reads a key; the reason of a failure never quotes it.
    pub(crate) fn parse(algorithm: Algorithm, form: KeyForm, text: &str) -> Result<Self, String> {
        let no_key = |_| "is no key for HMAC".to_owned();
        match algorithm {
            Algorithm::HmacSha1 => {
                Hmac::new_from_slice(&form.decode(text)?).map(Self::HmacSha1).map_err(no_key)
            }
            Algorithm::HmacSha256 => {
                Hmac::new_from_slice(&form.decode(text)?).map(Self::HmacSha256).map_err(no_key)
            }
            Algorithm::HmacSha512 => {
                Hmac::new_from_slice(&form.decode(text)?).map(Self::HmacSha512).map_err(no_key)
            }
            Algorithm::Ed25519 => {
                let bytes = form.decode(text)?;
                let key = if form == KeyForm::Spki {
                    VerifyingKey::from_public_key_der(&bytes)
                        .map_err(|_| "is not the DER form of an ed25519 public key".to_owned())?
                } else {
                    let raw = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
                        format!("has {} bytes where an ed25519 public key has 32", bytes.len())
                    })?;
                    VerifyingKey::from_bytes(&raw).map_err(|_| "is no point of the curve".to_owned())?
                };
                if key.is_weak() {
                    return Err("is a weak key, under which anybody can sign".to_owned());
                }
                Ok(Self::Ed25519(Box::new(key)))
            }
            Algorithm::EcdsaP256 => p256::ecdsa::VerifyingKey::from_public_key_der(&form.decode(text)?)
                .map(|key| Self::P256(Box::new(key)))
                .map_err(|_| "is not the DER form of a P-256 public key".to_owned()),
            Algorithm::RsaSha256 => RsaPublicKey::from_public_key_der(&form.decode(text)?)
                .map(|key| Self::Rsa(Box::new(key)))
                .map_err(|_| "is not the DER form of an RSA public key".to_owned()),
            Algorithm::Equal
            | Algorithm::Sha256
            | Algorithm::CertificateRsaSha1
            | Algorithm::CertificateRsaSha256
            | Algorithm::JwtEs256 => form.decode(text).map(|_| Self::Template),
        }
    }
}

/// Where base64 went wrong, without the character itself.
fn place(error: &base64::DecodeError) -> String {
    match error {
        base64::DecodeError::InvalidByte(offset, _) | base64::DecodeError::InvalidLastSymbol(offset, _) => {
            format!("invalid character at position {offset}")
        }
        base64::DecodeError::InvalidLength(_) => "wrong length".to_owned(),
        base64::DecodeError::InvalidPadding => "wrong padding".to_owned(),
    }
}
