//! Requests as the providers sign them, with keys of this test's.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crc::{CRC_32_ISO_HDLC, Crc};
use p256::ecdsa::signature::Signer as _;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:orders";
pub(crate) const SNS: &str = "sns.us-east-1.amazonaws.com";
pub(crate) const CERTIFICATE: &str = "/SimpleNotificationService-0a1b2c3d.pem";
pub(crate) const CONFIRM: &str = "/?Action=ConfirmSubscription&TopicArn=orders&Token=t0k3n";
pub(crate) const PAYPAL: &str = "api.paypal.com";
pub(crate) const PAYPAL_CERTIFICATE: &str = "/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77";
pub(crate) const WEBHOOK: &str = "1JE4291016473214C";
pub(crate) const PLAID: &str = "production.plaid.com";
pub(crate) const PLAID_KEYS: &str = "/webhook_verification_key/get";
pub(crate) const KEY_ID: &str = "bfbd5111-8e33-4643-8ced-b2e642a72f3c";

/// Header fields and body.
pub(crate) struct Message {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// The provider's RSA key.
pub(crate) fn rsa() -> KeyPair {
    KeyPair::from_pem(include_str!("signer.pem")).unwrap()
}

/// The certificate that belongs to it, as its host gives it.
pub(crate) fn certificate(name: &str) -> String {
    CertificateParams::new([name.to_owned()]).unwrap().self_signed(&rsa()).unwrap().pem()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn instant() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap()
}

/// A message of SNS: a notification, or the request to confirm a subscription.
pub(crate) fn sns(id: &str, confirmation: bool) -> Message {
    let mut members = vec![("Message", "sold".to_owned()), ("MessageId", id.to_owned())];
    if confirmation {
        members.push(("SubscribeURL", format!("https://{SNS}{CONFIRM}")));
    }
    members.push(("Timestamp", instant()));
    if confirmation {
        members.push(("Token", "t0k3n".to_owned()));
    }
    members.push(("TopicArn", TOPIC.to_owned()));
    let kind = if confirmation { "SubscriptionConfirmation" } else { "Notification" };
    members.push(("Type", kind.to_owned()));
    let signed: String = members.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect();
    let mut body: serde_json::Map<String, Value> =
        members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    body.insert("Signature".into(), STANDARD.encode(rsa().sign(signed.as_bytes()).unwrap()).into());
    body.insert("SignatureVersion".into(), "2".into());
    body.insert("SigningCertURL".into(), format!("https://{SNS}{CERTIFICATE}").into());
    Message {
        headers: vec![("x-amz-sns-message-type", kind.to_owned())],
        body: Value::Object(body).to_string(),
    }
}

/// An event of PayPal's.
pub(crate) fn paypal(id: &str) -> Message {
    let body = json!({"id": id, "event_type": "PAYMENT.SALE.COMPLETED"}).to_string();
    let (transmission, time) = (format!("t-{id}"), instant());
    let checksum = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(body.as_bytes());
    let signed = format!("{transmission}|{time}|{WEBHOOK}|{checksum}");
    let headers = vec![
        ("paypal-auth-algo", "SHA256withRSA".to_owned()),
        ("paypal-cert-url", format!("https://{PAYPAL}{PAYPAL_CERTIFICATE}")),
        ("paypal-transmission-id", transmission),
        ("paypal-transmission-time", time),
        ("paypal-transmission-sig", STANDARD.encode(rsa().sign(signed.as_bytes()).unwrap())),
    ];
    Message { headers, body }
}

fn curve() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()
}

/// Plaid's answer about its key.
pub(crate) fn plaid_key() -> String {
    let point = curve().verifying_key().to_sec1_point(false);
    json!({"key": {
        "alg": "ES256", "crv": "P-256", "kid": KEY_ID, "kty": "EC", "use": "sig",
        "x": URL_SAFE_NO_PAD.encode(point.x().unwrap()), "y": URL_SAFE_NO_PAD.encode(point.y().unwrap()),
        "expired_at": null,
    }})
    .to_string()
}

/// An event of Plaid's.
pub(crate) fn plaid(code: &str) -> Message {
    let body = json!({"webhook_type": "TRANSACTIONS", "webhook_code": code, "item_id": "item-1"}).to_string();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(json!({"alg": "ES256", "kid": KEY_ID, "typ": "JWT"})),
        part(json!({"iat": now(), "request_body_sha256": hex::encode(Sha256::digest(&body))}))
    );
    let signature: p256::ecdsa::Signature = curve().sign(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    Message { headers: vec![("plaid-verification", token)], body }
}
