//! A topic in code.

use serde_json::{Map, Value, json};
use std::fmt;

/// A named place to publish to and to read from, in code.
///
/// It has the keys of `[[topic]]` in a configuration file, with the same meaning, defaults, bounds and checks. Its members come
/// through [`super::Anglerfish::out`] or a listener of the gateway's own.
///
/// ```
/// use anglerfish::Topic;
///
/// let rooms = Topic::new("chat.*").token("env:CHAT_TOKEN").set("max_size", "16KiB");
/// ```
#[derive(Clone)]
pub struct Topic {
    name: String,
    document: Map<String, Value>,
}

impl Topic {
    /// One of this name: parts of `a-z A-Z 0-9 _ -` with dots between them, `*` for any one part, `**` at the end for all that
    /// follow. Somebody has to be able to read it or publish to it: see [`Topic::token`].
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let document = Map::from_iter([("name".to_owned(), Value::String(name.clone()))]);
        Self { name, document }
    }

    /// Lets whoever shows this token read and publish: its text, or a reference to it.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        self.push("tokens", token.into())
    }

    /// Lets whoever shows this token read.
    #[must_use]
    pub fn read_token(self, token: impl Into<String>) -> Self {
        self.push("read_tokens", token.into())
    }

    /// Lets whoever shows this token publish.
    #[must_use]
    pub fn publish_token(self, token: impl Into<String>) -> Self {
        self.push("publish_tokens", token.into())
    }

    /// Sets a key of `[[topic]]`, in the place of what it was. Whether there is such a key is said when the gateway is built.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.document.insert(key.to_owned(), value.into());
        self
    }

    fn push(mut self, key: &str, token: String) -> Self {
        if let Value::Array(tokens) = self.document.entry(key).or_insert_with(|| json!([])) {
            tokens.push(Value::String(token));
        }
        self
    }

    pub(super) fn into_document(self) -> Value {
        Value::Object(self.document)
    }
}

impl fmt::Debug for Topic {
    /// Without its tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}
