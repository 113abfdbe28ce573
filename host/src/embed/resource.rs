//! A resource in code.

use serde_json::{Map, Value, json};

/// Whose documents subscribers are told of, in code.
///
/// It has the keys of `[[resource]]` in a configuration file, with the same meaning, bounds and checks. A subscription names it by
/// `.set("resource", "users")`; documents are put by [`super::Anglerfish::put_document`], through the management API,
/// or at the listener of [`super::AnglerfishBuilder::documents_listener`].
///
/// ```
/// use anglerfish::Resource;
///
/// let users = Resource::new("users", "http://api.company.com/users/{id}", "revision").set("tombstones", "7d");
/// ```
#[derive(Debug, Clone)]
pub struct Resource {
    document: Map<String, Value>,
}

impl Resource {
    /// One of this id (1 to 64 of `a-z A-Z 0-9 . _ -`) with the documents whose URLs have this pattern, each wildcard alone between
    /// two slashes. `field` of a document says how new it is: an integer, unless [`Resource::format`] says how a date is written.
    #[must_use]
    pub fn new(id: impl Into<String>, endpoint: impl Into<String>, field: impl Into<String>) -> Self {
        let (id, endpoint, field) = (id.into(), endpoint.into(), field.into());
        let document = Map::from_iter([
            ("id".to_owned(), Value::String(id)),
            ("endpoint".to_owned(), Value::String(endpoint)),
            ("change".to_owned(), json!({"field": field})),
        ]);
        Self { document }
    }

    /// Reads the field as a date that is written like this one, a reference layout of Go: `2006-01-02T15:04:05Z07:00`.
    #[must_use]
    pub fn format(mut self, layout: impl Into<String>) -> Self {
        if let Some(Value::Object(change)) = self.document.get_mut("change") {
            change.insert("format".to_owned(), Value::String(layout.into()));
        }
        self
    }

    /// Sets a key of `[[resource]]`, in the place of what it was. Whether there is such a key is said when the gateway is built.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.document.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn into_document(self) -> Value {
        Value::Object(self.document)
    }
}
