//! What a subscriber is told.

use super::wildcard::{Part, parts};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What became of a document, as its subscriber sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It has not got it yet.
    Create,
    /// It has an older one.
    Update,
    /// It has one, and there is none any more, or none that it wants.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// The word of notifications and of the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// The envelope around a document, to be serialised: its members in alphabetical order.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// What became of the document.
    pub action: Action,
    /// What the subscription adds; left out if there is nothing.
    pub data: &'a Map<String, Value>,
    /// The document as it came, byte for byte; left out if the subscription does not want it.
    pub document: Option<&'a RawValue>,
    /// The document's URL.
    pub id: &'a str,
    /// When it came, as RFC 3339 writes it.
    pub updated: &'a str,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("action", self.action.word())?;
        if !self.data.is_empty() {
            map.serialize_entry("data", self.data)?;
        }
        if let Some(document) = self.document {
            map.serialize_entry("document", document)?;
        }
        map.serialize_entry("id", self.id)?;
        map.serialize_entry("updatedAt", self.updated)?;
        map.end()
    }
}

/// The data of a subscription with values in the place of wildcards: in the texts at its top, wherever they stand in them. All
/// else stays as it is, and the data that it is made of does too.
#[must_use]
pub fn fill_data(data: &Map<String, Value>, values: &[(String, String)]) -> Map<String, Value> {
    let filled = data.iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => Value::String(fill(text, values)),
            other => other.clone(),
        };
        (key.clone(), value)
    });
    filled.collect()
}

/// A text with values in the place of wildcards; those that have none, and what cannot be taken apart, stay.
fn fill(text: &str, values: &[(String, String)]) -> String {
    let Ok(parts) = parts(text) else { return text.to_owned() };
    let mut filled = String::with_capacity(text.len());
    for part in parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Wildcard(name) => match values.iter().find(|(known, _)| known == name) {
                Some((_, value)) => filled.push_str(value),
                None => filled.extend(["{", name, "}"]),
            },
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn an_envelope_has_its_members_in_alphabetical_order_and_the_document_as_it_came() {
        let document = serde_json::from_str::<&RawValue>("{ \"b\": 1.0, \"a\": 9007199254740993 }").unwrap();
        let data = object(json!({"service": "user"}));
        let envelope = |data, document| Envelope {
            action: Action::Update,
            data,
            document,
            id: "http://h/u/1",
            updated: "2018-05-18T22:05:14.1Z",
        };
        assert_eq!(
            serde_json::to_string(&envelope(&data, Some(document))).unwrap(),
            concat!(
                r#"{"action":"update","data":{"service":"user"},"#,
                r#""document":{ "b": 1.0, "a": 9007199254740993 },"#,
                r#""id":"http://h/u/1","updatedAt":"2018-05-18T22:05:14.1Z"}"#
            )
        );
        assert_eq!(
            serde_json::to_string(&envelope(&Map::new(), None)).unwrap(),
            r#"{"action":"update","id":"http://h/u/1","updatedAt":"2018-05-18T22:05:14.1Z"}"#
        );
    }

    #[test]
    fn data_is_filled_anew_for_each_document() {
        let data = object(json!({
            "url": "/users/{id}/{revision}", "twice": "{id}{x}{id}", "list": ["{id}"], "rate": 1, "open": "{id"
        }));
        let values = |id: &str| [("id".to_owned(), id.to_owned()), ("revision".to_owned(), "7".to_owned())];
        let first = fill_data(&data, &values("1"));
        assert_eq!(first["url"], "/users/1/7");
        assert_eq!(first["list"], json!(["{id}"]));
        assert_eq!(first["open"], "{id");
        assert_eq!(fill_data(&data, &values("{id}"))["url"], "/users/{id}/7");
        assert_eq!(fill_data(&data, &values("2"))["url"], "/users/2/7");
    }
}
