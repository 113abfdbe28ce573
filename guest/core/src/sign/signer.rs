//! What signs the requests of one endpoint.

use super::key::{SignatureStyle, SigningKeyConfig};
use super::request::sign_by;
use super::standard::{SigningSecret, signatures};
use super::{SignError, SignInput};
use crate::problem::Problem;
use crate::request::UnixMillis;
use crate::verify::{SecretConfig, SigningKeys, VerificationConfig, Verifier};

/// What signs the requests of one endpoint.
#[derive(Debug)]
pub struct Signer(Style);

#[derive(Debug)]
enum Style {
    Unsigned,
    Standard(Vec<(SigningSecret, SigningKeyConfig)>),
    Provider(Box<Verifier>),
}

/// Why a request could not be signed. It never quotes a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The keys are of other times.
    #[error("no signing secret is valid now")]
    NoKey,
    /// The provider's way to sign does not fit it.
    #[error("it cannot be signed: {0}")]
    Unfit(SignError),
    /// The signature would not stand in a header field.
    #[error("the signatures of {0:?} do not stand in header fields")]
    Elsewhere(String),
}

impl Signer {
    /// Makes keys ready, and tries them where a provider says how to sign.
    ///
    /// # Errors
    ///
    /// Every problem; the path of one that is about a key has `secrets[INDEX]` in it. None quotes a key.
    pub fn try_new(style: &SignatureStyle, keys: &[SigningKeyConfig]) -> Result<Self, Vec<Problem>> {
        if keys.is_empty() {
            return Ok(Self(Style::Unsigned));
        }
        match style {
            SignatureStyle::StandardWebhooks => standard(keys),
            SignatureStyle::Provider(name) => provider(name, keys),
        }
    }

    /// Whether requests are signed at all.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        !matches!(self.0, Style::Unsigned)
    }

    /// Whether what is signed includes more than the id, the time and the body, so that it has to be known.
    #[must_use]
    pub const fn sees_headers(&self) -> bool {
        matches!(self.0, Style::Provider(_))
    }

    /// The header fields that sign a request, by name in the provider's own spelling.
    ///
    /// # Errors
    ///
    /// If no key counts now, or the request lacks what the provider's way to sign asks for.
    pub fn sign(&self, request: &SignInput<'_>) -> Result<Vec<(String, String)>, SignatureError> {
        match &self.0 {
            Style::Unsigned => Ok(Vec::new()),
            Style::Standard(keys) => {
                let now = keys.iter().filter(|(_, config)| config.signs_at(request.timestamp));
                let keys = now.map(|(key, _)| key);
                let text = signatures(keys, request.id, request.timestamp.seconds(), request.body);
                if text.is_empty() {
                    return Err(SignatureError::NoKey);
                }
                Ok(vec![("webhook-signature".to_owned(), text)])
            }
            Style::Provider(verifier) => by_provider(verifier, request),
        }
    }
}

fn standard(keys: &[SigningKeyConfig]) -> Result<Signer, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut ready = Vec::with_capacity(keys.len());
    for (index, config) in keys.iter().enumerate() {
        match SigningSecret::parse(config.value.reveal()) {
            Ok(key) => ready.push((key, config.clone())),
            Err(error) => problems.push(Problem::new(format!("secrets[{index}]"), error.to_string())),
        }
    }
    if problems.is_empty() { Ok(Signer(Style::Standard(ready))) } else { Err(problems) }
}

fn provider(name: &str, keys: &[SigningKeyConfig]) -> Result<Signer, Vec<Problem>> {
    let secret = |key: &SigningKeyConfig| SecretConfig {
        not_before: key.not_before,
        not_after: key.not_after,
        ..SecretConfig::new(key.value.reveal())
    };
    let secrets = keys.iter().map(secret).collect();
    let config = VerificationConfig { scheme: name.to_owned(), secrets, ..VerificationConfig::default() };
    let verifier = Verifier::try_new("", &config)?;
    // Whether this way to sign is one for any body is seen by signing one.
    let probe = SignInput {
        method: "POST",
        url: "https://example.com/",
        headers: &[("content-type".to_owned(), "application/json".to_owned())],
        body: b"{}",
        id: "evt_1",
        timestamp: UnixMillis(1_700_000_000_000),
        kind: Some("test"),
    };
    for secret in &config.secrets {
        let secrets = vec![SecretConfig::new(secret.value.clone())];
        let alone = Verifier::try_new("", &VerificationConfig { secrets, ..config.clone() })?;
        if let Err(error) = by_provider(&alone, &probe) {
            let message = format!("what {name:?} sends cannot be imitated: {error}");
            return Err(vec![Problem::new("signature", message)]);
        }
    }
    Ok(Signer(Style::Provider(Box::new(verifier))))
}

/// Providers whose fields are those of Standard Webhooks under the names that they had before, by which their own libraries
/// look for them.
const SVIX: [&str; 3] = ["clerk", "resend", "svix"];

/// The fields of Standard Webhooks under those names.
fn as_svix(fields: &[(String, String)]) -> Vec<(String, String)> {
    let renamed = |(name, value): &(String, String)| {
        let rest =
            name.strip_prefix("webhook-").filter(|rest| ["id", "timestamp", "signature"].contains(rest))?;
        Some((format!("svix-{rest}"), value.clone()))
    };
    fields.iter().filter_map(renamed).collect()
}

fn by_provider(
    verifier: &Verifier,
    request: &SignInput<'_>,
) -> Result<Vec<(String, String)>, SignatureError> {
    let signed = sign_by(verifier, request, SigningKeys::All).map_err(|error| match error {
        SignError::Asymmetric(_) if !verifier.has_key_at(request.timestamp) => SignatureError::NoKey,
        error => SignatureError::Unfit(error),
    })?;
    if signed.url != request.url || signed.body != request.body {
        return Err(SignatureError::Elsewhere(verifier.scheme().to_owned()));
    }
    let by_svix = if SVIX.contains(&verifier.scheme()) { as_svix(&signed.headers) } else { Vec::new() };
    let fields = signed.headers.into_iter().filter(|field| !request.headers.contains(field));
    Ok(fields.chain(by_svix).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::standard_webhooks;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn signer(style: &str, keys: &[SigningKeyConfig]) -> Result<Signer, Vec<Problem>> {
        let style = match style {
            "standard-webhooks" => SignatureStyle::StandardWebhooks,
            name => SignatureStyle::Provider(name.to_owned()),
        };
        Signer::try_new(&style, keys)
    }

    fn sign(
        signer: &Signer,
        body: &[u8],
        timestamp: UnixMillis,
    ) -> Result<Vec<(String, String)>, SignatureError> {
        signer.sign(&SignInput {
            method: "POST",
            url: "https://example.com/hook?a=b",
            headers: &[("content-type".to_owned(), "application/json".to_owned())],
            body,
            id: "evt_1",
            timestamp,
            kind: Some("push"),
        })
    }

    fn hex_hmac(key: &str, parts: &[&[u8]]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        hex::encode(mac.finalize().into_bytes())
    }

    fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
        fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    #[test]
    fn signs_as_github_does_by_the_first_key_that_counts() {
        let old = SigningKeyConfig {
            not_after: Some(UnixMillis(NOW.0 + 1)),
            ..SigningKeyConfig::new("old key of it")
        };
        let signer = signer("github", &[old, SigningKeyConfig::new("new key of it")]).unwrap();
        let body = br#"{"a": 1}"#;
        let fields = sign(&signer, body, NOW).unwrap();
        assert_eq!(
            field(&fields, "x-hub-signature-256"),
            format!("sha256={}", hex_hmac("old key of it", &[body]))
        );
        assert_eq!(field(&fields, "x-github-event"), "push");
        assert_eq!(field(&fields, "x-github-delivery"), "evt_1");
        let later = sign(&signer, body, UnixMillis(NOW.0 + 1)).unwrap();
        assert_eq!(
            field(&later, "x-hub-signature-256"),
            format!("sha256={}", hex_hmac("new key of it", &[body]))
        );
    }

    #[test]
    fn signs_as_stripe_does_by_every_key_that_counts() {
        let (one, other) = ("whsec_one_of_them", "whsec_another_one");
        let signer = signer("stripe", &[SigningKeyConfig::new(one), SigningKeyConfig::new(other)]).unwrap();
        let fields = sign(&signer, b"{}", NOW).unwrap();
        let signature = |key: &str| hex_hmac(key, &[b"1700000000.", b"{}"]);
        let expected = format!("t=1700000000,v1={},v1={}", signature(one), signature(other));
        assert_eq!(field(&fields, "stripe-signature"), expected);
        assert_eq!(fields.len(), 1, "{fields:?}");
    }

    #[test]
    fn signs_as_svix_does_under_both_names() {
        let key = SigningKeyConfig::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        for style in ["svix", "clerk", "resend"] {
            let fields = sign(&signer(style, std::slice::from_ref(&key)).unwrap(), b"{}", NOW).unwrap();
            assert_eq!(field(&fields, "svix-id"), "evt_1", "{style}");
            assert_eq!(field(&fields, "svix-timestamp"), "1700000000", "{style}");
            let signature = field(&fields, "svix-signature");
            assert!(
                signature.starts_with("v1,") && signature == field(&fields, "webhook-signature"),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn keys_of_standard_webhooks_sign_within_their_time_only() {
        let (old, new) = ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let until = SigningKeyConfig { not_after: Some(NOW), ..SigningKeyConfig::new(old) };
        let signer = signer("standard-webhooks", &[SigningKeyConfig::new(new), until.clone()]).unwrap();
        let by = |keys: &[&str], now: UnixMillis| {
            let keys: Vec<_> = keys.iter().map(|key| SigningSecret::parse(key).unwrap()).collect();
            standard_webhooks(&keys, "evt_1", now.seconds(), b"x").signature
        };
        let before = UnixMillis(NOW.0 - 1);
        assert_eq!(
            field(&sign(&signer, b"x", before).unwrap(), "webhook-signature"),
            by(&[new, old], before)
        );
        assert_eq!(field(&sign(&signer, b"x", NOW).unwrap(), "webhook-signature"), by(&[new], NOW));
        let alone = self::signer("standard-webhooks", &[until]).unwrap();
        assert_eq!(sign(&alone, b"x", NOW), Err(SignatureError::NoKey));
    }

    #[test]
    fn a_key_of_a_provider_counts_within_its_time_only() {
        let until = SigningKeyConfig { not_after: Some(NOW), ..SigningKeyConfig::new("some key of it") };
        let signer = signer("github", &[until]).unwrap();
        assert_eq!(sign(&signer, b"x", NOW), Err(SignatureError::NoKey));
    }

    #[test]
    fn says_which_ways_to_sign_cannot_be_imitated() {
        for name in ["paypal", "discord", "nobody"] {
            assert!(signer(name, &[SigningKeyConfig::new("0123456789abcdef")]).is_err(), "{name}");
        }
        assert!(!signer("github", &[]).unwrap().is_signed());
    }

    #[test]
    fn many_providers_can_be_imitated() {
        let keys = ["0123456789abcdef0123456789abcdef", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
        let usable = crate::verify::catalogue().iter().filter(|definition| {
            definition.name != "none"
                && keys.iter().any(|key| signer(definition.name, &[SigningKeyConfig::new(*key)]).is_ok())
        });
        let names: Vec<&str> = usable.map(|definition| definition.name).collect();
        for name in ["github", "stripe", "shopify", "slack", "svix"] {
            assert!(names.contains(&name), "{name} is none of {names:?}");
        }
    }
}
