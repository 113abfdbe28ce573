//! What a subscription has made of its events: a body, and values for its URL and header fields.

use super::filters::{FilterInput, expression_problems};
use super::table::Router;
use crate::config::{DataPiece, ValuePlace};
use crate::event::Event;
use crate::message::{Message, ReceivedBody};
use crate::problem::Problem;
use crate::request::{Header, UnixMillis};
use anglerfish_filter::table::{EventInput, ExpressionView};
use anglerfish_filter::{EvalError, Expression, Failure, Unreadable};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// The longest body that is made, in bytes.
pub const LONGEST_BODY: usize = 4 << 20;

/// The longest text of an expression that is quoted.
const QUOTED: usize = 200;

/// What a subscription has made of its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderConfig {
    /// A CEL expression for the data that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
    /// CEL expressions whose values stand in the URL and in header fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The pieces of a text that is sent in the place of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataPiece>,
}

impl RenderConfig {
    /// Whether nothing is made of events.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.transform.is_none() && self.values.is_empty() && self.data.is_empty()
    }
}

/// What was made of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The data to be sent.
    pub body: Option<Vec<u8>>,
    /// Expressions, and their values as text.
    pub values: Vec<(String, String)>,
}

/// The same, ready.
#[derive(Debug)]
pub(super) struct Rendering {
    transform: Option<Expression>,
    values: Vec<(String, Expression)>,
    data: Vec<Piece>,
}

/// A piece of a text, ready.
#[derive(Debug)]
enum Piece {
    Literal(String),
    Value(Expression, ValuePlace),
}

impl Rendering {
    /// Compiles the expressions, if there are any.
    pub(super) fn compile(config: &RenderConfig, path: &str) -> Result<Option<Self>, Vec<Problem>> {
        if config.is_empty() {
            return Ok(None);
        }
        let compile = |text: &String, path: String| {
            Expression::compile_value(text).map_err(|error| expression_problems(error, &path))
        };
        let transform = config.transform.as_ref();
        let transform =
            transform.map(|text| compile(text, format!("{path}delivery.transform"))).transpose()?;
        let values = config.values.iter().map(|text| {
            let expression = compile(text, format!("{path}endpoint"))?;
            Ok((text.clone(), expression))
        });
        let values = values.collect::<Result<_, Vec<Problem>>>()?;
        let data = config.data.iter().map(|piece| match piece {
            DataPiece::Literal(text) => Ok(Piece::Literal(text.clone())),
            DataPiece::Value { expression, place } => {
                Ok(Piece::Value(compile(expression, format!("{path}endpoint.data"))?, *place))
            }
        });
        Ok(Some(Self { transform, values, data: data.collect::<Result<_, Vec<Problem>>>()? }))
    }

    /// What is made of an event.
    fn render(&self, input: FilterInput<'_>, message: &Message<'_>) -> Result<Rendered, String> {
        let data = message.json();
        input.with(|seen| {
            let body = self.transform.as_ref().map(|expression| {
                let view = ExpressionView::new(expression, seen, Some(data));
                let text = view.with(|facts| expression.evaluate_json(facts, LONGEST_BODY));
                text.map(String::into_bytes).map_err(|error| said(expression, error, message))
            });
            let values = self.values.iter().map(|(text, expression)| {
                let view = ExpressionView::new(expression, seen, Some(data));
                let value = view.with(|facts| expression.evaluate_text(facts));
                value.map(|value| (text.clone(), value)).map_err(|error| said(expression, error, message))
            });
            let values = values.collect::<Result<_, String>>()?;
            let body = match body.transpose()? {
                None if !self.data.is_empty() => Some(self.text(seen, message)?.into_bytes()),
                body => body,
            };
            Ok(Rendered { body, values })
        })
    }

    /// The text that is sent in the place of the data.
    fn text(&self, seen: &EventInput<'_>, message: &Message<'_>) -> Result<String, String> {
        let data = message.json();
        let mut text = String::new();
        for piece in &self.data {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(expression, place) => {
                    let view = ExpressionView::new(expression, seen, Some(data));
                    let most = LONGEST_BODY.saturating_sub(text.len());
                    let value = match place {
                        ValuePlace::Json => view.with(|facts| expression.evaluate_json(facts, most)),
                        _ => view.with(|facts| expression.evaluate_text(facts)),
                    };
                    let value = value.map_err(|error| said(expression, error, message))?;
                    if *place == ValuePlace::Markup && !value.chars().all(is_of_xml) {
                        return Err(NO_XML.to_owned());
                    }
                    encode(&value, *place, &mut text);
                }
            }
            if text.len() > LONGEST_BODY {
                return Err(TOO_LONG.to_owned());
            }
        }
        Ok(text)
    }
}

/// What is said of a body that would be too long.
const TOO_LONG: &str = "the body would be longer than 4194304 bytes";

/// Of the fields of a form nothing stands for itself but what RFC 3986, section 2.3, does not reserve.
const FIELD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is said of a value that no parser of XML would take.
const NO_XML: &str = "a value has a character that XML cannot hold";

/// Whether XML can hold a character at all: not even a reference to it may stand there otherwise (XML 1.0, section 2.2).
const fn is_of_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Puts a value where it stands, so that it never ends the place.
fn encode(value: &str, place: ValuePlace, text: &mut String) {
    match place {
        // It is JSON already.
        ValuePlace::Json | ValuePlace::Text => text.push_str(value),
        ValuePlace::Form => text.extend(utf8_percent_encode(value, FIELD)),
        ValuePlace::JsonString => {
            let quoted = serde_json::Value::from(value).to_string();
            text.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        }
        ValuePlace::Markup => {
            for character in value.chars() {
                match character {
                    '&' => text.push_str("&amp;"),
                    '<' => text.push_str("&lt;"),
                    '>' => text.push_str("&gt;"),
                    '"' => text.push_str("&quot;"),
                    '\'' => text.push_str("&#39;"),
                    other => text.push(other),
                }
            }
        }
    }
}

/// Which part of an expression has no value, and why. It quotes the expression, never the event.
fn said(expression: &Expression, error: EvalError, message: &Message<'_>) -> String {
    let text = expression.text(error.node);
    let (shown, rest) = text.split_at(text.floor_char_boundary(QUOTED));
    let more = if rest.is_empty() { "" } else { "…" };
    match (error.failure, message.unpacked()) {
        (Failure::TooLong, _) => TOO_LONG.to_owned(),
        // Nobody knows whether it would be JSON.
        (Failure::Unreadable(Unreadable::NotJson), Err(reason)) => format!("`{shown}{more}`: {reason}"),
        _ => format!("`{shown}{more}`: {error}"),
    }
}

impl Router {
    /// What a subscription has made of an event; nothing if there is none of this id, or it makes nothing.
    ///
    /// # Errors
    ///
    /// Which expression has no value for this event, and why.
    pub fn render(
        &mut self,
        subscription: &str,
        event: &Event,
        headers: &[Header<'_>],
        data: &[u8],
        now: UnixMillis,
    ) -> Result<Rendered, String> {
        if self.rendering(subscription).is_none() {
            return Ok(Rendered::default());
        }
        let Some(rendering) = self.renderings.get(subscription) else { return Ok(Rendered::default()) };
        let fields = self.sources.get(&event.source).map_or(&[][..], |source| source.verifier.json_fields());
        let message = Message::new(ReceivedBody::of_event(event, headers, data), fields);
        rendering.render(FilterInput { event, headers, now }, &message)
    }
}

/// What would be made of an event.
///
/// # Errors
///
/// Every problem of the expressions. Within, which of them has no value for this event, and why.
pub fn render_once(
    config: &RenderConfig,
    event: &Event,
    headers: &[Header<'_>],
    data: &[u8],
    now: UnixMillis,
) -> Result<Result<Rendered, String>, Vec<Problem>> {
    let Some(rendering) = Rendering::compile(config, "")? else { return Ok(Ok(Rendered::default())) };
    let message = Message::new(ReceivedBody::of_event(event, headers, data), &[]);
    Ok(rendering.render(FilterInput { event, headers, now }, &message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DataKind, DataTemplate};

    fn rendered(transform: &str, values: &[&str]) -> Result<Rendered, String> {
        let data = br#"{"id": 7, "customer": {"name": "Ann"}, "items": [{"n": 1}, {"n": 2}], "none": null}"#;
        rendered_of(data, transform, values)
    }

    fn rendered_of(data: &[u8], transform: &str, values: &[&str]) -> Result<Rendered, String> {
        let event = Event {
            id: "evt_1".into(),
            source: "shop".into(),
            kind: "paid".into(),
            datacontenttype: Some("application/json".into()),
            ..Event::default()
        };
        let config = RenderConfig {
            transform: Some(transform.to_owned()),
            values: values.iter().map(|text| (*text).to_owned()).collect(),
            data: Vec::new(),
        };
        let headers = [Header { name: "X-Shop", value: b"main" }];
        render_once(&config, &event, &headers, data, UnixMillis(1_700_000_000_000)).unwrap()
    }

    #[test]
    fn builds_a_body_of_message_event_and_header_fields() {
        let transform = "{'id': message.id, 'who': message.customer, 'n': message.items.map(i, i.n * 10), \
            'by': event.source + '/' + headers['x-shop'], 'at': now, 'none': message.none}";
        let body = rendered(transform, &["message.id", "event.type"]).unwrap();
        assert_eq!(
            String::from_utf8(body.body.unwrap()).unwrap(),
            r#"{"id":7,"who":{"name":"Ann"},"n":[10,20],"by":"shop/main","at":"2023-11-14T22:13:20Z","none":null}"#
        );
        let expected = [("message.id", "7"), ("event.type", "paid")];
        assert_eq!(body.values, expected.map(|(text, value)| (text.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_absent_is_an_error_that_names_it_and_never_an_empty_text() {
        assert_eq!(
            rendered("{'id': message.order.id}", &[]),
            Err("`message.order.id`: there is no such field".into())
        );
        assert_eq!(rendered("1", &["message.nope"]), Err("`message.nope`: there is no such field".into()));
        for (text, kind) in
            [("message.none", "null"), ("message.customer", "an object"), ("message.items", "a list")]
        {
            let said = format!("`{text}`: its value is {kind}; text, a number or a bool can stand here");
            assert_eq!(rendered("1", &[text]), Err(said));
        }
    }

    #[test]
    fn a_text_has_values_encoded_for_their_places() {
        let data = br#"{"id": 7, "name": "A \"B\" <C> & d=1", "tags": ["x", null], "none": null}"#;
        let rendered = |text: &str, kind: DataKind| {
            let event = Event { source: "shop".into(), ..Event::default() };
            let pieces = DataTemplate::parse(text, kind).unwrap().pieces;
            let config = RenderConfig { data: pieces, ..RenderConfig::default() };
            let made = render_once(&config, &event, &[], data, UnixMillis(0)).unwrap();
            made.map(|made| String::from_utf8(made.body.unwrap()).unwrap())
        };
        let json = "{\"n\": {{ message.id }}, \"text\": \"of {{ message.name }}\", \"tags\": {{ message.tags }}, \"none\": {{ message.none }}}";
        assert_eq!(
            rendered(json, DataKind::Json).unwrap(),
            r#"{"n": 7, "text": "of A \"B\" <C> & d=1", "tags": ["x",null], "none": null}"#
        );
        assert_eq!(
            rendered("name={{ message.name }}&id={{ message.id }}", DataKind::Form).unwrap(),
            "name=A%20%22B%22%20%3CC%3E%20%26%20d%3D1&id=7"
        );
        assert_eq!(
            rendered("<a b=\"{{ message.name }}\"/>", DataKind::Markup).unwrap(),
            "<a b=\"A &quot;B&quot; &lt;C&gt; &amp; d=1\"/>"
        );
        assert_eq!(rendered("{{ message.name }}!", DataKind::Text).unwrap(), "A \"B\" <C> & d=1!");
        assert_eq!(rendered("ping", DataKind::Text).unwrap(), "ping");
        // XML cannot even refer to these.
        for text in ["a\u{1}b", "\u{0}", "\u{1f}", "\u{fffe}"] {
            let data = serde_json::json!({"name": text}).to_string();
            let pieces = DataTemplate::parse("<a>{{ message.name }}</a>", DataKind::Markup).unwrap().pieces;
            let config = RenderConfig { data: pieces, ..RenderConfig::default() };
            let made = render_once(&config, &Event::default(), &[], data.as_bytes(), UnixMillis(0)).unwrap();
            assert!(made.is_err_and(|error| error.contains("XML cannot hold")), "{text:?}");
        }
        // What is absent is an error, and so is what is no text where text is to stand.
        assert_eq!(
            rendered("{\"a\": {{ message.x }}}", DataKind::Json),
            Err("`message.x`: there is no such field".into())
        );
        assert!(rendered("{{ message.none }}", DataKind::Text).is_err());
        assert!(rendered("{\"a\": \"{{ message.tags }}\"}", DataKind::Json).is_err());
    }

    #[test]
    fn a_body_that_cannot_be_unpacked_is_told_as_one() {
        let config = RenderConfig { transform: Some("message.n".to_owned()), ..RenderConfig::default() };
        let headers = [Header { name: "Content-Encoding", value: b"gzip" }];
        let made = render_once(&config, &Event::default(), &headers, b"{\"n\": 1}", UnixMillis(0)).unwrap();
        let said = "`message.n`: the body cannot be unpacked: it is not whole gzip";
        assert_eq!(made, Err(said.to_owned()));
    }

    #[test]
    fn a_body_is_bounded() {
        // Four times the text, in quotes and brackets: `["…","…","…","…"]`.
        let around = "[,,,]".len() + 4 * "\"\"".len();
        let (fits, most) = ((LONGEST_BODY - around) / 4, "[message, message, message, message]");
        let text = |length: usize| format!("\"{}\"", "x".repeat(length)).into_bytes();
        // A body that is there by mistake is not for the screen.
        let made = |length| rendered_of(&text(length), most, &[]).map(|made| made.body.unwrap().len());
        assert_eq!(made(fits), Ok(4 * fits + around));
        assert_eq!(made(fits + 1), Err(format!("the body would be longer than {LONGEST_BODY} bytes")));
        // What makes much of little ends by the steps that it takes or by its length, whichever comes first.
        let ten = "[1,2,3,4,5,6,7,8,9,10]";
        let many = format!("{ten}.map(a, {ten}.map(b, {ten}.map(c, [{}])))", vec!["message"; 500].join(","));
        let error = rendered(&many, &[]).unwrap_err();
        assert!(error.contains("longer than") || error.contains("too many steps"), "{error}");
    }
}
