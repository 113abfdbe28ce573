//! Texts with expressions in them: `orders/{{ message.id }}`.

use super::DataTemplate;
use crate::resource::Part;
use std::fmt;

/// A text with expressions in it. Its `Debug` form hides it: what stands around them can be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// A piece of a template.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is written.
    Literal(String),
    /// A CEL expression, whose value stands here.
    Expression(String),
}

impl Template {
    /// Takes a text apart; `None` if it has no `{{`.
    ///
    /// # Errors
    ///
    /// Why it is no template.
    pub fn parse(text: &str) -> Option<Result<Self, &'static str>> {
        text.contains("{{").then(|| Self::pieces(text).map(Self))
    }

    /// Takes a text apart by its wildcards, `{id}`: each is an expression of its name. `None` if it has none.
    #[must_use]
    pub fn of_wildcards(parts: &[Part<'_>]) -> Option<Self> {
        let piece = |part: &Part<'_>| match part {
            Part::Text(text) => Piece::Literal((*text).to_owned()),
            Part::Wildcard(name) => Piece::Expression((*name).to_owned()),
        };
        let has_any = parts.iter().any(|part| matches!(part, Part::Wildcard(_)));
        has_any.then(|| Self(parts.iter().map(piece).collect()))
    }

    fn pieces(text: &str) -> Result<Vec<Piece>, &'static str> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, behind) = after.split_once("}}").ok_or("`{{` has no `}}` behind it")?;
            let inside = inside.trim();
            if inside.is_empty() {
                return Err("there is no expression in `{{ }}`");
            }
            pieces.extend((!before.is_empty()).then(|| Piece::Literal(before.to_owned())));
            pieces.push(Piece::Expression(inside.to_owned()));
            rest = behind;
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Literal(rest.to_owned())));
        Ok(pieces)
    }

    /// The pieces in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[Piece] {
        &self.0
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Expression(text) => Some(text.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The text with something in the place of each expression.
    #[must_use]
    pub fn with(&self, stand_in: &str) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Expression(_) => stand_in.to_owned(),
        };
        self.0.iter().map(text).collect()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Template(…)")
    }
}

/// What of an endpoint depends on the event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointTemplates {
    /// The URL's path and query, where they do. Its host never does.
    pub target: Option<Template>,
    /// Header fields, by lower-case name.
    pub headers: Vec<(String, Template)>,
    /// What is sent in the place of the event's data.
    pub data: Option<DataTemplate>,
}

impl EndpointTemplates {
    /// The expressions of the URL and of header fields.
    pub fn expressions(&self) -> impl Iterator<Item = String> {
        let headers = self.headers.iter().map(|(_, template)| template);
        self.target.iter().chain(headers).flat_map(Template::expressions).map(str::to_owned)
    }
}
