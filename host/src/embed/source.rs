//! A source in code.

use serde_json::{Map, Value, json};
use std::fmt;

/// A place where requests come in, in code.
///
/// It has the keys of `[[source]]` in a configuration file, with the same meaning, bounds and checks.
///
/// ```
/// use anglerfish::Source;
///
/// let shop = Source::new("shop", "standard-webhooks").secret("env:SHOP_SECRET").set("tolerance", "5m");
/// ```
#[derive(Clone)]
pub struct Source {
    name: String,
    document: Map<String, Value>,
}

impl Source {
    /// One of this name (1 to 64 of `a-z A-Z 0-9 . _ -`), whose requests are verified by this scheme or provider.
    #[must_use]
    pub fn new(name: impl Into<String>, scheme: impl Into<String>) -> Self {
        let name = name.into();
        let mut document = Map::new();
        document.insert("name".to_owned(), name.clone().into());
        document.insert("scheme".to_owned(), scheme.into().into());
        Self { name, document }
    }

    /// Adds a secret: its text, or a reference, `env:NAME` or `file:PATH`. Any of several verifies a request.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        let secrets = self.document.entry("secrets").or_insert_with(|| json!([]));
        if let Value::Array(secrets) = secrets {
            secrets.push(Value::String(secret.into()));
        }
        self
    }

    /// Sets a key of `[[source]]`, in the place of what it was. Whether there is such a key is said when the gateway is
    /// built.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.document.insert(key.to_owned(), value.into());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn into_document(self) -> Value {
        Value::Object(self.document)
    }
}

impl fmt::Debug for Source {
    /// Without its secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}
