//! The check itself, by the field's crates: every comparison is theirs and takes constant time.

use super::key::{BASE64, BASE64_URL, Key};
use base64::Engine as _;
use ed25519_dalek::Signature;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::Pkcs1v15Sign;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use subtle::ConstantTimeEq;

/// What is computed over the signed string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
    /// The plain hash of a string that holds the secret.
    Sha256,
    /// The string itself: a token.
    Equal,
    Ed25519,
    EcdsaP256,
    RsaSha256,
    /// RSA with SHA-1 and the key of a certificate from the provider's host; only where a provider still signs so.
    CertificateRsaSha1,
    /// RSA with SHA-256 and the key of a certificate from the provider's host.
    CertificateRsaSha256,
    /// A JSON Web Token signed with ES256 whose key comes from the provider's host.
    JwtEs256,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
    Base64Url,
    Text,
}

impl Algorithm {
    pub(crate) const NAMES: [(&'static str, Self); 11] = [
        ("hmac-sha1", Self::HmacSha1),
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha512", Self::HmacSha512),
        ("sha256", Self::Sha256),
        ("equal", Self::Equal),
        ("ed25519", Self::Ed25519),
        ("ecdsa-p256", Self::EcdsaP256),
        ("rsa-sha256", Self::RsaSha256),
        ("certificate-rsa-sha1", Self::CertificateRsaSha1),
        ("certificate-rsa-sha256", Self::CertificateRsaSha256),
        ("jwt-es256", Self::JwtEs256),
    ];

    /// Whether whoever can verify can also sign.
    pub(crate) const fn is_symmetric(self) -> bool {
        matches!(self, Self::HmacSha1 | Self::HmacSha256 | Self::HmacSha512 | Self::Sha256 | Self::Equal)
    }
}

impl Encoding {
    pub(crate) const NAMES: [(&'static str, Self); 4] =
        [("hex", Self::Hex), ("base64", Self::Base64), ("base64url", Self::Base64Url), ("text", Self::Text)];

    /// The signature's bytes; `None` if it is not written so.
    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Base64Url => BASE64_URL.decode(text).ok(),
            Self::Text => Some(text.to_vec()),
        }
    }

    /// A signature as the provider writes it.
    pub(crate) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Hex => hex::encode(bytes).into_bytes(),
            Self::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes(),
            Self::Base64Url => base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
            Self::Text => bytes.to_vec(),
        }
    }
}

/// Whether two texts are the same, in a time that depends on their lengths alone.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    Sha256::digest(left).ct_eq(&Sha256::digest(right)).into()
}

/// A signed string that a key can be held against: computed once, compared with every signature.
pub(crate) enum Check<'k> {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Hmac<sha2::Sha512>),
    Bytes(Vec<u8>),
    Ed25519(&'k ed25519_dalek::VerifyingKey, Vec<u8>),
    P256(&'k p256::ecdsa::VerifyingKey, [u8; 32]),
    Rsa(&'k rsa::RsaPublicKey, [u8; 32]),
    RsaSha1(&'k rsa::RsaPublicKey, Vec<u8>),
}

impl<'k> Check<'k> {
    /// Runs the pieces of the signed string through the algorithm.
    pub(crate) fn new(algorithm: Algorithm, key: &'k Key, pieces: &[Cow<'_, [u8]>]) -> Self {
        match key {
            Key::HmacSha1(mac) => Self::HmacSha1(fed(mac, pieces)),
            Key::HmacSha256(mac) => Self::HmacSha256(fed(mac, pieces)),
            Key::HmacSha512(mac) => Self::HmacSha512(fed(mac, pieces)),
            Key::Ed25519(key) => Self::Ed25519(key, pieces.concat()),
            Key::P256(key) => Self::P256(key, hash(pieces)),
            Key::Rsa(key) => Self::Rsa(key, hash(pieces)),
            Key::RsaSha1(key) => Self::RsaSha1(key, Sha1::digest(pieces.concat()).to_vec()),
            Key::Template if algorithm == Algorithm::Sha256 => Self::Bytes(hash(pieces).to_vec()),
            Key::Template => Self::Bytes(pieces.concat()),
        }
    }

    /// Whether a signature is one over the string.
    pub(crate) fn accepts(&self, signature: &[u8]) -> bool {
        match self {
            Self::HmacSha1(mac) => mac.clone().verify_slice(signature).is_ok(),
            Self::HmacSha256(mac) => mac.clone().verify_slice(signature).is_ok(),
            Self::HmacSha512(mac) => mac.clone().verify_slice(signature).is_ok(),
            Self::Bytes(bytes) => equal(bytes, signature),
            Self::Ed25519(key, message) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::P256(key, hash) => p256::ecdsa::Signature::from_der(signature)
                .or_else(|_| p256::ecdsa::Signature::from_slice(signature))
                .is_ok_and(|signature| key.verify_prehash(hash, &signature).is_ok()),
            Self::Rsa(key, hash) => key.verify(Pkcs1v15Sign::new::<Sha256>(), hash, signature).is_ok(),
            Self::RsaSha1(key, hash) => key.verify(Pkcs1v15Sign::new::<Sha1>(), hash, signature).is_ok(),
        }
    }

    /// The signature itself, where whoever verifies can sign.
    pub(crate) fn sign(self) -> Option<Vec<u8>> {
        match self {
            Self::HmacSha1(mac) => Some(mac.finalize().into_bytes().to_vec()),
            Self::HmacSha256(mac) => Some(mac.finalize().into_bytes().to_vec()),
            Self::HmacSha512(mac) => Some(mac.finalize().into_bytes().to_vec()),
            Self::Bytes(bytes) => Some(bytes),
            Self::Ed25519(..) | Self::P256(..) | Self::Rsa(..) | Self::RsaSha1(..) => None,
        }
    }
}

fn fed<M: Mac + Clone>(mac: &M, pieces: &[Cow<'_, [u8]>]) -> M {
    let mut mac = mac.clone();
    pieces.iter().for_each(|piece| mac.update(piece));
    mac
}

fn hash(pieces: &[Cow<'_, [u8]>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hash.finalize().into()
}
