//! A definition as it is written, in TOML by the project and by users, as JSON by the time it gets here.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A whole definition. Its tables are read one by one, so that all their problems are found at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawScheme {
    #[serde(default = "unauthorized")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) unsigned: bool,
    #[serde(default)]
    pub(crate) variant: Vec<Value>,
    #[serde(default)]
    pub(crate) handshake: Vec<Value>,
    #[serde(default)]
    pub(crate) answer: Vec<Value>,
    #[serde(default)]
    pub(crate) event: Option<Value>,
    #[serde(default)]
    pub(crate) replay: Vec<String>,
    #[serde(default)]
    pub(crate) parameter: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawVariant {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) opt_in: bool,
    #[serde(default)]
    pub(crate) when: Vec<RawCondition>,
    pub(crate) algorithm: String,
    #[serde(default)]
    pub(crate) key: Vec<String>,
    #[serde(default)]
    pub(crate) encoding: Option<String>,
    pub(crate) signature: RawField,
    #[serde(default)]
    pub(crate) signed: Option<String>,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) timestamp: Option<RawTimestamp>,
    #[serde(default)]
    pub(crate) window: Option<RawWindow>,
    #[serde(default)]
    pub(crate) each: Option<String>,
    #[serde(default)]
    pub(crate) requires: Vec<RawCondition>,
    #[serde(default)]
    pub(crate) url_ports: bool,
    #[serde(default)]
    pub(crate) certificate: Option<RawPin>,
    #[serde(default)]
    pub(crate) jwt: Option<RawJwt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawPin {
    pub(crate) at: String,
    pub(crate) urls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawJwt {
    pub(crate) url: String,
    pub(crate) post: BTreeMap<String, String>,
    pub(crate) key: String,
    pub(crate) body_hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawField {
    pub(crate) at: Vec<String>,
    #[serde(default)]
    pub(crate) separator: Option<char>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) position: Option<usize>,
    #[serde(default)]
    pub(crate) from_position: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawTimestamp {
    pub(crate) at: Vec<String>,
    #[serde(default)]
    pub(crate) separator: Option<char>,
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) position: Option<usize>,
    pub(crate) unit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawWindow {
    #[serde(default)]
    pub(crate) past: Option<u64>,
    #[serde(default)]
    pub(crate) future: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawCondition {
    pub(crate) at: String,
    #[serde(default)]
    pub(crate) is: Option<String>,
    #[serde(default)]
    pub(crate) present: Option<bool>,
    #[serde(default)]
    pub(crate) token: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawReply {
    #[serde(default)]
    pub(crate) when: Vec<RawCondition>,
    /// Of handshakes only: whether the signature must hold first.
    #[serde(default)]
    pub(crate) signed: Option<bool>,
    /// Of handshakes only: what must be fetched first.
    #[serde(default)]
    pub(crate) fetch: Option<RawPin>,
    #[serde(default = "ok")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) content_type: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) json: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawEvent {
    #[serde(default)]
    pub(crate) id: Vec<String>,
    #[serde(default)]
    pub(crate) r#type: Vec<String>,
    #[serde(default)]
    pub(crate) subject: Vec<String>,
    #[serde(default)]
    pub(crate) time: Vec<RawTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawTime {
    pub(crate) at: String,
    pub(crate) unit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawParameter {
    pub(crate) about: String,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) default: Option<String>,
}

const fn unauthorized() -> u16 {
    401
}

const fn ok() -> u16 {
    200
}
