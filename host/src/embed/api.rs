//! An API in code.

use serde_json::{Map, Value, json};
use std::fmt;

/// Whom calls are made to, in code: see [`super::Anglerfish::call`].
///
/// It has the keys of `[[api]]` in a configuration file, with the same meaning, defaults, bounds and checks.
///
/// ```
/// use anglerfish::Api;
///
/// let billing = Api::new("billing", "https://billing.example.com/v1")
///     .header("authorization", "env:BILLING_TOKEN")
///     .set("retries", 5);
/// ```
#[derive(Clone)]
pub struct Api {
    name: String,
    document: Map<String, Value>,
}

impl Api {
    /// One of this name (1 to 64 of `a-z A-Z 0-9 . _ -`), at this URL or the reference to one: `env:NAME` or `file:PATH`.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self::named(name).set("url", url.into())
    }

    /// One whose calls name the whole URL, each its own.
    #[must_use]
    pub fn any_url(name: impl Into<String>) -> Self {
        Self::named(name).set("any_url", true)
    }

    fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let document = Map::from_iter([("name".to_owned(), Value::String(name.clone()))]);
        Self { name, document }
    }

    /// Adds a header field to every call: its value, or a reference to it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Value::Object(headers) = self.document.entry("headers").or_insert_with(|| json!({})) {
            headers.insert(name.to_owned(), Value::String(value.into()));
        }
        self
    }

    /// Sets a key of `[[api]]`, in the place of what it was. Whether there is such a key is said when the gateway is built.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.document.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn into_document(self) -> Value {
        Value::Object(self.document)
    }
}

impl fmt::Debug for Api {
    /// Without its secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Api").field("name", &self.name).finish_non_exhaustive()
    }
}
