//! Signatures as senders make them, written from the providers' descriptions and independent of the gateway's own code.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// Header fields.
pub type Headers = Vec<(String, String)>;

/// Seconds since 1970.
///
/// # Panics
///
/// If the clock stands before 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is behind 1970").as_secs()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("hmac takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn fields<const N: usize>(fields: [(&str, String); N]) -> Headers {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn standard_signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("no whsec_")).expect("no base64");
    let head = format!("{id}.{timestamp}.");
    format!("v1,{}", STANDARD.encode(mac(&key, &[head.as_bytes(), body])))
}

/// Standard Webhooks, of JSON.
#[must_use]
pub fn standard(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> Headers {
    let timestamp = timestamp.to_string();
    let signature = standard_signature(secret, id, &timestamp, body);
    fields([
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ])
}

/// Whether one of the signatures of a delivery is right and its time is near.
#[must_use]
pub fn verify_standard(secret: &str, headers: &[(String, String)], body: &[u8]) -> bool {
    let field = |name| crate::header(headers, name);
    let (Some(id), Some(timestamp), Some(signatures)) =
        (field("webhook-id"), field("webhook-timestamp"), field("webhook-signature"))
    else {
        return false;
    };
    let near = timestamp.parse::<u64>().is_ok_and(|time| time.abs_diff(now()) <= 300);
    let expected = standard_signature(secret, id, timestamp, body);
    near && signatures.split(' ').any(|signature| signature == expected)
}

/// GitHub, of a push.
#[must_use]
pub fn github(secret: &str, delivery: &str, body: &[u8]) -> Headers {
    fields([
        ("content-type", "application/json".to_owned()),
        ("x-github-event", "push".to_owned()),
        ("x-github-delivery", delivery.to_owned()),
        ("x-hub-signature-256", format!("sha256={}", hex::encode(mac(secret.as_bytes(), &[body])))),
    ])
}

/// Slack.
#[must_use]
pub fn slack(secret: &str, timestamp: u64, body: &[u8]) -> Headers {
    let head = format!("v0:{timestamp}:");
    let signature = hex::encode(mac(secret.as_bytes(), &[head.as_bytes(), body]));
    fields([
        ("content-type", "application/json".to_owned()),
        ("x-slack-request-timestamp", timestamp.to_string()),
        ("x-slack-signature", format!("v0={signature}")),
    ])
}
