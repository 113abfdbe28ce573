//! Standard Webhooks, for deliveries.

use crate::verify::BASE64;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// A key that signs deliveries. Its `Debug` form hides it.
#[derive(Clone)]
pub struct SigningSecret(Kind);

#[derive(Clone)]
enum Kind {
    Symmetric(Hmac<Sha256>),
    Asymmetric(Box<SigningKey>),
}

/// Why a text is no signing secret; it never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningSecretError {
    /// There is nothing after the prefix.
    #[error("is empty")]
    Empty,
    /// It begins with neither `whsec_` nor `whsk_`.
    #[error("does not begin with `whsec_` (symmetric) or `whsk_` (ed25519 private key)")]
    Prefix,
    /// It is a public key, which cannot sign.
    #[error("is a public key (`whpk_`), which cannot sign; use the private key, `whsk_…`")]
    PublicKey,
    /// What follows the prefix is not base64.
    #[error("is not base64 after its prefix")]
    Base64,
    /// The bytes are no ed25519 private key.
    #[error("{0}")]
    PrivateKey(String),
}

/// The values of the three header fields of a signed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandardHeaders {
    /// `webhook-id`: the same for every attempt of one delivery.
    pub id: String,
    /// `webhook-timestamp`: when this attempt is made, in seconds.
    pub timestamp: String,
    /// `webhook-signature`: one signature for each key, separated by spaces.
    pub signature: String,
}

impl SigningSecret {
    /// Reads `whsec_` and base64, or `whsk_` and the base64 of an ed25519 private key of 32 or 64 bytes.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without quoting the text.
    pub fn parse(text: &str) -> Result<Self, SigningSecretError> {
        let decode = |text: &str| match BASE64.decode(text) {
            Ok(bytes) if bytes.is_empty() => Err(SigningSecretError::Empty),
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(SigningSecretError::Base64),
        };
        if let Some(symmetric) = text.strip_prefix("whsec_") {
            let mac = Hmac::new_from_slice(&decode(symmetric)?).map_err(|_| SigningSecretError::Empty)?;
            Ok(Self(Kind::Symmetric(mac)))
        } else if let Some(private) = text.strip_prefix("whsk_") {
            let key =
                crate::verify::signing_key(&decode(private)?).map_err(SigningSecretError::PrivateKey)?;
            Ok(Self(Kind::Asymmetric(Box::new(key))))
        } else if text.starts_with("whpk_") {
            Err(SigningSecretError::PublicKey)
        } else if text.is_empty() {
            Err(SigningSecretError::Empty)
        } else {
            Err(SigningSecretError::Prefix)
        }
    }

    /// The signature with its version: `v1,…` or `v1a,…`.
    fn sign(&self, head: &str, body: &[u8]) -> String {
        match &self.0 {
            Kind::Symmetric(mac) => {
                let mut mac = mac.clone();
                mac.update(head.as_bytes());
                mac.update(body);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Kind::Asymmetric(key) => {
                let signature = key.sign(&[head.as_bytes(), body].concat());
                format!("v1a,{}", STANDARD.encode(signature.to_bytes()))
            }
        }
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret(…)")
    }
}

/// Signs one attempt with every key at once, as a rotation asks for.
#[must_use]
pub fn standard_webhooks(
    secrets: &[SigningSecret],
    id: &str,
    unix_seconds: u64,
    body: &[u8],
) -> StandardHeaders {
    StandardHeaders {
        id: id.to_owned(),
        timestamp: unix_seconds.to_string(),
        signature: signatures(secrets, id, unix_seconds, body),
    }
}

/// The value of `webhook-signature`; empty without a key.
pub(super) fn signatures<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    unix_seconds: u64,
    body: &[u8],
) -> String {
    let head = format!("{id}.{unix_seconds}.");
    let signatures: Vec<String> = secrets.into_iter().map(|secret| secret.sign(&head, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_published_example_does() {
        let secret = SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let headers = standard_webhooks(&[secret], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(headers.signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        assert_eq!(headers.timestamp, "1649367553");
    }

    #[test]
    fn signs_with_every_key_at_once() {
        let keys = ["whsec_AAEC", "whsec_AwQF", "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];
        let secrets: Vec<_> = keys.iter().map(|key| SigningSecret::parse(key).unwrap()).collect();
        let signature = standard_webhooks(&secrets, "msg", 1, b"body").signature;
        let versions: Vec<&str> = signature.split(' ').map(|one| one.split_once(',').unwrap().0).collect();
        assert_eq!(versions, ["v1", "v1", "v1a"]);
    }

    #[test]
    fn says_what_is_wrong_with_a_secret() {
        let error = |text: &str| SigningSecret::parse(text).unwrap_err();
        assert_eq!(error(""), SigningSecretError::Empty);
        assert_eq!(error("whsec_"), SigningSecretError::Empty);
        assert_eq!(error("secret"), SigningSecretError::Prefix);
        assert_eq!(error("whpk_AAAA"), SigningSecretError::PublicKey);
        assert_eq!(error("whsec_!!"), SigningSecretError::Base64);
        assert!(matches!(error("whsk_AAAA"), SigningSecretError::PrivateKey(_)));
    }

    #[test]
    fn hides_itself_in_debug_output() {
        let secret = SigningSecret::parse("whsec_AAEC").unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
