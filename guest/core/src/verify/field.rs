//! The grammar of a header that carries signatures or a timestamp: one value, or a list of items with prefixes.

use super::context::Scope;
use super::place::Place;

/// One value, or those items of a list that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Where the text is.
    pub(crate) place: Place,
    /// What separates the items of a list; `None` if the text is one item.
    pub(crate) separator: Option<char>,
    /// What an item begins with, without regard to ASCII case; other items are not this field's.
    pub(crate) prefix: String,
    /// The items' positions, from 0; `None` means any.
    pub(crate) position: Option<Position>,
}

/// Which items of a list by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// This one.
    At(usize),
    /// This one and those after it.
    From(usize),
}

/// A header with more signatures than this is an attempt to keep the verifier busy.
pub(crate) const MOST_ITEMS: usize = 16;

impl Field {
    /// The items, without their prefix. An error says what is missing or ambiguous.
    pub(crate) fn items(&self, scope: &Scope<'_>) -> Result<Vec<Vec<u8>>, String> {
        let text = scope.get(&self.place)?;
        let Some(separator) = self.separator else {
            return match strip(&text, &self.prefix) {
                Some(item) => Ok(vec![item.to_vec()]),
                None => Err(format!("{} does not begin with `{}`", self.place, self.prefix)),
            };
        };
        let mut items = Vec::new();
        let parts = text.split(|byte| char::from(*byte) == separator).map(<[u8]>::trim_ascii);
        for (index, item) in parts.enumerate() {
            let here = match self.position {
                None => true,
                Some(Position::At(at)) => index == at,
                Some(Position::From(from)) => index >= from,
            };
            if let Some(item) = strip(item, &self.prefix).filter(|_| here) {
                if items.len() == MOST_ITEMS {
                    return Err(format!("{} has more than {MOST_ITEMS} values", self.place));
                }
                items.push(item.to_vec());
            }
        }
        if items.is_empty() {
            return Err(match self.prefix.as_str() {
                "" => format!("{} has too few values", self.place),
                prefix => format!("{} has no `{prefix}` value", self.place),
            });
        }
        Ok(items)
    }

    /// The one item. An error says what is missing or ambiguous.
    pub(crate) fn item(&self, scope: &Scope<'_>) -> Result<Vec<u8>, String> {
        let mut items = self.items(scope)?;
        match (items.pop(), items.is_empty()) {
            (Some(item), true) => Ok(item),
            _ => Err(format!("{} has more than one `{}` value", self.place, self.prefix)),
        }
    }
}

fn strip<'t>(text: &'t [u8], prefix: &str) -> Option<&'t [u8]> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    // RFC 9110, section 11.4: one or more spaces stand behind the name of an authentication scheme.
    let spaced = prefix.ends_with(' ') && !prefix.trim_end().is_empty();
    let tail = if spaced { tail.trim_ascii_start() } else { tail };
    head.eq_ignore_ascii_case(prefix.as_bytes()).then_some(tail)
}
