//! A text that is sent in the place of an event's data, with values of the event in it.

use super::{Piece, Template};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a text is, which says how values are encoded that stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// JSON.
    Json,
    /// The fields of a form.
    Form,
    /// XML or HTML.
    Markup,
    /// Any other text: values stand in it as they are.
    Text,
}

impl DataKind {
    /// What a media type says that a text is.
    #[must_use]
    pub fn of_type(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "text/html" | "text/xml" | "application/xml" => Self::Markup,
            other if other == "application/json" || other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Markup,
            _ => Self::Text,
        }
    }

    /// What a text is of which nobody says what it is: one that begins like a document of JSON is to be one.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        if text.trim_start().starts_with(['{', '[']) { Self::Json } else { Self::Text }
    }

    /// The media type that it is sent with where nobody says another one.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Markup => "application/xml",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// Where in a text a value stands, which says how it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValuePlace {
    /// As a value of JSON: of any type.
    Json,
    /// Within a string of JSON.
    JsonString,
    /// In a field of a form.
    Form,
    /// Between the tags of XML or HTML, or in an attribute's quotes.
    Markup,
    /// In any other text.
    Text,
}

/// A piece of what is sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPiece {
    /// As it is written.
    Literal(String),
    /// The value of a CEL expression.
    Value {
        /// The expression.
        expression: String,
        /// Where it stands.
        place: ValuePlace,
    },
}

impl fmt::Debug for DataPiece {
    /// What stands around values can be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Literal(_) => "Literal(…)",
            Self::Value { .. } => "Value(…)",
        })
    }
}

/// A text that is sent in the place of an event's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataTemplate {
    /// Its pieces, in their order.
    pub pieces: Vec<DataPiece>,
    /// What it is.
    pub kind: DataKind,
}

/// Bytes of a text that is sent in the place of the data.
const LONGEST_DATA: usize = 64 * 1024;

/// Values in it: each of them may take as long as a filter.
const MOST_VALUES: usize = 100;

impl DataTemplate {
    /// Takes a text apart that is what its content type says, or without one what it begins like.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent.
    pub fn of(text: &str, content_type: Option<&str>) -> Result<Self, String> {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.len() > LONGEST_DATA {
            return Err(format!("is {} bytes long; at most {LONGEST_DATA} are taken", text.len()));
        }
        let kind = content_type.map_or_else(|| DataKind::of_text(text), DataKind::of_type);
        let template = Self::parse(text, kind)?;
        match template.expressions().count() {
            0..=MOST_VALUES => Ok(template),
            count => Err(format!("has {count} values; at most {MOST_VALUES} are taken")),
        }
    }

    /// Takes a text of this kind apart.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent.
    pub fn parse(text: &str, kind: DataKind) -> Result<Self, String> {
        let template = match Template::parse(text) {
            None => vec![Piece::Literal(text.to_owned())],
            Some(template) => template?.as_slice().to_vec(),
        };
        let mut json = JsonPlace::default();
        let mut pieces = Vec::with_capacity(template.len());
        // With something in the place of each value, as what it will be.
        let mut whole = String::with_capacity(text.len());
        for piece in template {
            match piece {
                Piece::Literal(text) => {
                    if kind == DataKind::Json {
                        json.read(&text);
                    }
                    whole.push_str(&text);
                    pieces.push(DataPiece::Literal(text));
                }
                Piece::Expression(expression) => {
                    let place = match kind {
                        DataKind::Json if json.is_escaped => {
                            return Err("a value cannot stand behind a backslash".to_owned());
                        }
                        DataKind::Json if json.is_string => ValuePlace::JsonString,
                        DataKind::Json => ValuePlace::Json,
                        DataKind::Form => ValuePlace::Form,
                        DataKind::Markup => ValuePlace::Markup,
                        DataKind::Text => ValuePlace::Text,
                    };
                    whole.push_str(if place == ValuePlace::Json { "null" } else { "x" });
                    pieces.push(DataPiece::Value { expression, place });
                }
            }
        }
        if kind == DataKind::Json
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&whole)
        {
            // The place in it would be one of the text with values.
            let error = error.to_string();
            let what = error.split(" at line ").next().unwrap_or_default();
            return Err(format!("would not be JSON with values in it: {what}"));
        }
        Ok(Self { pieces, kind })
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            DataPiece::Value { expression, .. } => Some(expression.as_str()),
            DataPiece::Literal(_) => None,
        })
    }
}

/// Where the end of a text is in JSON (RFC 8259, section 7).
#[derive(Debug, Default)]
struct JsonPlace {
    is_string: bool,
    is_escaped: bool,
}

impl JsonPlace {
    fn read(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                _ if self.is_escaped => self.is_escaped = false,
                '\\' if self.is_string => self.is_escaped = true,
                '"' => self.is_string = !self.is_string,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, kind: DataKind) -> Vec<ValuePlace> {
        let template = DataTemplate::parse(text, kind).unwrap();
        let place = |piece: DataPiece| match piece {
            DataPiece::Value { place, .. } => Some(place),
            DataPiece::Literal(_) => None,
        };
        template.pieces.into_iter().filter_map(place).collect()
    }

    #[test]
    fn a_value_is_encoded_for_the_place_where_it_stands() {
        use ValuePlace::{Form, Json, JsonString, Markup, Text};
        let json = r#"{"id": {{ message.id }}, "text": "\"{{ message.id }}\" of {{event.type}}", "{{ event.id }}": [{{ now }}]}"#;
        assert_eq!(places(json, DataKind::Json), [Json, JsonString, JsonString, JsonString, Json]);
        assert_eq!(places("a={{ message.a }}", DataKind::Form), [Form]);
        assert_eq!(places("<a>{{ message.a }}</a>", DataKind::Markup), [Markup]);
        assert_eq!(places("{{ message.a }}!", DataKind::Text), [Text]);
        assert_eq!(places("no value", DataKind::Text), []);
    }

    #[test]
    fn what_would_be_no_json_is_told_before_it_is_sent() {
        let told = |text: &str| DataTemplate::parse(text, DataKind::Json).unwrap_err();
        for text in
            ["{", "{\"a\": {{ message.a }}", "{\"a\": {{ a }} {{ b }}}", "{\"a\": \"{{ a }}}", "{{ a }}}"]
        {
            assert!(told(text).contains("would not be JSON"), "{text}: {}", told(text));
        }
        assert!(told(r#"{"a": "\{{ message.a }}"}"#).contains("backslash"));
        assert!(told("{{ }}").contains("no expression") && told("{{ a").contains("`}}`"));
        assert!(DataTemplate::parse("{", DataKind::Text).is_ok());
    }

    #[test]
    fn a_media_type_says_what_a_text_is_and_else_how_it_begins() {
        for (media_type, kind) in [
            ("application/json; charset=utf-8", DataKind::Json),
            ("application/vnd.api+JSON", DataKind::Json),
            ("application/x-www-form-urlencoded", DataKind::Form),
            ("text/html", DataKind::Markup),
            ("application/soap+xml", DataKind::Markup),
            ("text/csv", DataKind::Text),
            ("", DataKind::Text),
        ] {
            assert_eq!(DataKind::of_type(media_type), kind, "{media_type}");
        }
        assert_eq!(DataKind::of_text(" {\"a\": 1}"), DataKind::Json);
        assert_eq!(DataKind::of_text("{{ message.text }}"), DataKind::Json);
        assert_eq!(DataKind::of_text("Order {{ message.id }}"), DataKind::Text);
        assert_eq!(DataKind::of_type(DataKind::Markup.media_type()), DataKind::Markup);
    }

    #[test]
    fn what_stands_around_values_is_not_shown() {
        let template = DataTemplate::parse("token=hunter2&id={{ message.id }}", DataKind::Form).unwrap();
        assert!(!format!("{template:?}").contains("hunter2"));
    }
}
